package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

var (
	_ presence.ReportStore = (*Store)(nil)
	_ presence.ReportTx    = (*tx)(nil)
)

// PrivateUsers implements presence.ReportStore.
func (s *Store) PrivateUsers(ctx context.Context) (private map[presence.UserID]presence.Privacy, err error) {
	err = s.each(ctx, "find private users", `
		SELECT id, hide_status, hide_last_seen FROM users WHERE hide_status OR hide_last_seen`, nil,
		func() { private = map[presence.UserID]presence.Privacy{} },
		func(row scanner) error {
			var user int64
			var p presence.Privacy
			err := row.Scan(&user, &p.HideStatus, &p.HideLastSeen)
			private[presence.UserID(user)] = p
			return err
		})
	return private, err
}

// Sessions implements presence.ReportStore.
func (s *Store) Sessions(ctx context.Context, user presence.UserID, now time.Time, limit int) (sessions []presence.LoginSession, err error) {
	err = s.each(ctx, "list sessions", `
		SELECT id, user_id, created_at, expires_at, ended_at, end_cause, is_foreign, ip_address, user_agent FROM sessions
		WHERE user_id = $1 AND ended_at = 0 AND expires_at > $2 ORDER BY created_at DESC, id LIMIT $3`,
		[]any{int64(user), micros(now), all(limit)}, func() { sessions = []presence.LoginSession{} },
		func(row scanner) error {
			sessions = append(sessions, presence.LoginSession{})
			return row.Scan(intoSession(&sessions[len(sessions)-1])...)
		})
	return sessions, err
}

// AccountsAfter implements presence.ReportStore.
func (s *Store) AccountsAfter(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder, after *presence.Account,
	limit int,
) (ids []presence.UserID, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault("list accounts after", err)
	}
	l, possible := plan(f, order)
	if !possible {
		return []presence.UserID{}, nil
	}
	if after != nil {
		l.after(order, after)
	}
	err = s.each(ctx, "list accounts after", l.text(0, limit), l.args, func() { ids = []presence.UserID{} },
		func(row scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, presence.UserID(id))
			return err
		})
	return ids, err
}

// after leaves only what comes after an account in the order. No two that are listed share a name or an address.
func (l *list) after(order presence.AccountOrder, a *presence.Account) {
	switch order {
	case presence.OldestCreated:
		l.where = append(l.where, "(u.created_at, u.id) > ("+l.arg(micros(a.CreatedAt))+", "+l.arg(int64(a.ID))+")")
	case presence.UsernameUp:
		l.add("u.username > ", kept(a.Username))
	case presence.UsernameDown:
		l.add("u.username < ", kept(a.Username))
	case presence.EmailUp:
		l.add("u.email > ", kept(a.Email))
	case presence.EmailDown:
		l.add("u.email < ", kept(a.Email))
	case presence.IDUp:
		l.add("u.id > ", int64(a.ID))
	case presence.IDDown:
		l.add("u.id < ", int64(a.ID))
	default:
		l.where = append(l.where, "(u.created_at, u.id) < ("+l.arg(micros(a.CreatedAt))+", "+l.arg(int64(a.ID))+")")
	}
}

// LastChanges implements presence.ReportStore.
func (s *Store) LastChanges(ctx context.Context, user presence.UserID, before time.Time, limit int) (changes []presence.Change, err error) {
	err = s.each(ctx, "read last changes", `
		SELECT seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history
		WHERE user_id = $1 AND at < $2 ORDER BY at DESC, version DESC LIMIT $3`,
		[]any{int64(user), micros(before), all(limit)}, func() { changes = []presence.Change{} },
		func(row scanner) error {
			changes = append(changes, presence.Change{})
			return row.Scan(intoChange(&changes[len(changes)-1])...)
		})
	return changes, err
}

// AuditBefore implements presence.ReportStore.
func (s *Store) AuditBefore(ctx context.Context, f presence.AuditFilter, before int64, limit int) (entries []presence.AuditEntry, err error) {
	err = s.each(ctx, "read audit", `
		SELECT id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at
		FROM audit WHERE ($1::bigint = 0 OR id < $1) AND ($2::bigint = 0 OR actor_id = $2) AND ($3::bigint = 0 OR target_id = $3)
			AND ($4::text = '' OR action = $4) ORDER BY id DESC LIMIT $5`,
		[]any{before, int64(f.Actor), int64(f.Target), kept(f.Action), all(limit)},
		func() { entries = []presence.AuditEntry{} },
		func(row scanner) error {
			entries = append(entries, presence.AuditEntry{})
			return row.Scan(intoAudit(&entries[len(entries)-1])...)
		})
	return entries, err
}

// RecordCounts implements presence.ReportStore. Every node may report on the same minute: they see the same people.
func (s *Store) RecordCounts(ctx context.Context, m presence.Minute) error {
	return s.write(ctx, "record counts", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			INSERT INTO concurrency AS known (at, online, away, offline, peak_online, devices, connections)
			VALUES ($1, $2, $3, $4, $5, CASE WHEN $6::boolean THEN $7::bigint END, CASE WHEN $6::boolean THEN $8::bigint END)
			ON CONFLICT (at) DO UPDATE SET online = excluded.online, away = excluded.away, offline = excluded.offline,
				peak_online = greatest(known.peak_online, excluded.peak_online),
				devices = coalesce(excluded.devices, known.devices), connections = coalesce(excluded.connections, known.connections)`,
			micros(m.At.Truncate(time.Minute)), m.Online, m.Away, m.Offline, m.PeakOnline, m.Links.Known, m.Links.Devices, m.Links.Connections)
		return err
	})
}

// Concurrency implements presence.ReportStore.
func (s *Store) Concurrency(ctx context.Context, from, to time.Time, step time.Duration) (series []presence.Concurrency, err error) {
	err = s.each(ctx, "read concurrency", `
		SELECT at / $3::bigint * $3::bigint AS step, avg(online)::float8, avg(away)::float8, avg(offline)::float8, max(peak_online), count(*),
			coalesce(avg(devices), 0)::float8, coalesce(avg(connections), 0)::float8, count(devices)
		FROM concurrency WHERE at >= $1 AND at < $2 GROUP BY step ORDER BY step`,
		[]any{micros(from), micros(to), step.Microseconds()}, func() { series = []presence.Concurrency{} },
		func(row scanner) error {
			var c presence.Concurrency
			err := row.Scan((*moment)(&c.At), &c.Online, &c.Away, &c.Offline, &c.PeakOnline, &c.Minutes, &c.Devices, &c.Connections, &c.Linked)
			series = append(series, c)
			return err
		})
	return series, err
}

// Transitions implements presence.ReportStore.
func (s *Store) Transitions(ctx context.Context, from, to time.Time, step time.Duration) (series []presence.Transitions, err error) {
	err = s.each(ctx, "count transitions", `
		SELECT at / $3::bigint * $3::bigint AS step, cause, count(*) FROM history WHERE at >= $1 AND at < $2
		GROUP BY step, cause ORDER BY step, cause`,
		[]any{micros(from), micros(to), step.Microseconds()}, func() { series = []presence.Transitions{} },
		func(row scanner) error {
			var c presence.Transitions
			err := row.Scan((*moment)(&c.At), word[presence.Cause]{&c.Cause, presence.ParseCause}, &c.N)
			series = append(series, c)
			return err
		})
	return series, err
}
