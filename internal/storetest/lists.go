package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func listScenarios() []scenario {
	return []scenario{
		{"each order sorts, and ties are broken by id in the same direction", orders},
		{"offset and limit cut the page, limit 0 means all, and the total is that of the whole list", pages},
		{"a filter finds those with that status and role", filters},
		{"a status or role that does not exist matches nobody", func(t *testing.T, h *Harness) {
			person(t, h.Store, "ada")
			for _, f := range []presence.AccountFilter{
				{Status: "Active"}, {Status: "nonsense"}, {Role: "root"}, {
					Status: "active",
					Role:   "'",
				}, {Status: "%"}, {Role: "nonsense", Search: "ada"},
			} {
				wantNames(t, h.Store, f, presence.IDUp)
			}
		}},
		{"a search looks into username, e-mail, first and last name, anywhere and nowhere else", func(t *testing.T,
			h *Harness,
		) {
			a := plain("username1")
			a.Email, a.FirstName, a.LastName, a.Bio, a.Avatar, a.PasswordHash = "address2@x.org", "First3", "Last4", "bio5", "avatar6", "hash7"
			insert(t, h.Store, &a)
			for _, hit := range []string{
				"username1", "name1", "user", "address2@x.org", "@x.", "First3", "irst",
				"Last4", "t4",
			} {
				wantNames(t, h.Store, presence.AccountFilter{Search: hit}, presence.IDUp, "username1")
			}
			for _, miss := range []string{
				"bio5", "avatar6", "hash7", "nobody", "1address", "First3Last4",
				"First3 Last4", "active", "3L",
			} {
				wantNames(t, h.Store, presence.AccountFilter{Search: miss}, presence.IDUp)
			}
		}},
		{"a search takes any case, in every script", searchCases},
		{"wildcards in a search are plain text", searchWildcards},
		{"a search follows a change of names", func(t *testing.T, h *Harness) {
			a := plain("before")
			insert(t, h.Store, &a)
			a.Username, a.Email = "after", "after@example.org"
			do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&a) })
			wantNames(t, h.Store, presence.AccountFilter{Search: "AFTER"}, presence.IDUp, "after")
			wantNames(t, h.Store, presence.AccountFilter{Search: "before"}, presence.IDUp)
		}},
		{"filters, search, order and page work together, in a long list too", longList},
	}
}

// wantNames proves which accounts a list holds, through every door to it.
func wantNames(t *testing.T, s presence.Store, f presence.AccountFilter, order presence.AccountOrder, want ...string) {
	t.Helper()
	page, total, err := s.Accounts(t.Context(), f, order, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, ids := []string{}, []presence.UserID{}
	for _, a := range page {
		names, ids = append(names, a.Username), append(ids, a.ID)
	}
	same(t, fmt.Sprintf("list %+v in order %d", f, order), names, append([]string{}, want...))
	if total != len(want) {
		t.Errorf("list %+v: total %d, want %d", f, total, len(want))
	}
	if got := get[[]presence.UserID](t)(s.AccountIDs(t.Context(), f, order)); !slices.Equal(got, ids) {
		t.Errorf("list %+v: ids %v, accounts %v", f, got, ids)
	}
}

func orders(t *testing.T, h *Harness) {
	made := func(name, email string, created time.Duration) {
		a := plain(name)
		a.Email, a.CreatedAt = email, after(created)
		insert(t, h.Store, &a)
	}
	made("mid", "c@x.org", time.Second)
	made("Zoe", "a@x.org", 0)
	made("abe", "d@x.org", time.Second)
	made("پری", "b@x.org", time.Second+time.Microsecond)
	for order, want := range map[presence.AccountOrder][]string{
		presence.NewestCreated: {"پری", "abe", "mid", "Zoe"},
		presence.OldestCreated: {"Zoe", "mid", "abe", "پری"},
		presence.UsernameUp:    {"Zoe", "abe", "mid", "پری"}, // by code point
		presence.UsernameDown:  {"پری", "mid", "abe", "Zoe"},
		presence.EmailUp:       {"Zoe", "پری", "mid", "abe"},
		presence.EmailDown:     {"abe", "mid", "پری", "Zoe"},
		presence.IDUp:          {"mid", "Zoe", "abe", "پری"},
		presence.IDDown:        {"پری", "abe", "Zoe", "mid"},
	} {
		for _, f := range []presence.AccountFilter{{}, {Status: "active"}, {Role: "user"}, {
			Status: "active",
			Role:   "user",
		}, {Search: "x.org"}} {
			wantNames(t, h.Store, f, order, want...)
		}
	}
}

func pages(t *testing.T, h *Harness) {
	for i := range 7 {
		person(t, h.Store, fmt.Sprint("user", i))
	}
	for _, c := range []struct {
		offset, limit int
		want          []string
	}{
		{0, 3, []string{"user0", "user1", "user2"}},
		{3, 3, []string{"user3", "user4", "user5"}},
		{6, 3, []string{"user6"}},
		{7, 3, []string{}},
		{1000000, 1000, []string{}},
		{5, 0, []string{"user5", "user6"}},
		{0, 1000000, []string{"user0", "user1", "user2", "user3", "user4", "user5", "user6"}},
	} {
		for _, f := range []presence.AccountFilter{{}, {Search: "user"}, {Status: "active"}} {
			page, total, err := h.Store.Accounts(t.Context(), f, presence.UsernameUp, c.offset, c.limit)
			names := []string{}
			for _, a := range page {
				names = append(names, a.Username)
			}
			same(t, fmt.Sprintf("offset %d limit %d of %+v", c.offset, c.limit, f), names, c.want)
			if total != 7 || err != nil {
				t.Errorf("offset %d limit %d of %+v: total %d, %v", c.offset, c.limit, f, total, err)
			}
		}
	}
}

func filters(t *testing.T, h *Harness) {
	for _, status := range []presence.AccountStatus{
		presence.AccountActive, presence.AccountPending,
		presence.AccountSuspended, presence.AccountBanned,
	} {
		for _, role := range []presence.Role{presence.RoleUser, presence.RoleModerator, presence.RoleAdmin} {
			a := plain(status.String() + "-" + role.String())
			a.Status, a.Role = status, role
			insert(t, h.Store, &a)
		}
	}
	wantNames(t, h.Store, presence.AccountFilter{Status: "banned"}, presence.IDUp, "banned-user", "banned-moderator",
		"banned-admin")
	wantNames(t, h.Store, presence.AccountFilter{Role: "admin"}, presence.IDDown, "banned-admin", "suspended-admin",
		"pending-admin", "active-admin")
	wantNames(t, h.Store, presence.AccountFilter{Status: "pending", Role: "moderator"}, presence.NewestCreated,
		"pending-moderator")
	wantNames(t, h.Store, presence.AccountFilter{Status: "active", Search: "moderator"}, presence.EmailUp,
		"active-moderator")
	wantNames(t, h.Store, presence.AccountFilter{Status: "active", Role: "user", Search: "banned"}, presence.EmailUp)
}

func searchCases(t *testing.T, h *Harness) {
	for name, first := range map[string]string{
		"cyrillic": "Ёлка Ивановна", "greek": "Οδυσσεύς", "latin": "ÅSA Çelik", "persian": "پرهام کاظمی", "pashto": "ګلالۍ ځوان",
	} {
		a := plain(name)
		a.FirstName = first
		insert(t, h.Store, &a)
	}
	for search, name := range map[string]string{
		"ёлка": "cyrillic", "ЁЛКА ИВАН": "cyrillic", "ΟΔΥΣΣΕΎΣ": "greek", "οδυσσεύσ": "greek", "åsa ç": "latin", "ÇELIK": "latin",
		"کاظمی": "persian", "رها": "persian", "ځوان": "pashto", "LATIN@Example": "latin", "GrEeK": "greek",
	} {
		wantNames(t, h.Store, presence.AccountFilter{Search: search}, presence.IDUp, name)
	}
	wantNames(t, h.Store, presence.AccountFilter{Search: "asa"}, presence.IDUp) // another letter
}

func searchWildcards(t *testing.T, h *Harness) {
	for name, first := range map[string]string{
		"percent": "100% sure", "underscore": "snake_case",
		"backslash": `C:\dir`, "star": "a*b?[c]", "quote": `it's "so"`,
	} {
		a := plain(name)
		a.Email, a.FirstName = name+"@example", first
		insert(t, h.Store, &a)
	}
	for search, name := range map[string]string{
		"%": "percent", "0%": "percent", "_": "underscore", "e_c": "underscore", `\`: "backslash", `:\d`: "backslash", "*": "star", "?": "star",
		"[c]": "star", "'": "quote", `"so"`: "quote",
	} {
		wantNames(t, h.Store, presence.AccountFilter{Search: search}, presence.IDUp, name)
	}
	for _, miss := range []string{"%%", "__", "1%e", "s_ake", `\\`, "a%b", "^", "' OR 1=1 --", `\%`, "[a-z]"} {
		wantNames(t, h.Store, presence.AccountFilter{Search: miss}, presence.IDUp)
	}
}

// longList compares lists of a few thousand accounts with what sorting them in memory says.
func longList(t *testing.T, h *Harness) {
	var everybody []*presence.Account
	for i := range 2500 {
		a := plain(fmt.Sprintf("user%04d", i*7%2500))
		a.CreatedAt = after(time.Duration(i%50) * time.Second) // many ties
		a.Status, a.Role = presence.AccountStatus(i%40/37), presence.Role(i%100/97)
		everybody = append(everybody, &a)
	}
	insert(t, h.Store, everybody...)
	matches := func(a *presence.Account, f presence.AccountFilter) bool {
		return (f.Status == "" || a.Status.String() == f.Status) && (f.Role == "" || a.Role.String() == f.Role) &&
			(f.Search == "" || a.Username[:len(f.Search)] == f.Search)
	}
	for _, f := range []presence.AccountFilter{
		{},
		{Status: "active"},
		{Status: "pending"},
		{Role: "moderator"},
		{
			Status: "active",
			Role:   "user",
		},
		{Search: "user"},
		{Search: "user00"},
		{Search: "user", Status: "pending"},
		{Search: "user1", Status: "active", Role: "user"},
	} {
		var want []presence.UserID
		for _, a := range everybody {
			if matches(a, f) {
				want = append(want, a.ID)
			}
		}
		byID := map[presence.UserID]*presence.Account{}
		for _, a := range everybody {
			byID[a.ID] = a
		}
		slices.SortFunc(want, func(x, y presence.UserID) int {
			if c := byID[y].CreatedAt.Compare(byID[x].CreatedAt); c != 0 {
				return c
			}
			return int(y - x)
		})
		same(t, fmt.Sprintf("ids of %+v", f), get[[]presence.UserID](t)(h.Store.AccountIDs(t.Context(), f,
			presence.NewestCreated)), want)
		offset := len(want) / 3
		page, total, err := h.Store.Accounts(t.Context(), f, presence.NewestCreated, offset, 20)
		var got []presence.UserID
		for _, a := range page {
			got = append(got, a.ID)
		}
		same(t, fmt.Sprintf("page of %+v", f), got, want[offset:min(offset+20, len(want))])
		if total != len(want) || err != nil {
			t.Errorf("%+v: total %d, want %d; %v", f, total, len(want), err)
		}
	}
}
