package auth

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

// Identity is a caller whose token was checked. It is valid for the request it was made for.
type Identity struct {
	// User is the person. A backend is none: it has a negative number, see presence.APITokenID.Actor.
	User    presence.UserID
	Session presence.SessionID
	// Expires is when the token ends.
	Expires time.Time

	account *view
	backend *backend
	system  bool
}

// System is the actor of the command line on the server's own machine. It may do everything and is written
// into the audit as user 0.
var System = Identity{system: true}

// Username tells what the account was called at the moment of the check, or the token of a backend.
func (id Identity) Username() string {
	if id.backend != nil {
		return id.backend.token.Name
	}
	if id.account == nil {
		return ""
	}
	return id.account.username
}

// IsAdmin reports whether the account could do everything at the moment of the check.
func (id Identity) IsAdmin() bool { return id.system || id.account != nil && id.account.admin }

// MayRead reports whether the account could see everybody's details at the moment of the check.
func (id Identity) MayRead() bool {
	return id.system || id.account != nil && id.account.mayRead || id.Has(presence.ScopeAdminRead)
}

// Plain is the same person without any rank: no admin, no moderator.
func (id Identity) Plain() Identity {
	if id.account == nil {
		return id
	}
	plain := *id.account
	plain.admin, plain.mayRead = false, false
	id.account = &plain
	return id
}

type plainKey struct{}

// AsPlain marks the context of a request whose caller was let in by a backend: see IsPlain.
func AsPlain(ctx context.Context) context.Context { return context.WithValue(ctx, plainKey{}, true) }

// IsPlain reports whether the caller of a request is to be taken for nobody's staff, whatever their account is.
func IsPlain(ctx context.Context) bool { return ctx.Value(plainKey{}) != nil }

// Backend is the API token that was checked, where it was one and not a person's.
func (id Identity) Backend() (presence.APITokenID, bool) {
	if id.backend == nil {
		return 0, false
	}
	return id.backend.token.ID, true
}

// Has reports whether the caller is a backend whose token has one of these scopes.
func (id Identity) Has(any presence.Scope) bool {
	return id.backend != nil && id.backend.token.Scopes&any != 0
}

// view is what a check needs of an account, as it was when it was read. It never changes.
type view struct {
	username       string
	admin, mayRead bool
	status         presence.AccountStatus
	active         bool
	gone           bool // deleted, or in the trash
	// tokensAfter is Account.TokensAfter in Unix microseconds; 0 where there is none.
	tokensAfter int64
}

func viewOf(a *presence.Account) *view {
	v := &view{
		username: a.Username, admin: a.IsAdmin(), mayRead: a.MayRead(),
		status: a.Status, active: a.Active, gone: !a.DeletedAt.IsZero(),
	}
	if !a.TokensAfter.IsZero() {
		v.tokensAfter = a.TokensAfter.UnixMicro()
	}
	return v
}

var goneView = &view{gone: true}

// refusal is why the account's tokens do not work, nil when they do.
func (v *view) refusal() error {
	switch {
	case v.gone:
		return &presence.Error{Kind: presence.Unauthenticated, Op: "check token", Code: CodeUserNotFound, Tell: "User not found"}
	case !v.active:
		return &presence.Error{Kind: presence.Unauthenticated, Op: "check token", Code: CodeUserInactive, Tell: "User is inactive"}
	case v.status != presence.AccountActive:
		return &presence.Error{
			Kind: presence.Forbidden, Op: "check token", Code: CodeAccountInactive,
			Field: v.status.String(), Tell: "Account is not active",
		}
	}
	return nil
}
