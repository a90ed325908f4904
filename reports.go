package presence

import (
	"context"
	"time"
)

// ReportStore is what a store that can be asked more than the running server needs answers: lists to page
// through, and what happened. A Store may be one. Every method may be called from any goroutine. The behaviour
// is pinned by internal/storetest; the Tx of its Durable is a ReportTx, and its accounts carry their Privacy.
type ReportStore interface {
	// PrivateUsers returns the privacy of everybody who hides something.
	PrivateUsers(ctx context.Context) (map[UserID]Privacy, error)

	// Sessions returns the user's sessions that have not ended at now, newest first, at most limit (0: all).
	Sessions(ctx context.Context, user UserID, now time.Time, limit int) ([]LoginSession, error)

	// AccountsAfter returns the ids of at most limit accounts (0: all) that match and come after a place in
	// the order. Of after the field that the order is about and the ID count; nil is the beginning. An account
	// that does not change is met exactly once by whoever goes on from the last one they were given.
	AccountsAfter(ctx context.Context, f AccountFilter, order AccountOrder, after *Account, limit int) ([]UserID, error)

	// LastChanges returns a user's changes of status before a moment, newest first, at most limit.
	LastChanges(ctx context.Context, user UserID, before time.Time, limit int) ([]Change, error)

	// AuditBefore returns audit entries that match, newest first (by ID), at most limit, with an ID below
	// before (0: from the newest).
	AuditBefore(ctx context.Context, f AuditFilter, before int64, limit int) ([]AuditEntry, error)

	// RecordCounts stores what one minute looked like. Of several reports about a minute the last one counts,
	// with the highest peak of them all; one that did not count the Links leaves those that are known. It belongs to the batched-behind class.
	RecordCounts(ctx context.Context, m Minute) error

	// Concurrency sums up the recorded minutes in [from, to) by steps, oldest first. Steps begin at whole
	// multiples of step since 1970. A step in which nothing was recorded is not there: nobody was looking.
	Concurrency(ctx context.Context, from, to time.Time, step time.Duration) ([]Concurrency, error)

	// Transitions counts the changes of status in [from, to) by steps, as above, and cause, oldest first.
	Transitions(ctx context.Context, from, to time.Time, step time.Duration) ([]Transitions, error)
}

// ReportTx is what an act of a ReportStore may do besides.
type ReportTx interface {
	// Hold returns a user's hold as it is stored; one that is not active when there is none.
	Hold(user UserID) (Hold, error)
	// SaveHold stores a user's hold, or removes it when it is not active. NotFound when there is no such user.
	SaveHold(user UserID, h Hold) error
}

// AuditFilter chooses audit entries; zero fields do not filter.
type AuditFilter struct {
	Actor, Target UserID
	Action        string
}

// Minute is how many people had each status at the end of a minute, the most that were online at a time, and with how
// many devices and connections.
type Minute struct {
	// At is when the minute began.
	At time.Time
	Counts
	PeakOnline int
	// Links are the devices and connections of the minute's beginning.
	Links Links
}

// Concurrency is what several minutes looked like.
type Concurrency struct {
	// At is when the step began.
	At time.Time
	// Online, Away and Offline are means over the recorded minutes.
	Online, Away, Offline float64
	PeakOnline            int
	// Devices and Connections are means over the minutes in which they were counted: Linked of them.
	Devices, Connections float64
	Linked               int
	// Minutes is how many minutes of the step were recorded.
	Minutes int
}

// Transitions is how many changes of status one cause brought about in a step.
type Transitions struct {
	At    time.Time
	Cause Cause
	N     int
}
