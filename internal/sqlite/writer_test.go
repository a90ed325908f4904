package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/offchat/presence"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// codedError is an error as SQLite gives it.
type codedError int

func (e codedError) Error() string { return fmt.Sprintf("sqlite error %d", int(e)) }
func (e codedError) Code() int     { return int(e) }

func account(name string) *presence.Account {
	return &presence.Account{Username: name, Email: name + "@example.org", Active: true, CreatedAt: noon}
}

func insertOne(name string) func(presence.Tx) error {
	return func(tx presence.Tx) error { return tx.InsertAccount(account(name)) }
}

func exists(t *testing.T, s *Store, name string) bool {
	t.Helper()
	_, err := s.AccountByName(t.Context(), name)
	if err != nil && presence.KindOf(err) != presence.NotFound {
		t.Fatal(err)
	}
	return err == nil
}

// hold keeps the writer busy with an act until release is called, which returns that act's error.
func hold(t *testing.T, s *Store) (release func() error) {
	t.Helper()
	held, free, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- s.Durable(context.Background(), func(presence.Tx) error {
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() error {
		close(free)
		return <-result
	}
}

// queued waits until n turns wait in a queue.
func queued(queue chan *turn, n int) {
	for len(queue) < n {
		runtime.Gosched()
	}
}

func TestActsThatWaitTogetherShareOneCommit(t *testing.T) {
	s := openNew(t)
	before := s.Stats()
	release := hold(t, s)
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			if err := s.Durable(context.Background(), insertOne(fmt.Sprint("user", i))); err != nil {
				t.Error(err)
			}
		})
	}
	queued(s.write.durables, 100)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	after := s.Stats()
	if acts, commits := after.Acts-before.Acts, after.Commits-before.Commits; acts != 101 || commits != 1 {
		t.Errorf("%d acts in %d commits, want 101 in 1", acts, commits)
	}
	if _, total, err := s.AccountCounts(t.Context()); total != 100 || err != nil {
		t.Errorf("%d accounts, %v", total, err)
	}
}

func TestAnActThatFailsLeavesTheOthersOfItsGroupAlone(t *testing.T) {
	s := openNew(t)
	release := hold(t, s)
	onPurpose := errors.New("on purpose")
	var callers sync.WaitGroup
	for i := range 30 {
		callers.Go(func() {
			err := s.Durable(context.Background(), func(tx presence.Tx) error {
				if err := insertOne(fmt.Sprint("user", i))(tx); err != nil || i%3 != 0 {
					return err
				}
				return onPurpose
			})
			if fails := i%3 == 0; fails != (err == onPurpose) || !fails && err != nil {
				t.Errorf("act %d: %v", i, err)
			}
		})
	}
	queued(s.write.durables, 30)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	for i := range 30 {
		if got, want := exists(t, s, fmt.Sprint("user", i)), i%3 != 0; got != want {
			t.Errorf("user%d is there: %v, want %v", i, got, want)
		}
	}
}

func TestAFailedCommitIsToldToEverybody(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		code  string
		final bool
	}{
		{"the disk is full", codedError(sqlite3.SQLITE_FULL), CodeDiskFull, false},
		{"the disk does not flush", codedError(sqlite3.SQLITE_IOERR_FSYNC), CodeWriteFailed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openNew(t)
			commit := s.write.commit
			s.write.commit = func() error { return c.err } // seen by the writer through the queue
			var callers sync.WaitGroup
			for i := range 5 {
				callers.Go(func() {
					err := s.Durable(context.Background(), insertOne(fmt.Sprint("user", i)))
					if e := (*presence.Error)(nil); !errors.As(err,
						&e) || e.Kind != presence.Unavailable || e.Code != c.code || e.Tell == "" {
						t.Errorf("caller %d got %v", i, err)
					}
				})
			}
			callers.Wait()
			_ = s.write.durable(t.Context(), func(*tx) error { s.write.commit = commit; return errors.New("nothing") })
			err := s.Durable(t.Context(), insertOne("later"))
			ping := s.Ping(t.Context())
			failed := false
			select {
			case <-s.Failed():
				failed = true
			default:
			}
			if final := c.final; final != (err != nil) || final != (ping != nil) || final != failed {
				t.Errorf("afterwards: write %v, ping %v, failed %v; want that the store ended: %v", err, ping, failed,
					final)
			}
			if _, total, err := s.AccountCounts(t.Context()); err != nil || total > 1 || exists(t, s, "user0") {
				t.Errorf("%d accounts of failed commits, %v", total, err)
			}
		})
	}
}

func TestAFullDiskPassesWithoutReopening(t *testing.T) {
	s := openNew(t)
	pages := func(limit int) {
		t.Helper()
		err := s.write.behind(t.Context(), func(tx *tx) error {
			_, err := tx.w.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", limit))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pages(1) // SQLite takes it as: no page more than there are
	large := func(name string) func(presence.Tx) error {
		return func(tx presence.Tx) error {
			a := account(name)
			a.Bio = strings.Repeat("x", 1<<20)
			_ = tx.InsertAccount(a) // an act that does not look has failed all the same
			return nil
		}
	}
	err := s.Durable(t.Context(), large("early"))
	if e := (*presence.Error)(nil); !errors.As(err, &e) || e.Kind != presence.Unavailable || e.Code != CodeDiskFull || e.Tell == "" {
		t.Errorf("on a full disk: %v", err)
	}
	if err := s.SavePages(t.Context(), []presence.Page{{Kind: presence.SeenPage, Data: make([]byte,
		1<<20)}}); presence.KindOf(err) != presence.Unavailable {
		t.Errorf("pages on a full disk: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	pages(1 << 30)
	if err := s.Durable(t.Context(), large("late")); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if exists(t, s, "early") || !exists(t, s, "late") {
		t.Error("early is there, or late is not")
	}
}

func TestTheTwoClassesFlushDifferently(t *testing.T) {
	s := openNew(t)
	synchronous := func(tx *tx) (level int) {
		if err := tx.w.conn.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&level); err != nil {
			t.Error(err)
		}
		return level
	}
	const normal, full = 1, 2
	for range 3 {
		if err := s.write.durable(t.Context(), func(tx *tx) error {
			if got := synchronous(tx); got != full {
				t.Errorf("durable: synchronous is %d", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.write.behind(t.Context(), func(tx *tx) error {
			if got := synchronous(tx); got != normal {
				t.Errorf("behind: synchronous is %d", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDurableActsGoFirstAndTheOtherClassIsNotForgotten(t *testing.T) {
	s := openNew(t)
	release := hold(t, s)
	var (
		order   []string // written in turns
		callers sync.WaitGroup
	)
	enter := func(name string, take func(context.Context, func(*tx) error) error) {
		callers.Go(func() {
			if err := take(context.Background(), func(*tx) error { order = append(order, name); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		enter("behind", s.write.behind)
	}
	queued(s.write.behinds, 3)
	for range 2 * groupLimit {
		enter("durable", s.write.durable)
	}
	queued(s.write.durables, 2*groupLimit)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	// The holder was the first of 256; then one of the others after each group.
	var runs []string
	for _, name := range order {
		if len(runs) == 0 || runs[len(runs)-1] != name {
			runs = append(runs, name)
		}
	}
	if !slices.Equal(runs, []string{"durable", "behind", "durable", "behind", "durable", "behind"}) {
		t.Errorf("order %v", runs)
	}
}

func TestAnActEndsInItsCallersGoroutine(t *testing.T) {
	s := openNew(t)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = s.Durable(t.Context(), func(tx presence.Tx) error {
			_ = insertOne("panicked")(tx)
			panic("boom")
		})
	}()
	var ended sync.WaitGroup
	ended.Go(func() {
		_ = s.Durable(context.Background(), func(tx presence.Tx) error {
			_ = insertOne("left")(tx)
			runtime.Goexit()
			return nil
		})
	})
	ended.Wait()
	if err := s.Durable(t.Context(), insertOne("next")); err != nil {
		t.Fatal(err)
	}
	if exists(t, s, "panicked") || exists(t, s, "left") || !exists(t, s, "next") {
		t.Error("an unfinished act happened, or the next one did not")
	}
}

func TestWhoeverStopsWaitingHasDoneNothing(t *testing.T) {
	s := openNew(t)
	release := hold(t, s)
	s.write.patience = time.Nanosecond // every wait behind the holder is too long
	err := s.Durable(t.Context(), insertOne("impatient"))
	if e := (*presence.Error)(nil); !errors.As(err, &e) || e.Kind != presence.Unavailable || e.Code != CodeBusy || e.RetryAfter == 0 {
		t.Errorf("too long a wait: %v", err)
	}
	s.write.patience = patience
	waiting := len(s.write.durables) // the impatient one may have left before it queued
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Durable(ctx, insertOne("cancelled")) }()
	queued(s.write.durables, waiting+1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := s.Durable(t.Context(), insertOne("next")); err != nil {
		t.Fatal(err)
	}
	if exists(t, s, "impatient") || exists(t, s, "cancelled") || !exists(t, s, "next") {
		t.Error("who gave up has written, or the next one has not")
	}
}

func TestATransactionIsOverWithItsAct(t *testing.T) {
	s := openNew(t)
	var leaked presence.Tx
	if err := s.Durable(t.Context(), func(tx presence.Tx) error { leaked = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := leaked.InsertAccount(account("late")); !errors.Is(err, errTurnOver) {
		t.Errorf("insert: %v", err)
	}
	if _, err := leaked.Account(1); !errors.Is(err, errTurnOver) {
		t.Errorf("read: %v", err)
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := openNew(t)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Durable(t.Context(), insertOne("late")); presence.KindOf(err) != presence.Unavailable {
		t.Errorf("write: %v", err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
}

func TestKindsOfErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind presence.ErrorKind
		code string
	}{
		{codedError(sqlite3.SQLITE_FULL), presence.Unavailable, CodeDiskFull},
		{codedError(sqlite3.SQLITE_IOERR_SHMSIZE), presence.Unavailable, CodeDiskFull},
		{codedError(sqlite3.SQLITE_BUSY), presence.Unavailable, CodeBusy},
		{fmt.Errorf("wrapped: %w", codedError(sqlite3.SQLITE_BUSY|2<<8)), presence.Unavailable, CodeBusy},
		{codedError(sqlite3.SQLITE_IOERR_FSYNC), presence.Unavailable, CodeWriteFailed},
		{codedError(sqlite3.SQLITE_READONLY), presence.Unavailable, ""},
		{codedError(sqlite3.SQLITE_CORRUPT), presence.Internal, ""},
		{codedError(sqlite3.SQLITE_IOERR_READ), presence.Internal, ""},
		{context.DeadlineExceeded, presence.Unavailable, CodeBusy},
		{errors.New("something else"), presence.Internal, ""},
		{conflict("insert", "email", "taken"), presence.Conflict, ""},
	} {
		got := (*presence.Error)(nil)
		if !errors.As(fault("test", c.err), &got) || got.Kind != c.kind || got.Code != c.code || !errors.Is(got, c.err) {
			t.Errorf("%v became %+v, want %v %q", c.err, got, c.kind, c.code)
		}
		if got != nil && got.Kind == presence.Unavailable && (got.Tell == "" || got.RetryAfter == 0) {
			t.Errorf("%v says nothing to the caller: %+v", c.err, got)
		}
	}
	if fault("test", nil) != nil {
		t.Error("no error became one")
	}
}
