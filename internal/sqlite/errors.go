package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/offchat/presence"
)

// Codes that tell the Unavailable errors of this store apart.
const (
	CodeDiskFull    = presence.CodeDiskFull
	CodeBusy        = "store_busy"   // the queue of writes is too long, or another program holds the file
	CodeWriteFailed = "write_failed" // a flush failed: no more writes until a restart (see Store.Failed)
	CodeClosed      = "store_closed"
)

// retryAfter is what callers are told when something may pass.
const retryAfter = 5 * time.Second

var (
	errClosed = &presence.Error{
		Kind: presence.Unavailable, Op: "write", Code: CodeClosed, RetryAfter: retryAfter,
		Tell: "The server is shutting down; nothing was saved.",
	}
	errQueue = &presence.Error{
		Kind: presence.Unavailable, Op: "write", Code: CodeBusy, RetryAfter: retryAfter,
		Tell: "The server is too busy to save this just now; nothing was saved.",
	}
	errTurnOver = errors.New("sqlite: a transaction was used after its act returned")
	errAborted  = errors.New("sqlite: the act did not return")
)

// codeOf returns SQLite's extended result code, or 0 when err is not SQLite's.
func codeOf(err error) int {
	if coded := (interface {
		error
		Code() int
	})(nil); errors.As(err, &coded) {
		return coded.Code()
	}
	return 0
}

// primary is the result code without its details.
func primary(code int) int { return code & 0xff }

// isFlushFailure reports whether the system could not promise that what was written is on disk. After that
// the kernel may have dropped the dirty pages and would call the next flush a success, so there must be none.
func isFlushFailure(err error) bool {
	code := codeOf(err)
	return code == sqlite3.SQLITE_IOERR_FSYNC || code == sqlite3.SQLITE_IOERR_DIR_FSYNC
}

// fault gives an error of the database a kind: full disks and locks pass, everything else is Internal.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*presence.Error)(nil); errors.As(err, &known) {
		return err
	}
	unavailable := func(code, tell string) error {
		return &presence.Error{Kind: presence.Unavailable, Op: op, Code: code, Tell: tell, RetryAfter: retryAfter, Err: err}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(CodeBusy, "The server took too long; please try again.")
	}
	code := codeOf(err)
	switch {
	case primary(code) == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_SHMSIZE:
		return unavailable(CodeDiskFull, "The server's disk is full; nothing was saved.")
	case primary(code) == sqlite3.SQLITE_BUSY, primary(code) == sqlite3.SQLITE_LOCKED:
		return unavailable(CodeBusy, "The server is too busy to do this just now.")
	case isFlushFailure(err):
		return unavailable(CodeWriteFailed, "The server cannot save changes just now.")
	case primary(code) == sqlite3.SQLITE_READONLY, primary(code) == sqlite3.SQLITE_CANTOPEN,
		primary(code) == sqlite3.SQLITE_NOMEM, code == sqlite3.SQLITE_IOERR_WRITE:
		return unavailable("", "The server cannot save changes just now.")
	}
	return presence.E(presence.Internal, op, err)
}

func notFound(op, tell string) error {
	return &presence.Error{Kind: presence.NotFound, Op: op, Tell: tell}
}

func conflict(op, field, tell string) error {
	return &presence.Error{Kind: presence.Conflict, Op: op, Field: field, Tell: tell}
}

// isConstraint reports whether a rule of the schema refused a row; the statement then changed nothing.
func isConstraint(err error) bool { return primary(codeOf(err)) == sqlite3.SQLITE_CONSTRAINT }

// isMissingParent reports whether a row was refused because the account it belongs to is not there.
func isMissingParent(err error) bool { return codeOf(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY }

// damaged is the refusal to work with a file that cannot be trusted.
func damaged(path, why string) error {
	return damage{fmt.Errorf("the database file %s is damaged (%s); restore it from a backup", path, why)}
}

type damage struct{ error }

func (damage) Is(target error) bool { return target == ErrDamaged }
