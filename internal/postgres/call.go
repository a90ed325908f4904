package postgres

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/offchat/presence"
)

// tries is how often something is run that keeps colliding, or losing its connection, before the caller is told.
const tries = 8

var (
	errClosed = &presence.Error{
		Kind: presence.Unavailable, Op: "use store", Code: CodeClosed, RetryAfter: retryAfter,
		Tell: "The server is shutting down; nothing was saved.",
	}
	errTxOver = errors.New("postgres: a transaction was used after its act returned")
)

// do lends a connection to work, which must take no longer than within and may run more than once: a
// connection may turn out to be broken, and statements may collide. It gives errors their kind.
func (s *Store) do(ctx context.Context, op string, within time.Duration, work func(context.Context, *pgxpool.Conn) error) error {
	for try := 1; ; try++ {
		err := s.once(ctx, within, work)
		if err == nil || ctx.Err() != nil || try == tries || !s.worthAgain(err, try) {
			return fault(op, err)
		}
		s.count.reruns.Add(1)
		collided(ctx, try)
	}
}

// worthAgain: after a collision, and once after a connection broke that may have been broken for long.
func (s *Store) worthAgain(err error, try int) bool {
	if known := (*presence.Error)(nil); errors.As(err, &known) {
		return false
	}
	state := stateOf(err)
	if state == stateSerialization || state == stateDeadlock || state == stateLockTimeout {
		return true
	}
	return try == 1 && isBroken(err)
}

// collided waits a moment, longer each time and never the same, so that those who collided do not meet again.
func collided(ctx context.Context, try int) {
	wait := time.NewTimer(rand.N(time.Duration(try) * 5 * time.Millisecond))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// once lends a connection to work one time.
func (s *Store) once(ctx context.Context, within time.Duration, work func(context.Context, *pgxpool.Conn) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return s.heard(ctx, conn, work(limited, conn))
}

// acquire finds a connection that is free and works, or says at once that there is none to be had.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	conn, err := s.pool.Acquire(limited)
	if err == nil {
		return conn, nil
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	if ctx.Err() == nil && isRefused(err) {
		s.away(err)
	}
	return nil, err
}

// heard tells the gate what came of a question, and returns it. Where one connection broke, or can only read,
// the others are not to be trusted either: new ones lead to the database as it is now.
func (s *Store) heard(ctx context.Context, conn *pgxpool.Conn, err error) error {
	if err == nil {
		s.gate.answered()
		return nil
	}
	if isReadOnly(err) {
		_ = conn.Conn().Close(ctx) // it is of no use whatever comes of closing it
	}
	gone := conn.Conn().IsClosed()
	switch {
	case ctx.Err() != nil: // the caller gave up, which says nothing of the database
	case stateOf(err) == "" && errors.Is(err, context.DeadlineExceeded):
		s.away(err) // it has the question and does not answer
	case !gone:
		s.gate.answered()
	}
	if gone {
		if ctx.Err() == nil {
			s.pool.Reset()
		}
		err = lost{err}
	}
	return err
}

// away shuts the gate.
func (s *Store) away(err error) {
	cause := unavailable("reach database", CodeAway, "The server cannot reach its database just now.", err)
	if s.gate.failed(cause) {
		s.log.LogAttrs(context.Background(), slog.LevelError, "database away", slog.Any("err", err))
	}
}

// row runs a query of one row and scans it. No row is pgx.ErrNoRows.
func (s *Store) row(ctx context.Context, op, text string, args []any, into ...any) error {
	return s.do(ctx, op, s.patience, func(ctx context.Context, c *pgxpool.Conn) error {
		return noRows(c.QueryRow(ctx, text, args...).Scan(into...))
	})
}

// noRows keeps "no row" from being taken for an error of the database.
func noRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return &presence.Error{Kind: presence.NotFound, Err: err}
	}
	return err
}

// each runs a query and scans every row; begin is called first, and again when the query has to be run again.
func (s *Store) each(ctx context.Context, op, text string, args []any, begin func(), scan func(scanner) error) error {
	return s.do(ctx, op, s.long, func(ctx context.Context, c *pgxpool.Conn) error {
		begin()
		return eachRow(ctx, c, text, args, scan)
	})
}

// querier is a connection, or a transaction on one.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// scanner is a row, of one or of many.
type scanner interface{ Scan(into ...any) error }

func eachRow(ctx context.Context, q querier, text string, args []any, scan func(scanner) error) error {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// together runs queries that must see the same moment.
func (s *Store) together(ctx context.Context, op string, queries func(ctx context.Context, q pgx.Tx) error) error {
	return s.do(ctx, op, s.long, func(ctx context.Context, c *pgxpool.Conn) error {
		q, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return err
		}
		err = queries(ctx, q)
		return errors.Join(err, q.Rollback(context.WithoutCancel(ctx))) // nothing to keep
	})
}
