package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/storetest"
)

// patience is long: a loaded test machine is no reason to refuse a write.
const patience = time.Minute

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openNew(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "presence.db"))
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "presence.db")
		s := openAt(t, path)
		return storetest.Harness{Store: s, Reopen: func() presence.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, path)
			return s
		}}
	})
}
