package auth

import (
	"context"

	"github.com/offchat/presence"
)

// Erase removes a person for good: the account, in the trash or not, its sessions, history, activity and hold, and
// what the audit says about them. The audit keeps that something was done, when, by which number to which number.
// lines is how many of its lines were emptied. The number is never given again. Errors: NotFound; Conflict
// CodeLastAdmin; Forbidden CodeNotAllowed.
func (s *Service) Erase(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (lines int, err error) {
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
