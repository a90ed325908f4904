package auth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/offchat/presence"
)

// A foreign token is one without a session of ours: SimpleJWT issued it with the same key. At its first use
// it gets a session, named after its jti, so that it can be listed, ended and found again like any other.
// Which foreign tokens came from one login cannot be told, so they end together: Account.TokensAfter refuses
// every foreign token issued before it and every foreign session opened before it.

// foreignSession names the session of a foreign token: the first 63 bits of a hash of its type and jti.
func foreignSession(kind tokenType, jti string) presence.SessionID {
	sum := sha256.Sum256([]byte("foreign " + kind.String() + " " + jti))
	id := presence.SessionID(binary.BigEndian.Uint64(sum[:8]) >> 1)
	for i := 8; !id.Drawable(); i += 8 { // one in 2^55 is reserved
		id = presence.SessionID(binary.BigEndian.Uint64(sum[i:i+8]) >> 1)
	}
	return id
}

// admitForeign returns the session of a foreign token and makes sure, durably, that there is one.
func (s *Service) admitForeign(ctx context.Context, c claims, now time.Time) (presence.SessionID, error) {
	id := foreignSession(c.kind, c.foreign)
	if one, _, err := s.find(ctx, c.user, id, now); err != nil || one != nil {
		return id, err
	}
	row := presence.LoginSession{
		ID: id, User: c.user, CreatedAt: stamp(now), ExpiresAt: time.Unix(c.exp, 0).UTC(), Foreign: true,
	}
	err := s.commit(ctx, "admit foreign token", func(tx presence.Tx) error {
		known, err := tx.Session(id)
		if err == nil && known.User == c.user {
			return nil // judged like every session
		}
		if !isKind(err, presence.NotFound) {
			return firstError(err, tokenInvalid()) // or a jti that two users share: not a token SimpleJWT made
		}
		a, err := tx.Account(c.user)
		if isKind(err, presence.NotFound) {
			return goneView.refusal()
		}
		if err != nil {
			return err
		}
		if err := foreignRefusal(&a, c, func() (bool, error) { return tx.TokenRevoked(c.foreign) }); err != nil {
			return err
		}
		return tx.InsertSession(row)
	}, nil)
	return id, err
}

// foreignRefusal is why a foreign token may not begin a session, nil when it may.
func foreignRefusal(a *presence.Account, c claims, revoked func() (bool, error)) error {
	if err := viewOf(a).refusal(); err != nil {
		return err
	}
	if c.iat < 0 || time.Unix(c.iat, 0).Before(a.TokensAfter) {
		return tokenInvalid()
	}
	gone, err := revoked()
	if err != nil {
		return err
	}
	if gone {
		return tokenInvalid()
	}
	return nil
}

// verifyForeign judges a foreign token without beginning a session for it.
func (s *Service) verifyForeign(ctx context.Context, c claims, now time.Time) error {
	id := foreignSession(c.kind, c.foreign)
	one, v, err := s.find(ctx, c.user, id, now)
	if err != nil {
		return err
	}
	if one != nil {
		_, _, err := s.live(ctx, c.user, id, now)
		return err
	}
	if err := v.refusal(); err != nil {
		return err
	}
	a, err := s.store.Account(ctx, c.user)
	if isKind(err, presence.NotFound) {
		return goneView.refusal()
	}
	if err != nil {
		return presence.E(presence.Internal, "verify foreign token", err)
	}
	err = foreignRefusal(&a, c, func() (bool, error) { return s.store.TokenRevoked(ctx, c.foreign) })
	return presence.E(presence.Internal, "verify foreign token", err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
