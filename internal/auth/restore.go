package auth

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

// CodeNotInTrash is the code of a Conflict: only an account in the trash can be restored.
const CodeNotInTrash = "not_in_trash"

// Restore takes an account out of the trash, as it was, but signed in nowhere. Errors: NotFound; Conflict with Field
// username or email when somebody else has it by now; Conflict CodeNotInTrash.
func (s *Service) Restore(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) (presence.Account, error) {
	const op = "restore"
	var after presence.Account
	err := s.commit(ctx, op, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		before, err := tx.Account(user)
		if isKind(err, presence.NotFound) {
			return userNotFound(op, err)
		}
		if err != nil {
			return err
		}
		if before.DeletedAt.IsZero() {
			return &presence.Error{Kind: presence.Conflict, Op: op, Code: CodeNotInTrash, Tell: "The account is not in the trash"}
		}
		after = before
		after.DeletedAt = time.Time{}
		return record(tx, actor, from, &outcome{before: before, after: after}, deed{action: op}, stamp(s.now()))
	}, func(ctx context.Context) {
		s.cache.changed(user)
		s.admit(ctx, after)
	})
	return after, err
}

// suspensions is the kind of the documents that say until when somebody is suspended; their id is the user's.
const suspensions = "suspension"

// SuspendUntil is Suspend that ends by itself: Run activates the account then, unless something else was done with it
// meanwhile. Errors: those of Suspend; Invalid with Field until when that is past.
func (s *Service) SuspendUntil(ctx context.Context, actor Identity, user presence.UserID, reason string, until time.Time, from presence.Origin) (presence.Account, error) {
	if !until.After(s.now()) {
		return presence.Account{}, invalid("until", CodeMalformed, "until must be in the future")
	}
	return s.administer(ctx, actor, user, from, deed{
		action: "suspend", reason: shorten(reason), notOnSelf: true, apply: func(a *presence.Account) error {
			a.Status = presence.AccountSuspended
			return nil
		},
		with: func(tx presence.Tx) error {
			desk, ok := tx.(presence.DeskTx)
			if !ok {
				return presence.E(presence.Internal, "suspend", errors.New("the store keeps no documents"))
			}
			return desk.SaveDocument(presence.Document{
				Kind: suspensions, ID: strconv.FormatInt(int64(user), 10), Owner: actor.User, At: stamp(until), Body: `{}`,
			})
		},
	})
}

// SuspendedUntil tells when suspensions end by themselves, by user.
func (s *Service) SuspendedUntil(ctx context.Context) (map[presence.UserID]time.Time, error) {
	store, ok := s.store.(presence.DeskStore)
	if !ok {
		return nil, nil
	}
	list, err := store.Documents(ctx, suspensions)
	ends := make(map[presence.UserID]time.Time, len(list))
	for _, d := range list {
		if id, err := strconv.ParseInt(d.ID, 10, 64); err == nil {
			ends[presence.UserID(id)] = d.At
		}
	}
	return ends, err
}

// errMoot: an act has nothing to do any more.
var errMoot = errors.New("auth: nothing to do")

// endSuspensions activates those whose suspension ended.
func (s *Service) endSuspensions(ctx context.Context) {
	ends, err := s.SuspendedUntil(ctx)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "suspensions could not be read", slog.Any("err", err))
		return
	}
	now := s.now()
	for user, end := range ends {
		if end.After(now) {
			continue
		}
		_, err := s.administer(ctx, System, user, presence.Origin{}, deed{
			action: "activate", reason: "the suspension ended", apply: func(a *presence.Account) error {
				if a.Status != presence.AccountSuspended {
					return errMoot
				}
				a.Status = presence.AccountActive
				return nil
			},
		})
		if err != nil && !errors.Is(err, errMoot) && !isKind(err, presence.NotFound) {
			s.log.LogAttrs(ctx, slog.LevelWarn, "a suspension could not be ended", slog.Int64("user", int64(user)), slog.Any("err", err))
			continue
		}
		if err != nil { // something else was done with the account: the act, which forgets the document, did not happen
			err = s.commit(ctx, "forget suspension", func(tx presence.Tx) error { return forgetSuspension(tx, user) }, nil)
		}
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "a suspension could not be forgotten", slog.Int64("user", int64(user)), slog.Any("err", err))
		}
	}
}

// forgetSuspension removes what says that a suspension ends by itself, if there is one.
func forgetSuspension(tx presence.Tx, user presence.UserID) error {
	desk, ok := tx.(presence.DeskTx)
	if !ok {
		return nil
	}
	if err := desk.RemoveDocument(suspensions, strconv.FormatInt(int64(user), 10)); err != nil && !isKind(err, presence.NotFound) {
		return err
	}
	return nil
}

// ForgetHistory deletes what was written down about when somebody was there. Errors: NotFound.
func (s *Service) ForgetHistory(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) (n int, err error) {
	const op = "forget_history"
	now := s.now()
	err = s.commit(ctx, op, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		a, err := standing(tx, user, op)
		if err != nil {
			return err
		}
		desk, ok := tx.(presence.DeskTx)
		if !ok {
			return presence.E(presence.Internal, op, errors.New("the store cannot forget a history"))
		}
		if n, err = desk.RemoveHistory(user); err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: op, Target: user, TargetName: a.Username, After: object(map[string]any{"forgotten": n}),
			Reason: shorten(reason), Origin: from, At: stamp(now),
		})
	}, nil)
	return n, err
}
