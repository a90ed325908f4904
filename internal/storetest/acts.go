package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func actScenarios() []scenario {
	return []scenario{
		{"an act that returns an error has not happened, and that error comes back", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				return errors.Join(touchEverything(tx,
					id), errOnPurpose)
			})
			if !errors.Is(err, errOnPurpose) {
				t.Errorf("error %v, want the act's own", err)
			}
			untouched(t, h.Store, id)
		}},
		{"an act that panics has not happened, and the store goes on", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			err := panics(func() error {
				return h.Store.Durable(t.Context(), func(tx presence.Tx) error {
					if err := touchEverything(tx, id); err != nil {
						t.Error(err)
					}
					panic("on purpose")
				})
			})
			if err == nil {
				t.Error("a panicking act succeeded")
			}
			untouched(t, h.Store, id)
			person(t, h.Store, "next")
		}},
		{"an act sees what it has written", func(t *testing.T, h *Harness) {
			do(t, h.Store, func(tx presence.Tx) error {
				a := draft("ada")
				if err := tx.InsertAccount(&a); err != nil {
					return err
				}
				found, err := tx.Account(a.ID)
				same(t, "inserted", found, a)
				return err
			})
		}},
		{"once an act has returned every reader sees it, and so does the next start", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			do(t, h.Store, func(tx presence.Tx) error { return touchEverything(tx, id) })
			for range 8 {
				if a := get[presence.Account](t)(h.Store.Account(t.Context(), id)); a.Bio != "touched" {
					t.Fatalf("bio %q", a.Bio)
				}
			}
			h.Store = h.Reopen()
			if a := get[presence.Account](t)(h.Store.Account(t.Context(), id)); a.Bio != "touched" {
				t.Errorf("after reopening: bio %q", a.Bio)
			}
			session(t, h.Store, 300)
		}},
		{"a call whose context has ended fails, and nothing of it happens", cancelledCalls},
		{"acts that run at once each happen whole, or not at all", torture},
		{"of many who ask for one name at once, one gets it", oneName},
		{"the store answers", func(t *testing.T, h *Harness) {
			if err := h.Store.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		}},
	}
}

// oneName lets twenty callers ask for the same name.
func oneName(t *testing.T, h *Harness) {
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			a := plain("ada")
			a.Email = fmt.Sprintf("ada%d@example.org", i)
			switch err := h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&a) }); {
			case err == nil:
				won.Add(1)
			default:
				refused(t, "the name", err, presence.Conflict, "username")
				lost.Add(1)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || lost.Load() != 19 {
		t.Errorf("%d got the name, %d did not", won.Load(), lost.Load())
	}
}

// touchEverything does something in every table an act can reach.
func touchEverything(tx presence.Tx, id presence.UserID) error {
	a, err := tx.Account(id)
	if err != nil {
		return err
	}
	a.Bio = "touched"
	another := plain("another")
	return errors.Join(
		tx.UpdateAccount(&a), tx.InsertAccount(&another),
		tx.InsertSession(presence.LoginSession{ID: 300, User: id, CreatedAt: noon, ExpiresAt: after(time.Hour)}),
		tx.RevokeToken("token", id, after(time.Hour)),
		tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", At: noon}),
		tx.AppendAudit(presence.AuditEntry{Actor: id, Action: "ban", At: noon}))
}

// untouched proves that nothing of touchEverything is there.
func untouched(t *testing.T, s presence.Store, id presence.UserID) {
	t.Helper()
	if a := get[presence.Account](t)(s.Account(t.Context(), id)); a.Bio != "" {
		t.Errorf("bio %q", a.Bio)
	}
	_, err := s.AccountByName(t.Context(), "another")
	refused(t, "the account", err, presence.NotFound, "")
	_, err = s.Session(t.Context(), 300)
	refused(t, "the session", err, presence.NotFound, "")
	if revoked(t, s, "token") {
		t.Error("the token is revoked")
	}
	_, activities, err := s.Activity(t.Context(), id, 0, 0)
	_, lines, err2 := s.Audit(t.Context(), 0, 0)
	if _, total, err3 := s.AccountCounts(t.Context()); activities != 0 || lines != 0 || total != 1 || errors.Join(err,
		err2, err3) != nil {
		t.Errorf("%d activities, %d audit lines, %d accounts, %v", activities, lines, total, errors.Join(err, err2, err3))
	}
}

// panics turns a panic into an error: a store may pass it on or make an error of it.
func panics(call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	return call()
}

func cancelledCalls(t *testing.T, h *Harness) {
	id := person(t, h.Store, "ada")
	s, ctx := h.Store, cancelled(t)
	hold := presence.Hold{Active: true, Status: presence.Online}
	second := func(_ any, err error) error { return err }
	third := func(_, _ any, err error) error { return err }
	for name, call := range map[string]func() error{
		"Durable": func() error {
			return s.Durable(ctx, func(tx presence.Tx) error { t.Error("the act ran"); return touchEverything(tx, id) })
		},
		"RecordChanges": func() error { return s.RecordChanges(ctx, []presence.Change{change(id, 1, presence.Online, 0)}) },
		"RecordSeen":    func() error { return s.RecordSeen(ctx, []presence.Seen{{User: id, At: noon}}) },
		"SavePages": func() error {
			return s.SavePages(ctx, []presence.Page{{
				Kind: presence.SeenPage,
				Data: []byte{1},
			}})
		},
		"SaveHold":      func() error { return s.SaveHold(ctx, id, hold) },
		"Purge":         func() error { return second(s.Purge(ctx, after(time.Hour), after(time.Hour))) },
		"Account":       func() error { return second(s.Account(ctx, id)) },
		"AccountByName": func() error { return second(s.AccountByName(ctx, "ada")) },
		"AccountsByID":  func() error { return second(s.AccountsByID(ctx, []presence.UserID{id})) },
		"Accounts":      func() error { return third(s.Accounts(ctx, presence.AccountFilter{}, presence.IDUp, 0, 0)) },
		"AccountIDs":    func() error { return second(s.AccountIDs(ctx, presence.AccountFilter{}, presence.IDUp)) },
		"AccountCounts": func() error { return third(s.AccountCounts(ctx)) },
		"HasAdmin":      func() error { return second(s.HasAdmin(ctx)) },
		"Session":       func() error { return second(s.Session(ctx, 1)) },
		"TokenRevoked":  func() error { return second(s.TokenRevoked(ctx, "x")) },
		"Activity":      func() error { return third(s.Activity(ctx, id, 0, 0)) },
		"ActivityDays":  func() error { return second(s.ActivityDays(ctx, id, noon, noon)) },
		"Audit":         func() error { return third(s.Audit(ctx, 0, 0)) },
		"History":       func() error { return second(s.History(ctx, id, noon, noon, 0)) },
		"Pages":         func() error { return second(s.Pages(ctx, presence.SeenPage)) },
		"LiveSessions":  func() error { return second(s.LiveSessions(ctx, noon)) },
		"Holds":         func() error { return second(s.Holds(ctx)) },
		"Ping":          func() error { return s.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want one that is context.Canceled", name, err)
		}
	}
	untouched(t, s, id)
	wantPresence(t, s, presence.Presence{User: id})
	pages := get[[]presence.Page](t)(s.Pages(t.Context(), presence.SeenPage))
	holds := get[map[presence.UserID]presence.Hold](t)(s.Holds(t.Context()))
	if len(pages) != 0 || len(holds) != 0 {
		t.Errorf("saved all the same: %v, %v", pages, holds)
	}
}

// torture lets many callers act at once. Every act signs somebody in and writes an activity and an audit
// line; a third of them fail after that, some by panic. In the end the three must agree, one by one.
func torture(t *testing.T, h *Harness) {
	const callers, rounds, people = 16, 30, 5
	s := h.Store
	var ids []presence.UserID
	for i := range people {
		ids = append(ids, person(t, s, fmt.Sprint("user", i)))
	}
	var happened sync.Map // session id -> user
	var group, background sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for round := range rounds {
				n := caller*rounds + round
				sid, user := presence.SessionID(1000+n), ids[n%people]
				err := panics(func() error {
					return s.Durable(t.Context(), func(tx presence.Tx) error { return oneAct(tx, n, sid, user) })
				})
				switch fails := n%3 == 0; {
				case fails && err == nil, !fails && err != nil:
					t.Errorf("act %d: %v", n, err)
				case !fails:
					happened.Store(sid, user)
					session(t, s, sid) // read your own writes
				}
			}
		})
	}
	stop := make(chan struct{})
	background.Go(func() { disturb(t, s, ids, stop) })
	group.Wait()
	close(stop)
	background.Wait()
	want := map[presence.SessionID]presence.UserID{}
	happened.Range(func(sid, user any) bool {
		want[sid.(presence.SessionID)] = user.(presence.UserID)
		return true
	})
	s = h.Reopen()
	got := map[presence.SessionID]presence.UserID{}
	for sid, one := range get[map[presence.SessionID]presence.LiveSession](t)(s.LiveSessions(t.Context(), noon)) {
		got[sid] = one.User
	}
	same(t, "sessions", got, want)
	activities := 0
	for _, id := range ids {
		_, n, err := s.Activity(t.Context(), id, 0, 1)
		if activities += n; err != nil {
			t.Error(err)
		}
	}
	if _, lines, err := s.Audit(t.Context(), 0, 1); activities != len(want) || lines != len(want) || err != nil {
		t.Errorf("%d sessions, %d activities, %d audit lines, %v", len(want), activities, lines, err)
	}
}

func oneAct(tx presence.Tx, n int, sid presence.SessionID, user presence.UserID) error {
	err := errors.Join(
		tx.InsertSession(presence.LoginSession{ID: sid, User: user, CreatedAt: noon, ExpiresAt: after(time.Hour)}),
		tx.AppendActivity(presence.ActivityEntry{User: user, Action: "login", At: after(time.Duration(n) * time.Second)}),
		tx.AppendAudit(presence.AuditEntry{Actor: user, Action: "login", At: noon}))
	switch {
	case n%9 == 0:
		panic("on purpose")
	case n%3 == 0:
		return errOnPurpose
	}
	return err
}

// disturb reads and writes the other class until stop is closed.
func disturb(t *testing.T, s presence.Store, ids []presence.UserID, stop <-chan struct{}) {
	for version := uint64(1); ; version++ {
		select {
		case <-stop:
			return
		default:
		}
		var changes []presence.Change
		for _, id := range ids {
			changes = append(changes, change(id, version, presence.Status(version%3), time.Duration(version)*time.Second))
		}
		_, total, listErr := s.Accounts(t.Context(), presence.AccountFilter{Search: "user"}, presence.NewestCreated, 0, 10)
		_, purgeErr := s.Purge(t.Context(), noon, noon)
		err := errors.Join(listErr, purgeErr, s.RecordChanges(t.Context(), changes),
			s.SavePages(t.Context(), []presence.Page{{Kind: presence.SeenPage, Number: version % 5, Data: make([]byte,
				5000)}}),
			s.RecordSeen(t.Context(), []presence.Seen{{User: ids[0], At: after(time.Hour)}}), s.Ping(t.Context()))
		if err != nil || total != len(ids) {
			t.Errorf("beside the acts: total %d, %v", total, err)
			return
		}
	}
}
