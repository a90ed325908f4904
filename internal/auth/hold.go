package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// MaxNote bounds the note beside a hold, in characters.
const MaxNote = 500

// SetHold lets an admin's word decide somebody's status until it is lifted or, when until is not zero, until
// then. It outranks all signals, which go on underneath. Errors: NotFound; Invalid with Field until or note;
// Conflict CodeAccountInactive when an account that may not sign in would be shown as present.
func (s *Service) SetHold(ctx context.Context, actor Identity, user presence.UserID, status presence.Status, until time.Time,
	note string, from presence.Origin,
) error {
	hold, err := s.newHold(actor.User, status, until, "note", note)
	if err != nil {
		return err
	}
	return s.hold(ctx, "hold", actor, user, hold, hold.Note, from)
}

// newHold checks what a hold is made of. field is how the caller calls the note.
func (s *Service) newHold(actor presence.UserID, status presence.Status, until time.Time, field, note string) (presence.Hold, error) {
	hold := presence.Hold{Active: true, Status: status, Note: strip(note), Actor: actor}
	if !until.IsZero() {
		if hold.Until = stamp(until); !hold.Until.After(s.now()) {
			return hold, invalid("until", CodeMalformed, "until must be in the future")
		}
	}
	if utf8.RuneCountInString(hold.Note) > MaxNote {
		return hold, invalid(field, CodeTooLong, field+" must have at most 500 characters")
	}
	bad := func(r rune) bool { return unicode.IsControl(r) || turnsText(r) }
	if !utf8.ValidString(hold.Note) || strings.ContainsFunc(hold.Note, bad) {
		return hold, invalid(field, CodeMalformed, field+" contains characters that cannot be used")
	}
	return hold, nil
}

// LiftHold ends a hold. Lifting none is no mistake, and not written into the audit. Errors: NotFound.
func (s *Service) LiftHold(ctx context.Context, actor Identity, user presence.UserID, from presence.Origin) error {
	return s.LiftHoldFor(ctx, actor, user, "", from)
}

// LiftHoldFor is LiftHold with a reason for the audit.
func (s *Service) LiftHoldFor(ctx context.Context, actor Identity, user presence.UserID, reason string, from presence.Origin) error {
	return s.hold(ctx, "lift_hold", actor, user, presence.Hold{}, shorten(reason), from)
}

func (s *Service) hold(ctx context.Context, action string, actor Identity, user presence.UserID, h presence.Hold, reason string, from presence.Origin) error {
	now := s.now()
	return s.commit(ctx, action, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		a, err := standing(tx, user, action)
		if err != nil {
			return err
		}
		if h.Active && h.Status != presence.Offline && !a.MaySignIn() {
			return &presence.Error{Kind: presence.Conflict, Op: action, Code: CodeAccountInactive, Tell: "Account is not active"}
		}
		holds, ok := tx.(presence.ReportTx)
		if !ok {
			return presence.E(presence.Internal, action, errors.New("the store keeps no holds in acts"))
		}
		before, err := holds.Hold(user)
		if err != nil || !before.Active && !h.Active {
			return err
		}
		if err := holds.SaveHold(user, h); err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: action, Target: user, TargetName: a.Username,
			Before: holdObject(before), After: holdObject(h), Reason: reason, Origin: from, At: stamp(now),
		})
	}, func(ctx context.Context) {
		s.tellHold(ctx, user, actor.User, now)
		s.tellAccount(user) // a hold that changes no status is to be seen, too
	})
}

// dropHold takes the hold of an account that may not be shown as present any more.
func dropHold(tx presence.Tx, user presence.UserID) (dropped bool, err error) {
	holds, ok := tx.(presence.ReportTx)
	if !ok {
		return false, nil
	}
	h, err := holds.Hold(user)
	if err != nil || !h.Active {
		return false, err
	}
	return true, holds.SaveHold(user, presence.Hold{})
}

// tellHold carries a stored hold to Presence. Two acts may get here in either order, so what counts is what is
// stored.
func (s *Service) tellHold(ctx context.Context, user, actor presence.UserID, now time.Time) {
	s.telling.Lock()
	defer s.telling.Unlock()
	holds, err := s.store.Holds(ctx)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "a hold could not be read again", slog.Int64("user", int64(user)), slog.Any("err", err))
		return
	}
	sig := presence.Signal{User: user, Kind: presence.LiftHold, Actor: actor, At: now}
	if h := holds[user]; h.Active && (h.Until.IsZero() || h.Until.After(now)) {
		sig.Kind, sig.Status, sig.Until, sig.Note, sig.Actor = presence.SetHold, h.Status, h.Until, h.Note, h.Actor
	}
	s.signal(ctx, sig)
}

func holdObject(h presence.Hold) string {
	if !h.Active {
		return ""
	}
	fields := map[string]any{"status": h.Status.String()}
	if !h.Until.IsZero() {
		fields["until"] = h.Until.UTC().Format(time.RFC3339)
	}
	return object(fields)
}
