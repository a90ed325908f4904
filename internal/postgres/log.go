package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// day is a day in the unit of the time columns.
const day = int64(24 * time.Hour / time.Microsecond)

// Activity implements presence.LogReader.
func (s *Store) Activity(ctx context.Context, user presence.UserID, offset, limit int) (
	entries []presence.ActivityEntry, total int, err error,
) {
	whose := `WHERE user_id = $1`
	if user == presence.Everybody {
		whose = `WHERE $1::bigint = 0` // the parameter has to stand somewhere
	}
	err = s.together(ctx, "read activity", func(ctx context.Context, q pgx.Tx) error {
		entries = []presence.ActivityEntry{}
		err := q.QueryRow(ctx, `SELECT count(*) FROM activities `+whose, int64(user)).Scan(&total)
		if err != nil || total == 0 {
			return err
		}
		return eachRow(ctx, q, `
			SELECT id, user_id, action, description, ip_address, user_agent, at FROM activities
			`+whose+` ORDER BY at DESC, id DESC LIMIT $2 OFFSET $3`, []any{int64(user), all(limit), max(offset, 0)},
			func(row scanner) error {
				var e presence.ActivityEntry
				err := row.Scan(&e.ID, (*int64)(&e.User), &e.Action, &e.Description, &e.IP, &e.UserAgent, (*moment)(&e.At))
				entries = append(entries, e)
				return err
			})
	})
	return entries, total, err
}

// ActivityDays implements presence.LogReader. The keys are midnights in UTC.
func (s *Store) ActivityDays(ctx context.Context, user presence.UserID, from, to time.Time) (days map[time.Time]int, err error) {
	err = s.each(ctx, "count activity", `
		SELECT at / $4::bigint, count(*) FROM activities WHERE user_id = $1 AND at >= $2 AND at < $3 GROUP BY 1`,
		[]any{int64(user), micros(from), micros(to), day}, func() { days = map[time.Time]int{} },
		func(row scanner) error {
			var number, n int64
			err := row.Scan(&number, &n)
			days[time.UnixMicro(number*day).UTC()] = int(n)
			return err
		})
	return days, err
}

// Audit implements presence.LogReader.
func (s *Store) Audit(ctx context.Context, offset, limit int) (entries []presence.AuditEntry, total int, err error) {
	err = s.together(ctx, "read audit", func(ctx context.Context, q pgx.Tx) error {
		entries = []presence.AuditEntry{}
		if err := q.QueryRow(ctx, `SELECT count(*) FROM audit`).Scan(&total); err != nil || total == 0 {
			return err
		}
		return eachRow(ctx, q, `
			SELECT id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at
			FROM audit ORDER BY at DESC, id DESC LIMIT $1 OFFSET $2`, []any{all(limit), max(offset, 0)},
			func(row scanner) error {
				var e presence.AuditEntry
				err := row.Scan(intoAudit(&e)...)
				entries = append(entries, e)
				return err
			})
	})
	return entries, total, err
}

func intoAudit(e *presence.AuditEntry) []any {
	return []any{
		&e.ID, (*int64)(&e.Actor), &e.Action, (*int64)(&e.Target), &e.TargetName, &e.Before, &e.After,
		&e.Reason, &e.IP, &e.UserAgent, &e.RequestID, (*moment)(&e.At),
	}
}

// all is LIMIT's word for a limit of 0.
func all(limit int) *int64 {
	if limit <= 0 {
		return nil
	}
	n := int64(limit)
	return &n
}

// History implements presence.LogReader.
func (s *Store) History(ctx context.Context, user presence.UserID, from, to time.Time, limit int) (
	changes []presence.Change, err error,
) {
	err = s.each(ctx, "read history", `
		SELECT seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history
		WHERE user_id = $1 AND at >= $2 AND at < $3 ORDER BY at, version LIMIT $4`,
		[]any{int64(user), micros(from), micros(to), all(limit)}, func() { changes = []presence.Change{} },
		func(row scanner) error {
			var c presence.Change
			err := row.Scan(intoChange(&c)...)
			changes = append(changes, c)
			return err
		})
	return changes, err
}

func intoChange(c *presence.Change) []any {
	return []any{
		(*bits)(&c.Seq), (*int64)(&c.User),
		word[presence.Status]{&c.From, presence.ParseStatus},
		word[presence.Status]{&c.To, presence.ParseStatus},
		word[presence.Cause]{&c.Cause, presence.ParseCause},
		(*int64)(&c.Session), (*int64)(&c.Actor), &c.Node, (*moment)(&c.At), (*moment)(&c.LastSeen), (*bits)(&c.Version),
	}
}

// AppendActivity implements presence.Tx. The entry gets its ID here.
func (t *tx) AppendActivity(e presence.ActivityEntry) error {
	const op = "append activity"
	n, err := t.exec(op, `
		INSERT INTO activities (user_id, action, description, ip_address, user_agent, at)
		SELECT id, $2, $3, $4, $5, $6::bigint FROM users WHERE id = $1`,
		int64(e.User), kept(e.Action), kept(e.Description), kept(e.IP), kept(e.UserAgent), micros(e.At))
	if err == nil && n == 0 {
		err = notFound(op, "User not found")
	}
	return err
}
