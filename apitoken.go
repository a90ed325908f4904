package presence

import (
	"context"
	"slices"
	"strings"
	"time"
)

// APITokenID names a token of a backend. It is positive and never used a second time.
type APITokenID int64

// Actor is the token where an actor is written down: beside people, whose ids are positive, tokens have negative
// ones.
func (id APITokenID) Actor() UserID { return -UserID(id) }

// APITokenOf is the token behind an actor, where it was one.
func APITokenOf(actor UserID) (APITokenID, bool) { return APITokenID(-actor), actor < 0 }

// Scope is what a token of a backend may do; several are or-ed together.
type Scope uint8

// The scopes. None includes another: a token has exactly what it was given.
const (
	// ScopeTouch tells that people are active.
	ScopeTouch Scope = 1 << iota
	// ScopeRead sees what any signed-in person may see who hides nothing: presence, counts, events.
	ScopeRead
	// ScopeTickets lets people in on the backend's word: feed tickets on behalf of a user.
	ScopeTickets
	// ScopeLogout ends people's sessions.
	ScopeLogout
	// ScopeAdminRead sees what an admin may see: what people hide, their details and history, the audit.
	ScopeAdminRead
)

var scopeNames = [...]string{"touch", "read", "tickets", "logout", "admin:read"}

// ScopeNames are the words there are.
func ScopeNames() []string { return slices.Clone(scopeNames[:]) }

// Words are the scopes as they are written.
func (s Scope) Words() []string {
	words := []string{}
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return words
}

// String is the form in the database: words with commas between.
func (s Scope) String() string { return strings.Join(s.Words(), ",") }

// ParseScope reads what String wrote, in any order and with spaces. It reports false for a word that is no scope.
func ParseScope(text string) (s Scope, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		i := slices.Index(scopeNames[:], word)
		if i < 0 {
			return 0, false
		}
		s |= 1 << i
	}
	return s, true
}

// Bounds of API tokens.
const (
	// MaxAPITokenName is in characters.
	MaxAPITokenName = 100
	// MaxAPITokens is how many may be good at one time.
	MaxAPITokens = 1000
)

// APIToken is a token of a backend as the store keeps it: not the token, but a hash of it. Times are UTC with
// microseconds.
type APIToken struct {
	ID     APITokenID
	Name   string
	Scopes Scope
	// Hash is the SHA-256 of the token. The token has 256 random bits, so nothing slower is needed.
	Hash [32]byte
	// Hint is how the token begins, to tell it by.
	Hint      string
	CreatedBy UserID // 0: the command line
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	// LastUsedAt is batched behind; zero: never used.
	LastUsedAt time.Time
	RevokedAt  time.Time // zero: not revoked
	RevokedBy  UserID
}

// Good reports whether the token works at a moment.
func (t *APIToken) Good(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// APITokenUse is when a token was used last.
type APITokenUse struct {
	ID APITokenID
	At time.Time
}

// APITokenStore is what a store that keeps tokens of backends answers. A Store may be one; the Tx of its Durable is
// an APITokenTx then. Every method may be called from any goroutine. The behaviour is pinned by internal/storetest.
type APITokenStore interface {
	// APITokens returns all of them, by id, revoked and expired ones too.
	APITokens(ctx context.Context) ([]APIToken, error)
	// RecordAPITokenUse moves LastUsedAt forward, never back. It belongs to the batched-behind class. Tokens that
	// are gone are left out.
	RecordAPITokenUse(ctx context.Context, uses []APITokenUse) error
}

// EmailReader finds accounts by their e-mail address. A Store may be one.
type EmailReader interface {
	// AccountByEmail finds one by its exact e-mail address; accounts in the trash are NotFound.
	AccountByEmail(ctx context.Context, email string) (Account, error)
}

// APITokenTx is what an act of an APITokenStore may do besides.
type APITokenTx interface {
	// InsertAPIToken stores a new token and gives it its ID.
	InsertAPIToken(t *APIToken) error
	// APIToken finds one, revoked or not.
	APIToken(id APITokenID) (APIToken, error)
	// RevokeAPIToken revokes one. A token that is revoked already stays as it is.
	RevokeAPIToken(id APITokenID, by UserID, at time.Time) error
	// GoodAPITokens counts those that are neither revoked nor expired.
	GoodAPITokens(now time.Time) (int, error)
	// ForgetAPITokens deletes those that were revoked or expired before a moment.
	ForgetAPITokens(before time.Time) error
}
