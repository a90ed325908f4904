package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/offchat/presence"
)

const sessionQuery = `SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent
	FROM sessions WHERE id = ?1`

func scanSession(row scanner) (presence.LoginSession, error) {
	var s presence.LoginSession
	err := row.Scan(&s.ID, &s.User, (*moment)(&s.CreatedAt), (*moment)(&s.ExpiresAt), (*moment)(&s.EndedAt),
		word[presence.Cause]{&s.EndCause, presence.ParseCause}, &s.Foreign, &s.IP, &s.UserAgent)
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("find session", "Session not found")
	}
	return s, err
}

// Session implements presence.SessionReader.
func (s *Store) Session(ctx context.Context, id presence.SessionID) (found presence.LoginSession, err error) {
	err = s.read.row(ctx, "find session", sessionQuery, []any{int64(id)}, func(row scanner) (err error) {
		found, err = scanSession(row)
		return err
	})
	return found, err
}

// Session implements presence.Tx.
func (t *tx) Session(id presence.SessionID) (found presence.LoginSession, err error) {
	missing := false
	err = t.row("find session", sessionQuery, []any{int64(id)}, func(row scanner) (err error) {
		found, err = scanSession(row)
		if missing = presence.KindOf(err) == presence.NotFound; missing {
			return sql.ErrNoRows // no failure of the act
		}
		return err
	})
	if missing {
		err = notFound("find session", "Session not found")
	}
	return found, err
}

// TokenRevoked implements presence.SessionReader.
func (s *Store) TokenRevoked(ctx context.Context, jti string) (revoked bool, err error) {
	err = s.read.row(ctx, "find revoked token", `SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?1)`, []any{jti},
		func(row scanner) error { return row.Scan(&revoked) })
	return revoked, err
}

// TokenRevoked implements presence.Tx.
func (t *tx) TokenRevoked(jti string) (revoked bool, err error) {
	err = t.row("find revoked token", `SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?1)`, []any{jti},
		func(row scanner) error { return row.Scan(&revoked) })
	return revoked, err
}

// LiveSessions implements presence.PresenceStore.
func (s *Store) LiveSessions(ctx context.Context, now time.Time) (map[presence.SessionID]presence.LiveSession, error) {
	live := map[presence.SessionID]presence.LiveSession{}
	err := s.read.each(ctx, "list live sessions",
		`SELECT id, user_id, created_at FROM sessions WHERE ended_at = 0 AND expires_at > ?1`,
		[]any{micros(now)}, func(row scanner) error {
			var (
				id      presence.SessionID
				one     presence.LiveSession
				created int64
			)
			err := row.Scan(&id, &one.User, &created)
			one.CreatedAt = fromMicros(created)
			live[id] = one
			return err
		})
	return live, err
}

// InsertSession implements presence.Tx.
func (t *tx) InsertSession(s presence.LoginSession) error {
	_, err := t.exec("insert session", `
		INSERT INTO sessions (id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
		int64(s.ID), int64(s.User), micros(s.CreatedAt), micros(s.ExpiresAt), micros(s.EndedAt), s.EndCause.String(),
		s.Foreign, s.IP, s.UserAgent)
	switch {
	case isMissingParent(err):
		return notFound("insert session", "User not found")
	case isConstraint(err):
		return conflict("insert session", "id", "There is a session with this id.")
	}
	return err
}

// ExtendSession implements presence.Tx. A session that has ended is NotFound: it cannot be renewed.
func (t *tx) ExtendSession(id presence.SessionID, expires time.Time) error {
	n, err := t.exec("extend session", `UPDATE sessions SET expires_at = max(expires_at, ?2) WHERE id = ?1 AND ended_at = 0`,
		int64(id), micros(expires))
	if err == nil && n == 0 {
		err = notFound("extend session", "Session not found")
	}
	return err
}

// EndSession implements presence.Tx.
func (t *tx) EndSession(id presence.SessionID, cause presence.Cause, at time.Time) error {
	n, err := t.exec("end session", `UPDATE sessions SET ended_at = ?2, end_cause = ?3 WHERE id = ?1 AND ended_at = 0`,
		int64(id), micros(at), cause.String())
	if err != nil || n > 0 {
		return err
	}
	_, err = t.Session(id) // ended before, or never there?
	return err
}

// EndSessions implements presence.Tx.
func (t *tx) EndSessions(user presence.UserID, except presence.SessionID, cause presence.Cause, at time.Time) (
	ended []presence.SessionID, err error,
) {
	err = t.each("end sessions", `
		UPDATE sessions SET ended_at = ?3, end_cause = ?4 WHERE user_id = ?1 AND id <> ?2 AND ended_at = 0 RETURNING id`,
		[]any{int64(user), int64(except), micros(at), cause.String()}, func(row scanner) error {
			var id presence.SessionID
			err := row.Scan(&id)
			ended = append(ended, id)
			return err
		})
	return ended, err
}

// RevokeToken implements presence.Tx. Revoking again moves the expiry, never back.
func (t *tx) RevokeToken(jti string, user presence.UserID, expires time.Time) error {
	_, err := t.exec("revoke token", `
		INSERT INTO revoked_tokens (jti, user_id, expires_at) VALUES (?1, ?2, ?3)
		ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
		jti, int64(user), micros(expires))
	return err
}
