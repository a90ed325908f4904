package auth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/offchat/presence"
)

// MaxDevice bounds what a backend calls a device of a user, in bytes.
const MaxDevice = 200

// maxRounds bounds how many sessions of one device may have been ended while their rows are still there.
const maxRounds = 100

// OnBehalf lets a user in on the word of a backend (scope tickets): it returns an access token of the session that the
// user has on that device, which it opens where there is none. A session that was ended is not opened again; another
// one takes its place. Errors: Forbidden CodeScope; NotFound; Conflict CodeAccountInactive; Invalid with Field device.
//
// The token is the user's own and is not for the backend to have: hand out what stands for it.
func (s *Service) OnBehalf(ctx context.Context, actor Identity, user presence.UserID, device string, from presence.Origin) (string, error) {
	const op = "let in on behalf"
	switch {
	case !actor.Has(presence.ScopeTickets):
		return "", &presence.Error{Kind: presence.Forbidden, Op: op, Code: CodeScope, Tell: "This needs an API token with the scope tickets."}
	case len(device) > MaxDevice:
		return "", invalid("device", CodeTooLong, "device has at most 200 bytes")
	}
	now := s.now()
	from.UserAgent = actor.Username()
	if device != "" {
		from.UserAgent += ": " + device
	}
	row, err := s.newSession(user, from, now)
	if err != nil {
		return "", err
	}
	err = s.commit(ctx, op, func(tx presence.Tx) error {
		if err := backendMay(tx, actor, presence.ScopeTickets); err != nil {
			return err
		}
		a, err := standing(tx, user, op)
		if err != nil {
			return err
		}
		if !a.MaySignIn() {
			return &presence.Error{Kind: presence.Conflict, Op: op, Code: CodeAccountInactive, Tell: "Account is not active"}
		}
		for round := range maxRounds {
			id := deviceSession(user, device, round)
			known, err := tx.Session(id)
			switch {
			case isKind(err, presence.NotFound):
				row.ID = id
				return tx.InsertSession(row)
			case err != nil:
				return err
			case known.User != user || known.Ended(now):
				continue
			}
			row.ID = id
			if row.ExpiresAt.Sub(known.ExpiresAt) > s.refresh/10 { // not at every ticket
				return tx.ExtendSession(id, row.ExpiresAt)
			}
			row.ExpiresAt = known.ExpiresAt
			return nil
		}
		return &presence.Error{
			Kind: presence.Throttled, Op: op, Tell: "This device was logged out too often; call it something else", RetryAfter: time.Hour,
		}
	}, func(context.Context) { s.cache.extend(user, row.ID, row.ExpiresAt) })
	if err != nil {
		return "", err
	}
	tokens, err := s.issue(user, row.ID, now, row.ExpiresAt)
	return tokens.Access, err
}

// deviceSession names the session of a device that backends let in; each time it is ended the next round begins.
func deviceSession(user presence.UserID, device string, round int) presence.SessionID {
	text := binary.BigEndian.AppendUint64([]byte("device "), uint64(user))
	text = binary.BigEndian.AppendUint32(text, uint32(round))
	sum := sha256.Sum256(append(text, device...))
	id := presence.SessionID(binary.BigEndian.Uint64(sum[:8]) >> 1)
	for i := 8; !id.Drawable(); i += 8 { // one in 2^55 is reserved
		id = presence.SessionID(binary.BigEndian.Uint64(sum[i:i+8]) >> 1)
	}
	return id
}
