package presence

import (
	"context"
	"time"
)

// DeskStore is what a store answers that a desk works with: the admins' own documents, what happened lately to
// anybody, and the trash. A Store may be one; the Tx of its Durable is a DeskTx then. Every method may be called from
// any goroutine. The behaviour is pinned by internal/storetest.
type DeskStore interface {
	// Documents returns those of a kind, newest first, ties by ID.
	Documents(ctx context.Context, kind string) ([]Document, error)

	// ChangesBefore returns changes of status that match, the one that was written down last first, at most limit
	// (0: all), with an ID below before (0: from the last).
	ChangesBefore(ctx context.Context, f ChangeFilter, before int64, limit int) ([]RecordedChange, error)

	// Trash returns at most limit accounts that lie in the trash (0: all), the latest first.
	Trash(ctx context.Context, limit int) ([]Account, error)
}

// DeskTx is what an act of a DeskStore may do besides.
type DeskTx interface {
	// SaveDocument stores a document, or replaces the one of its Kind and ID.
	SaveDocument(d Document) error
	// Document finds one. NotFound when there is none.
	Document(kind, id string) (Document, error)
	// RemoveDocument removes one. NotFound when there is none.
	RemoveDocument(kind, id string) error
	// RemoveHistory forgets all changes of a user that were written down, and returns how many those were.
	RemoveHistory(user UserID) (int, error)
}

// Document is something small that is kept as its owner wrote it; only the owner's part of the program reads Body.
type Document struct {
	Kind, ID string
	// Owner is an admin, 0 where nobody in particular owns it. It outlives the account.
	Owner UserID
	At    time.Time
	Body  string // JSON
}

// ChangeFilter chooses changes; zero fields do not filter.
type ChangeFilter struct {
	User   UserID
	Actor  UserID
	Causes []Cause
	Node   string
	// From and To are the statuses before and after.
	From, To *Status
	// After and Before are bounds of At: not earlier, and earlier.
	After, Before time.Time
}

// RecordedChange is a change as it was written down. IDs grow; they are the store's and not the engine's Seq.
type RecordedChange struct {
	ID int64
	Change
}
