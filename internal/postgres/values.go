package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

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

// ScanInt64 implements pgtype.Int64Scanner.
func (m *moment) ScanInt64(n pgtype.Int8) error {
	*m = moment(fromMicros(n.Int64))
	return nil
}

// word scans what a String method of package presence wrote.
type word[T any] struct {
	into  *T
	parse func(string) (T, bool)
}

// ScanText implements pgtype.TextScanner.
func (w word[T]) ScanText(text pgtype.Text) error {
	v, ok := w.parse(text.String)
	if !ok {
		return fmt.Errorf("%T has no value %q", v, text.String)
	}
	*w.into = v
	return nil
}

// bits carries all 64 bits of a counter through a signed column.
type bits uint64

// ScanInt64 implements pgtype.Int64Scanner.
func (b *bits) ScanInt64(n pgtype.Int8) error {
	*b = bits(n.Int64)
	return nil
}
