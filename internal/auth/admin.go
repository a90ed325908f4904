package auth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/offchat/presence"
)

// deed is one act of an admin on an account.
type deed struct {
	action string // as the audit calls it
	reason string
	// apply changes the account. It sees the account as it is inside the act.
	apply func(a *presence.Account) error
	// notOnSelf refuses it on one's own account.
	notOnSelf bool
	// endSessions ends every session though the account may still sign in.
	endSessions bool
	// remove deletes the account for good.
	remove bool
	// scope lets the token of a backend do it; 0: only people may.
	scope presence.Scope
	// with, if there is one, runs in the act.
	with func(tx presence.Tx) error
}

// outcome is what an act did, for those who have to be told.
type outcome struct {
	before, after presence.Account
	ended         []presence.SessionID
	lifted        bool // a hold went with the right to sign in
}

// administer runs a deed: one durable act with its audit line, after which whatever it ended is out
// everywhere. An account that may not sign in when it is done has no sessions left, and somebody who may
// administer is always left.
func (s *Service) administer(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin, d deed) (presence.Account, error) {
	now := s.now()
	var did outcome
	err := s.commit(ctx, d.action, func(tx presence.Tx) error {
		var err error
		did, err = s.perform(tx, actor, user, from, d)
		return err
	}, func(ctx context.Context) {
		s.spread(ctx, actor, did, now)
	})
	if err != nil {
		return presence.Account{}, err
	}
	return did.after, nil
}

// perform is the act itself.
func (s *Service) perform(tx presence.Tx, actor Identity, user presence.UserID, from presence.Origin, d deed) (outcome, error) {
	if err := mayAct(tx, actor, d.scope); err != nil {
		return outcome{}, err
	}
	before, err := standing(tx, user, d.action)
	if err != nil {
		return outcome{}, err
	}
	if d.notOnSelf && !actor.system && actor.User == user {
		return outcome{}, &presence.Error{
			Kind: presence.Conflict, Op: d.action, Code: CodeSelf, Tell: "You cannot do this to your own account",
		}
	}
	did := outcome{before: before, after: before}
	if err := d.apply(&did.after); err != nil {
		return outcome{}, err
	}
	if err := leavesAdmin(tx, &did, d); err != nil {
		return outcome{}, err
	}
	at := stamp(s.now())
	if d.endSessions || d.remove || !did.after.MaySignIn() {
		if did.ended, err = tx.EndSessions(user, presence.EverySession, presence.CauseForced, at); err != nil {
			return outcome{}, err
		}
		did.after.TokensAfter = at
	}
	if !did.after.MaySignIn() { // nobody else is ever shown as present
		if did.lifted, err = dropHold(tx, user); err != nil {
			return outcome{}, err
		}
	}
	if before.Status == presence.AccountSuspended && (did.after.Status != presence.AccountSuspended || d.action == "suspend") || d.remove {
		if err := forgetSuspension(tx, user); err != nil {
			return outcome{}, err
		}
	}
	if d.with != nil {
		if err := d.with(tx); err != nil {
			return outcome{}, err
		}
	}
	return did, record(tx, actor, from, &did, d, at)
}

// standing finds an account that does not lie in the trash.
func standing(tx presence.Tx, user presence.UserID, op string) (presence.Account, error) {
	a, err := tx.Account(user)
	if isKind(err, presence.NotFound) || err == nil && !a.DeletedAt.IsZero() {
		return presence.Account{}, userNotFound(op, err)
	}
	return a, err
}

// record writes the account and the audit line.
func record(tx presence.Tx, actor Identity, from presence.Origin, did *outcome, d deed, at time.Time) error {
	was, is, action := difference(&did.before, &did.after)
	if action == "" || d.action != "update" {
		action = d.action
	}
	did.after.UpdatedAt = at
	err := error(nil)
	if d.remove {
		err = tx.RemoveAccount(did.before.ID)
	} else {
		err = taken(tx.UpdateAccount(&did.after))
	}
	if err != nil {
		return err
	}
	return tx.AppendAudit(presence.AuditEntry{
		Actor: actor.User, Action: action, Target: did.before.ID, TargetName: did.before.Username,
		Before: was, After: is, Reason: d.reason, Origin: from, At: at,
	})
}

// mayAdminister holds the actor's account and session, as they are now, against what they were when the token was
// checked: what goes on for longer than a request, like a job, ends with either.
func mayAdminister(tx presence.Tx, actor Identity) error {
	if actor.system {
		return nil
	}
	a, err := tx.Account(actor.User)
	if err != nil && !isKind(err, presence.NotFound) {
		return err
	}
	if err != nil || !a.IsAdmin() || !a.MaySignIn() {
		return notAllowed()
	}
	if actor.Session == 0 {
		return nil
	}
	session, err := tx.Session(actor.Session)
	if err != nil && !isKind(err, presence.NotFound) {
		return err
	}
	if err != nil || session.User != actor.User || !session.EndedAt.IsZero() {
		return notAllowed()
	}
	return nil
}

// mayAct is mayAdminister for an act that a backend whose token has the scope may do too.
func mayAct(tx presence.Tx, actor Identity, scope presence.Scope) error {
	if actor.backend != nil {
		return backendMay(tx, actor, scope)
	}
	return mayAdminister(tx, actor)
}

func notAllowed() error {
	return &presence.Error{
		Kind: presence.Forbidden, Op: "administer", Code: CodeNotAllowed, Tell: "You do not have permission to perform this action.",
	}
}

func leavesAdmin(tx presence.Tx, did *outcome, d deed) error {
	was := did.before.IsAdmin() && did.before.MaySignIn()
	is := did.after.IsAdmin() && did.after.MaySignIn() && !d.remove
	if !was || is {
		return nil
	}
	others, err := tx.AdminsBesides(did.before.ID)
	if err == nil && others == 0 {
		err = &presence.Error{
			Kind: presence.Conflict, Op: d.action, Code: CodeLastAdmin, Tell: "This is the last admin who can sign in",
		}
	}
	return err
}

// spread carries a durable act into memory, to Presence and to whoever watches sessions.
func (s *Service) spread(ctx context.Context, actor Identity, did outcome, now time.Time) {
	user := did.before.ID
	s.cache.changed(user)
	s.cache.end(user, did.ended...)
	if !did.after.TokensAfter.Equal(did.before.TokensAfter) { // the sessions were ended
		sig := presence.Signal{
			User: user, Session: presence.EverySession, Kind: presence.Forced, At: now, Actor: actor.User, Sessions: did.ended,
		}
		if !did.after.DeletedAt.IsZero() {
			sig.Kind = presence.Deleted
		}
		s.signal(ctx, sig)
	}
	if did.shows() {
		s.tellAccount(user)
	}
	if did.lifted && did.after.DeletedAt.IsZero() {
		s.tellHold(ctx, user, actor.User, now)
	}
	s.tellEnded(user, did.ended...)
	if *viewOf(&did.before) != *viewOf(&did.after) {
		s.tellEnded(user, presence.EverySession)
	}
}

// shows reports whether the act changed what others see of the account.
func (did *outcome) shows() bool {
	after := did.after
	after.TokensAfter, after.UpdatedAt, after.PasswordHash = did.before.TokensAfter, did.before.UpdatedAt, did.before.PasswordHash
	return after != did.before
}

// difference tells what changed as two JSON objects, and what to call a change of one thing only. Password
// hashes are never told.
func difference(before, after *presence.Account) (was, is, action string) {
	old, now := map[string]any{}, map[string]any{}
	add := func(name string, x, y any) {
		if x != y {
			old[name], now[name] = x, y
		}
	}
	add("username", before.Username, after.Username)
	add("email", before.Email, after.Email)
	add("first_name", before.FirstName, after.FirstName)
	add("last_name", before.LastName, after.LastName)
	add("bio", before.Bio, after.Bio)
	add("avatar", before.Avatar, after.Avatar)
	add("role", before.Role.String(), after.Role.String())
	add("status", before.Status.String(), after.Status.String())
	add("is_active", before.Active, after.Active)
	add("email_verified", before.EmailVerified, after.EmailVerified)
	add("deleted", !before.DeletedAt.IsZero(), !after.DeletedAt.IsZero())
	if before.PasswordHash != after.PasswordHash {
		now["password"] = "changed"
	}
	if len(now) == 1 {
		for name := range now {
			action = "set_" + name
		}
	}
	return object(old), object(now), action
}

func object(fields map[string]any) string {
	if len(fields) == 0 {
		return ""
	}
	text, err := json.Marshal(fields) // strings and booleans: cannot fail
	if err != nil {
		return ""
	}
	return string(text)
}
