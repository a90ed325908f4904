package storetest

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func presenceScenarios() []scenario {
	return []scenario{
		{"a change moves the columns and is in the history", func(t *testing.T, h *Harness) {
			a := draft("ada")
			insert(t, h.Store, &a)
			c := change(a.ID, 8, presence.Online, time.Hour)
			record(t, h.Store, c)
			want := a
			want.OnlineStatus, want.Since, want.LastSeen, want.Cause, want.Version = presence.Online, c.At, c.LastSeen, c.Cause, 8
			same(t, "account", get[presence.Account](t)(h.Store.Account(t.Context(), a.ID)), want)
			same(t, "history", historyOf(t, h.Store, a.ID), []presence.Change{c})
		}},
		{"a column moves forward by version only, whatever order the changes come in", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			newer, older := change(id, 5, presence.Online, time.Hour), change(id, 4, presence.Away, time.Minute)
			record(t, h.Store, newer, older)
			wantPresence(t, h.Store, presence.Presence{
				User: id, Status: presence.Online, Cause: newer.Cause,
				LastSeen: newer.LastSeen, Since: newer.At, Version: 5,
			})
			record(t, h.Store, older)
			record(t, h.Store, change(id, 5, presence.Offline, 2*time.Hour))
			wantPresence(t, h.Store, presence.Presence{
				User: id, Status: presence.Online, Cause: newer.Cause,
				LastSeen: newer.LastSeen, Since: newer.At, Version: 5,
			})
		}},
		{"changes are recorded all or not at all", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			impossible := change(id, 2, presence.Status(99), time.Minute)
			err := h.Store.RecordChanges(t.Context(), []presence.Change{change(id, 1, presence.Online, 0), impossible})
			if err == nil {
				t.Error("a status that does not exist was recorded")
			}
			wantPresence(t, h.Store, presence.Presence{User: id})
			same(t, "history", historyOf(t, h.Store, id), []presence.Change{})
			record(t, h.Store, change(id, 1, presence.Online, 0)) // and it goes on
		}},
		{"a change that is recorded again after an error is in the history once", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			first, second := change(id, 1, presence.Online, 0), change(id, 2, presence.Offline, 0)
			record(t, h.Store, first)
			record(t, h.Store, first, second)
			same(t, "history", historyOf(t, h.Store, id), []presence.Change{first, second})
		}},
		{"changes of accounts that are gone are passed over", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			record(t, h.Store, change(4711, 1, presence.Online, 0), change(id, 1, presence.Online, 0))
			if err := h.Store.RecordSeen(t.Context(), []presence.Seen{{User: 4711, At: noon}, {
				User: id,
				At:   after(time.Hour),
			}}); err != nil {
				t.Error(err)
			}
			wantPresence(t, h.Store, presence.Presence{
				User: id, Status: presence.Online, Cause: presence.CauseLogin,
				LastSeen: after(time.Hour), Since: noon, Version: 1,
			})
			same(t, "history of nobody", historyOf(t, h.Store, 4711), []presence.Change{})
		}},
		{"no changes, nobody seen and no pages are no error", func(t *testing.T, h *Harness) {
			record(t, h.Store)
			if err := h.Store.RecordSeen(t.Context(), nil); err != nil {
				t.Error(err)
			}
			if err := h.Store.SavePages(t.Context(), nil); err != nil {
				t.Error(err)
			}
		}},
		{"last_seen never moves back", lastSeen},
		{"two thousand people seen and changed at once are all written", manyAtOnce},
		{"pages are kept apart by kind and number, and replaced whole", savePages},
		{"records are everybody's presence columns by id, and reading may stop early", records},
		{"holds are kept, replaced and removed, and survive reopening", holds},
	}
}

// change is a change of a user at noon plus d.
func change(user presence.UserID, version uint64, to presence.Status, d time.Duration) presence.Change {
	return presence.Change{
		Seq: version, User: user, To: to, Cause: presence.CauseLogin, At: after(d),
		LastSeen: after(d), Version: version, Node: "n",
	}
}

func record(t *testing.T, s presence.Store, changes ...presence.Change) {
	t.Helper()
	if err := s.RecordChanges(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

func historyOf(t *testing.T, s presence.Store, user presence.UserID) []presence.Change {
	t.Helper()
	return get[[]presence.Change](t)(s.History(t.Context(), user, time.Time{}, after(1000*time.Hour), 0))
}

func allRecords(t *testing.T, s presence.Store) []presence.Presence {
	t.Helper()
	all := []presence.Presence{}
	for p, err := range s.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// wantPresence proves what the only account's presence is.
func wantPresence(t *testing.T, s presence.Store, want presence.Presence) {
	t.Helper()
	same(t, "records", allRecords(t, s), []presence.Presence{want})
}

func lastSeen(t *testing.T, h *Harness) {
	a := plain("ada")
	insert(t, h.Store, &a)
	seen := func(d time.Duration) {
		t.Helper()
		if err := h.Store.RecordSeen(t.Context(), []presence.Seen{{User: a.ID, At: after(d)}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(d time.Duration) {
		t.Helper()
		same(t, "last seen", get[presence.Account](t)(h.Store.Account(t.Context(), a.ID)).LastSeen, after(d))
	}
	seen(time.Minute)
	want(time.Minute)
	seen(time.Second)
	want(time.Minute)
	record(t, h.Store, change(a.ID, 1, presence.Online, 2*time.Second)) // newer by version, seen longer ago
	want(time.Minute)
	if err := h.Store.RecordSeen(t.Context(), []presence.Seen{{User: a.ID, At: after(3 * time.Hour)}, {
		User: a.ID,
		At:   after(2 * time.Hour),
	}}); err != nil {
		t.Fatal(err)
	}
	want(3 * time.Hour)
	if got := get[presence.Account](t)(h.Store.Account(t.Context(),
		a.ID)); got.OnlineStatus != presence.Online || got.Version != 1 {
		t.Errorf("being seen changed the status: %+v", got)
	}
}

func manyAtOnce(t *testing.T, h *Harness) {
	const n = 2000
	var (
		people  []*presence.Account
		changes []presence.Change
		seen    []presence.Seen
	)
	for i := range n {
		a := plain("user" + presence.SessionID(i).String())
		people = append(people, &a)
	}
	insert(t, h.Store, people...)
	for i, a := range people {
		changes = append(changes, change(a.ID, 1, presence.Online, time.Duration(i)*time.Second))
		seen = append(seen, presence.Seen{User: a.ID, At: after(24 * time.Hour)})
	}
	slices.Reverse(changes)
	record(t, h.Store, changes...)
	if err := h.Store.RecordSeen(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	all := allRecords(t, h.Store)
	if len(all) != n {
		t.Fatalf("%d records", len(all))
	}
	for i, p := range all {
		want := presence.Presence{
			User: people[i].ID, Status: presence.Online, Cause: presence.CauseLogin,
			LastSeen: after(24 * time.Hour),
			Since:    after(time.Duration(i) * time.Second), Version: 1,
		}
		if p != want {
			t.Fatalf("record %d is %+v, want %+v", i, p, want)
		}
	}
}

func savePages(t *testing.T, h *Harness) {
	page := func(kind presence.PageKind, number uint64, fill byte, size int) presence.Page {
		return presence.Page{Kind: kind, Number: number, Data: bytes.Repeat([]byte{fill}, size)}
	}
	save := func(pages ...presence.Page) {
		t.Helper()
		if err := h.Store.SavePages(t.Context(), pages); err != nil {
			t.Fatal(err)
		}
	}
	read := func(kind presence.PageKind) map[uint64][]byte {
		t.Helper()
		byNumber := map[uint64][]byte{}
		for _, p := range get[[]presence.Page](t)(h.Store.Pages(t.Context(), kind)) {
			if _, twice := byNumber[p.Number]; twice || p.Kind != kind {
				t.Errorf("page %d of kind %d, twice: %v", p.Number, p.Kind, twice)
			}
			byNumber[p.Number] = p.Data
		}
		return byNumber
	}
	large := page(presence.SeenPage, math.MaxUint64, 9, 512<<10) // larger than any that the engine makes
	save(page(presence.SeenPage, 0, 1, 100), page(presence.SeenPage, 1, 2, 100), page(presence.SessionPage, 0, 3,
		100), large)
	save(page(presence.SeenPage, 1, 4, 7), page(presence.SessionPage, 1<<40, 0, 0))
	h.Store = h.Reopen()
	seen := read(presence.SeenPage)
	if len(seen) != 3 || !bytes.Equal(seen[0], bytes.Repeat([]byte{1}, 100)) || !bytes.Equal(seen[1],
		bytes.Repeat([]byte{4}, 7)) ||
		!bytes.Equal(seen[math.MaxUint64], large.Data) {
		t.Errorf("%d seen pages, of %d, %d and %d bytes", len(seen), len(seen[0]), len(seen[1]), len(seen[math.MaxUint64]))
	}
	sessions := read(presence.SessionPage)
	if len(sessions) != 2 || !bytes.Equal(sessions[0], bytes.Repeat([]byte{3}, 100)) || len(sessions[1<<40]) != 0 {
		t.Errorf("session pages: %v", sessions)
	}
}

func records(t *testing.T, h *Harness) {
	a, b, c := draft("a"), plain("b"), plain("c")
	b.Status, b.Active = presence.AccountBanned, false
	insert(t, h.Store, &a, &b, &c)
	gone := plain("gone")
	insert(t, h.Store, &gone)
	trash(t, h.Store, gone)
	same(t, "records", allRecords(t, h.Store), []presence.Presence{
		{
			User: a.ID, Status: a.OnlineStatus, Cause: a.Cause, LastSeen: a.LastSeen, Since: a.Since,
			Version: a.Version,
		}, {User: b.ID}, {User: c.ID},
	})
	for range 20 { // more often than there can be connections
		for p, err := range h.Store.Records(t.Context()) {
			if err != nil || p.User != a.ID {
				t.Fatal(p, err)
			}
			break
		}
	}
	n, failed := 0, 0
	for _, err := range h.Store.Records(cancelled(t)) {
		if n++; err != nil {
			failed++
		}
	}
	if n != 1 || failed != 1 {
		t.Errorf("a cancelled reading yielded %d times, %d errors; want one error", n, failed)
	}
}

func holds(t *testing.T, h *Harness) {
	ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	save := func(user presence.UserID, hold presence.Hold) {
		t.Helper()
		if err := h.Store.SaveHold(t.Context(), user, hold); err != nil {
			t.Fatal(err)
		}
	}
	want := func(want map[presence.UserID]presence.Hold) {
		t.Helper()
		same(t, "holds", get[map[presence.UserID]presence.Hold](t)(h.Store.Holds(t.Context())), want)
	}
	want(map[presence.UserID]presence.Hold{})
	timed := presence.Hold{Active: true, Status: presence.Away, Until: after(time.Hour), Note: "at lunch", Actor: bob}
	lasting := presence.Hold{Active: true, Status: presence.Online, Note: "on call"}
	save(ada, lasting)
	save(bob, lasting)
	save(ada, timed)
	h.Store = h.Reopen()
	want(map[presence.UserID]presence.Hold{ada: timed, bob: lasting})
	save(ada, presence.Hold{})
	save(ada, presence.Hold{}) // lifting what is not there is no error
	want(map[presence.UserID]presence.Hold{bob: lasting})
}
