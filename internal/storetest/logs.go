package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func logScenarios() []scenario {
	return []scenario{
		{"activity is paged newest first, per user", activityPages},
		{"activity is counted per UTC day, from the first moment to before the last", activityDays},
		{"audit lines come back newest first with every field", auditPages},
		{"an audit line lives and dies with its act", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				if err := tx.AppendAudit(presence.AuditEntry{Actor: id, Action: "ban", At: noon}); err != nil {
					return err
				}
				return errOnPurpose
			})
			if err == nil {
				t.Fatal("no error")
			}
			if lines, total, err := h.Store.Audit(t.Context(), 0, 0); len(lines) != 0 || total != 0 || err != nil {
				t.Errorf("audit %v, total %d, %v", lines, total, err)
			}
		}},
		{"history is read oldest first, from the first moment to before the last, at most so many", history},
	}
}

func activityPages(t *testing.T, h *Harness) {
	ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	entry := func(user presence.UserID, action string, at time.Duration) presence.ActivityEntry {
		return presence.ActivityEntry{
			User: user, Action: action, Description: "what " + action, IP: "192.0.2.1",
			UserAgent: "agent", At: after(at),
		}
	}
	do(t, h.Store, func(tx presence.Tx) error {
		for _, e := range []presence.ActivityEntry{
			entry(ada, "second", time.Second), entry(bob, "bob's", time.Hour), entry(ada, "first", 0), entry(ada,
				"third", time.Second),
		} {
			if err := tx.AppendActivity(e); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		offset, limit int
		want          []string
	}{{0, 2, []string{"third", "second"}}, {2, 2, []string{"first"}}, {3, 2, nil}, {1, 0, []string{"second", "first"}}} {
		page, total, err := h.Store.Activity(t.Context(), ada, c.offset, c.limit)
		if err != nil || total != 3 || len(page) != len(c.want) {
			t.Fatalf("offset %d limit %d: %v, total %d, %v", c.offset, c.limit, page, total, err)
		}
		for i, e := range page {
			want := entry(ada, c.want[i], e.At.Sub(noon))
			want.ID = e.ID
			same(t, "entry", e, want)
			if e.ID <= 0 {
				t.Errorf("entry %q has id %d", e.Action, e.ID)
			}
		}
	}
	if page, total, err := h.Store.Activity(t.Context(), presence.Everybody, 0, 1); len(page) != 1 || total != 4 ||
		err != nil || page[0].Action != "bob's" {
		t.Errorf("everybody's activity: %v, %d, %v", page, total, err)
	}
	if page, total, err := h.Store.Activity(t.Context(), 4711, 0, 10); len(page) != 0 || total != 0 || err != nil {
		t.Errorf("nobody's activity: %v, %d, %v", page, total, err)
	}
}

func activityDays(t *testing.T, h *Harness) {
	id, other := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return midnight.AddDate(0, 0, n) }
	do(t, h.Store, func(tx presence.Tx) error {
		for _, at := range []time.Time{
			days(0).Add(-time.Microsecond), days(0), days(0).Add(time.Hour), days(1).Add(-time.Microsecond), days(2), days(3),
		} {
			if err := tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", At: at}); err != nil {
				return err
			}
		}
		return tx.AppendActivity(presence.ActivityEntry{User: other, Action: "login", At: days(0)})
	})
	same(t, "three days", get[map[time.Time]int](t)(h.Store.ActivityDays(t.Context(), id, days(0), days(3))),
		map[time.Time]int{days(0): 3, days(2): 1})
	same(t, "a part of a day", get[map[time.Time]int](t)(h.Store.ActivityDays(t.Context(), id,
		days(0).Add(time.Second), days(1))), map[time.Time]int{days(0): 2})
	same(t, "no day", get[map[time.Time]int](t)(h.Store.ActivityDays(t.Context(), id, days(10), days(11))),
		map[time.Time]int{})
}

func auditPages(t *testing.T, h *Harness) {
	line := func(i int) presence.AuditEntry {
		return presence.AuditEntry{
			Actor: 7, Action: fmt.Sprint("act", i), Target: 8, TargetName: "پری",
			Before: `{"status":"active"}`, After: `{"status":"banned"}`,
			Reason: "spam", Origin: presence.Origin{
				IP: "2001:db8::1", UserAgent: "agent",
				RequestID: "req-1",
			}, At: after(time.Duration(i/2) * time.Second),
		}
	}
	do(t, h.Store, func(tx presence.Tx) error {
		for i := range 5 {
			if err := tx.AppendAudit(line(i)); err != nil {
				return err
			}
		}
		return nil
	})
	h.Store = h.Reopen()
	var actions []string
	for offset := 0; offset < 6; offset += 2 {
		page, total, err := h.Store.Audit(t.Context(), offset, 2)
		if err != nil || total != 5 {
			t.Fatalf("total %d, %v", total, err)
		}
		for _, e := range page {
			actions = append(actions, e.Action)
			want := line(int(e.Action[3] - '0'))
			want.ID = e.ID
			same(t, "line", e, want)
		}
	}
	same(t, "newest first", actions, []string{"act4", "act3", "act2", "act1", "act0"})
}

func history(t *testing.T, h *Harness) {
	ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	var changes []presence.Change
	for i := range 6 {
		user := ada
		if i == 3 {
			user = bob
		}
		changes = append(changes, presence.Change{
			Seq: 1<<63 + uint64(i), User: user, From: presence.Status(i % 3), To: presence.Status((i + 1) % 3), Cause: presence.Cause(i + 1),
			Session: presence.SessionID(1<<62 + i), Actor: bob, Node: "node-1", At: after(time.Duration(i/2) * time.Second), LastSeen: after(-time.Second),
			Version: uint64(i + 1),
		})
	}
	// Recorded in two calls, the newer ones first.
	for _, part := range [][]presence.Change{changes[4:], changes[:4]} {
		if err := h.Store.RecordChanges(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from, to time.Duration, limit int) []presence.Change {
		t.Helper()
		return get[[]presence.Change](t)(h.Store.History(t.Context(), ada, after(from), after(to), limit))
	}
	same(t, "all of ada's", read(-time.Hour, time.Hour, 100), []presence.Change{
		changes[0], changes[1], changes[2],
		changes[4], changes[5],
	})
	same(t, "the oldest two", read(-time.Hour, time.Hour, 2), changes[:2])
	same(t, "from a moment to before another", read(time.Second, 2*time.Second, 100), changes[2:3])
	same(t, "none", read(time.Hour, 2*time.Hour, 100), []presence.Change{})
}
