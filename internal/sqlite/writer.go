package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
)

const (
	// groupLimit bounds how many acts share one commit, and so how long the first of them waits.
	groupLimit = 256
	// queueLimit bounds how many acts wait; more callers wait outside, for patience.
	queueLimit = 1024
)

// flushing is how hard a commit presses on the disk.
type flushing string

const (
	// flushFull waits until the commit survives a power cut.
	flushFull flushing = "FULL"
	// flushLater leaves it to the next full flush or checkpoint: a power cut takes the newest of these
	// commits, never the order of them nor the file.
	flushLater flushing = "NORMAL"
)

// writer is the one place that writes. All writes take turns on one connection, so none ever meets a lock.
//
// Durable acts that wait at the same moment form a group: one transaction, each act in a savepoint of its
// own, one flush, then everybody is answered. Between two groups one write of the other class may go.
//
// An act runs in the goroutine that asked for it: the writer lends it the connection and waits. So a panic
// ends up where it belongs, and cannot take the writer along.
type writer struct {
	// Static after construction.
	conn     *sql.Conn
	log      *slog.Logger
	patience time.Duration // how long a write may wait for its turn
	durables chan *turn
	behinds  chan *turn
	quit     chan struct{} // closed when no more turns are taken
	done     chan struct{} // closed when run has returned
	failed   chan struct{} // closed when failure is set

	// Owned by run; lent, with the connection, to the goroutine whose turn it is.
	statements map[string]*sql.Stmt
	flushing   flushing
	commit     func() error // tests put a failing disk here

	failure atomic.Pointer[presence.Error]
	full    atomic.Pointer[time.Time] // since when there is no room; nil while there is
	refused atomic.Uint64             // writes that found no room
	acts    atomic.Uint64
	commits atomic.Uint64
}

// turn is one act's place in the queue.
type turn struct {
	begin   chan *tx      // unbuffered: whoever receives has begun, and only then may something be written
	gone    chan struct{} // closed when the caller gave up before it began
	ended   chan error    // what the act returned
	outcome chan error    // what became of it
}

func newWriter(conn *sql.Conn, log *slog.Logger, patience time.Duration) *writer {
	w := &writer{
		conn: conn, log: log, patience: patience,
		durables: make(chan *turn, queueLimit), behinds: make(chan *turn, queueLimit),
		quit: make(chan struct{}), done: make(chan struct{}), failed: make(chan struct{}),
		statements: map[string]*sql.Stmt{},
	}
	w.commit = func() error { return w.exec("COMMIT") }
	return w
}

// durable runs act and returns once it is safe on disk.
func (w *writer) durable(ctx context.Context, act func(*tx) error) error {
	return w.take(ctx, w.durables, act)
}

// behind runs act and returns once it is written; a power cut may still take it.
func (w *writer) behind(ctx context.Context, act func(*tx) error) error {
	return w.take(ctx, w.behinds, act)
}

// take waits for a turn in the queue and uses it. A ctx that ends while waiting means that nothing happened;
// after that the answer is awaited whatever ctx says, so that no caller is left not knowing.
func (w *writer) take(ctx context.Context, queue chan<- *turn, act func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return fault("write", err)
	}
	if failure := w.failure.Load(); failure != nil {
		return failure
	}
	t := &turn{
		begin: make(chan *tx), gone: make(chan struct{}), ended: make(chan error, 1), outcome: make(chan error, 1),
	}
	late := time.NewTimer(w.patience)
	defer late.Stop()
	select {
	case queue <- t:
	case <-ctx.Done():
		return fault("write", ctx.Err())
	case <-late.C:
		return errQueue
	case <-w.quit:
		return errClosed
	}
	select {
	case tx := <-t.begin:
		return t.run(tx, act)
	case err := <-t.outcome:
		return err
	case <-ctx.Done():
		close(t.gone)
		return fault("write", ctx.Err())
	case <-late.C:
		close(t.gone)
		return errQueue
	case <-w.done:
		return errClosed
	}
}

// run uses the turn. The writer is told even when act panics or ends its goroutine.
func (t *turn) run(tx *tx, act func(*tx) error) error {
	returned := false
	defer func() {
		if !returned {
			t.ended <- errAborted
			<-t.outcome
		}
	}()
	err := act(tx)
	returned = true
	t.ended <- err
	return <-t.outcome
}

// run serves turns until quit is closed and the queues are empty.
func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case t := <-w.durables:
			w.group(flushFull, t, w.durables)
		default:
			select {
			case t := <-w.durables:
				w.group(flushFull, t, w.durables)
			case t := <-w.behinds:
				w.group(flushLater, t, nil)
				continue
			case <-w.quit:
				if len(w.durables)+len(w.behinds) == 0 {
					return
				}
				continue
			}
		}
		// However many acts keep coming, the other class has its chance after each group.
		select {
		case t := <-w.behinds:
			w.group(flushLater, t, nil)
		default:
		}
	}
}

// group commits the act of first, and of those that wait in the queue, in one transaction.
func (w *writer) group(how flushing, first *turn, queue <-chan *turn) {
	if err := w.start(how); err != nil {
		first.outcome <- err
		return
	}
	members, results := make([]*turn, 0, 8), make([]error, 0, 8)
	for t := first; t != nil; t = w.next(queue, len(members)) {
		began, result, broken := w.serve(t)
		w.saw(result)
		w.saw(broken)
		if began {
			members, results = append(members, t), append(results, result)
		}
		if broken != nil {
			_ = w.exec("ROLLBACK") // SQLite has done it already in most cases
			answer(members, func(int) error { return broken })
			return
		}
	}
	if err := w.finish(); err != nil {
		answer(members, func(int) error { return err })
		return
	}
	w.commits.Add(1)
	w.acts.Add(uint64(len(members)))
	if slices.Contains(results, nil) {
		w.hasRoom()
	}
	answer(members, func(i int) error { return results[i] })
}

// next is who else may join a group that has so many members; nil when nobody waits.
func (w *writer) next(queue <-chan *turn, members int) *turn {
	if members >= groupLimit {
		return nil
	}
	select {
	case t := <-queue:
		return t
	default:
		return nil
	}
}

func answer(members []*turn, outcome func(i int) error) {
	for i, t := range members {
		t.outcome <- outcome(i)
	}
}

// serve gives one act its turn. It reports whether anybody waits for an answer, what became of the act, and
// an error when the whole transaction is lost with it.
func (w *writer) serve(t *turn) (began bool, result, broken error) {
	select {
	case <-t.gone:
		return false, nil, nil
	default:
	}
	if err := w.exec("SAVEPOINT act"); err != nil {
		return true, nil, fault("write", err)
	}
	tx := &tx{w: w}
	select {
	case t.begin <- tx:
	case <-t.gone:
		return false, nil, fault("write", w.exec("RELEASE act"))
	}
	err := <-t.ended
	tx.over = true
	if tx.failure != nil {
		err = tx.failure // even when the act did not mind
	}
	if err == nil {
		return true, nil, fault("write", w.exec("RELEASE act"))
	}
	if lost := errors.Join(w.exec("ROLLBACK TO act"), w.exec("RELEASE act")); lost != nil {
		w.log.Error("transaction lost", slog.Any("err", lost))
		return true, nil, fault("write", cmp.Or(tx.failure, lost))
	}
	return true, err, nil
}

// start opens a transaction that will be flushed as told.
func (w *writer) start(how flushing) error {
	if failure := w.failure.Load(); failure != nil {
		return failure
	}
	if w.flushing != how {
		// Not a prepared statement: SQLite obeys this pragma when it compiles it.
		if _, err := w.conn.ExecContext(context.Background(), "PRAGMA synchronous = "+string(how)); err != nil {
			return fault("write", err)
		}
		w.flushing = how
	}
	return fault("write", w.exec("BEGIN IMMEDIATE"))
}

// finish commits. When it cannot, nothing of the transaction happened.
func (w *writer) finish() error {
	err := w.commit()
	if err == nil {
		return nil
	}
	_ = w.exec("ROLLBACK") // where the commit has not ended the transaction by itself
	failed := fault("write", err)
	w.saw(failed)
	if isFlushFailure(err) {
		w.fail(err)
	}
	w.log.Error("commit failed", slog.Any("err", err))
	return failed
}

// saw looks whether a write found no room. Nothing is given up for that: SQLite undoes what it could not write,
// and the next write tries again.
func (w *writer) saw(err error) {
	known := (*presence.Error)(nil)
	if !errors.As(err, &known) || known.Code != CodeDiskFull {
		return
	}
	w.refused.Add(1)
	if now := time.Now(); w.full.CompareAndSwap(nil, &now) {
		w.log.Error("the disk is full: presence goes on in memory, everything that has to be saved is refused", slog.Any("err", err))
	}
}

// hasRoom is called when something was written.
func (w *writer) hasRoom() {
	if since := w.full.Swap(nil); since != nil {
		w.log.Info("the disk has room again: what has to be saved is saved", slog.Duration("after", time.Since(*since)))
	}
}

// fail ends all writing: what the disk was given before may be lost, so no later flush proves anything.
func (w *writer) fail(err error) {
	failure := &presence.Error{
		Kind: presence.Unavailable, Op: "write", Code: CodeWriteFailed, RetryAfter: retryAfter, Err: err,
		Tell: "The server cannot save changes just now.",
	}
	if w.failure.CompareAndSwap(nil, failure) {
		close(w.failed)
	}
}

// close lets the waiting turns finish and ends run.
func (w *writer) close() {
	close(w.quit)
	<-w.done
	for _, statement := range w.statements {
		_ = statement.Close() // the connection goes next
	}
}

// prepared returns the statement of a text, compiled once. Texts are constants or made from constants.
func (w *writer) prepared(text string) (*sql.Stmt, error) {
	if statement, ok := w.statements[text]; ok {
		return statement, nil
	}
	statement, err := w.conn.PrepareContext(context.Background(), text)
	if err == nil {
		w.statements[text] = statement
	}
	return statement, err
}

func (w *writer) exec(text string, args ...any) error {
	_, err := w.result(text, args...)
	return err
}

// result runs a statement. Nothing inside a transaction is cut short by a context: whoever began also ends.
func (w *writer) result(text string, args ...any) (sql.Result, error) {
	statement, err := w.prepared(text)
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(context.Background(), args...)
}
