package presence

import (
	"context"
	"iter"
	"time"
)

// Store keeps what must survive the process: accounts, sessions, revocations, history, activity, audit, and
// what an engine needs to come back. There are two classes of writes: Durable, safe against a power cut
// before it returns, and the batched-behind ones, which a crash may lose the last seconds of.
// Every method may be called from any goroutine. The behaviour is pinned by internal/storetest.
//
// What is not there is an Error of kind NotFound; a unique value that is taken is a Conflict whose Field
// names it ("username", "email"); everything else is Internal, or Unavailable when it may pass.
type Store interface {
	AccountReader
	SessionReader
	LogReader
	PresenceStore

	// Durable runs act as one atomic act and returns once it is safe on disk. When act returns an error
	// nothing of it happened and that error comes back. Acts of concurrent callers share one disk flush;
	// so act must be quick, must not block and must use nothing but tx. It may run more than once.
	Durable(ctx context.Context, act func(tx Tx) error) error

	// Purge deletes what is out of its time: history before the given moment, sessions and revoked tokens
	// that expired before now (a session that was ended stays until then: its row refuses its tokens). It
	// works in small steps and returns how many rows went.
	Purge(ctx context.Context, now, historyBefore time.Time) (int, error)

	// Ping reports whether the store can answer.
	Ping(ctx context.Context) error

	// Close flushes and releases the store. No other method may be called after or while it runs.
	Close() error
}

// Tx is what an act may do. Reads inside see the act's own writes.
type Tx interface {
	// InsertAccount stores a new account and gives it an ID that was never used, unless it carries one.
	InsertAccount(a *Account) error
	// UpdateAccount stores every field of the account but the presence columns and CreatedAt.
	UpdateAccount(a *Account) error
	// RemoveAccount deletes the account and everything of it but audit; its ID is never used again.
	RemoveAccount(id UserID) error
	// Account finds one, in the trash too.
	Account(id UserID) (Account, error)
	// Admins counts the accounts that are admins, may sign in, and are not id.
	AdminsBesides(id UserID) (int, error)

	InsertSession(s LoginSession) error
	// Session finds one, ended or not.
	Session(id SessionID) (LoginSession, error)
	// ExtendSession moves ExpiresAt forward of a session that has not ended.
	ExtendSession(id SessionID, expires time.Time) error
	// EndSession ends one session. A session that has ended already stays as it ended.
	EndSession(id SessionID, cause Cause, at time.Time) error
	// EndSessions ends all the user's sessions except one (0: none) and returns those it ended.
	EndSessions(user UserID, except SessionID, cause Cause, at time.Time) ([]SessionID, error)

	// RevokeToken refuses a token by its jti until it expires by itself.
	RevokeToken(jti string, user UserID, expires time.Time) error
	TokenRevoked(jti string) (bool, error)

	AppendActivity(e ActivityEntry) error
	AppendAudit(e AuditEntry) error
}

// AccountFilter chooses accounts for a list; zero fields do not filter. Accounts in the trash never match.
type AccountFilter struct {
	// Status and Role are words as a caller wrote them: one that does not exist matches nobody.
	Status, Role string
	// Search matches username, e-mail, first or last name, any case, anywhere. Wildcards are plain text.
	Search string
}

// Empty reports whether the filter lets everybody through.
func (f AccountFilter) Empty() bool { return f == AccountFilter{} }

// AccountOrder sorts accounts; ties are broken by id in the same direction.
type AccountOrder uint8

// Orders of accounts that the store knows. Orders by presence belong to the engine.
const (
	NewestCreated AccountOrder = iota
	OldestCreated
	UsernameUp
	UsernameDown
	EmailUp
	EmailDown
	IDUp
	IDDown
)

// AccountReader finds accounts.
type AccountReader interface {
	// Account finds one by id; accounts in the trash are NotFound.
	Account(ctx context.Context, id UserID) (Account, error)
	// AccountByName finds one by its exact username; accounts in the trash are NotFound.
	AccountByName(ctx context.Context, username string) (Account, error)
	// AccountsByID returns those that exist, in the order asked for.
	AccountsByID(ctx context.Context, ids []UserID) ([]Account, error)
	// Accounts returns a page of those that match, and how many match in all. Limit 0 means all.
	Accounts(ctx context.Context, f AccountFilter, order AccountOrder, offset, limit int) ([]Account, int, error)
	// AccountIDs returns the ids of all that match, in that order.
	AccountIDs(ctx context.Context, f AccountFilter, order AccountOrder) ([]UserID, error)
	// AccountCounts returns how many accounts have each status, and how many are there in all.
	AccountCounts(ctx context.Context) (byStatus map[AccountStatus]int, total int, err error)
	// HasAdmin reports whether anybody is an admin who may sign in.
	HasAdmin(ctx context.Context) (bool, error)
}

// SessionReader finds sessions and revocations.
type SessionReader interface {
	// Session finds one by id, ended or not.
	Session(ctx context.Context, id SessionID) (LoginSession, error)
	// TokenRevoked reports whether a token was revoked by its jti.
	TokenRevoked(ctx context.Context, jti string) (bool, error)
}

// LogReader reads what was written down. Pages are newest first.
type LogReader interface {
	// Activity is a user's own log, or with Everybody all of them.
	Activity(ctx context.Context, user UserID, offset, limit int) ([]ActivityEntry, int, error)
	// ActivityDays counts a user's activity entries per UTC day in [from, to).
	ActivityDays(ctx context.Context, user UserID, from, to time.Time) (map[time.Time]int, error)
	Audit(ctx context.Context, offset, limit int) ([]AuditEntry, int, error)
	// History returns a user's changes of status in [from, to), oldest first, at most limit.
	History(ctx context.Context, user UserID, from, to time.Time, limit int) ([]Change, error)
}

// PresenceStore is the batched-behind class: presence as it was a moment ago.
type PresenceStore interface {
	// RecordChanges appends changes to the history and moves the presence columns of their users, all or
	// nothing. A column is only moved forward by Version.
	RecordChanges(ctx context.Context, changes []Change) error
	// RecordSeen moves last_seen columns forward, never back.
	RecordSeen(ctx context.Context, seen []Seen) error
	// SavePages replaces pages of an engine's memory.
	SavePages(ctx context.Context, pages []Page) error
	// Pages returns all saved pages of one kind.
	Pages(ctx context.Context, kind PageKind) ([]Page, error)
	// Records returns every account's presence columns (accounts in the trash excepted), by id. Iteration
	// ends at the first error, which is yielded.
	Records(ctx context.Context) iter.Seq2[Presence, error]
	// LiveSessions returns every session that has not ended.
	LiveSessions(ctx context.Context, now time.Time) (map[SessionID]LiveSession, error)

	// SaveHold stores a user's hold, or removes it when it is not active. Holds are durable.
	SaveHold(ctx context.Context, user UserID, h Hold) error
	// Holds returns all holds.
	Holds(ctx context.Context) (map[UserID]Hold, error)
}

// LiveSession is what a restart needs to know of a session that has not ended.
type LiveSession struct {
	User      UserID
	CreatedAt time.Time
}

// Seen is when a user was last seen.
type Seen struct {
	User UserID
	At   time.Time
}
