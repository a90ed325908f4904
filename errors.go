package presence

import (
	"errors"
	"fmt"
	"time"
)

// ErrorKind is what a program needs to know of an error: which answer it deserves.
type ErrorKind uint8

// Kinds of errors. Each protocol turns a kind into a status in one place.
const (
	// Internal: our fault; the cause goes to the log, never to the caller.
	Internal ErrorKind = iota
	// Invalid: the input is wrong; Field and Tell say where and how.
	Invalid
	// Unauthenticated: who is calling is not known, or no longer (see Code).
	Unauthenticated
	// Forbidden: known, but may not.
	Forbidden
	// NotFound: there is no such thing, or the caller may not know that there is.
	NotFound
	// Conflict: the input is right but the present state forbids it (a name taken, the last admin).
	Conflict
	// Throttled: too many tries; RetryAfter says when to come back.
	Throttled
	// Unavailable: we cannot just now (queue full, store away, shutting down); RetryAfter says when.
	Unavailable
)

// CodeDiskFull is the Code of an Unavailable of a store that has no room: nothing was saved, and it passes by
// itself once there is room again.
const CodeDiskFull = "disk_full"

var errorKindNames = [...]string{
	Internal: "internal", Invalid: "invalid", Unauthenticated: "unauthenticated", Forbidden: "forbidden",
	NotFound: "not found", Conflict: "conflict", Throttled: "throttled", Unavailable: "unavailable",
}

// String names the kind in logs.
func (k ErrorKind) String() string { return nameOf(errorKindNames[:], k) }

// Error carries a kind for the program, a cause for the operator and, where there is something useful to
// say, a sentence for the user. Only Field, Code and Tell ever leave the building.
type Error struct {
	Kind ErrorKind
	// Op says what was being done: "find account".
	Op string
	// Field is the input field an Invalid or Conflict is about, as the caller spells it.
	Field string
	// Code tells apart errors of one kind, for programs: "user_inactive", "last_admin".
	Code string
	// Tell is a sentence for the caller.
	Tell string
	// RetryAfter goes with Throttled and Unavailable.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	text := e.Op
	if text == "" {
		text = e.Kind.String()
	}
	if e.Field != "" {
		text += ": " + e.Field
	}
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", text, e.Err)
	case e.Tell != "":
		return fmt.Sprintf("%s: %s", text, e.Tell)
	default:
		return fmt.Sprintf("%s: %s", text, e.Kind)
	}
}

func (e *Error) Unwrap() error { return e.Err }

// E wraps err with a kind and what was being done. A nil err stays nil, and an err that has a kind already
// keeps it.
func E(kind ErrorKind, op string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return &Error{Kind: kind, Op: op, Err: err}
}

// KindOf returns the kind of err: Internal for everything that has none.
func KindOf(err error) ErrorKind {
	if known := (*Error)(nil); errors.As(err, &known) {
		return known.Kind
	}
	return Internal
}
