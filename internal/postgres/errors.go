package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/offchat/presence"
)

// Codes that tell the Unavailable errors of this store apart.
const (
	CodeAway     = "store_away" // the database does not answer, or lets nobody in
	CodeBusy     = "store_busy" // it takes too long, or acts keep colliding
	CodeDiskFull = presence.CodeDiskFull
	CodeReadOnly = "store_frozen" // it takes no writes: a standby, or a primary that became one
	CodeClosed   = "store_closed"
	// CodeUnknown: the connection broke while the act was being made safe, and the database could not be asked
	// since. It happened whole or not at all; looking at what it was about tells.
	CodeUnknown = "outcome_unknown"
)

// retryAfter is what callers are told when something may pass.
const retryAfter = 5 * time.Second

// States of PostgreSQL that decide something here: its documentation, appendix A.
const (
	stateNotUnique     = "23505"
	stateMissingParent = "23503"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateLockTimeout   = "55P03"
	stateDiskFull      = "53100"
	stateOutOfMemory   = "53200"
	stateCanceled      = "57014" // by statement_timeout
	stateReadOnly      = "25006"
)

// errGone: what kept something from being written is gone before it could be named.
var errGone = errors.New("postgres: what was in the way is gone")

// errStandby: the database follows another one and takes no writes.
var errStandby = errors.New("postgres: the database is a standby")

// isReadOnly reports whether the database takes no writes.
func isReadOnly(err error) bool { return stateOf(err) == stateReadOnly || errors.Is(err, errStandby) }

// stateOf is the SQLSTATE of an error, empty when the database has not said one.
func stateOf(err error) string {
	if said := (*pgconn.PgError)(nil); errors.As(err, &said) {
		return said.Code
	}
	return ""
}

// lost is an error that came with the end of its connection: nothing can be said about what was under way.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

// isLost reports whether the connection is gone.
func isLost(err error) bool { return errors.As(err, new(lost)) }

// isBroken reports whether a connection turned out to be broken, so that another one may be better.
func isBroken(err error) bool { return isLost(err) && !errors.Is(err, context.DeadlineExceeded) }

// isRefused reports whether no connection came about: nobody listens, or whoever does lets nobody in.
func isRefused(err error) bool {
	refused := (*pgconn.ConnectError)(nil)
	return errors.As(err, &refused)
}

// isCollision reports whether acts got into each other's way, so that this one should be run again: what it
// saw, or what the schema said of it, is no longer so.
func isCollision(err error) bool {
	switch stateOf(err) {
	case stateSerialization, stateDeadlock, stateLockTimeout, stateNotUnique, stateMissingParent:
		return true
	}
	return errors.Is(err, errGone)
}

// fault gives an error of the database a kind: what passes is Unavailable, everything else Internal.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*presence.Error)(nil); errors.As(err, &known) {
		return err
	}
	state := stateOf(err)
	switch {
	case state == stateDiskFull:
		return unavailable(op, CodeDiskFull, "The server's disk is full; nothing was saved.", err)
	case isReadOnly(err):
		return unavailable(op, CodeReadOnly, "The server cannot save changes just now.", err)
	case isRefused(err):
		return unavailable(op, CodeAway, "The server cannot reach its database just now.", err)
	case state == stateCanceled, state == stateLockTimeout, state == stateSerialization, state == stateDeadlock,
		state == stateOutOfMemory, state == "" && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return unavailable(op, CodeBusy, "The server took too long; please try again.", err)
	case isLost(err):
		return unavailable(op, CodeAway, "The server cannot reach its database just now.", err)
	}
	return presence.E(presence.Internal, op, err)
}

func unavailable(op, code, tell string, err error) error {
	return &presence.Error{Kind: presence.Unavailable, Op: op, Code: code, Tell: tell, RetryAfter: retryAfter, Err: err}
}

func notFound(op, tell string) error {
	return &presence.Error{Kind: presence.NotFound, Op: op, Tell: tell}
}

// missing turns "no rows" into what is not there.
func missing(op, tell string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound(op, tell)
	}
	return err
}

func conflict(op, field, tell string) error {
	return &presence.Error{Kind: presence.Conflict, Op: op, Field: field, Tell: tell}
}
