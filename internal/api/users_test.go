package api

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// crowd seeds people of all kinds and returns everybody as a plain list would show them.
func crowd(t *testing.T, s *stack, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	for id := presence.UserID(100); id < presence.UserID(100+n); id++ {
		a := user(id, fmt.Sprintf("%c%d", 'a'+rune(random.IntN(26)), id))
		a.Role = presence.Role(random.IntN(3))
		a.Status = []presence.AccountStatus{presence.AccountActive, presence.AccountActive, presence.AccountPending}[random.IntN(3)]
		a.CreatedAt = epoch.Add(time.Duration(random.IntN(5)) * time.Hour) // many at the same moment
		s.seed(a)
		for range random.IntN(3) {
			s.signal(presence.Signal{
				User: id, Session: presence.SessionID(1000 + random.IntN(1<<30)), Kind: presence.Heartbeat, Idle: random.IntN(2) == 0,
				At: now.Add(-time.Duration(random.IntN(5)) * time.Second),
			})
		}
		if random.IntN(10) == 0 {
			if err := s.auth.SetHold(t.Context(), auth.System, id, presence.Offline, time.Time{}, "", presence.Origin{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// all is the list read whole, page by page.
func (s *stack) all(query url.Values, limit int) (rows []wire.UserRow, total int) {
	s.t.Helper()
	query.Set("limit", fmt.Sprint(limit))
	query.Set("total", "true")
	query.Del("cursor")
	for range 1000 {
		page := want[wire.UserPage](s, 200, "GET", "/api/v1/users?"+query.Encode(), s.login("boss").Access, "")
		rows = append(rows, page.Items...)
		if page.Total != nil {
			total = *page.Total
		}
		if page.NextCursor == nil {
			return rows, total
		}
		query.Set("cursor", *page.NextCursor)
		query.Del("total")
	}
	s.t.Fatal("the list has no end")
	return nil, 0
}

// TestUsersByFilters: for every filter, in every order, pages of any size put together are everybody who matches,
// once, in order.
func TestUsersByFilters(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	s.login("boss")
	crowd(t, s, 60)
	everybody, _ := s.all(url.Values{"sort": {"id"}}, 1000)
	if len(everybody) != 61 {
		t.Fatalf("%d people", len(everybody))
	}
	somebody := everybody[len(everybody)/2].Presence.LastSeen.Format(time.RFC3339Nano)
	filters := map[string]func(*wire.UserRow) bool{
		"":                           func(*wire.UserRow) bool { return true },
		"presence=online":            func(r *wire.UserRow) bool { return r.Presence.Status == "online" },
		"presence=away,offline":      func(r *wire.UserRow) bool { return r.Presence.Status != "online" },
		"account_status=pending":     func(r *wire.UserRow) bool { return r.AccountStatus == "pending" },
		"role=admin&presence=online": func(r *wire.UserRow) bool { return r.Role == "admin" && r.Presence.Status == "online" },
		"cause=heartbeat":            func(r *wire.UserRow) bool { return r.Presence.Cause == "heartbeat" },
		"hold=true":                  func(r *wire.UserRow) bool { return r.Presence.Held },
		"hold=false&search=A":        func(r *wire.UserRow) bool { return !r.Presence.Held && matchesText(r, "a") },
		"search=1":                   func(r *wire.UserRow) bool { return matchesText(r, "1") },
		"min_devices=2":              func(r *wire.UserRow) bool { return r.Devices >= 2 },
		"seen_after=2026-06-01T00:00:00Z&presence=away": func(r *wire.UserRow) bool {
			return r.Presence.LastSeen.Year() == time.Now().Year() && r.Presence.LastSeen.After(epoch.AddDate(0, 5, 0)) && r.Presence.Status == "away"
		},
		"seen_before=" + url.QueryEscape(somebody): func(r *wire.UserRow) bool {
			return r.Presence.LastSeen.Format(time.RFC3339Nano) < somebody
		},
	}
	for filter, lets := range filters {
		for order := range sortings {
			query, err := url.ParseQuery(filter)
			if err != nil {
				t.Fatal(err)
			}
			query.Set("sort", order)
			wanted := map[string]bool{}
			for i := range everybody {
				if lets(&everybody[i]) && everybody[i].ID != "1" { // boss moves while asking
					wanted[everybody[i].ID] = true
				}
			}
			for _, limit := range []int{1, 7, 1000} {
				if limit == 1 && (filter != "" || order != "-last_seen" && order != "username") {
					continue
				}
				rows, total := s.all(query, limit)
				rows, met := slices.DeleteFunc(rows, func(r wire.UserRow) bool { return r.ID == "1" }), map[string]bool{}
				for i, r := range rows {
					if met[r.ID] || !wanted[r.ID] {
						t.Errorf("%q by %s, %d a page: %s was met twice, or does not match", filter, order, limit, r.ID)
					}
					met[r.ID] = true
					if i > 0 && sortedKey(order, &rows[i-1], &r) > 0 {
						t.Errorf("%q by %s, %d a page: %s before %s", filter, order, limit, rows[i-1].ID, r.ID)
					}
				}
				if len(rows) != len(wanted) || total < len(wanted) || total > len(wanted)+1 {
					t.Errorf("%q by %s, %d a page: %d of %d, total %d", filter, order, limit, len(rows), len(wanted), total)
				}
			}
		}
	}
}

func matchesText(r *wire.UserRow, text string) bool {
	return strings.Contains(r.Username, text) || strings.Contains(r.Email, text)
}

// sortedKey compares two rows by an order.
func sortedKey(order string, a, b *wire.UserRow) int {
	field, down := strings.CutPrefix(order, "-")
	by := 0
	moment := func(x, y *time.Time) int {
		var p, q time.Time
		if x != nil {
			p = *x
		}
		if y != nil {
			q = *y
		}
		return p.Compare(q)
	}
	switch field {
	case "created_at":
		by = a.CreatedAt.Compare(b.CreatedAt)
	case "username":
		by = strings.Compare(a.Username, b.Username)
	case "email":
		by = strings.Compare(a.Email, b.Email)
	case "last_seen":
		by = moment(a.Presence.LastSeen, b.Presence.LastSeen)
	case "since":
		by = moment(a.Presence.Since, b.Presence.Since)
	}
	if by == 0 {
		by = strings.Compare(a.ID, b.ID) // of the same length here
	}
	if down {
		return -by
	}
	return by
}

// TestUsersWhileChanging: whoever does not change is met exactly once, though others come, go and are deleted
// between the pages, the one that a page ended with too.
func TestUsersWhileChanging(t *testing.T) {
	for _, order := range []string{"-created_at", "username", "-last_seen", "since"} {
		t.Run(order, func(t *testing.T) {
			s := newStack(t)
			s.seed(admin(1, "boss"))
			crowd(t, s, 40)
			stable, met := map[string]bool{}, map[string]int{}
			for id := 100; id < 140; id++ {
				stable[fmt.Sprint(id)] = true
			}
			path, next := "/api/v1/users?limit=6&sort="+order, presence.UserID(200)
			for cursor := ""; ; {
				page := want[wire.UserPage](s, 200, "GET", path+cursor, s.login("boss").Access, "")
				for _, r := range page.Items {
					met[r.ID]++
				}
				if page.NextCursor == nil {
					break
				}
				cursor = "&cursor=" + *page.NextCursor
				last := page.Items[len(page.Items)-1].ID
				delete(stable, last)
				gone, _ := parseUser(last)
				if _, err := s.auth.Delete(t.Context(), auth.System, gone, true, presence.Origin{}); err != nil && gone != 1 {
					t.Fatal(err)
				}
				next++
				s.seed(user(next, fmt.Sprintf("new%d", next)))
			}
			for id := range stable {
				if met[id] != 1 {
					t.Errorf("%s was met %d times", id, met[id])
				}
			}
		})
	}
}

// TestCursorOfAnotherList: a cursor is good for the question it was given with and for no other.
func TestCursorOfAnotherList(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	token := s.login("boss").Access
	page := want[wire.UserPage](s, 200, "GET", "/api/v1/users?limit=1", token, "")
	good := *page.NextCursor
	want[wire.UserPage](s, 200, "GET", "/api/v1/users?limit=1000&cursor="+good, token, "") // another page size is no other question
	for _, path := range []string{
		"/api/v1/users?sort=username&cursor=" + good, "/api/v1/users?presence=online&cursor=" + good, "/api/v1/users?cursor=" + good[:len(good)-2],
		"/api/v1/users?cursor=e30", "/api/v1/users?cursor=" + good + "AAAA", "/api/v1/users?cursor=%00", "/api/v1/audit?cursor=" + good[:10], "/api/v1/audit?cursor=-1",
	} {
		if p := want[wire.Problem](s, 422, "GET", path, token, ""); p.Field != "cursor" || p.Code != "validation" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

// FuzzCursor: whatever is handed in as a cursor is read as it was written or refused.
func FuzzCursor(f *testing.F) {
	f.Add("", "q")
	f.Add(cursor{Digest: "q", Text: "alice", ID: 7}.String(), "q")
	f.Add(cursor{Digest: "q", Number: -5, ID: 1}.String(), "other")
	f.Fuzz(func(t *testing.T, text, digest string) {
		c, ok := readCursor(text, digest)
		if !ok {
			return
		}
		again, ok := readCursor(c.String(), digest)
		if !ok || *again != *c || c.Digest != digest || c.ID <= 0 {
			t.Errorf("%q reads as %+v and then as %+v", text, c, again)
		}
	})
}
