package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/offchat/presence"
)

// tx is one act's view of the writer's connection: everything it does is undone together. It is good only
// until the act returns, and only for the goroutine that runs it.
type tx struct {
	w    *writer
	over bool
	// failure is the first error that was not about the data: the act has failed whatever it returns.
	failure error
}

var _ presence.Tx = (*tx)(nil)

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(op, text string, args ...any) (int64, error) {
	result, err := t.result(op, text, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return n, t.fault(op, err)
}

func (t *tx) result(op, text string, args ...any) (sql.Result, error) {
	if t.over {
		return nil, fault(op, errTurnOver)
	}
	result, err := t.w.result(text, args...)
	return result, t.fault(op, err)
}

// row runs a query of one row and scans it. It returns sql.ErrNoRows as it is.
func (t *tx) row(op, text string, args []any, scan func(scanner) error) error {
	if t.over {
		return fault(op, errTurnOver)
	}
	statement, err := t.w.prepared(text)
	if err != nil {
		return t.fault(op, err)
	}
	err = scan(statement.QueryRowContext(context.Background(), args...))
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return t.fault(op, err)
}

// each runs a query and scans every row.
func (t *tx) each(op, text string, args []any, scan func(scanner) error) error {
	if t.over {
		return fault(op, errTurnOver)
	}
	statement, err := t.w.prepared(text)
	if err != nil {
		return t.fault(op, err)
	}
	rows, err := statement.QueryContext(context.Background(), args...)
	return t.fault(op, eachRow(rows, err, scan))
}

// fault is as the function of that name, and remembers what makes the act fail. A refusal by the schema's
// rules is the act's own affair and is passed on as it is.
func (t *tx) fault(op string, err error) error {
	if err == nil || isConstraint(err) {
		return err
	}
	err = fault(op, err)
	if t.failure == nil {
		t.failure = err
	}
	return err
}
