package postgres

import (
	"os"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/storetest"
	"github.com/offchat/presence/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// slow is for a race detector on a busy machine: these tests are about what is done, not how quickly.
var slow = Options{Patience: 20 * time.Second}

// newDatabase makes a database with our tables in it, and returns its URL.
func newDatabase(t *testing.T) (url string) {
	t.Helper()
	server := testserver.SharedPostgres(t)
	return server.Database(t, server.Template(t, "template_presence", func(url string) error {
		s, err := Open(t.Context(), url, slow)
		if err != nil {
			return err
		}
		return s.Close()
	}))
}

func openAt(t *testing.T, url string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openNew(t *testing.T) *Store {
	t.Helper()
	return openAt(t, newDatabase(t), slow)
}

func contract(t *testing.T, opts Options) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		url := newDatabase(t)
		s := openAt(t, url, opts)
		return storetest.Harness{Store: s, Reopen: func() presence.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, url, opts)
			return s
		}}
	})
}

func TestContract(t *testing.T) { contract(t, slow) }

func TestContractWithoutPreparedStatements(t *testing.T) {
	simple := slow
	simple.SimpleProtocol = true
	contract(t, simple)
}
