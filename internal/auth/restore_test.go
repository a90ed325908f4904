package auth

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/sqlite"
)

// TestASuspensionEndsByItself, but not when something else was done with the account since.
func TestASuspensionEndsByItself(t *testing.T) {
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "presence.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := newWorld(t, func(c *Config) { c.Store = store })
	status := func(id presence.UserID) presence.AccountStatus {
		a, err := store.Account(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	make := func(name string) presence.UserID {
		a, err := w.Create(t.Context(), System, NewAccount{Username: name, Password: "Some-pass-123"}, presence.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.SuspendUntil(t.Context(), System, a.ID, "a week off", w.clock.now().Add(time.Hour), presence.Origin{}); err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	alice, bob := make("alice"), make("bob")
	if _, err := w.Ban(t.Context(), System, bob, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Hour - time.Second)
	w.endSuspensions(t.Context())
	if status(alice) != presence.AccountSuspended {
		t.Fatal("it ended too early")
	}
	w.clock.pass(time.Second)
	w.endSuspensions(t.Context())
	if status(alice) != presence.AccountActive || status(bob) != presence.AccountBanned {
		t.Errorf("alice %v, bob %v", status(alice), status(bob))
	}
	if ends, err := w.SuspendedUntil(t.Context()); err != nil || len(ends) != 0 {
		t.Errorf("left: %v, %v", ends, err)
	}
}
