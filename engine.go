package presence

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Presence is one user's presence at one moment, as a value.
type Presence struct {
	User   UserID
	Status Status
	Cause  Cause
	// Held: an admin's hold decides the status.
	Held bool
	// LastSeen is the newest sign of life, UTC, microseconds; zero for somebody who was never seen.
	LastSeen time.Time
	// Since is when the present status began; zero for somebody who never changed.
	Since   time.Time
	Version uint64
}

// Change is one change of somebody's status. Changes of one user carry gapless Versions; all changes of an
// engine carry gapless Seqs.
type Change struct {
	Seq      uint64
	User     UserID
	From, To Status
	Cause    Cause
	// Session is the session whose signal made the difference; EverySession where it was none in particular.
	Session SessionID
	// Actor is the admin behind it, 0 where there is none.
	Actor    UserID
	Node     string
	At       time.Time
	LastSeen time.Time
	Version  uint64
}

// Cursor is a place in an engine's sequence of changes. The epoch is drawn anew whenever the sequence could
// not be continued (a restart); a cursor of another epoch is answered with ErrGap.
type Cursor struct{ Epoch, Seq uint64 }

// Counts are how many known users have each status. Their sum is the number of known users, at any moment.
type Counts struct{ Online, Away, Offline int }

// Total is the number of known users.
func (c Counts) Total() int { return c.Online + c.Away + c.Offline }

// Order sorts a Page.
type Order uint8

// Orders. Ties are broken by id, in the same direction.
const (
	NewestSeen Order = iota
	OldestSeen
)

// Query asks an engine for a page of users.
type Query struct {
	// Online, Away, Offline choose the statuses; none chosen means all.
	Online, Away, Offline bool
	Order                 Order
	// Offset and Limit cut the page; Limit 0 means all of it.
	Offset, Limit int
	// Only, when it is not nil, restricts the page to users it reports true for. It is called with the
	// engine's locks held: it must be quick and must not call the engine.
	Only func(UserID) bool
}

// Record introduces a user to an engine. Sessions are those that had a lease; each gets a fresh full one.
// The status of the record wins: an offline one has no sessions, the sessions of an online or away one are
// made to agree, and where there are none a StandIn is. A hold outranks both; one's own word only lowers an online one.
type Record struct {
	Presence
	Sessions []Session
	Hold     Hold
}

// State is the state a record stands for, in which status and sessions agree. due is when, on the lease clock, the
// fresh leases end.
func (r Record) State(due time.Duration) State {
	s := State{
		User: r.User, Status: r.Status, Cause: r.Cause, LastSeen: r.LastSeen, Since: r.Since, Version: r.Version,
		Hold: r.Hold,
	}
	switch own := s.Hold.Own(s.User); {
	case s.Status == Offline && (own || !s.Hold.Active):
		return s
	case s.Hold.Active:
		s.Status = s.Hold.Status
	}
	s.Sessions = slices.Clone(r.Sessions)
	if len(s.Sessions) == 0 && (!s.Hold.Active || s.Hold.Own(s.User)) {
		s.Sessions = []Session{{ID: StandIn, Idle: s.Status == Away}}
	}
	anyActive := slices.ContainsFunc(s.Sessions, func(one Session) bool { return !one.Idle })
	for i := range s.Sessions {
		one := &s.Sessions[i]
		one.Live, one.Leaving, one.Conns, one.Due = true, false, 0, due
		if !s.Hold.Active && anyActive != (s.Status == Online) {
			one.Idle = s.Status == Away
		}
	}
	return s
}

// Errors of engines.
var (
	// ErrGap: the changes after that cursor are no longer, or were never, in the log. Take a Snapshot.
	ErrGap = errors.New("presence: changes no longer available, take a snapshot")
	// ErrClosed: the signal belongs to a session that was closed. It changed nothing.
	ErrClosed = errors.New("presence: session is closed")
)

// Engine keeps everybody's presence. Every method may be called from any goroutine at any time. The
// behaviour is pinned by internal/enginetest, which every engine passes.
type Engine interface {
	// Load introduces users, or replaces what is known of them. It publishes nothing: loading is how a
	// restart ends and how a new account begins.
	Load(ctx context.Context, users iter.Seq[Record]) error

	// Signal applies one signal (see Policy.Next) and returns the user's presence after it. Signals of one
	// user are applied one at a time, in the order of the calls. A session ends for good with Logout, or when
	// Forced or Deleted names it, or by being live when they name EverySession: signals of it are then
	// refused with ErrClosed, for at least an hour (far longer than any request is under way; behind that
	// stands the durable revocation). The StandIn is never closed. A user nobody has loaded is known from
	// their first signal on.
	Signal(ctx context.Context, s Signal) (Presence, error)

	// State returns the presence of the given users, in the order given. Unknown users are offline, never
	// seen, Version 0.
	State(ctx context.Context, users []UserID) ([]Presence, error)

	// Inspect returns everything known of one user: what "why" is answered with. Due is a time on the lease
	// clock; now is that clock's reading.
	Inspect(ctx context.Context, user UserID) (state State, now time.Duration, err error)

	// Snapshot returns a cursor and everybody known. Changes after the cursor, applied by Version, lead from
	// the snapshot to the truth; some of them may be in it already.
	Snapshot(ctx context.Context) (Cursor, iter.Seq[Presence], error)

	// Counts takes constant time.
	Counts(ctx context.Context) (Counts, error)

	// Page returns one page of users and how many match in all.
	Page(ctx context.Context, q Query) (users []Presence, total int, err error)

	// Changes waits until there is a change after the cursor, then returns the changes after it, oldest
	// first, at most limit (0: no limit). It returns ErrGap when it cannot continue from there, and
	// ctx.Err() when ctx ends.
	Changes(ctx context.Context, after Cursor, limit int) ([]Change, error)
}

// DeviceCounter is implemented by engines that can count the devices of many users at once.
type DeviceCounter interface {
	// Devices returns how many live sessions each of the given users has, in the order given. The StandIn is none.
	Devices(ctx context.Context, users []UserID) ([]int, error)
}

// CountDevices counts somebody's live sessions as a DeviceCounter does.
func (s *State) CountDevices() (n int) {
	for _, one := range s.Sessions {
		if one.Live && one.ID != StandIn {
			n++
		}
	}
	return n
}

// Links are what ties people to the server at one moment.
type Links struct {
	// Known: somebody counted.
	Known bool
	// Devices are the live sessions of everybody, the StandIn aside; Connections are the open connections of those.
	Devices, Connections int
}

// Add counts one session in, if it is a live device.
func (l *Links) Add(one Session) {
	if one.Live && one.ID != StandIn {
		l.Devices, l.Connections = l.Devices+1, l.Connections+one.Conns
	}
}

// LinkCounter is implemented by engines that can count everybody's devices and connections in one pass. Where several
// nodes share an engine each of them counts those of all nodes.
type LinkCounter interface {
	// Links looks at every session once, locking a part of the engine at a time: ask a few times a minute, not more.
	Links(ctx context.Context) (Links, error)
}

// PageKind says what a Page of a Checkpointer holds.
type PageKind uint8

// SeenPage holds when users were last seen: small, and always changing. SessionPage holds who has which
// session: larger, and quiet while people only beat.
const (
	SeenPage PageKind = iota + 1
	SessionPage
)

// Page is a piece of an engine's memory, written whole. Only the engine reads Data.
type Page struct {
	Kind   PageKind
	Number uint64
	Data   []byte
}

// Checkpointer is implemented by engines whose state dies with the process, so that it can be written down
// and restored. Engines that live elsewhere do not need it.
type Checkpointer interface {
	// Checkpoint hands every page of that kind that changed since it was last saved to save, in handfuls.
	// What save fails to save is kept for the next time.
	Checkpoint(ctx context.Context, kind PageKind, save func(context.Context, []Page) error) error

	// Restore reads saved pages of all kinds and returns what fills a record in with what they know beyond
	// it: a later last_seen, a later version, the sessions. Damaged pages are left out and named in err;
	// fill works all the same.
	Restore(pages []Page) (fill func(*Record), err error)
}
