package auth

import (
	"context"
	"slices"
	"time"

	"github.com/offchat/presence"
)

// Logout ends the caller's session, with or without its refresh token. A refresh token of another of the
// caller's own sessions ends that one too; anything else there is ignored. A caller with a token that was
// issued elsewhere is out with all such tokens, for they cannot be told apart; sessions of ours live on.
func (s *Service) Logout(ctx context.Context, id Identity, refresh string, from presence.Origin) error {
	now := s.now()
	also, hasAlso := s.ownRefresh(id, refresh, now)
	var ended []presence.SessionID
	var foreign bool
	return s.commit(ctx, "logout", func(tx presence.Tx) error {
		ended = nil
		candidates := []presence.SessionID{id.Session}
		if hasAlso {
			candidates = append(candidates, also.session)
			if also.foreign != "" {
				if err := tx.RevokeToken(also.foreign, id.User, time.Unix(also.exp, 0).UTC()); err != nil {
					return err
				}
			}
		}
		var others []presence.SessionID
		var err error
		if others, foreign, err = s.refuseForeign(tx, id); err != nil {
			return err
		}
		for _, session := range append(candidates, others...) {
			if slices.Contains(ended, session) {
				continue
			}
			err := endOne(tx, id.User, session, presence.CauseLogout, now)
			if isKind(err, presence.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			ended = append(ended, session)
		}
		return tx.AppendActivity(activity(id.User, "logout", "User logged out", from, now))
	}, func(ctx context.Context) {
		if foreign {
			s.cache.changed(id.User)
		}
		s.cache.end(id.User, ended...)
		for _, session := range ended {
			s.signal(ctx, presence.Signal{User: id.User, Session: session, Kind: presence.Logout, At: now})
		}
		s.tellEnded(id.User, ended...)
	})
}

// LogoutByRefresh is Logout for a caller who has nothing but a refresh token. Errors as of Refresh.
func (s *Service) LogoutByRefresh(ctx context.Context, refresh string, from presence.Origin) error {
	tokens, err := s.Refresh(ctx, refresh, from)
	if err != nil {
		return err
	}
	id, err := s.Authenticate(ctx, tokens.Access, s.now())
	if err != nil {
		return err
	}
	return s.Logout(ctx, id, refresh, from)
}

// ownRefresh reads the refresh token that came with a logout, if it is one of the caller's.
func (s *Service) ownRefresh(id Identity, refresh string, now time.Time) (claims, bool) {
	if refresh == "" {
		return claims{}, false
	}
	c, err := s.keys.read(refresh, now)
	if err != nil || c.kind != refreshToken || c.user != id.User {
		return claims{}, false
	}
	if c.session != 0 {
		c.foreign = ""
		return c, true
	}
	c.session = foreignSession(c.kind, c.foreign)
	return c, true
}

// refuseForeign refuses all foreign tokens of the caller up to now when the caller's own session stands for
// one, and reports whether it does. It returns those sessions that are known to be in use; the others are
// over by TokensAfter.
func (s *Service) refuseForeign(tx presence.Tx, id Identity) (known []presence.SessionID, foreign bool, err error) {
	row, err := tx.Session(id.Session)
	if isKind(err, presence.NotFound) || err == nil && !row.Foreign {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	a, err := tx.Account(id.User)
	if err != nil {
		return nil, false, err
	}
	a.TokensAfter = stamp(s.now()) // inside the act: later than any session that was opened before it
	return s.cache.foreignOf(id.User), true, tx.UpdateAccount(&a)
}

// endOne ends one session of the user. NotFound when there is none; ended ones stay as they ended.
func endOne(tx presence.Tx, user presence.UserID, session presence.SessionID, cause presence.Cause, now time.Time) error {
	row, err := tx.Session(session)
	if err != nil {
		return err
	}
	if row.User != user {
		return &presence.Error{Kind: presence.NotFound, Op: "end session", Tell: "Session not found"}
	}
	return tx.EndSession(session, cause, stamp(now))
}

// EndSession ends one session of a user, the actor's own or, for an admin, anybody's; NotFound when it is
// not theirs.
func (s *Service) EndSession(ctx context.Context, actor Identity, user presence.UserID, session presence.SessionID, from presence.Origin) error {
	now := s.now()
	own := !actor.system && actor.User == user
	foreign := false
	err := s.commit(ctx, "end session", func(tx presence.Tx) error {
		if !own {
			if err := mayAct(tx, actor, presence.ScopeLogout); err != nil {
				return err
			}
		}
		cause := presence.CauseForced
		if own {
			cause = presence.CauseLogout
		}
		if err := endOne(tx, user, session, cause, now); err != nil {
			return err
		}
		var err error
		if _, foreign, err = s.refuseForeign(tx, Identity{User: user, Session: session}); err != nil {
			return err
		}
		if own {
			return tx.AppendActivity(activity(user, "logout", "User logged out", from, now))
		}
		a, err := tx.Account(user)
		if err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: "end_session", Target: user, TargetName: a.Username, Origin: from, At: stamp(now),
		})
	}, func(ctx context.Context) {
		if foreign {
			s.cache.changed(user)
		}
		s.cache.end(user, session)
		sig := presence.Signal{User: user, Session: session, Kind: presence.Logout, At: now}
		if !own {
			sig.Kind, sig.Actor, sig.Sessions = presence.Forced, actor.User, []presence.SessionID{session}
		}
		s.signal(ctx, sig)
		s.tellEnded(user, session)
	})
	if isKind(err, presence.NotFound) {
		return &presence.Error{Kind: presence.NotFound, Op: "end session", Tell: "Session not found", Err: err}
	}
	return err
}

// EndOwnSessions ends the caller's sessions, all of them or all but the one they are calling with, and returns
// how many. Tokens that were issued elsewhere and not used yet go with all, and with all but a session of ours;
// a caller who came with such a token keeps them, for they cannot be told apart.
func (s *Service) EndOwnSessions(ctx context.Context, id Identity, keepCurrent bool, from presence.Origin) (int, error) {
	now := s.now()
	var ended []presence.SessionID
	err := s.commit(ctx, "end own sessions", func(tx presence.Tx) error {
		a, err := standing(tx, id.User, "end own sessions")
		if err != nil {
			return err
		}
		keep, foreign := presence.EverySession, false
		if keepCurrent {
			keep = id.Session
			current, err := tx.Session(id.Session)
			if err != nil {
				return err
			}
			foreign = current.Foreign
		}
		at := stamp(s.now())
		if ended, err = tx.EndSessions(id.User, keep, presence.CauseLogout, at); err != nil {
			return err
		}
		if !foreign {
			a.TokensAfter = at
			if err := tx.UpdateAccount(&a); err != nil {
				return err
			}
		}
		return tx.AppendActivity(activity(id.User, "logout", "User logged out everywhere", from, now))
	}, func(ctx context.Context) {
		s.cache.changed(id.User)
		s.cache.end(id.User, ended...)
		for _, session := range ended {
			s.signal(ctx, presence.Signal{User: id.User, Session: session, Kind: presence.Logout, At: now})
		}
		s.tellEnded(id.User, ended...)
	})
	return len(ended), err
}
