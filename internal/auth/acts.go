package auth

import (
	"context"

	"github.com/offchat/presence"
)

// ForceLogout ends every session of a user. Errors: NotFound; Conflict CodeSelf on one's own account;
// Forbidden CodeNotAllowed when the actor is no admin (as of every act here).
func (s *Service) ForceLogout(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	return s.ForceLogoutBecause(ctx, actor, user, "", from)
}

// ForceLogoutBecause is ForceLogout with a reason for the audit. A backend whose token has the scope may do it too.
func (s *Service) ForceLogoutBecause(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{
		action: "force_logout", reason: shorten(reason), notOnSelf: true, endSessions: true, scope: presence.ScopeLogout,
		apply: func(*presence.Account) error { return nil },
	})
}

// SetOnlineStatus gives the engine an admin's word about somebody: one signal, from which the next sign of
// life moves on (presence.Set). It returns the account and its presence afterwards. Errors: NotFound;
// Conflict CodeAccountInactive when an account that may not sign in would be shown as present.
func (s *Service) SetOnlineStatus(ctx context.Context, actor Identity, user presence.UserID, status presence.Status, from presence.Origin) (presence.Account, presence.Presence, error) {
	const action = "set_online_status"
	now := s.now()
	var a presence.Account
	var p presence.Presence
	err := s.commit(ctx, action, func(tx presence.Tx) (err error) {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		if a, err = standing(tx, user, action); err != nil {
			return err
		}
		if status != presence.Offline && !a.MaySignIn() {
			return &presence.Error{Kind: presence.Conflict, Op: action, Code: CodeAccountInactive, Tell: "Account is not active"}
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: action, Target: user, TargetName: a.Username,
			After: object(map[string]any{"online_status": status.String()}), Origin: from, At: stamp(now),
		})
	}, func(ctx context.Context) {
		p, _ = s.signal(ctx, presence.Signal{User: user, Kind: presence.Set, Status: status, Actor: actor.User, At: now})
		s.takeBack(ctx, actor, user, &p)
	})
	return a, p, err
}

// takeBack undoes a set that came after an act which took the right to be present away: the act was committed
// between the set's own commit and its signal, and its signal came first. An act that commits later signals
// later.
func (s *Service) takeBack(ctx context.Context, actor Identity, user presence.UserID, p *presence.Presence) {
	a, err := s.store.Account(ctx, user)
	gone := isKind(err, presence.NotFound)
	if err != nil && !gone || err == nil && a.MaySignIn() {
		return
	}
	kind := presence.Forced
	if gone {
		kind = presence.Deleted
	}
	*p, _ = s.signal(ctx, presence.Signal{User: user, Session: presence.EverySession, Kind: kind, Actor: actor.User, At: s.now()})
}

// Approve, Suspend, Ban and Activate move an account; Suspend and Ban end its sessions in the same act.
// Approve makes it active and its e-mail verified, as recorded; a closed account stays closed.
// Errors: NotFound; Conflict CodeSelf on one's own account, CodeLastAdmin.
func (s *Service) Approve(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	return s.ApproveFor(ctx, actor, user, "", from)
}

// ApproveFor is Approve with a reason for the audit.
func (s *Service) ApproveFor(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{action: "approve", reason: shorten(reason), notOnSelf: true, apply: func(a *presence.Account) error {
		a.Status, a.EmailVerified = presence.AccountActive, true
		return nil
	}})
}

// Suspend: see Approve.
func (s *Service) Suspend(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{
		action: "suspend", reason: shorten(reason), notOnSelf: true, apply: func(a *presence.Account) error {
			a.Status = presence.AccountSuspended
			return nil
		},
	})
}

// Ban closes the account too (is_active false, as recorded): see Approve.
func (s *Service) Ban(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{
		action: "ban", reason: shorten(reason), notOnSelf: true, apply: func(a *presence.Account) error {
			a.Status, a.Active = presence.AccountBanned, false
			return nil
		},
	})
}

// Activate opens an account again, whatever closed it: see Approve.
func (s *Service) Activate(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	return s.ActivateFor(ctx, actor, user, "", from)
}

// ActivateFor is Activate with a reason for the audit.
func (s *Service) ActivateFor(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{action: "activate", reason: shorten(reason), notOnSelf: true, apply: func(a *presence.Account) error {
		a.Status, a.Active = presence.AccountActive, true
		return nil
	}})
}

// Reject takes a pending account away (to the trash). Conflict CodeNotPending for any other.
func (s *Service) Reject(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	return s.administer(ctx, actor, user, from, deed{action: "reject", apply: func(a *presence.Account) error {
		if a.Status != presence.AccountPending {
			return &presence.Error{Kind: presence.Conflict, Op: "reject", Code: CodeNotPending, Tell: "The account is not pending"}
		}
		a.DeletedAt = stamp(s.now())
		return nil
	}})
}

// Delete puts an account into the trash, or removes it for good. On oneself it is allowed, as recorded,
// while another admin is left (else Conflict CodeLastAdmin). The account returned has DeletedAt set.
func (s *Service) Delete(ctx context.Context, actor Identity, user presence.UserID, permanent bool, from presence.Origin) (presence.Account, error) {
	return s.DeleteFor(ctx, actor, user, permanent, "", from)
}

// DeleteFor is Delete with a reason for the audit.
func (s *Service) DeleteFor(ctx context.Context, actor Identity, user presence.UserID, permanent bool, reason string, from presence.Origin) (presence.Account, error) {
	d := deed{action: "delete", reason: shorten(reason), remove: permanent, apply: func(a *presence.Account) error {
		a.DeletedAt = stamp(s.now())
		return nil
	}}
	if permanent {
		d.action = "delete_permanently"
	}
	return s.administer(ctx, actor, user, from, d)
}

// Update changes an account as an admin may. What takes the right to sign in away ends all sessions in the
// same act, and so does a new password. Errors: NotFound; Invalid and Conflict with Field; Conflict
// CodeLastAdmin.
func (s *Service) Update(ctx context.Context, actor Identity, user presence.UserID, p Patch, from presence.Origin) (presence.Account, error) {
	hash, err := s.newHash(ctx, actor, p.Password)
	if err != nil {
		return presence.Account{}, err
	}
	return s.administer(ctx, actor, user, from, deed{action: "update", endSessions: hash != "", apply: func(a *presence.Account) error {
		if hash != "" {
			a.PasswordHash = hash
		}
		return p.apply(a)
	}})
}

// SetPassword gives an account a new password and ends all its sessions. Errors: NotFound; Invalid with
// Field password.
func (s *Service) SetPassword(ctx context.Context, actor Identity, user presence.UserID, password string, from presence.Origin) (presence.Account, error) {
	return s.Update(ctx, actor, user, Patch{Password: &password}, from)
}

// newHash checks and hashes the password that an admin sets, if any, outside the act.
func (s *Service) newHash(ctx context.Context, actor Identity, password *string) (string, error) {
	if password == nil {
		return "", nil
	}
	if !actor.IsAdmin() {
		return "", notAllowed() // before the costly hash
	}
	text := strip(*password)
	if err := checkPassword("password", text); err != nil {
		return "", err
	}
	return s.passwords.hash(ctx, text)
}

// Create makes an account for somebody else; it is not signed in. Errors: Invalid and Conflict with Field
// username, email, password, first_name, last_name, bio or avatar.
func (s *Service) Create(ctx context.Context, actor Identity, n NewAccount, from presence.Origin) (presence.Account, error) {
	if !actor.IsAdmin() {
		return presence.Account{}, notAllowed()
	}
	a, err := n.account(s.now(), 1)
	if err != nil {
		return presence.Account{}, err
	}
	if a.PasswordHash, err = s.passwords.hash(ctx, n.Password); err != nil {
		return presence.Account{}, err
	}
	var made presence.Account
	err = s.commit(ctx, "create account", func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		made = a
		if err := tx.InsertAccount(&made); err != nil {
			return taken(err)
		}
		return tx.AppendAudit(created(actor.User, &made, from))
	}, func(ctx context.Context) { s.admit(ctx, made) })
	if err != nil {
		return presence.Account{}, err
	}
	return made, nil
}

func created(actor presence.UserID, a *presence.Account, from presence.Origin) presence.AuditEntry {
	return presence.AuditEntry{
		Actor: actor, Action: "create", Target: a.ID, TargetName: a.Username, Origin: from, At: a.CreatedAt,
		After: object(map[string]any{"username": a.Username, "email": a.Email, "role": a.Role.String(), "status": a.Status.String()}),
	}
}

// maxReason bounds what an admin may write beside an act, in bytes.
const maxReason = 1000

func shorten(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	cut := maxReason
	for cut > 0 && reason[cut]&0xc0 == 0x80 { // not inside a character
		cut--
	}
	return reason[:cut]
}
