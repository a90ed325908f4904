package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

const sessionQuery = `SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent
	FROM sessions WHERE id = $1`

func intoSession(s *presence.LoginSession) []any {
	return []any{
		(*int64)(&s.ID), (*int64)(&s.User), (*moment)(&s.CreatedAt), (*moment)(&s.ExpiresAt), (*moment)(&s.EndedAt),
		word[presence.Cause]{&s.EndCause, presence.ParseCause},
		&s.Foreign, &s.IP, &s.UserAgent,
	}
}

// Session implements presence.SessionReader.
func (s *Store) Session(ctx context.Context, id presence.SessionID) (found presence.LoginSession, err error) {
	err = s.row(ctx, "find session", sessionQuery, []any{int64(id)}, intoSession(&found)...)
	return found, missing("find session", "Session not found", err)
}

// lockOwner locks the account of a session. Whoever ends all of somebody's sessions has the account locked too,
// and only then their sessions: in the same order, so that nobody waits in a circle.
const lockOwner = `SELECT 1 FROM users WHERE id = (SELECT user_id FROM sessions WHERE id = $1) FOR NO KEY UPDATE`

// Session implements presence.Tx.
func (t *tx) Session(id presence.SessionID) (found presence.LoginSession, err error) {
	err = t.locked("find session", lockOwner, []any{int64(id)}, sessionQuery+` FOR NO KEY UPDATE`, []any{int64(id)},
		intoSession(&found)...)
	return found, missing("find session", "Session not found", err)
}

// TokenRevoked implements presence.SessionReader.
func (s *Store) TokenRevoked(ctx context.Context, jti string) (revoked bool, err error) {
	err = s.row(ctx, "find revoked token", `SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1)`,
		[]any{kept(jti)}, &revoked)
	return revoked, err
}

// lockToken keeps a token as revoked, or not, as it is until the act is over.
const lockToken = `SELECT pg_advisory_xact_lock($1::int, hashtext($2::text))`

// TokenRevoked implements presence.Tx.
func (t *tx) TokenRevoked(jti string) (revoked bool, err error) {
	err = t.locked("find revoked token", lockToken, []any{tokenLock, kept(jti)},
		`SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1)`, []any{kept(jti)}, &revoked)
	return revoked, err
}

// LiveSessions implements presence.PresenceStore.
func (s *Store) LiveSessions(ctx context.Context, now time.Time) (live map[presence.SessionID]presence.LiveSession, err error) {
	err = s.each(ctx, "list live sessions", `SELECT id, user_id, created_at FROM sessions WHERE ended_at = 0 AND expires_at > $1`,
		[]any{micros(now)}, func() { live = map[presence.SessionID]presence.LiveSession{} },
		func(row scanner) error {
			var id, user, created int64
			err := row.Scan(&id, &user, &created)
			live[presence.SessionID(id)] = presence.LiveSession{User: presence.UserID(user), CreatedAt: fromMicros(created)}
			return err
		})
	return live, err
}

// InsertSession implements presence.Tx.
func (t *tx) InsertSession(s presence.LoginSession) error {
	const op = "insert session"
	n, err := t.exec(op, `
		INSERT INTO sessions (id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent)
		SELECT $1::bigint, id, $3::bigint, $4::bigint, $5::bigint, $6, $7::boolean, $8, $9 FROM users WHERE id = $2
		ON CONFLICT DO NOTHING`,
		int64(s.ID), int64(s.User), micros(s.CreatedAt), micros(s.ExpiresAt), micros(s.EndedAt), s.EndCause.String(),
		s.Foreign, kept(s.IP), kept(s.UserAgent))
	if err != nil || n == 1 {
		return err
	}
	if err := t.exists(op, s.User); err != nil {
		return err
	}
	return conflict(op, "id", "There is a session with this id.")
}

// ExtendSession implements presence.Tx. A session that has ended is NotFound: it cannot be renewed.
func (t *tx) ExtendSession(id presence.SessionID, expires time.Time) error {
	found, err := t.Session(id)
	if err == nil && !found.EndedAt.IsZero() {
		err = notFound("extend session", "Session not found")
	}
	if err != nil {
		return err
	}
	_, err = t.exec("extend session", `UPDATE sessions SET expires_at = greatest(expires_at, $2) WHERE id = $1`,
		int64(id), micros(expires))
	return err
}

// EndSession implements presence.Tx.
func (t *tx) EndSession(id presence.SessionID, cause presence.Cause, at time.Time) error {
	found, err := t.Session(id)
	if err != nil || !found.EndedAt.IsZero() {
		return err
	}
	_, err = t.exec("end session", `UPDATE sessions SET ended_at = $2, end_cause = $3 WHERE id = $1`,
		int64(id), micros(at), cause.String())
	return err
}

// EndSessions implements presence.Tx.
func (t *tx) EndSessions(user presence.UserID, except presence.SessionID, cause presence.Cause, at time.Time) (
	ended []presence.SessionID, err error,
) {
	const op = "end sessions"
	var locked int
	if err := t.row(op, lockAccount, []any{int64(user)}, &locked); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil // nobody has no sessions
		}
		return nil, err
	}
	err = t.each(op, `
		UPDATE sessions SET ended_at = $3, end_cause = $4 WHERE user_id = $1 AND id <> $2 AND ended_at = 0 RETURNING id`,
		[]any{int64(user), int64(except), micros(at), cause.String()}, func(row scanner) error {
			var id int64
			err := row.Scan(&id)
			ended = append(ended, presence.SessionID(id))
			return err
		})
	return ended, err
}

// RevokeToken implements presence.Tx. Revoking again moves the expiry, never back.
func (t *tx) RevokeToken(jti string, user presence.UserID, expires time.Time) error {
	var n int
	return t.locked("revoke token", lockToken, []any{tokenLock, kept(jti)}, `
		INSERT INTO revoked_tokens AS r (jti, user_id, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (jti) DO UPDATE SET expires_at = greatest(r.expires_at, excluded.expires_at) RETURNING 1`,
		[]any{kept(jti), int64(user), micros(expires)}, &n)
}
