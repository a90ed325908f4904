package api

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// row is one person of a roster.
type row struct {
	name, email, role, account, status, cause string
	active, held, private, devices            int
	version                                   uint64
	seen                                      bool
}

// rows reads a roster by its words and columns.
func rows(t *testing.T, r wire.Roster) map[string]row {
	t.Helper()
	found := map[string]row{}
	for _, p := range r.Parts {
		id := int64(0)
		for i, step := range p.IDs {
			id += step
			name := p.Usernames[i]
			if strings.HasPrefix(name, "~~") {
				name = name[1:]
			} else if strings.HasPrefix(name, "~") {
				name = strings.ToLower(p.FirstNames[i]) + name[1:2] + strings.ToLower(p.LastNames[i]) + name[2:]
			}
			email := p.Emails[i]
			if email[0] == '@' {
				email = name + email
			}
			found[formatUser(presence.UserID(id))] = row{
				name, email, r.Words.Roles[p.Roles[i]], r.Words.AccountStatuses[p.AccountStatuses[i]],
				r.Words.Statuses[p.Statuses[i]], r.Words.Causes[p.Causes[i]], p.Active[i], p.Held[i], p.Private[i], p.Devices[i],
				p.Versions[i], p.LastSeen[i] != nil,
			}
		}
	}
	return found
}

func TestRosterHasEverybodyByColumns(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(5000, `quo"te<ی>`))
	token := s.login("boss").Access
	s.login("alice")
	s.again("alice")
	s.hide("alice", hideStatus)
	if err := s.auth.SetHold(t.Context(), auth.System, 5000, presence.Away, time.Time{}, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	all := want[wire.Roster](s, 200, "GET", "/api/v1/roster", token, "")
	if !all.Full || all.Total != 3 || len(all.Parts) != 2 {
		t.Fatalf("roster: %+v", all)
	}
	got := rows(t, all)
	for id, want := range map[string]row{
		"1":    {"boss", "boss@example.test", "admin", "active", "online", "login", 1, 0, 0, 1, 1, true},
		"7":    {"alice", "alice@example.test", "user", "active", "online", "login", 1, 0, 2, 3, 1, true},
		"5000": {`quo"te<ی>`, `quo"te<ی>@example.test`, "user", "active", "away", "admin", 1, 1, 0, 0, 1, true},
	} {
		if id == "7" {
			want.devices = got[id].devices
			if want.devices < 2 {
				t.Errorf("alice has %d devices", want.devices)
			}
		}
		if got[id] != want {
			t.Errorf("%s: %+v, want %+v", id, got[id], want)
		}
	}
	cursor, _, err := s.tracker.Snapshot(t.Context())
	if err != nil || all.Seq > cursor.Seq || all.Epoch != fmt.Sprintf("%x", cursor.Epoch) {
		t.Errorf("cursor %s-%d, the engine is at %+v (%v)", all.Epoch, all.Seq, cursor, err)
	}
}

func TestRosterSaysUsernamesByNames(t *testing.T) {
	for _, c := range []struct{ username, first, last, short string }{
		{"zahra.noori7", "Zahra", "Noori", "~.7"},
		{"zahra-noori", "Zahra", "Noori", "~-"},
		{"zahra_noori.de", "ZAHRA", "noori", "~_.de"},
		{"zahranoori", "Zahra", "Noori", "zahranoori"},
		{"Zahra.Noori", "Zahra", "Noori", "Zahra.Noori"},
		{"zahra.noo", "Zahra", "Noori", "zahra.noo"},
		{"zahra.", "Zahra", "", "zahra."},
		{".noori", "", "Noori", ".noori"},
		{"", "", "", ""},
		{"زهرا.نوری", "زهرا", "نوری", "زهرا.نوری"},
		{"a]b.c", "A}b", "C", "a]b.c"}, // one bit apart, and no letters
		{"~.7", "Zahra", "Noori", "~~.7"},
		{"~", "", "", "~~"},
	} {
		if got := shortUsername(&presence.Account{Username: c.username, FirstName: c.first, LastName: c.last}); got != c.short {
			t.Errorf("%s of %s %s: %s, want %s", c.username, c.first, c.last, got, c.short)
		}
	}
	s := newStack(t)
	s.seed(admin(1, "boss"))
	for i, name := range []string{"zahra.noori7", "~.noori", "zahra.nuri"} {
		a := user(presence.UserID(10+i), name)
		a.FirstName, a.LastName = "Zahra", "Noori"
		s.seed(a)
	}
	got := rows(t, want[wire.Roster](s, 200, "GET", "/api/v1/roster", s.login("boss").Access, ""))
	if got["10"].name != "zahra.noori7" || got["11"].name != "~.noori" || got["12"].name != "zahra.nuri" || got["10"].email != "zahra.noori7@example.test" {
		t.Errorf("%+v", got)
	}
}

// TestRosterTellsWhatChanged: whoever asks again with a version gets the accounts that changed, and no others.
func TestRosterTellsWhatChanged(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	token := s.login("boss").Access
	s.auth.OnAccountChange(func(id presence.UserID) { s.h.AccountChanged(id) })
	first := want[wire.Roster](s, 200, "GET", "/api/v1/roster", token, "")

	none := want[wire.Roster](s, 200, "GET", "/api/v1/roster?since="+first.Version, token, "")
	if none.Full || len(none.Parts)+len(none.Removed) != 0 || none.Version != first.Version || none.Total != 3 {
		t.Errorf("nothing changed: %+v", none)
	}
	if _, err := s.auth.Suspend(t.Context(), auth.System, 7, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.auth.Delete(t.Context(), auth.System, 8, false, presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	made, err := s.auth.Create(t.Context(), auth.System, auth.NewAccount{Username: "carol", Password: testPassword}, presence.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	then := want[wire.Roster](s, 200, "GET", "/api/v1/roster?since="+first.Version, token, "")
	got := rows(t, then)
	if then.Full || len(got) != 2 || got["7"].account != "suspended" || got[formatUser(made.ID)].name != "carol" ||
		fmt.Sprint(then.Removed) != "[8]" || then.Total != 3 {
		t.Errorf("what changed: %+v, removed %v, total %d", got, then.Removed, then.Total)
	}
	// The whole roster knows it, too, and so does one account asked for by its id.
	if whole := rows(t, want[wire.Roster](s, 200, "GET", "/api/v1/roster", token, "")); len(whole) != 3 || whole["7"].account != "suspended" {
		t.Errorf("everybody: %+v", whole)
	}
	if few := want[wire.Roster](s, 200, "GET", "/api/v1/roster?ids=8,7", token, ""); len(rows(t, few)) != 1 || fmt.Sprint(few.Removed) != "[8]" {
		t.Errorf("by id: %+v", few)
	}
	// A version that nobody gave out, or that is forgotten, is answered with everybody.
	for _, version := range []string{"x-1", "1", "-", first.Version + "9999"} {
		if again := want[wire.Roster](s, 200, "GET", "/api/v1/roster?since="+version, token, ""); !again.Full {
			t.Errorf("since=%s is not full", version)
		}
	}
	s.h.AccountChanged(presence.Everybody)
	if again := want[wire.Roster](s, 200, "GET", "/api/v1/roster?since="+then.Version, token, ""); !again.Full || len(rows(t, again)) != 3 {
		t.Errorf("after everything may have changed: %+v", again)
	}
}

// gzipped asks as a browser does and returns the answer unpacked, and its size on the wire.
func gzipped(t testing.TB, s *stack, path, token string) (plain []byte, size int) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://base.test"+path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code != 200 || w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Encoding") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	size = w.Body.Len()
	reader, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	reader.Multistream(false) // browsers read one
	if plain, err = io.ReadAll(reader); err != nil {
		t.Fatal(err)
	}
	return plain, size
}

// TestRosterMoments: the columns of moments lead to the moments of the engine and the store.
func TestRosterMoments(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), user(2000, "carol"))
	s.login("alice")
	s.signal(presence.Signal{User: 8, Kind: presence.Set, Status: presence.Away}) // never seen
	r := want[wire.Roster](s, 200, "GET", "/api/v1/roster", s.login("boss").Access, "")
	for _, p := range r.Parts {
		id, joined := int64(0), int64(0)
		for i := range p.IDs {
			id, joined = id+p.IDs[i], joined+p.Joined[i]
			now, err := s.tracker.State(t.Context(), []presence.UserID{presence.UserID(id)})
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.store.Account(t.Context(), presence.UserID(id))
			if err != nil || a.JoinedAt.Unix() != joined {
				t.Errorf("%d joined at %d, want %v (%v)", id, joined, a.JoinedAt, err)
			}
			seen, since := now[0].LastSeen, now[0].Since
			from := r.Now
			if (p.LastSeen[i] == nil) != seen.IsZero() || (p.Since[i] == nil) != since.IsZero() {
				t.Fatalf("%d: %+v, want seen %v since %v", id, p, seen, since)
			}
			if p.LastSeen[i] != nil {
				if from += *p.LastSeen[i]; id != 1 && from != seen.UnixMilli() { // boss is being seen right now
					t.Errorf("%d seen at %d, want %v", id, from, seen)
				}
			}
			if p.Since[i] != nil && from+*p.Since[i] != since.UnixMilli() {
				t.Errorf("%d since %d, want %v", id, from+*p.Since[i], since)
			}
		}
	}
}

func TestRosterPackedIsTheSameRoster(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	for id := range 30 {
		s.seed(user(presence.UserID(1000+100*id), fmt.Sprintf("user%d", id)))
	}
	token := s.login("boss").Access
	text, _ := gzipped(t, s, "/api/v1/roster", token)
	var packed wire.Roster
	if err := json.Unmarshal(text, &packed); err != nil {
		t.Fatal(err)
	}
	plain := want[wire.Roster](s, 200, "GET", "/api/v1/roster", token, "")
	a, b := rows(t, packed), rows(t, plain)
	if len(a) != 31 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("packed: %v\nplain: %v", a, b)
	}
}

// town is a stack of people with names as people have them, a fifth of them online.
func town(b *testing.B, n int) *stack {
	s := newStack(b)
	s.seed(admin(1, "boss"))
	draw := rand.New(rand.NewPCG(1, 2))
	first := strings.Fields("Ahmad Zahra Farid Laila Omid Nasrin Karim Fatima Jawad Maryam Hamid Soraya Rashid Parwana Najib Shabnam Yusuf Roya Idris Mina Tariq Gul Bashir Nargis Daud Huma Ismail Khatera Latif Wahida")
	last := strings.Fields("Noori Safi Popal Azizi Rahimi Karimi Ahmadi Stanikzai Wardak Hotak Mohmand Barakzai Sadat Haidari Amiri Yousufzai Zadran Durrani Akbari Qaderi Nazari Habibi Omari Sultani Faizi Rasooli Alokozai Mangal Tokhi Shinwari")
	departments := strings.Fields("example.org mail.example.org office.example.net")
	for from := 2; from < n; from += 10_000 {
		err := s.store.Durable(b.Context(), func(tx presence.Tx) error {
			for id := from; id < min(n, from+10_000); id++ {
				a := user(presence.UserID(id), "")
				a.FirstName, a.LastName = first[draw.IntN(len(first))], last[draw.IntN(len(last))]
				a.Username = strings.ToLower(a.FirstName+"."+a.LastName) + fmt.Sprint(id)
				a.Email, a.Active = a.Username+"@"+departments[draw.IntN(3)], true
				a.CreatedAt = epoch.Add(time.Duration(id) * 17 * time.Second)
				a.JoinedAt, a.PasswordHash = a.CreatedAt, testHash
				if err := tx.InsertAccount(&a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	err := s.tracker.Load(b.Context(), func(yield func(presence.Record) bool) {
		for id := 2; id < n; id++ {
			seen := now.Add(-time.Duration(draw.Int64N(int64(14 * 24 * time.Hour))))
			yield(presence.Record{Presence: presence.Presence{
				User: presence.UserID(id), LastSeen: seen, Since: seen.Add(2*time.Minute + time.Duration(draw.Int64N(1e8))), Cause: presence.CauseTimeout, Version: uint64(draw.IntN(300)),
			}})
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	for id := 2; id < n; id += 5 {
		at := now.Add(-time.Duration(draw.Int64N(3e10)))
		s.signal(presence.Signal{User: presence.UserID(id), Session: presence.SessionID(1000 + id), Kind: presence.Heartbeat, At: at})
	}
	return s
}

// BenchmarkRoster answers everybody at once, as a browser gets it. cold reads every account from the store first.
func BenchmarkRoster(b *testing.B) {
	s := town(b, 100_000)
	token := s.login("boss").Access
	ask := func(b *testing.B, before func()) {
		size, plain := 0, []byte(nil)
		for b.Loop() {
			before()
			plain, size = gzipped(b, s, "/api/v1/roster", token)
		}
		b.ReportMetric(float64(size)/1e6, "MB-packed")
		b.ReportMetric(float64(len(plain))/1e6, "MB-plain")
	}
	b.Run("cold", func(b *testing.B) { ask(b, func() { s.h.AccountChanged(presence.Everybody) }) })
	b.Run("warm", func(b *testing.B) { ask(b, func() {}) })
	b.Run("one account changed", func(b *testing.B) { ask(b, func() { s.h.AccountChanged(777) }) })
}
