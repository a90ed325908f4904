package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// reader runs queries on a few connections that cannot write. Each query sees all that was committed before
// it began. All methods may be called from any goroutine.
type reader struct {
	db *sql.DB

	mu         sync.RWMutex // guards the following field
	statements map[string]*sql.Stmt
}

func newReader(db *sql.DB) *reader {
	return &reader{db: db, statements: map[string]*sql.Stmt{}}
}

// prepared returns the statement of a text, compiled once on each connection. Texts must be constants.
func (r *reader) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	r.mu.RLock()
	statement, ok := r.statements[text]
	r.mu.RUnlock()
	if ok {
		return statement, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if statement, ok := r.statements[text]; ok {
		return statement, nil
	}
	statement, err := r.db.PrepareContext(ctx, text)
	if err == nil {
		r.statements[text] = statement
	}
	return statement, err
}

// row runs a query of one row and scans it. It returns sql.ErrNoRows as it is.
func (r *reader) row(ctx context.Context, op, text string, args []any, scan func(scanner) error) error {
	statement, err := r.prepared(ctx, text)
	if err != nil {
		return fault(op, err)
	}
	err = scan(statement.QueryRowContext(ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return fault(op, err)
}

// each runs a query and scans every row.
func (r *reader) each(ctx context.Context, op, text string, args []any, scan func(scanner) error) error {
	statement, err := r.prepared(ctx, text)
	if err != nil {
		return fault(op, err)
	}
	rows, err := statement.QueryContext(ctx, args...)
	return fault(op, eachRow(rows, err, scan))
}

// together runs queries that must see the same moment.
func (r *reader) together(ctx context.Context, op string, queries func(q *sql.Tx) error) error {
	q, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fault(op, err)
	}
	defer q.Rollback() // nothing to keep
	return fault(op, queries(q))
}

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, statement := range r.statements {
		_ = statement.Close() // the connections go next
	}
	return r.db.Close()
}

// scanner is a row, of one or of many.
type scanner interface{ Scan(into ...any) error }

// eachRow scans what a query returned and closes it.
func eachRow(rows *sql.Rows, err error, scan func(scanner) error) error {
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

// micros is a time as it lies in the database: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// moment scans what micros wrote.
type moment time.Time

// Scan implements sql.Scanner.
func (m *moment) Scan(from any) error {
	n, ok := from.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", from)
	}
	*m = moment(fromMicros(n))
	return nil
}

// word scans what a String method of package presence wrote.
type word[T any] struct {
	into  *T
	parse func(string) (T, bool)
}

// Scan implements sql.Scanner.
func (w word[T]) Scan(from any) error {
	text, _ := from.(string)
	v, ok := w.parse(text)
	if !ok {
		return fmt.Errorf("%T has no value %q", v, from)
	}
	*w.into = v
	return nil
}

// bits carries all 64 bits of a counter through a signed column.
type bits uint64

// Scan implements sql.Scanner.
func (b *bits) Scan(from any) error {
	n, ok := from.(int64)
	if !ok {
		return fmt.Errorf("a counter is stored as %T", from)
	}
	*b = bits(n)
	return nil
}
