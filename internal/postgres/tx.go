package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/offchat/presence"
)

// How transactions begin, in one round trip. A durable one is never less safe than the local disk, and more so
// where the database is set so; its number tells afterwards what became of it. One of the other class does not
// wait for the disk.
const (
	beginDurable = `begin isolation level read committed;
		select case when pg_is_in_recovery() then '' else pg_current_xact_id()::text end, set_config('synchronous_commit',
			case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end, true)`
	beginBehind = `begin isolation level read committed; set local synchronous_commit = off`
	// limitsInside are the limits that connections through a pooler cannot have, in milliseconds.
	limitsInside = `; set local statement_timeout = %d; set local lock_timeout = %d;
		set local idle_in_transaction_session_timeout = %d; set local jit = off`
)

// tx is one act's view of a transaction. It is good only until the act returns, and only for the goroutine
// that runs it.
//
// Acts of all nodes behave as if they ran one after another. For that every read locks what it looks at until
// the act is over: an account by its row, a session by the row of its account, then its own, the number of
// admins and each token by a lock named after it. An act that meets a lock waits; one that waits in a circle,
// or too long, starts again from the beginning.
type tx struct {
	ctx  context.Context // of this attempt: without the caller's end, see attempt
	conn *pgx.Conn
	wait time.Duration // for each statement
	over bool
	// failure is the first error that was not about the data: the act has failed whatever it returns.
	failure error
}

var _ presence.Tx = (*tx)(nil)

// Durable implements presence.Store. A panic in act undoes it and reaches the caller. An act that has begun is
// not cut short when ctx ends. When the connection breaks during the commit, the database is asked what became
// of it; only where it cannot be asked within the patience, the error has CodeUnknown.
func (s *Store) Durable(ctx context.Context, act func(presence.Tx) error) error {
	return s.act(ctx, func(t *tx) error { return act(t) })
}

func (s *Store) act(ctx context.Context, act func(*tx) error) error {
	for try := 1; ; try++ {
		err, again := s.attempt(ctx, act)
		if !again || try == tries || ctx.Err() != nil {
			if err == nil {
				s.count.acts.Add(1)
			}
			return err
		}
		s.count.reruns.Add(1)
		collided(ctx, try)
	}
}

// attempt runs an act once, in a transaction of its own. It reports whether running it again may help.
func (s *Store) attempt(ctx context.Context, act func(*tx) error) (err error, again bool) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return fault("write", err), false
	}
	defer conn.Release() // which closes it when the transaction is not over
	t := &tx{ctx: context.WithoutCancel(ctx), conn: conn.Conn(), wait: s.patience}
	number, err := t.begin(s.durable)
	if err = s.heard(ctx, conn, err); err != nil {
		return fault("write", err), isBroken(err)
	}
	err = t.run(act)
	if t.failure != nil {
		failure := s.heard(t.ctx, conn, t.failure)
		return fault("write", failure), isCollision(failure) || isBroken(failure)
	}
	if err != nil {
		return err, false
	}
	err = s.heard(t.ctx, conn, t.commit())
	if err == nil || !isLost(err) {
		return fault("write", err), isCollision(err)
	}
	conn.Release()
	return s.settle(ctx, number, err)
}

// begin begins the transaction and returns its number.
func (t *tx) begin(text string) (number string, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	results, err := t.conn.PgConn().Exec(ctx, text).ReadAll()
	for _, result := range results {
		if len(result.Rows) == 1 && len(result.Rows[0]) > 0 {
			number = string(result.Rows[0][0])
			break
		}
	}
	if err == nil && number == "" {
		err = errStandby
	}
	return number, err
}

// run runs the act, and undoes it when it fails in whatever way.
func (t *tx) run(act func(*tx) error) (err error) {
	good := false
	defer func() {
		t.over = true
		if !good {
			ctx, cancel := context.WithTimeout(t.ctx, t.wait)
			defer cancel()
			_, _ = t.conn.PgConn().Exec(ctx, "rollback").ReadAll() // else the connection is given up, which undoes it too
		}
	}()
	err = act(t)
	good = err == nil && t.failure == nil
	return err
}

// commit makes the transaction safe.
func (t *tx) commit() error {
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	results, err := t.conn.PgConn().Exec(ctx, "commit").ReadAll()
	if err == nil && (len(results) != 1 || results[0].CommandTag.String() != "COMMIT") {
		err = fmt.Errorf("postgres: the commit became %v", results)
	}
	return err
}

// settle finds out what became of a transaction whose commit was not answered. The database may be on its way
// back, and what is left of the old connection may be at it still: so it is asked until patience ends.
func (s *Store) settle(ctx context.Context, number string, cause error) (err error, again bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
	defer cancel()
	for try := 1; ; try++ {
		status := ""
		err := s.row(ctx, "settle", `SELECT coalesce(pg_xact_status($1::text::xid8), 'forgotten')`, []any{number}, &status)
		switch {
		case status == "committed":
			return nil, false
		case status == "aborted":
			return fault("write", cause), true
		case ctx.Err() != nil, status == "forgotten":
			s.count.unknown.Add(1)
			return unavailable("write", CodeUnknown, "The server cannot say whether this was saved; please look.",
				errors.Join(cause, err)), false
		}
		collided(ctx, try)
	}
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(op, text string, args ...any) (int64, error) {
	if t.over || t.failure != nil {
		return 0, t.refused(op)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	tag, err := t.conn.Exec(ctx, text, args...)
	return tag.RowsAffected(), t.fault(op, err)
}

// row runs a query of one row and scans it. No row is pgx.ErrNoRows.
func (t *tx) row(op, text string, args []any, into ...any) error {
	if t.over || t.failure != nil {
		return t.refused(op)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	err := t.conn.QueryRow(ctx, text, args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return t.fault(op, err)
}

// each runs a query and scans every row.
func (t *tx) each(op, text string, args []any, scan func(scanner) error) error {
	if t.over || t.failure != nil {
		return t.refused(op)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	return t.fault(op, eachRow(ctx, t.conn, text, args, scan))
}

// locked runs a lock and then a query of one row, in one round trip: the query sees what those have done whom
// the lock waited for.
func (t *tx) locked(op, lock string, lockArgs []any, text string, args []any, into ...any) error {
	if t.over || t.failure != nil {
		return t.refused(op)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.wait)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue(lock, lockArgs...)
	batch.Queue(text, args...)
	results := t.conn.SendBatch(ctx, batch)
	_, err := results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(into...)
	}
	if closing := results.Close(); err == nil {
		err = closing
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return t.fault(op, err)
}

func (t *tx) refused(op string) error {
	if t.over {
		return fault(op, errTxOver)
	}
	return fault(op, t.failure)
}

// fault is as the function of that name, and remembers what makes the act fail: after any error PostgreSQL
// takes no more statements of the transaction. What may simply be refused is therefore asked so that it is none.
func (t *tx) fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if t.failure == nil {
		t.failure = fmt.Errorf("%s: %w", op, err)
	}
	return fault(op, err)
}

// write runs statements of the class behind in one transaction. It may run more than once.
func (s *Store) write(ctx context.Context, op string, work func(ctx context.Context, c *pgx.Conn) error) error {
	return s.do(ctx, op, s.long, func(ctx context.Context, c *pgxpool.Conn) error {
		if _, err := c.Conn().PgConn().Exec(ctx, s.behind).ReadAll(); err != nil {
			return err
		}
		end := "commit"
		err := work(ctx, c.Conn())
		if err != nil {
			end = "rollback"
		}
		results, ending := c.Conn().PgConn().Exec(ctx, end).ReadAll()
		if err == nil && ending == nil && results[0].CommandTag.String() != "COMMIT" {
			ending = errors.New("postgres: the commit became a rollback")
		}
		if err == nil {
			err = ending
		}
		return err
	})
}
