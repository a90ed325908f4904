package postgres

import (
	"context"

	"github.com/offchat/presence"
)

var _ presence.PersonStore = (*Store)(nil)

// SessionsOf implements presence.PersonStore.
func (s *Store) SessionsOf(ctx context.Context, user presence.UserID) (sessions []presence.LoginSession, err error) {
	err = s.each(ctx, "list all sessions", `
		SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent FROM sessions
		WHERE user_id = $1 ORDER BY created_at DESC, id`, []any{int64(user)}, func() { sessions = []presence.LoginSession{} },
		func(row scanner) error {
			sessions = append(sessions, presence.LoginSession{})
			return row.Scan(intoSession(&sessions[len(sessions)-1])...)
		})
	return sessions, err
}
