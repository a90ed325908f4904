package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/testserver"
)

// wantUnavailable proves that a caller is told to come back later.
func wantUnavailable(t *testing.T, what string, err error, code string) {
	t.Helper()
	known := (*presence.Error)(nil)
	if !errors.As(err, &known) || known.Kind != presence.Unavailable || known.RetryAfter <= 0 || known.Code != code || known.Tell == "" {
		t.Errorf("%s: %v; want Unavailable with code %q", what, err, code)
	}
}

func insertOne(name string) func(tx presence.Tx) error {
	return func(tx presence.Tx) error { return tx.InsertAccount(account(name)) }
}

// clock is a time that stands still until it is told to move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// calls are calls of every kind.
func calls(ctx context.Context, s *Store) map[string]error {
	second := func(_ any, err error) error { return err }
	third := func(_, _ any, err error) error { return err }
	records := error(nil)
	for _, err := range s.Records(ctx) {
		records = err
	}
	return map[string]error{
		"Durable":       s.Durable(ctx, insertOne("away")),
		"Account":       second(s.Account(ctx, 1)),
		"Accounts":      third(s.Accounts(ctx, presence.AccountFilter{}, presence.IDUp, 0, 10)),
		"RecordChanges": s.RecordChanges(ctx, []presence.Change{{User: 1, Version: 1, At: noon}}),
		"RecordSeen":    s.RecordSeen(ctx, []presence.Seen{{User: 1, At: noon}}),
		"Purge":         second(s.Purge(ctx, noon, noon)),
		"Records":       records,
		"SaveHold":      s.SaveHold(ctx, 1, presence.Hold{Active: true}),
		"Ping":          s.Ping(ctx),
	}
}

func TestAServerThatIsAwayIsUnavailableAtOnceAndWorksAgainWhenItIsBack(t *testing.T) {
	server := testserver.NewPostgres(t)
	s := openAt(t, server.Database(t, ""), slow)
	their := &clock{}
	s.gate.now = their.now
	for i := range 5 {
		insert(t, s, account(fmt.Sprint("before", i)))
	}

	server.Stop(t)
	for what, err := range calls(t.Context(), s) {
		wantUnavailable(t, what, err, CodeAway)
	}
	if !s.Stats().Away {
		t.Error("nobody noticed")
	}
	dials := s.pool.Stat().NewConnsCount()
	for i := range 1000 {
		wantUnavailable(t, "a login", s.Durable(t.Context(), insertOne(fmt.Sprint("lost", i))), CodeAway)
	}
	if n := s.pool.Stat().NewConnsCount() - dials; n != 0 {
		t.Errorf("%d of 1000 callers went to see, in no time", n)
	}
	their.advance(pause)
	wantUnavailable(t, "a login", s.Durable(t.Context(), insertOne("lost")), CodeAway)
	if n := s.pool.Stat().NewConnsCount() - dials; n != 1 {
		t.Errorf("%d callers went to see after a pause, want one", n)
	}

	server.Start(t)
	their.advance(pause)
	insert(t, s, account("after"))
	if _, total, err := s.AccountCounts(t.Context()); total != 6 || err != nil || s.Stats().Away {
		t.Errorf("%d accounts, %v; want those that were acknowledged", total, err)
	}
}

// TestNothingAcknowledgedIsLost stops the server under callers who write. What they were told is true: an act
// that succeeded is there, and one that failed is not, but for those of which it is said that nobody knows.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	server := testserver.NewPostgres(t)
	s := openAt(t, server.Database(t, ""), Options{Conns: 8, Patience: 5 * time.Second}) // who does not know what came of it asks for so long
	const callers, enough = 8, 300
	var acknowledged atomic.Int32
	var told sync.Map // name -> error
	var group sync.WaitGroup
	plenty := make(chan struct{})
	for caller := range callers {
		group.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("user%d-%d", caller, n)
				err := s.Durable(context.Background(), insertOne(name))
				told.Store(name, err)
				if err != nil {
					return
				}
				if acknowledged.Add(1) == enough {
					close(plenty)
				}
			}
		})
	}
	<-plenty
	server.Stop(t)
	group.Wait()
	server.Start(t)
	s.gate.now = func() time.Time { return time.Now().Add(time.Hour) } // the pause is over
	told.Range(func(name, said any) bool {
		err, _ := said.(error)
		_, looked := s.AccountByName(t.Context(), name.(string))
		known := (*presence.Error)(nil)
		switch there := looked == nil; {
		case looked != nil && presence.KindOf(looked) != presence.NotFound:
			t.Error(looked)
		case err == nil && !there:
			t.Errorf("%s was acknowledged and is lost", name)
		case err != nil && !errors.As(err, &known):
			t.Errorf("%s: %v", name, err)
		case err != nil && known.Code != CodeUnknown && there:
			t.Errorf("%s is there, after %v", name, err)
		}
		return true
	})
}

func TestACommitWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	for name, what := range map[string]int{"the database got it": lose, "the database never got it": cut} {
		t.Run(name, func(t *testing.T) {
			p, url := newProxy(t, newDatabase(t))
			s := openAt(t, url, slow)
			p.set(commits(1, what))
			runs := 0
			err := s.Durable(t.Context(), func(tx presence.Tx) error {
				runs++
				return errors.Join(tx.InsertAccount(account("ada")), tx.AppendAudit(presence.AuditEntry{Action: "made", At: noon}))
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := map[int]int{lose: 1, cut: 2}[what]; runs != want {
				t.Errorf("the act ran %d times, want %d", runs, want)
			}
			if _, lines, err := s.Audit(t.Context(), 0, 0); lines != 1 || err != nil {
				t.Errorf("it happened %d times, %v", lines, err)
			}
		})
	}
}

func TestACommitThatCannotBeLookedUpIsSaidToBeUnknown(t *testing.T) {
	server := testserver.SharedPostgres(t)
	p, url := newProxy(t, server.Database(t, ""))
	s := openAt(t, url, Options{Patience: 5 * time.Second}) // for so long it is asked what came of it
	var gone atomic.Bool
	p.set(func(sent []byte) int {
		if commits(1, cut)(sent) == cut {
			gone.Store(true)
		}
		if gone.Load() {
			return cut
		}
		return pass
	})
	wantUnavailable(t, "the act", s.Durable(t.Context(), insertOne("ada")), CodeUnknown)
	if s.Stats().Unknown != 1 {
		t.Errorf("%+v", s.Stats())
	}
}

func TestAServerThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	p, url := newProxy(t, newDatabase(t))
	s := openAt(t, url, Options{Patience: slow.Patience, Conns: 2})
	their := &clock{}
	s.gate.now = their.now
	insert(t, s, account("ada"))
	s.patience = 200 * time.Millisecond
	p.set(func([]byte) int { return still })
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if err := s.Durable(t.Context(), insertOne("bob")); presence.KindOf(err) != presence.Unavailable {
				t.Errorf("a login: %v", err)
			}
		})
	}
	group.Wait()
	if !s.Stats().Away {
		t.Fatal("nobody noticed")
	}
	wantUnavailable(t, "a login", s.Durable(t.Context(), insertOne("bob")), CodeAway)
	p.set(func([]byte) int { return pass })
	p.hangUp()
	their.advance(pause)
	s.patience = slow.Patience
	insert(t, s, account("bob"))
}

func TestConnectionsThatBreakAreReplacedUnseen(t *testing.T) {
	p, url := newProxy(t, newDatabase(t))
	s := openAt(t, url, slow)
	insert(t, s, account("ada"))
	for round := range 3 {
		severalConnections(t, s)
		p.hangUp()
		if a, err := s.AccountByName(t.Context(), "ada"); err != nil || a.Username != "ada" {
			t.Errorf("a read: %v", err)
		}
		severalConnections(t, s)
		p.hangUp()
		insert(t, s, account(fmt.Sprint("user", round)))
		severalConnections(t, s)
		p.hangUp()
		if err := s.RecordSeen(t.Context(), []presence.Seen{{User: 1, At: noon.Add(time.Duration(round))}}); err != nil {
			t.Errorf("a batch: %v", err)
		}
	}
}

// severalConnections leaves a few connections that are open and unused.
func severalConnections(t *testing.T, s *Store) {
	t.Helper()
	for range 4 {
		conn, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
}

func TestADatabaseThatTakesNoWritesIsUnavailableForThem(t *testing.T) {
	url := newDatabase(t)
	s, other := openAt(t, url, slow), openAt(t, url, slow)
	insert(t, s, account("ada"))
	set := func(value string) {
		t.Helper()
		_, err := other.pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = `+value+`', current_database()); END $$`)
		if err != nil {
			t.Fatal(err)
		}
	}
	set("on")
	s.pool.Reset() // settings of a database hold for new connections
	wantUnavailable(t, "an act", s.Durable(t.Context(), insertOne("bob")), CodeReadOnly)
	wantUnavailable(t, "a batch", s.RecordSeen(t.Context(), []presence.Seen{{User: 1, At: noon}}), CodeReadOnly)
	if _, err := s.AccountByName(t.Context(), "ada"); err != nil {
		t.Errorf("a read: %v", err)
	}
	set("off") // which new connections find, and s has made some since the refusals
	insert(t, s, account("bob"))
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := openNew(t)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for what, err := range calls(t.Context(), s) {
		wantUnavailable(t, what, err, CodeClosed)
	}
}

func TestGate(t *testing.T) {
	their := &clock{}
	g := &gate{now: their.now}
	away := errors.New("away")
	for _, step := range []struct {
		what    string
		do      func()
		entered int // of three callers
	}{
		{"open at first", func() {}, 3},
		{"shut after a failure", func() { g.failed(away) }, 0},
		{"still shut a moment before the pause is over", func() { their.advance(pause - 1) }, 0},
		{"one may see after the pause", func() { their.advance(1) }, 1},
		{"and another after the next", func() { their.advance(pause) }, 1},
		{"shut when that one failed", func() { g.failed(away) }, 0},
		{"open once there was an answer", func() { g.answered() }, 3},
	} {
		step.do()
		entered := 0
		for range 3 {
			switch err := g.enter(); err {
			case nil:
				entered++
			case away:
			default:
				t.Errorf("%s: %v", step.what, err)
			}
		}
		if entered != step.entered {
			t.Errorf("%s: %d of three came in, want %d", step.what, entered, step.entered)
		}
	}
}
