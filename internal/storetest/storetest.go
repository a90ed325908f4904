// Package storetest is the contract of presence.Store as a list of sentences, each with its proof. Every
// store runs it against the real database. How fast a store is, how it survives a power cut and what it does
// with a damaged file is for the store's own tests.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/offchat/presence"
)

// Harness is one empty database under test.
type Harness struct {
	Store presence.Store
	// Reopen closes the store, opens the same database again and returns the new store.
	Reopen func() presence.Store
}

// scenario is a sentence of the contract and its proof.
type scenario struct {
	sentence string
	prove    func(t *testing.T, h *Harness)
}

// Run proves the contract. open makes an empty database and cleans up after the test it is given; it is called
// for every sentence, from several goroutines at once.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	groups := []struct {
		name      string
		scenarios []scenario
	}{
		{"accounts", accountScenarios()},
		{"lists", listScenarios()},
		{"sessions", sessionScenarios()},
		{"logs", logScenarios()},
		{"presence", presenceScenarios()},
		{"acts", actScenarios()},
		{"reports", reportScenarios()},
		{"imports", importScenarios()},
		{"audit", auditScenarios()},
		{"persons", personScenarios()},
		{"desk", deskScenarios()},
		{"tokens of backends", apiTokenScenarios()},
		{"shared", sharedScenarios()},
		{"webhooks", webhookScenarios()},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, one := range group.scenarios {
				t.Run(one.sentence, func(t *testing.T) {
					t.Parallel()
					h := open(t)
					one.prove(t, &h)
				})
			}
		})
	}
}

// noon is when everything happens that has no better time. It has microseconds.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

// errOnPurpose is what an act returns in order to be undone.
var errOnPurpose = errors.New("on purpose")

// draft is an account that is in no store yet, with every field filled and no two alike.
func draft(username string) presence.Account {
	return presence.Account{
		Username: username, Email: username + "@example.org", FirstName: "First " + username, LastName: "Last " + username,
		Avatar: "https://example.org/" + username + ".png", Bio: "bio of " + username, Role: presence.RoleModerator,
		Staff: true, Status: presence.AccountPending, Active: true, EmailVerified: true, PasswordHash: "hash of " + username,
		JoinedAt: after(1 * time.Second), CreatedAt: after(2 * time.Second), UpdatedAt: after(3 * time.Second),
		OnlineStatus: presence.Away, LastSeen: after(4 * time.Second), Since: after(5 * time.Second), Cause: presence.CauseIdle,
		Version: 7, TokensAfter: after(6 * time.Second),
	}
}

// plain is an ordinary account that was never online.
func plain(username string) presence.Account {
	return presence.Account{
		Username: username, Email: username + "@example.org", Active: true, CreatedAt: noon,
		JoinedAt: noon, UpdatedAt: noon,
	}
}

// do runs an act that must succeed.
func do(t *testing.T, s presence.Store, act func(tx presence.Tx) error) {
	t.Helper()
	if err := s.Durable(t.Context(), act); err != nil {
		t.Fatalf("act: %v", err)
	}
}

// insert stores accounts, which get their ids.
func insert(t *testing.T, s presence.Store, accounts ...*presence.Account) {
	t.Helper()
	do(t, s, func(tx presence.Tx) error {
		for _, a := range accounts {
			if err := tx.InsertAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// person stores a plain account and returns its id.
func person(t *testing.T, s presence.Store, username string) presence.UserID {
	t.Helper()
	a := plain(username)
	insert(t, s, &a)
	return a.ID
}

// trash puts an account into the trash.
func trash(t *testing.T, s presence.Store, a presence.Account) {
	t.Helper()
	a.DeletedAt = after(time.Hour)
	do(t, s, func(tx presence.Tx) error { return tx.UpdateAccount(&a) })
}

// remove removes an account for good.
func remove(t *testing.T, s presence.Store, id presence.UserID) {
	t.Helper()
	do(t, s, func(tx presence.Tx) error { return tx.RemoveAccount(id) })
}

// get unwraps what must be there.
func get[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// same compares deeply. Times must be equal in every respect, the zone too.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	exactly := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// refused asserts that something went wrong in the expected way.
func refused(t *testing.T, what string, err error, kind presence.ErrorKind, field string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %v", what, kind)
		return
	}
	known := (*presence.Error)(nil)
	if !errors.As(err, &known) || known.Kind != kind || known.Field != field {
		t.Errorf("%s: %v (kind %v), want kind %v about %q", what, err, presence.KindOf(err), kind, field)
	}
}

// cancelled is a context that has ended already.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
