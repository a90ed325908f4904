package presence

import "time"

// Role is what an account may do.
type Role uint8

// The three roles. A moderator reads what an admin reads.
const (
	RoleUser Role = iota
	RoleModerator
	RoleAdmin
)

var roleNames = [...]string{RoleUser: "user", RoleModerator: "moderator", RoleAdmin: "admin"}

// String is the word on the wire and in the database.
func (r Role) String() string { return nameOf(roleNames[:], r) }

// ParseRole reads a role word, exactly as String writes it.
func ParseRole(word string) (Role, bool) { return parseName[Role](roleNames[:], word) }

// AccountStatus is where an account stands with the admins.
type AccountStatus uint8

// The four account statuses. Only an active account with IsActive may sign in or be seen online.
const (
	AccountActive AccountStatus = iota
	AccountPending
	AccountSuspended
	AccountBanned
)

var accountStatusNames = [...]string{
	AccountActive: "active", AccountPending: "pending", AccountSuspended: "suspended", AccountBanned: "banned",
}

// String is the word on the wire and in the database.
func (s AccountStatus) String() string { return nameOf(accountStatusNames[:], s) }

// ParseAccountStatus reads an account status word, exactly as String writes it.
func ParseAccountStatus(word string) (AccountStatus, bool) {
	return parseName[AccountStatus](accountStatusNames[:], word)
}

// Bounds of account fields, in characters (Unicode code points), from the recorded system.
const (
	MinUsername  = 3
	MaxUsername  = 150
	MaxEmail     = 254
	MaxName      = 150
	MaxBio       = 500
	MinPassword  = 8
	MaxPassword  = 128
	MadeUpDomain = "offchat.local" // of the e-mail address of somebody who gave none
)

// Account is a person's account. Times are UTC with microseconds.
type Account struct {
	ID            UserID
	Username      string // unique, case-sensitive
	Email         string // unique
	FirstName     string
	LastName      string
	Avatar        string // a URL; empty: none
	Bio           string
	Role          Role
	Staff         bool // may do what an admin may; set by imports
	Status        AccountStatus
	Active        bool // false closes the account whatever its Status
	EmailVerified bool
	PasswordHash  string // Django's formats and ours; "!" and what follows: no password works
	JoinedAt      time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// Privacy is what the owner keeps to themselves.
	Privacy Privacy

	// OnlineStatus, LastSeen, Since, Cause and Version are the presence columns: true at rest, batched
	// behind while an engine runs. Ask the engine, not these.
	OnlineStatus Status
	LastSeen     time.Time
	Since        time.Time
	Cause        Cause
	Version      uint64

	// TokensAfter refuses tokens without a session (issued elsewhere with our key) that were issued before.
	TokensAfter time.Time
	// DeletedAt is set while the account lies in the trash.
	DeletedAt time.Time
}

// IsAdmin reports whether the account may do everything: role admin, or staff.
func (a *Account) IsAdmin() bool { return a.Role == RoleAdmin || a.Staff }

// MayRead reports whether the account may see everybody's details: admins and moderators.
func (a *Account) MayRead() bool { return a.IsAdmin() || a.Role == RoleModerator }

// MaySignIn reports whether the account may have sessions.
func (a *Account) MaySignIn() bool {
	return a.Active && a.Status == AccountActive && a.DeletedAt.IsZero()
}

// FullName is the first and last name with one space between them, where there are both.
func (a *Account) FullName() string {
	switch {
	case a.FirstName == "":
		return a.LastName
	case a.LastName == "":
		return a.FirstName
	default:
		return a.FirstName + " " + a.LastName
	}
}

// LoginSession is a session as the store keeps it: one login, or one token that was issued elsewhere.
type LoginSession struct {
	ID        SessionID
	User      UserID
	CreatedAt time.Time
	// ExpiresAt is when its last token ends, renewed by refreshes.
	ExpiresAt time.Time
	// EndedAt and EndCause are set once it is over: logout or forced.
	EndedAt  time.Time
	EndCause Cause
	// Foreign: it stands for a token without a session of ours.
	Foreign   bool
	IP        string
	UserAgent string
}

// Ended reports whether the session is over: ended by somebody, or by time.
func (s *LoginSession) Ended(now time.Time) bool {
	return !s.EndedAt.IsZero() || !now.Before(s.ExpiresAt)
}

// Origin is where a request came from, for activity and audit.
type Origin struct {
	IP        string
	UserAgent string
	RequestID string
}

// ActivityEntry is a line in a person's own activity log.
type ActivityEntry struct {
	ID          int64
	User        UserID
	Action      string // "login", "logout", …: the recorded words
	Description string
	IP          string
	UserAgent   string
	At          time.Time
}

// AuditEntry is a line about an admin's act. It is written in the same transaction as the act.
type AuditEntry struct {
	ID     int64
	Actor  UserID // 0: the command line on the server's machine
	Action string // "suspend", "ban", "set_role", …
	Target UserID
	// TargetName keeps the line readable when the account is gone.
	TargetName string
	Before     string // JSON object of what changed; empty where nothing did
	After      string
	Reason     string
	Origin
	At time.Time
}
