package auth

import (
	"context"
	"errors"
	"time"

	"github.com/offchat/presence"
)

// SetOwnAway is somebody's own word that they are away, on all their devices, until it is taken back or, when until
// is not zero, until then. text is what they want to say about it. It only lowers: who is not there stays offline.
// Errors: Conflict CodeHeld while an admin's hold decides; Invalid with Field until or text.
func (s *Service) SetOwnAway(ctx context.Context, id Identity, until time.Time, text string) error {
	hold, err := s.newHold(id.User, presence.Away, until, "text", text)
	if err != nil {
		return err
	}
	return s.ownWord(ctx, "set own status", id, hold)
}

// ClearOwnStatus takes one's own word back. Without effect where there is none; an admin's hold stays.
func (s *Service) ClearOwnStatus(ctx context.Context, id Identity) error {
	return s.ownWord(ctx, "clear own status", id, presence.Hold{})
}

func (s *Service) ownWord(ctx context.Context, op string, id Identity, h presence.Hold) error {
	now, changed := s.now(), false
	return s.commit(ctx, op, func(tx presence.Tx) error {
		if _, err := standing(tx, id.User, op); err != nil {
			return err
		}
		holds, ok := tx.(presence.ReportTx)
		if !ok {
			return presence.E(presence.Internal, op, errors.New("the store keeps no holds in acts"))
		}
		before, err := holds.Hold(id.User)
		if err != nil {
			return err
		}
		if over := !before.Until.IsZero() && !before.Until.After(now); before.Active && !over && !before.Own(id.User) {
			if !h.Active {
				return nil
			}
			return &presence.Error{
				Kind: presence.Conflict, Op: op, Code: CodeHeld, Tell: "An admin has decided your status; it is not yours to set until they lift that",
			}
		}
		if changed = before.Active || h.Active; !changed {
			return nil
		}
		return holds.SaveHold(id.User, h)
	}, func(ctx context.Context) {
		if changed {
			s.tellHold(ctx, id.User, id.User, now)
		}
	})
}
