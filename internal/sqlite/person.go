package sqlite

import (
	"context"

	"github.com/offchat/presence"
)

var _ presence.PersonStore = (*Store)(nil)

// SessionsOf implements presence.PersonStore.
func (s *Store) SessionsOf(ctx context.Context, user presence.UserID) ([]presence.LoginSession, error) {
	sessions := []presence.LoginSession{}
	err := s.read.each(ctx, "list all sessions", `
		SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent FROM sessions
		WHERE user_id = ?1 ORDER BY created_at DESC, id`, []any{int64(user)}, func(row scanner) error {
		one, err := scanSession(row)
		sessions = append(sessions, one)
		return err
	})
	return sessions, err
}
