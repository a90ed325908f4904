package auth

import (
	"context"
	"errors"

	"github.com/offchat/presence"
)

// UpdateProfile changes the caller's own names, bio and avatar and, with the current one, the password; a
// new password ends the caller's other sessions. Every other field of the patch is ignored. Errors: Invalid
// with Field current_password, new_password, first_name, last_name, bio or avatar; Throttled after too many
// wrong current passwords. A caller whose token was issued elsewhere is signed out too by a new password.
func (s *Service) UpdateProfile(ctx context.Context, id Identity, p Patch, current string, from presence.Origin) (presence.Account, error) {
	own := Patch{FirstName: p.FirstName, LastName: p.LastName, Bio: p.Bio, Avatar: p.Avatar}
	for range 3 {
		old, hash, err := s.ownPassword(ctx, id, p.Password, current, from)
		if err != nil {
			return presence.Account{}, err
		}
		a, err := s.saveProfile(ctx, id, own, old, hash, from)
		if !errors.Is(err, errMoved) {
			return a, err
		}
	}
	return presence.Account{}, unavailable("update profile", errMoved)
}

// ownPassword checks the current password and hashes the new one. Without a new one both hashes are empty.
func (s *Service) ownPassword(ctx context.Context, id Identity, password *string, current string, from presence.Origin) (old, hash string, err error) {
	if password == nil {
		return "", "", nil
	}
	text, current := strip(*password), strip(current)
	if current == "" {
		return "", "", invalid("current_password", CodeRequired, "Current password is required to set a new password.")
	}
	if err := checkPassword("new_password", text); err != nil {
		return "", "", err
	}
	if checkLogin(id.Username(), current) != nil {
		return "", "", wrongCurrent()
	}
	attempt, err := s.throttle.admit(id.Username(), from.IP, s.now())
	if err != nil {
		return "", "", err
	}
	a, err := s.store.Account(ctx, id.User)
	fits := false
	if err == nil {
		fits, err = s.passwords.check(ctx, current, a.PasswordHash)
	}
	if err == nil && !fits {
		attempt.fail(s.now())
		return "", "", wrongCurrent()
	}
	attempt.free(s.now())
	if err != nil {
		return "", "", presence.E(presence.Internal, "change password", err)
	}
	hash, err = s.passwords.hash(ctx, text)
	return a.PasswordHash, hash, err
}

func wrongCurrent() error {
	return invalid("current_password", CodeIncorrect, "Current password is incorrect.")
}

// saveProfile writes the profile and, when hash is not empty, the password in place of old.
func (s *Service) saveProfile(ctx context.Context, id Identity, p Patch, old, hash string, from presence.Origin) (presence.Account, error) {
	now := s.now()
	var did outcome
	err := s.commit(ctx, "update profile", func(tx presence.Tx) error {
		a, err := tx.Account(id.User)
		if isKind(err, presence.NotFound) {
			return goneView.refusal()
		}
		if err != nil {
			return err
		}
		if err := viewOf(&a).refusal(); err != nil {
			return err
		}
		did = outcome{before: a, after: a}
		if err := p.apply(&did.after); err != nil {
			return err
		}
		at := stamp(s.now())
		did.after.UpdatedAt = at
		if hash != "" {
			if a.PasswordHash != old {
				return errMoved
			}
			did.after.PasswordHash, did.after.TokensAfter = hash, at
			if did.ended, err = tx.EndSessions(id.User, id.Session, presence.CauseForced, at); err != nil {
				return err
			}
			if err := tx.AppendActivity(activity(id.User, "password_change", "User changed the password", from, now)); err != nil {
				return err
			}
		}
		return tx.UpdateAccount(&did.after)
	}, func(ctx context.Context) {
		s.cache.changed(id.User)
		s.cache.end(id.User, did.ended...)
		s.tellAccount(id.User)
		for _, session := range did.ended {
			s.signal(ctx, presence.Signal{User: id.User, Session: session, Kind: presence.Forced, At: now, Actor: id.User})
		}
		s.tellEnded(id.User, did.ended...)
	})
	if err != nil {
		return presence.Account{}, err
	}
	return did.after, nil
}
