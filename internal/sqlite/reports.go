package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/offchat/presence"
)

var (
	_ presence.ReportStore = (*Store)(nil)
	_ presence.ReportTx    = (*tx)(nil)
)

// PrivateUsers implements presence.ReportStore.
func (s *Store) PrivateUsers(ctx context.Context) (map[presence.UserID]presence.Privacy, error) {
	private := map[presence.UserID]presence.Privacy{}
	err := s.read.each(ctx, "find private users", `
		SELECT id, hide_status, hide_last_seen FROM users WHERE hide_status = 1 OR hide_last_seen = 1`, nil,
		func(row scanner) error {
			var user presence.UserID
			var p presence.Privacy
			err := row.Scan(&user, &p.HideStatus, &p.HideLastSeen)
			private[user] = p
			return err
		})
	return private, err
}

// Sessions implements presence.ReportStore.
func (s *Store) Sessions(ctx context.Context, user presence.UserID, now time.Time, limit int) ([]presence.LoginSession, error) {
	sessions := []presence.LoginSession{}
	err := s.read.each(ctx, "list sessions", `
		SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent FROM sessions
		WHERE user_id = ?1 AND ended_at = 0 AND expires_at > ?2 ORDER BY created_at DESC, id LIMIT ?3`,
		[]any{int64(user), micros(now), all(limit)}, func(row scanner) error {
			one, err := scanSession(row)
			sessions = append(sessions, one)
			return err
		})
	return sessions, err
}

// AccountsAfter implements presence.ReportStore.
func (s *Store) AccountsAfter(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder, after *presence.Account,
	limit int,
) (ids []presence.UserID, err error) {
	ids = []presence.UserID{}
	err = s.read.together(ctx, "list accounts after", func(q *sql.Tx) error {
		l, err := plan(ctx, q, f, order)
		if err != nil || l.counted && l.total == 0 {
			return err
		}
		if after != nil {
			l.after(order, after)
		}
		ids, err = l.ids(ctx, q, 0, limit)
		return err
	})
	return ids, err
}

// after leaves only what comes after an account in the order.
func (l *list) after(order presence.AccountOrder, a *presence.Account) {
	condition, key := "", any(nil)
	switch order {
	case presence.OldestCreated:
		condition, key = "(u.created_at, u.id) > (?, ?)", micros(a.CreatedAt)
	case presence.UsernameUp:
		condition, key = "(u.username, u.id) > (?, ?)", a.Username
	case presence.UsernameDown:
		condition, key = "(u.username, u.id) < (?, ?)", a.Username
	case presence.EmailUp:
		condition, key = "(u.email, u.id) > (?, ?)", a.Email
	case presence.EmailDown:
		condition, key = "(u.email, u.id) < (?, ?)", a.Email
	case presence.IDUp:
		l.add("u.id > ?", int64(a.ID), true)
		return
	case presence.IDDown:
		l.add("u.id < ?", int64(a.ID), true)
		return
	default:
		condition, key = "(u.created_at, u.id) < (?, ?)", micros(a.CreatedAt)
	}
	l.where, l.args = append(l.where, condition), append(l.args, key, int64(a.ID))
}

// LastChanges implements presence.ReportStore.
func (s *Store) LastChanges(ctx context.Context, user presence.UserID, before time.Time, limit int) ([]presence.Change, error) {
	changes := []presence.Change{}
	err := s.read.each(ctx, "read last changes", `
		SELECT seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history
		WHERE user_id = ?1 AND at < ?2 ORDER BY at DESC, version DESC LIMIT ?3`,
		[]any{int64(user), micros(before), all(limit)}, func(row scanner) error {
			c, err := scanChange(row)
			changes = append(changes, c)
			return err
		})
	return changes, err
}

// AuditBefore implements presence.ReportStore.
func (s *Store) AuditBefore(ctx context.Context, f presence.AuditFilter, before int64, limit int) ([]presence.AuditEntry, error) {
	entries := []presence.AuditEntry{}
	err := s.read.each(ctx, "read audit", `
		SELECT id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at
		FROM audit WHERE (?1 = 0 OR id < ?1) AND (?2 = 0 OR actor_id = ?2) AND (?3 = 0 OR target_id = ?3)
			AND (?4 = '' OR action = ?4) ORDER BY id DESC LIMIT ?5`,
		[]any{before, int64(f.Actor), int64(f.Target), f.Action, all(limit)}, func(row scanner) error {
			e, err := scanAudit(row)
			entries = append(entries, e)
			return err
		})
	return entries, err
}

// RecordCounts implements presence.ReportStore.
func (s *Store) RecordCounts(ctx context.Context, m presence.Minute) error {
	return s.write.behind(ctx, func(t *tx) error {
		_, err := t.exec("record counts", `
			INSERT INTO concurrency (at, online, away, offline, peak_online, devices, connections)
			VALUES (?1, ?2, ?3, ?4, ?5, iif(?6, ?7, NULL), iif(?6, ?8, NULL))
			ON CONFLICT (at) DO UPDATE SET online = excluded.online, away = excluded.away, offline = excluded.offline,
				peak_online = max(peak_online, excluded.peak_online),
				devices = coalesce(excluded.devices, devices), connections = coalesce(excluded.connections, connections)`,
			micros(m.At.Truncate(time.Minute)), m.Online, m.Away, m.Offline, m.PeakOnline, m.Links.Known, m.Links.Devices, m.Links.Connections)
		return err
	})
}

// Concurrency implements presence.ReportStore.
func (s *Store) Concurrency(ctx context.Context, from, to time.Time, step time.Duration) ([]presence.Concurrency, error) {
	series := []presence.Concurrency{}
	err := s.read.each(ctx, "read concurrency", `
		SELECT at / ?3 * ?3, avg(online), avg(away), avg(offline), max(peak_online), count(*),
			coalesce(avg(devices), 0.0), coalesce(avg(connections), 0.0), count(devices) FROM concurrency
		WHERE at >= ?1 AND at < ?2 GROUP BY 1 ORDER BY 1`,
		[]any{micros(from), micros(to), step.Microseconds()}, func(row scanner) error {
			var c presence.Concurrency
			err := row.Scan((*moment)(&c.At), &c.Online, &c.Away, &c.Offline, &c.PeakOnline, &c.Minutes, &c.Devices, &c.Connections, &c.Linked)
			series = append(series, c)
			return err
		})
	return series, err
}

// Transitions implements presence.ReportStore.
func (s *Store) Transitions(ctx context.Context, from, to time.Time, step time.Duration) ([]presence.Transitions, error) {
	series := []presence.Transitions{}
	err := s.read.each(ctx, "count transitions", `
		SELECT at / ?3 * ?3, cause, count(*) FROM history WHERE at >= ?1 AND at < ?2 GROUP BY 1, 2 ORDER BY 1, 2`,
		[]any{micros(from), micros(to), step.Microseconds()}, func(row scanner) error {
			var c presence.Transitions
			err := row.Scan((*moment)(&c.At), word[presence.Cause]{&c.Cause, presence.ParseCause}, &c.N)
			series = append(series, c)
			return err
		})
	return series, err
}
