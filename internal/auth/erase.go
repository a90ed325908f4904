package auth

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

// Erase removes a person for good: the account, in the trash or not, its sessions, history, activity and hold, and
// what the audit says about them. The audit keeps that something was done, when, by which number to which number.
// lines is how many of its lines were emptied. The number is never given again. Errors: NotFound; Conflict
// CodeLastAdmin; Forbidden CodeNotAllowed.
func (s *Service) Erase(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (lines int, err error) {
	return s.erase(ctx, actor, user, from, func(*presence.Account) bool { return true })
}

// EraseTrashed is Erase for somebody who lies in the trash; to it, nobody else is there (NotFound).
func (s *Service) EraseTrashed(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) error {
	_, err := s.erase(ctx, actor, user, from, func(a *presence.Account) bool { return !a.DeletedAt.IsZero() })
	return err
}

// EmptyTrash erases who was put into the trash before a moment, as the server itself, and returns how many those were.
// Who is restored meanwhile stays.
func (s *Service) EmptyTrash(ctx context.Context, before time.Time) (gone int, err error) {
	store, ok := s.store.(presence.DeskStore)
	if !ok {
		return 0, nil
	}
	list, err := store.Trash(ctx, 0)
	if err != nil {
		return 0, err
	}
	for _, a := range list {
		if !a.DeletedAt.Before(before) {
			continue
		}
		_, err := s.erase(ctx, System, a.ID, presence.Origin{}, func(a *presence.Account) bool {
			return !a.DeletedAt.IsZero() && a.DeletedAt.Before(before)
		})
		switch {
		case err == nil:
			gone++
		case !isKind(err, presence.NotFound):
			return gone, err
		}
	}
	return gone, nil
}

// erase is Erase, if the account is such as it is meant to be.
func (s *Service) erase(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin, meant func(*presence.Account) bool) (lines int, err error) {
	now := s.now()
	var did outcome
	err = s.commit(ctx, presence.ActionErase, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		before, err := tx.Account(user)
		if isKind(err, presence.NotFound) {
			return userNotFound(presence.ActionErase, err)
		}
		if err != nil {
			return err
		}
		if !meant(&before) {
			return userNotFound(presence.ActionErase, nil)
		}
		did = outcome{before: before, after: before}
		d := deed{action: presence.ActionErase, remove: true}
		if err := leavesAdmin(tx, &did, d); err != nil {
			return err
		}
		at := stamp(now)
		if did.ended, err = tx.EndSessions(user, presence.EverySession, presence.CauseForced, at); err != nil {
			return err
		}
		did.after.TokensAfter, did.after.DeletedAt = at, at
		if did.lifted, err = dropHold(tx, user); err != nil {
			return err
		}
		if err := tx.RemoveAccount(user); err != nil {
			return err
		}
		if audit, ok := tx.(presence.AuditTx); ok {
			if lines, err = audit.EraseAudit(user); err != nil {
				return err
			}
		}
		if actor.User == user { // their own address is theirs too
			from = presence.Origin{}
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: presence.ActionErase, Target: user, TargetName: presence.ErasedName(user), Origin: from, At: at,
		})
	}, func(ctx context.Context) { s.spread(ctx, actor, did, now) })
	return lines, err
}
