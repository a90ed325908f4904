// Package auth decides who somebody is and what their account may do: passwords, tokens, sessions,
// revocation, throttles, and every act on an account. It leaves presence to the Presence port, storage to
// the Store port, and wording on the wire to the protocols that call it.
package auth

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

// Presence is what auth tells about people: who signed in, who is out, who is new.
type Presence interface {
	Signal(ctx context.Context, s presence.Signal) (presence.Presence, error)
	// Admit makes a new account known, offline, last seen when it was created.
	Admit(ctx context.Context, a presence.Account) error
}

// Identity is a caller whose token was checked. It is valid for the request it was made for.
type Identity struct {
	User    presence.UserID
	Session presence.SessionID
	// Expires is when the token ends.
	Expires time.Time

	account *account
}

// Username, IsAdmin and MayRead tell what the account was at the moment of the check.
func (id Identity) Username() string { panic("not built") }
func (id Identity) IsAdmin() bool    { panic("not built") }
func (id Identity) MayRead() bool    { panic("not built") }

type account struct{}

// Codes of the errors of Authenticate, Refresh and Verify (presence.Error.Code).
const (
	CodeMissing         = "not_authenticated"  // no credentials were given
	CodeTokenInvalid    = "token_not_valid"    // Tell: "Token is invalid or expired", or "Token has wrong type"
	CodeUserNotFound    = "user_not_found"     // the account is gone
	CodeUserInactive    = "user_inactive"      // the account is closed (is_active false)
	CodeAccountInactive = "account_not_active" // the account is pending, suspended or banned
	CodeBadCredentials  = "bad_credentials"    // wrong name or password, or a closed account
	CodeLastAdmin       = "last_admin"         // Conflict: nobody would be left to administer
	CodeSelf            = "not_on_self"        // Conflict: not on one's own account
)

// Tokens is a pair as handed out.
type Tokens struct {
	Access, Refresh string
}

// NewAccount is what an account is made from. Role and Status have the zero value's meaning.
type NewAccount struct {
	Username, Email, Password, FirstName, LastName, Bio, Avatar string
	Role                                                        presence.Role
	Status                                                      presence.AccountStatus
}

// Patch changes the fields that are not nil.
type Patch struct {
	Username, Email, FirstName, LastName, Bio, Avatar, Password *string
	Role                                                        *presence.Role
	Status                                                      *presence.AccountStatus
	Active, EmailVerified                                       *bool
}

// Service is every act on accounts, sessions and tokens. All methods may be called from any goroutine.
// Every act is durable before it returns.
type Service struct{}

// Register makes an active account, signs it in and returns it with tokens. A missing e-mail becomes
// username@offchat.local. Field of an Invalid or Conflict: username, email, password.
func (s *Service) Register(ctx context.Context, n NewAccount, from presence.Origin) (presence.Account, Tokens, error) {
	panic("not built")
}

// Login checks name and password and opens a session. Errors: Unauthenticated CodeBadCredentials; Forbidden
// CodeAccountInactive (Field: "pending", "suspended" or "banned"); Throttled; Unavailable.
func (s *Service) Login(ctx context.Context, username, password string, from presence.Origin) (presence.Account, Tokens, error) {
	panic("not built")
}

// Authenticate checks an access token at the moment now. The usual case allocates nothing and touches no
// disk. The errors are Unauthenticated with one of the codes above; CodeAccountInactive is Forbidden.
func (s *Service) Authenticate(ctx context.Context, token string, now time.Time) (Identity, error) {
	panic("not built")
}

// Refresh gives a new pair for a refresh token; the session's refresh tokens stay good until it ends.
func (s *Service) Refresh(ctx context.Context, refresh string, from presence.Origin) (Tokens, error) {
	panic("not built")
}

// Verify checks a token of either type.
func (s *Service) Verify(ctx context.Context, token string) error { panic("not built") }

// Logout ends the caller's session, with or without its refresh token. A refresh token of another of the
// caller's own sessions ends that one too; anything else there is ignored.
func (s *Service) Logout(ctx context.Context, id Identity, refresh string, from presence.Origin) error {
	panic("not built")
}

// EndSession ends one session of a user; NotFound when it is not theirs.
func (s *Service) EndSession(ctx context.Context, actor Identity, user presence.UserID, session presence.SessionID, from presence.Origin) error {
	panic("not built")
}

// ForceLogout ends every session of a user.
func (s *Service) ForceLogout(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Approve, Suspend, Ban and Activate move an account; Suspend and Ban end its sessions in the same act.
// Errors: NotFound; Conflict CodeSelf on one's own account, CodeLastAdmin.
func (s *Service) Approve(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Suspend: see Approve.
func (s *Service) Suspend(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Ban closes the account too (is_active false, as recorded): see Approve.
func (s *Service) Ban(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Activate: see Approve.
func (s *Service) Activate(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Reject takes a pending account away (to the trash).
func (s *Service) Reject(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Create makes an account for somebody else.
func (s *Service) Create(ctx context.Context, actor Identity, n NewAccount, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Update changes an account as an admin may. What takes the right to sign in away ends all sessions in the
// same act.
func (s *Service) Update(ctx context.Context, actor Identity, user presence.UserID, p Patch, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// Delete puts an account into the trash, or removes it for good.
func (s *Service) Delete(ctx context.Context, actor Identity, user presence.UserID, permanent bool, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// UpdateProfile changes the caller's own names and bio and, with the current one, the password; a new
// password ends the caller's other sessions. Errors: Invalid with Field current_password or new_password.
func (s *Service) UpdateProfile(ctx context.Context, id Identity, p Patch, current string, from presence.Origin) (presence.Account, error) {
	panic("not built")
}

// OnSessionEnd calls f, soon after and outside all locks, for every session that ends and for every
// account that changed in a way its sockets must notice. Call it only while wiring up.
func (s *Service) OnSessionEnd(f func(presence.UserID, presence.SessionID)) { panic("not built") }
