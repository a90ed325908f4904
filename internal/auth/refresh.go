package auth

import (
	"context"
	"errors"
	"time"

	"github.com/offchat/presence"
)

// extendStep is how much longer a session must live by a refresh for that to be written down: a page that
// refreshes often costs no disk.
const extendStep = time.Minute

// Refresh gives a new pair for a refresh token; the session's refresh tokens stay good until it ends, and it
// ends a refresh lifetime after its last refresh. It counts as activity. Errors: Unauthenticated, with
// CodeTokenInvalid, CodeUserNotFound or CodeUserInactive.
func (s *Service) Refresh(ctx context.Context, refresh string, from presence.Origin) (Tokens, error) {
	now := s.now()
	c, err := s.keys.read(refresh, now)
	if err != nil {
		return Tokens{}, err
	}
	if c.kind != refreshToken {
		return Tokens{}, wrongType()
	}
	if c.session == 0 {
		if c.session, err = s.admitForeign(ctx, c, now); err != nil {
			return Tokens{}, closedIsInvalid(err)
		}
	}
	one, _, err := s.live(ctx, c.user, c.session, now)
	if err != nil {
		return Tokens{}, closedIsInvalid(err)
	}
	ends := stamp(now.Add(s.refresh))
	if known := time.UnixMicro(one.expires.Load()); ends.Sub(known) >= extendStep {
		err = s.extend(ctx, c, ends, now)
	} else {
		ends = known
	}
	if err != nil {
		return Tokens{}, closedIsInvalid(err)
	}
	s.signal(context.WithoutCancel(ctx), presence.Signal{User: c.user, Session: c.session, Kind: presence.Activity, At: now})
	// Once more: what ended it meanwhile has ended the new pair too, and must not be answered with one.
	if one, _, err = s.live(ctx, c.user, c.session, now); err != nil {
		return Tokens{}, closedIsInvalid(err)
	}
	tokens, err := s.issue(c.user, c.session, now, ends)
	if err == nil {
		one.renewed.Store(min(now.Add(s.access).Unix(), ends.Unix()))
	}
	return tokens, err
}

// RefreshLifetime is how long a session lives after its last refresh.
func (s *Service) RefreshLifetime() time.Duration { return s.refresh }

// AccessUntil is until when the caller has access without asking again: when its token ends, or a newer one
// that its session was given since. It is for sockets, which outlive the token they were opened with.
func (s *Service) AccessUntil(id Identity) time.Time {
	one, _ := s.cache.get(id.User, id.Session, s.now())
	if one == nil {
		return id.Expires
	}
	if renewed := time.Unix(one.renewed.Load(), 0).UTC(); renewed.After(id.Expires) {
		return renewed
	}
	return id.Expires
}

// extend lets the session live on, durably, unless it ended meanwhile.
func (s *Service) extend(ctx context.Context, c claims, ends, now time.Time) error {
	return s.commit(ctx, "refresh", func(tx presence.Tx) error {
		row, err := tx.Session(c.session)
		if isKind(err, presence.NotFound) || err == nil && (row.User != c.user || row.Ended(now)) {
			return tokenInvalid()
		}
		if err != nil {
			return err
		}
		a, err := tx.Account(c.user)
		if isKind(err, presence.NotFound) {
			return goneView.refusal()
		}
		if err != nil {
			return err
		}
		if err := viewOf(&a).refusal(); err != nil {
			return err
		}
		return tx.ExtendSession(c.session, ends)
	}, func(context.Context) { s.cache.extend(c.user, c.session, ends) })
}

// Verify checks a token of either type. Errors as of Refresh.
func (s *Service) Verify(ctx context.Context, token string) error {
	now := s.now()
	c, err := s.keys.read(token, now)
	if err != nil {
		return err
	}
	if c.session == 0 {
		return closedIsInvalid(s.verifyForeign(ctx, c, now))
	}
	_, _, err = s.live(ctx, c.user, c.session, now)
	return closedIsInvalid(err)
}

// closedIsInvalid: where a token is the only thing asked about, a pending, suspended or banned account makes
// it a token that does not work.
func closedIsInvalid(err error) error {
	known := (*presence.Error)(nil)
	if errors.As(err, &known) && known.Kind == presence.Forbidden {
		return tokenInvalid()
	}
	return err
}
