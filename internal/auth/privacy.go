package auth

import (
	"context"
	"errors"
	"log/slog"

	"github.com/offchat/presence"
)

// LoadPrivacy reads from the store who hides something. Call it before anybody is answered: until then
// everybody looks as if they hid nothing. A store that is no presence.ReportStore keeps no privacy, and then
// SetPrivacy refuses. From then on Run also hears what other nodes do, where the store is one that they share.
func (s *Service) LoadPrivacy(ctx context.Context) error {
	if err := s.neighbours.begin(ctx); err != nil { // before the first thing is read that they may change
		return presence.E(presence.Internal, "load privacy", err)
	}
	return s.loadPrivacy(ctx)
}

func (s *Service) loadPrivacy(ctx context.Context) error {
	store, ok := s.store.(presence.ReportStore)
	if !ok {
		return nil
	}
	private, err := store.PrivateUsers(ctx)
	if err != nil {
		return presence.E(presence.Internal, "load privacy", err)
	}
	for user, p := range private {
		s.private.Store(user, p)
	}
	return nil
}

// Privacy is what a user keeps to themselves. It takes constant time and waits for nothing.
func (s *Service) Privacy(user presence.UserID) presence.Privacy {
	if p, ok := s.private.Load(user); ok {
		return p.(presence.Privacy)
	}
	return presence.Privacy{}
}

// Private calls f for everybody who hides something, in no order, until f returns false.
func (s *Service) Private(f func(presence.UserID, presence.Privacy) bool) {
	s.private.Range(func(user, p any) bool { return f(user.(presence.UserID), p.(presence.Privacy)) })
}

// Viewer is the caller as presence.Presence.For asks for them.
func (s *Service) Viewer(id Identity) presence.Viewer {
	return presence.Viewer{User: id.User, Staff: id.MayRead(), Privacy: s.Privacy(id.User)}
}

// OnPrivacy calls f, soon after and outside all locks that Privacy needs, whenever somebody's privacy has
// changed, with what it is now; one call at a time. Call it only while wiring up.
func (s *Service) OnPrivacy(f func(presence.UserID, presence.Privacy)) {
	s.onPrivacy = append(s.onPrivacy, f)
}

// SetPrivacy changes what the caller keeps to themselves. It holds for every answer from then on.
func (s *Service) SetPrivacy(ctx context.Context, id Identity, p presence.Privacy, from presence.Origin) error {
	const op = "set privacy"
	if _, ok := s.store.(presence.ReportStore); !ok {
		return presence.E(presence.Internal, op, errors.New("the store keeps no privacy"))
	}
	now, changed := s.now(), false
	return s.commit(ctx, op, func(tx presence.Tx) error {
		a, err := standing(tx, id.User, op)
		if err != nil {
			return err
		}
		if changed = a.Privacy != p; !changed {
			return nil
		}
		a.Privacy, a.UpdatedAt = p, stamp(now)
		if err := tx.UpdateAccount(&a); err != nil {
			return err
		}
		return tx.AppendActivity(activity(id.User, "privacy", "Privacy settings changed", from, now))
	}, func(ctx context.Context) {
		if changed {
			s.tellPrivacy(ctx, id.User, p)
		}
	})
}

// tellPrivacy carries a stored privacy into memory. Two acts may get here in either order, so what counts is
// what is stored.
func (s *Service) tellPrivacy(ctx context.Context, user presence.UserID, p presence.Privacy) {
	s.telling.Lock()
	defer s.telling.Unlock()
	if a, err := s.store.Account(ctx, user); err == nil {
		p = a.Privacy
	} else {
		s.log.LogAttrs(ctx, slog.LevelError, "privacy could not be read again", slog.Int64("user", int64(user)), slog.Any("err", err))
	}
	if p == (presence.Privacy{}) {
		s.private.Delete(user)
	} else {
		s.private.Store(user, p)
	}
	for _, f := range s.onPrivacy {
		f(user, p)
	}
}
