package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

// Authenticate checks an access token at the moment now. The usual case allocates nothing and touches no
// disk. The errors are Unauthenticated with one of the codes above; CodeAccountInactive is Forbidden, with
// the account's status as its Field.
func (s *Service) Authenticate(ctx context.Context, token string, now time.Time) (Identity, error) {
	id, err := s.authenticate(ctx, token, now)
	if err != nil {
		s.count.TokensRefused.Add(1)
	}
	return id, err
}

func (s *Service) authenticate(ctx context.Context, token string, now time.Time) (Identity, error) {
	if token == "" {
		return Identity{}, &presence.Error{
			Kind: presence.Unauthenticated, Op: "check token", Code: CodeMissing,
			Tell: "Authentication credentials were not provided.",
		}
	}
	c, err := s.keys.read(token, now)
	if err != nil && len(s.issuers.list) > 0 && len(token) <= MaxToken {
		return s.authenticateIssued(ctx, token, now)
	}
	if err != nil {
		return Identity{}, err
	}
	if c.kind != accessToken {
		return Identity{}, wrongType()
	}
	if c.session == 0 {
		if c.session, err = s.admitForeign(ctx, c, now); err != nil {
			return Identity{}, err
		}
	}
	_, v, err := s.live(ctx, c.user, c.session, now)
	if err != nil {
		return Identity{}, err
	}
	return Identity{User: c.user, Session: c.session, Expires: time.Unix(c.exp, 0).UTC(), account: v}, nil
}

// live finds a session whose tokens work, or says why they do not: the account's reason before the session's.
func (s *Service) live(ctx context.Context, user presence.UserID, id presence.SessionID, now time.Time) (*session, *view, error) {
	one, v, err := s.find(ctx, user, id, now)
	if err != nil {
		return nil, nil, err
	}
	if err := v.refusal(); err != nil {
		return nil, v, err
	}
	if one == nil || one.over(v, now) {
		return nil, v, tokenInvalid()
	}
	return one, v, nil
}

// findRounds bounds how often find starts anew because what it read was thrown away meanwhile.
const findRounds = 32

// find returns a session, nil when there is none of that user, and its account. A session always comes from
// memory, never straight from a read that others share and that may have begun before this call: so what
// was ended before the call is seen as ended.
func (s *Service) find(ctx context.Context, user presence.UserID, id presence.SessionID, now time.Time) (*session, *view, error) {
	for range findRounds {
		if one, v := s.cache.get(user, id, now); one != nil && v != nil {
			return one, v, nil
		}
		v, kept, err := s.load(ctx, user, id, now)
		if err != nil {
			return nil, nil, err
		}
		if !kept {
			return nil, v, nil
		}
	}
	return nil, nil, unavailable("find session", errors.New("it changes faster than it can be read"))
}

// loadTimeout bounds a read of the store that several callers wait for.
const loadTimeout = 5 * time.Second

type loaded struct {
	view *view
	kept bool
}

// load reads a session and its account from the store into memory. Callers that want the same one wait for
// one read. kept is false when there is no such session of that user.
func (s *Service) load(ctx context.Context, user presence.UserID, id presence.SessionID, now time.Time) (*view, bool, error) {
	key := strconv.FormatInt(int64(user), 10) + " " + id.String()
	done := s.loads.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return s.readSession(ctx, user, id, now)
	})
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, false, presence.E(presence.Internal, "find session", result.Err)
		}
		got := result.Val.(loaded)
		return got.view, got.kept, nil
	case <-ctx.Done():
		return nil, false, unavailable("find session", ctx.Err())
	}
}

func (s *Service) readSession(ctx context.Context, user presence.UserID, id presence.SessionID, now time.Time) (loaded, error) {
	for range findRounds {
		s.count.SessionLoads.Add(1)
		generation := s.cache.generation(user)
		v, err := s.readAccount(ctx, user)
		if err != nil {
			return loaded{}, err
		}
		row, err := s.store.Session(ctx, id)
		if isKind(err, presence.NotFound) || err == nil && row.User != user {
			return loaded{view: v}, nil
		}
		if err != nil {
			return loaded{}, err
		}
		if s.cache.keep(generation, v, &row, now) {
			return loaded{view: v, kept: true}, nil
		}
	}
	return loaded{}, unavailable("find session", errors.New("it changes faster than it can be read"))
}

func (s *Service) readAccount(ctx context.Context, user presence.UserID) (*view, error) {
	a, err := s.store.Account(ctx, user)
	if isKind(err, presence.NotFound) {
		return goneView, nil
	}
	if err != nil {
		return nil, err
	}
	return viewOf(&a), nil
}

// newSession makes the row of a session that begins now.
func (s *Service) newSession(user presence.UserID, from presence.Origin, now time.Time) (presence.LoginSession, error) {
	row := presence.LoginSession{
		User: user, CreatedAt: stamp(now), ExpiresAt: stamp(now.Add(s.refresh)), IP: from.IP, UserAgent: from.UserAgent,
	}
	for !row.ID.Drawable() {
		var b [8]byte
		if err := s.random(b[:]); err != nil {
			return row, err
		}
		row.ID = presence.SessionID(binary.BigEndian.Uint64(b[:]) >> 1)
	}
	return row, nil
}

func (s *Service) random(b []byte) error {
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return &presence.Error{Kind: presence.Internal, Op: "draw " + strconv.Itoa(len(b)) + " random bytes", Err: err}
	}
	return nil
}
