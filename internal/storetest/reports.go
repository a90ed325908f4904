package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// reportScenarios are the contract of presence.ReportStore, for stores that are one.
func reportScenarios() []scenario {
	list := slices.Concat(privacies(), holdsInActs(), lookingBack(), countings())
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.ReportStore); !ok {
				t.Skip("this store is no presence.ReportStore")
			}
			prove(t, h)
		}
	}
	return list
}

func reports(h *Harness) presence.ReportStore { return h.Store.(presence.ReportStore) }

func privacies() []scenario {
	return []scenario{
		{"what somebody hides is stored with the account, and those who hide something are found", func(t *testing.T, h *Harness) {
			ada, bob := plain("ada"), plain("bob")
			ada.Privacy = presence.Privacy{HideLastSeen: true}
			insert(t, h.Store, &ada, &bob)
			bob.Privacy = presence.Privacy{HideStatus: true, HideLastSeen: true}
			do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&bob) })
			h.Store = h.Reopen()
			same(t, "ada", get[presence.Account](t)(h.Store.Account(t.Context(), ada.ID)).Privacy, ada.Privacy)
			private := get[map[presence.UserID]presence.Privacy](t)(reports(h).PrivateUsers(t.Context()))
			same(t, "private users", private, map[presence.UserID]presence.Privacy{ada.ID: ada.Privacy, bob.ID: bob.Privacy})
			bob.Privacy = presence.Privacy{}
			do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&bob) })
			private = get[map[presence.UserID]presence.Privacy](t)(reports(h).PrivateUsers(t.Context()))
			same(t, "after bob hides nothing", private, map[presence.UserID]presence.Privacy{ada.ID: ada.Privacy})
		}},
		{"a user's sessions that have not ended are listed newest first", func(t *testing.T, h *Harness) {
			user, other := person(t, h.Store, "ada"), person(t, h.Store, "bob")
			rows := make([]presence.LoginSession, 5)
			for i := range rows {
				rows[i] = presence.LoginSession{
					ID: presence.SessionID(1000 + i), User: user, CreatedAt: after(time.Duration(i) * time.Minute),
					ExpiresAt: after(time.Hour), IP: "192.0.2.1", UserAgent: "Firefox",
				}
			}
			rows[0].ExpiresAt = after(time.Minute) // over by the time we look
			rows[1].User = other
			signIn(t, h.Store, rows...)
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.EndSession(rows[2].ID, presence.CauseLogout, after(3*time.Minute))
			})
			now := after(10 * time.Minute)
			found := get[[]presence.LoginSession](t)(reports(h).Sessions(t.Context(), user, now, 0))
			same(t, "sessions", found, []presence.LoginSession{rows[4], rows[3]})
			found = get[[]presence.LoginSession](t)(reports(h).Sessions(t.Context(), user, now, 1))
			same(t, "the newest", found, []presence.LoginSession{rows[4]})
		}},
	}
}

func holdsInActs() []scenario {
	return []scenario{
		{"a hold in an act is there when the act is done, and not when it was undone", func(t *testing.T, h *Harness) {
			user := person(t, h.Store, "ada")
			hold := presence.Hold{Active: true, Status: presence.Away, Until: after(time.Hour), Note: "on leave", Actor: 7}
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				if err := tx.(presence.ReportTx).SaveHold(user, hold); err != nil {
					return err
				}
				return errOnPurpose
			})
			if err == nil {
				t.Fatal("the act was to fail")
			}
			same(t, "after an act that was undone", get[map[presence.UserID]presence.Hold](t)(h.Store.Holds(t.Context())), map[presence.UserID]presence.Hold{})
			do(t, h.Store, func(tx presence.Tx) error {
				in := tx.(presence.ReportTx)
				if err := in.SaveHold(user, hold); err != nil {
					return err
				}
				found, err := in.Hold(user)
				same(t, "in the act", found, hold)
				return err
			})
			same(t, "after the act", get[map[presence.UserID]presence.Hold](t)(h.Store.Holds(t.Context())), map[presence.UserID]presence.Hold{user: hold})
			do(t, h.Store, func(tx presence.Tx) error {
				in := tx.(presence.ReportTx)
				if err := in.SaveHold(user, presence.Hold{}); err != nil {
					return err
				}
				found, err := in.Hold(user)
				same(t, "once lifted", found, presence.Hold{})
				return err
			})
		}},
		{"a hold of nobody is not found, and the act may go on", func(t *testing.T, h *Harness) {
			do(t, h.Store, func(tx presence.Tx) error {
				refused(t, "hold", tx.(presence.ReportTx).SaveHold(12345, presence.Hold{Active: true}), presence.NotFound, "")
				return nil
			})
		}},
	}
}

func lookingBack() []scenario {
	return []scenario{
		{"going through accounts from the last one met meets each once, in every order", walkAccounts},
		{"the last changes before a moment are found, newest first", func(t *testing.T, h *Harness) {
			user, other := person(t, h.Store, "ada"), person(t, h.Store, "bob")
			var all []presence.Change
			for i := range 5 {
				c := presence.Change{
					Seq: uint64(i + 1), User: user, From: presence.Status(i % 2), To: presence.Status(1 - i%2), Cause: presence.CauseIdle,
					Session: 4711, Actor: 3, Node: "node", At: after(time.Duration(i) * time.Minute), LastSeen: noon, Version: uint64(i + 1),
				}
				all = append(all, c)
			}
			foreign := all[3]
			foreign.User = other
			record(t, h.Store, append(slices.Clone(all), foreign)...)
			found := get[[]presence.Change](t)(reports(h).LastChanges(t.Context(), user, after(3*time.Minute), 2))
			same(t, "changes", found, []presence.Change{all[2], all[1]})
		}},
		{"audit is read from the newest on, from where a page ended, by actor, target and action", func(t *testing.T, h *Harness) {
			do(t, h.Store, func(tx presence.Tx) error {
				for i := range 6 {
					e := presence.AuditEntry{Actor: presence.UserID(i % 2), Target: presence.UserID(i % 3), Action: []string{"ban", "hold"}[i/3], At: noon}
					if err := tx.AppendAudit(e); err != nil {
						return err
					}
				}
				return nil
			})
			ask := func(f presence.AuditFilter, before int64, limit int) (ids []int64) {
				for _, e := range get[[]presence.AuditEntry](t)(reports(h).AuditBefore(t.Context(), f, before, limit)) {
					ids = append(ids, e.ID)
				}
				return ids
			}
			all := ask(presence.AuditFilter{}, 0, 0)
			if len(all) != 6 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
				t.Fatalf("all: %v", all)
			}
			same(t, "the second page of two", ask(presence.AuditFilter{}, all[1], 2), all[2:4])
			same(t, "by actor", ask(presence.AuditFilter{Actor: 1}, 0, 0), []int64{all[0], all[2], all[4]})
			same(t, "by target", ask(presence.AuditFilter{Target: 2}, 0, 0), []int64{all[0], all[3]})
			same(t, "by action", ask(presence.AuditFilter{Action: "ban"}, 0, 0), all[3:])
		}},
	}
}

// walkAccounts pages through accounts some of which agree in the field that the order is about.
func walkAccounts(t *testing.T, h *Harness) {
	for i := range 11 {
		a := plain(fmt.Sprintf("user%02d", i))
		a.CreatedAt = after(time.Duration(i/3) * time.Second) // three at a time
		if i%4 == 0 {
			a.Status = presence.AccountSuspended
		}
		insert(t, h.Store, &a)
	}
	orders := []presence.AccountOrder{
		presence.NewestCreated, presence.OldestCreated, presence.UsernameUp, presence.UsernameDown,
		presence.EmailUp, presence.EmailDown, presence.IDUp, presence.IDDown,
	}
	for _, f := range []presence.AccountFilter{{}, {Status: "active"}, {Search: "USER0"}, {Status: "active", Search: "user"}, {Status: "none"}} {
		for _, order := range orders {
			wanted := get[[]presence.UserID](t)(h.Store.AccountIDs(t.Context(), f, order))
			met := []presence.UserID{}
			var last *presence.Account
			for {
				ids := get[[]presence.UserID](t)(reports(h).AccountsAfter(t.Context(), f, order, last, 2))
				if len(ids) == 0 {
					break
				}
				met = append(met, ids...)
				a := get[presence.Account](t)(h.Store.Account(t.Context(), ids[len(ids)-1]))
				last = &a
			}
			same(t, fmt.Sprintf("%+v in order %d", f, order), met, wanted)
		}
	}
}

func countings() []scenario {
	return []scenario{
		{"minutes are summed up by steps, and a step without any is not there", func(t *testing.T, h *Harness) {
			begin := noon.Truncate(time.Hour)
			write := func(minute, online, peak int) {
				t.Helper()
				m := presence.Minute{At: begin.Add(time.Duration(minute) * time.Minute), Counts: presence.Counts{Online: online, Away: 1, Offline: 9}, PeakOnline: peak}
				if err := reports(h).RecordCounts(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			write(0, 2, 3)
			write(1, 4, 9)
			write(1, 6, 6) // told again: the last word, and the highest peak
			write(25, 5, 5)
			found := get[[]presence.Concurrency](t)(reports(h).Concurrency(t.Context(), begin, begin.Add(25*time.Minute), 10*time.Minute))
			same(t, "series", found, []presence.Concurrency{{At: begin, Online: 4, Away: 1, Offline: 9, PeakOnline: 9, Minutes: 2}})
			found = get[[]presence.Concurrency](t)(reports(h).Concurrency(t.Context(), begin, begin.Add(time.Hour), 10*time.Minute))
			if len(found) != 2 || !found[1].At.Equal(begin.Add(20*time.Minute)) || found[1].Minutes != 1 {
				t.Errorf("with the later minute: %+v", found)
			}
		}},
		{"devices and connections of a minute are means over the minutes that know them", func(t *testing.T, h *Harness) {
			begin := noon.Truncate(time.Hour)
			write := func(minute int, links presence.Links) {
				t.Helper()
				m := presence.Minute{At: begin.Add(time.Duration(minute) * time.Minute), Counts: presence.Counts{Online: 1}, PeakOnline: 1, Links: links}
				if err := reports(h).RecordCounts(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			write(0, presence.Links{Known: true, Devices: 4, Connections: 7})
			write(0, presence.Links{}) // told again by somebody who did not count
			write(1, presence.Links{Known: true, Devices: 1, Connections: 1})
			write(1, presence.Links{Known: true, Devices: 2}) // told again: the last word
			write(2, presence.Links{})
			write(10, presence.Links{})
			h.Store = h.Reopen()
			found := get[[]presence.Concurrency](t)(reports(h).Concurrency(t.Context(), begin, begin.Add(time.Hour), 10*time.Minute))
			same(t, "series", found, []presence.Concurrency{
				{At: begin, Online: 1, PeakOnline: 1, Minutes: 3, Devices: 3, Connections: 3.5, Linked: 2},
				{At: begin.Add(10 * time.Minute), Online: 1, PeakOnline: 1, Minutes: 1},
			})
		}},
		{"changes are counted by steps and cause", func(t *testing.T, h *Harness) {
			user, begin := person(t, h.Store, "ada"), noon.Truncate(time.Hour)
			var all []presence.Change
			for i, cause := range []presence.Cause{presence.CauseLogin, presence.CauseIdle, presence.CauseIdle, presence.CauseLogin} {
				all = append(all, presence.Change{
					User: user, To: presence.Online, Cause: cause, At: begin.Add(time.Duration(i) * 4 * time.Minute), Version: uint64(i + 1),
				})
			}
			record(t, h.Store, all...)
			found := get[[]presence.Transitions](t)(reports(h).Transitions(t.Context(), begin, begin.Add(12*time.Minute), 10*time.Minute))
			same(t, "transitions", found, []presence.Transitions{{At: begin, Cause: presence.CauseIdle, N: 2}, {At: begin, Cause: presence.CauseLogin, N: 1}})
		}},
		{"minutes go with the history that is out of its time", func(t *testing.T, h *Harness) {
			begin := noon.Truncate(time.Minute)
			for i := range 3 {
				if err := reports(h).RecordCounts(t.Context(), presence.Minute{At: begin.Add(time.Duration(i) * time.Hour)}); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := h.Store.Purge(t.Context(), begin, begin.Add(90*time.Minute)); n != 2 || err != nil {
				t.Errorf("purged %d, %v; want 2", n, err)
			}
			left := get[[]presence.Concurrency](t)(reports(h).Concurrency(t.Context(), begin, begin.Add(5*time.Hour), time.Minute))
			if len(left) != 1 || !left[0].At.Equal(begin.Add(2*time.Hour)) {
				t.Errorf("left: %+v", left)
			}
		}},
	}
}
