package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// deskScenarios are the contract of presence.DeskStore, for stores that are one.
func deskScenarios() []scenario {
	list := []scenario{
		{"documents are kept by kind and id, replaced, and listed newest first", provesDocuments},
		{"an act that fails leaves documents as they were", provesDocumentsInActs},
		{"changes of everybody are found by what they are, the last written first, in pages", provesChangesBefore},
		{"somebody's history can be forgotten, and nobody else's is", provesRemoveHistory},
		{"the trash is listed, the latest first", provesTrash},
	}
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.DeskStore); !ok {
				t.Skip("this store is no presence.DeskStore")
			}
			prove(t, h)
		}
	}
	return list
}

func desk(h *Harness) presence.DeskStore { return h.Store.(presence.DeskStore) }

func provesDocuments(t *testing.T, h *Harness) {
	one := presence.Document{Kind: "view", ID: "a", Owner: 7, At: after(0), Body: `{"name":"Online now","ش":"ی"}`}
	two := presence.Document{Kind: "view", ID: "b", At: after(time.Second), Body: `{}`}
	other := presence.Document{Kind: "job", ID: "a", At: after(time.Hour), Body: `[]`}
	do(t, h.Store, func(tx presence.Tx) error {
		for _, d := range []presence.Document{one, two, other} {
			if err := tx.(presence.DeskTx).SaveDocument(d); err != nil {
				return err
			}
		}
		return nil
	})
	h.Store = h.Reopen()
	same(t, "views", get[[]presence.Document](t)(desk(h).Documents(t.Context(), "view")), []presence.Document{two, one})
	one.At, one.Body = after(time.Minute), `{"name":"Later"}`
	do(t, h.Store, func(tx presence.Tx) error {
		if err := tx.(presence.DeskTx).SaveDocument(one); err != nil {
			return err
		}
		got, err := tx.(presence.DeskTx).Document("view", "a")
		same(t, "inside the act", got, one)
		return err
	})
	same(t, "views", get[[]presence.Document](t)(desk(h).Documents(t.Context(), "view")), []presence.Document{one, two})
	do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.DeskTx).RemoveDocument("view", "b") })
	same(t, "views", get[[]presence.Document](t)(desk(h).Documents(t.Context(), "view")), []presence.Document{one})
	same(t, "jobs", get[[]presence.Document](t)(desk(h).Documents(t.Context(), "job")), []presence.Document{other})
	for name, act := range map[string]func(presence.DeskTx) error{
		"find":   func(tx presence.DeskTx) error { _, err := tx.Document("view", "b"); return err },
		"remove": func(tx presence.DeskTx) error { return tx.RemoveDocument("view", "b") },
	} {
		err := h.Store.Durable(t.Context(), func(tx presence.Tx) error { return act(tx.(presence.DeskTx)) })
		if presence.KindOf(err) != presence.NotFound {
			t.Errorf("%s what is not there: %v", name, err)
		}
	}
}

func provesDocumentsInActs(t *testing.T, h *Harness) {
	d := presence.Document{Kind: "timeouts", ID: "1", At: noon, Body: `{}`}
	err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
		if err := tx.(presence.DeskTx).SaveDocument(d); err != nil {
			return err
		}
		return errOnPurpose
	})
	if !errors.Is(err, errOnPurpose) {
		t.Fatalf("act: %v", err)
	}
	same(t, "documents", get[[]presence.Document](t)(desk(h).Documents(t.Context(), "timeouts")), []presence.Document{})
}

// written records changes of two users and returns their ids.
func written(t *testing.T, h *Harness) (ada, bob presence.UserID) {
	t.Helper()
	ada, bob = person(t, h.Store, "ada"), person(t, h.Store, "bob")
	change := func(n int, user presence.UserID, from, to presence.Status, cause presence.Cause, node string) presence.Change {
		return presence.Change{
			Seq: uint64(n), User: user, From: from, To: to, Cause: cause, Node: node, At: after(time.Duration(n) * time.Second),
			LastSeen: noon, Version: uint64(n), Session: presence.SessionID(1000 + n),
		}
	}
	changes := []presence.Change{
		change(1, ada, presence.Offline, presence.Online, presence.CauseLogin, "a"),
		change(2, bob, presence.Offline, presence.Online, presence.CauseConnect, "b"),
		change(3, ada, presence.Online, presence.Away, presence.CauseIdle, "a"),
		change(4, bob, presence.Online, presence.Offline, presence.CauseAdmin, "b"),
		change(5, ada, presence.Away, presence.Offline, presence.CauseTimeout, "b"),
	}
	changes[3].Actor = 99
	if err := h.Store.RecordChanges(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	return ada, bob
}

func seqs(changes []presence.RecordedChange) string {
	text := ""
	for _, c := range changes {
		text += fmt.Sprint(c.Seq)
	}
	return text
}

func provesChangesBefore(t *testing.T, h *Harness) {
	ada, bob := written(t, h)
	offline, online := presence.Offline, presence.Online
	for name, one := range map[string]struct {
		f    presence.ChangeFilter
		want string
	}{
		"everything": {presence.ChangeFilter{}, "54321"},
		"user":       {presence.ChangeFilter{User: ada}, "531"},
		"actor":      {presence.ChangeFilter{Actor: 99}, "4"},
		"causes":     {presence.ChangeFilter{Causes: []presence.Cause{presence.CauseIdle, presence.CauseLogin}}, "31"},
		"node":       {presence.ChangeFilter{Node: "b"}, "542"},
		"from":       {presence.ChangeFilter{From: &online}, "43"},
		"to":         {presence.ChangeFilter{To: &offline}, "54"},
		"times":      {presence.ChangeFilter{After: after(2 * time.Second), Before: after(4 * time.Second)}, "32"},
		"together":   {presence.ChangeFilter{User: bob, Node: "b", To: &offline, Causes: []presence.Cause{presence.CauseAdmin}}, "4"},
		"nobody":     {presence.ChangeFilter{User: 12345}, ""},
	} {
		if got := seqs(get[[]presence.RecordedChange](t)(desk(h).ChangesBefore(t.Context(), one.f, 0, 0))); got != one.want {
			t.Errorf("%s: %s, want %s", name, got, one.want)
		}
	}
	first := get[[]presence.RecordedChange](t)(desk(h).ChangesBefore(t.Context(), presence.ChangeFilter{}, 0, 2))
	rest := get[[]presence.RecordedChange](t)(desk(h).ChangesBefore(t.Context(), presence.ChangeFilter{}, first[1].ID, 10))
	if seqs(first)+seqs(rest) != "54321" {
		t.Errorf("in pages: %s then %s", seqs(first), seqs(rest))
	}
	if c := first[1].Change; c.User != bob || c.Actor != 99 || c.Session != 1004 || !c.At.Equal(after(4*time.Second)) || c.Node != "b" {
		t.Errorf("the change by an admin: %+v", c)
	}
}

func provesRemoveHistory(t *testing.T, h *Harness) {
	ada, _ := written(t, h)
	do(t, h.Store, func(tx presence.Tx) error {
		n, err := tx.(presence.DeskTx).RemoveHistory(ada)
		same(t, "forgotten", n, 3)
		return err
	})
	if left := seqs(get[[]presence.RecordedChange](t)(desk(h).ChangesBefore(t.Context(), presence.ChangeFilter{}, 0, 0))); left != "42" {
		t.Errorf("left: %s", left)
	}
}

func provesTrash(t *testing.T, h *Harness) {
	one, two, here := plain("one"), plain("two"), plain("here")
	insert(t, h.Store, &one, &two, &here)
	one.DeletedAt, two.DeletedAt = after(time.Minute), after(time.Hour)
	do(t, h.Store, func(tx presence.Tx) error {
		if err := tx.UpdateAccount(&one); err != nil {
			return err
		}
		return tx.UpdateAccount(&two)
	})
	list := get[[]presence.Account](t)(desk(h).Trash(t.Context(), 0))
	if len(list) != 2 || list[0].ID != two.ID || list[1].ID != one.ID || !list[0].DeletedAt.Equal(two.DeletedAt) {
		t.Errorf("trash: %+v", list)
	}
	if few := get[[]presence.Account](t)(desk(h).Trash(t.Context(), 1)); len(few) != 1 {
		t.Errorf("%d of one", len(few))
	}
}
