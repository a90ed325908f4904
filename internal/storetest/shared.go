package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// sharedScenarios are the contract of presence.SharedStore, for stores that are one.
func sharedScenarios() []scenario {
	list := []scenario{
		{"an act is noticed, whoever did it, and one that was undone is not", noticeActs},
		{"an act that is committed late is noticed, though later ones were noticed before", noticeLate},
		{"changes that nobody has recorded are found", func(t *testing.T, h *Harness) {
			user := person(t, h.Store, "ada")
			changes := make([]presence.Change, 4)
			for i := range changes {
				changes[i] = presence.Change{
					User: user, To: presence.Status(1 - i%2), From: presence.Status(i % 2), Cause: presence.CauseIdle,
					At: after(time.Duration(i) * time.Second), LastSeen: noon, Version: uint64(i + 1),
				}
			}
			record(t, h.Store, changes[0], changes[2])
			ofNobody := changes[1]
			ofNobody.User = 12345
			found := get[[]presence.Change](t)(sharing(h).Unrecorded(t.Context(), append(slices.Clone(changes), ofNobody)))
			same(t, "unrecorded", found, []presence.Change{changes[1], changes[3]})
		}},
	}
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.SharedStore); !ok {
				t.Skip("this store is no presence.SharedStore")
			}
			prove(t, h)
		}
	}
	return list
}

func sharing(h *Harness) presence.SharedStore { return h.Store.(presence.SharedStore) }

// ear hears every notice once, as nodes do.
type ear struct {
	store presence.SharedStore
	mark  presence.Mark
	heard map[int64]bool
}

// listen returns what is new since the last time, without numbers.
func (e *ear) listen(t *testing.T) (notices []presence.Notice) {
	t.Helper()
	found, mark, err := e.store.Notices(t.Context(), e.mark)
	if err != nil || mark == 0 {
		t.Fatalf("notices: %v, mark %d", err, mark)
	}
	e.mark = mark
	for _, n := range found {
		if !e.heard[n.ID] {
			e.heard[n.ID] = true
			n.ID = 0
			notices = append(notices, n)
		}
	}
	return notices
}

func newEar(t *testing.T, h *Harness) *ear {
	t.Helper()
	e := &ear{store: sharing(h), heard: map[int64]bool{}}
	if none := e.listen(t); len(none) > 0 {
		t.Errorf("from now on: %v", none)
	}
	// What was written a moment ago may be told once more, while transactions are open that others began earlier; it
	// is no news of what follows.
	e.listen(t)
	return e
}

func noticeActs(t *testing.T, h *Harness) {
	node := newEar(t, h)
	ada := plain("ada")
	insert(t, h.Store, &ada)
	about := func(topic presence.NoticeTopic) presence.Notice { return presence.Notice{User: ada.ID, Topic: topic} }
	expect := func(what string, want ...presence.Notice) {
		t.Helper()
		found := node.listen(t)
		slices.SortFunc(found, func(a, b presence.Notice) int { return int(a.Session - b.Session) })
		same(t, what, found, want)
	}
	expect("a new account", about(presence.NoticeAccount))
	sessions := []presence.LoginSession{
		{ID: 41, User: ada.ID, CreatedAt: noon, ExpiresAt: after(time.Hour)},
		{ID: 42, User: ada.ID, CreatedAt: noon, ExpiresAt: after(time.Hour)},
	}
	signIn(t, h.Store, sessions...)
	do(t, h.Store, func(tx presence.Tx) error { return tx.EndSession(41, presence.CauseLogout, noon) })
	do(t, h.Store, func(tx presence.Tx) error {
		_, err := tx.EndSessions(ada.ID, presence.EverySession, presence.CauseForced, noon)
		return err
	})
	over := func(id presence.SessionID, cause presence.Cause) presence.Notice {
		return presence.Notice{User: ada.ID, Session: id, Cause: cause, Topic: presence.NoticeSession}
	}
	expect("two sessions", over(41, presence.CauseLogout), over(42, presence.CauseForced))

	ada.Privacy = presence.Privacy{HideStatus: true}
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&ada) })
	expect("privacy", about(presence.NoticePrivacy))
	ada.Role = presence.RoleAdmin
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&ada) })
	expect("a role", about(presence.NoticeAccount))

	ada.Bio = "something that lists show"
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&ada) })
	expect("a profile", about(presence.NoticeProfile))
	record(t, h.Store, presence.Change{User: ada.ID, To: presence.Online, At: noon, LastSeen: noon, Version: 1})
	ada.Role = presence.RoleUser
	_ = h.Store.Durable(t.Context(), func(tx presence.Tx) error {
		if err := tx.UpdateAccount(&ada); err != nil {
			return err
		}
		return errOnPurpose
	})
	expect("what nobody needs to hear")
	remove(t, h.Store, ada.ID)
	expect("gone for good", about(presence.NoticeAccount))
}

func noticeLate(t *testing.T, h *Harness) {
	ada, bob := plain("ada"), plain("bob")
	insert(t, h.Store, &ada, &bob)
	node := newEar(t, h)
	began, finish, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ada.Role, bob.Role = presence.RoleAdmin, presence.RoleAdmin
	go func() {
		done <- h.Store.Durable(t.Context(), func(tx presence.Tx) error {
			err := tx.UpdateAccount(&ada)
			close(began)
			<-finish
			return err
		})
	}()
	<-began
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&bob) })
	first := node.listen(t)
	same(t, "while the first act is under way", first, []presence.Notice{{User: bob.ID, Topic: presence.NoticeAccount}})
	close(finish)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, "after it", node.listen(t), []presence.Notice{{User: ada.ID, Topic: presence.NoticeAccount}})
}
