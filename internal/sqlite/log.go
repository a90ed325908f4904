package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/offchat/presence"
)

// day is a day in the unit of the time columns.
const day = int64(24 * time.Hour / time.Microsecond)

// Activity implements presence.LogReader.
func (s *Store) Activity(ctx context.Context, user presence.UserID, offset, limit int) ([]presence.ActivityEntry, int,
	error,
) {
	entries, total := []presence.ActivityEntry{}, 0
	whose := "WHERE user_id = ?1"
	if user == presence.Everybody {
		whose = "WHERE ?1 = 0" // the parameter has to stand somewhere
	}
	err := s.read.together(ctx, "read activity", func(q *sql.Tx) error {
		err := q.QueryRowContext(ctx, `SELECT count(*) FROM activities `+whose, int64(user)).Scan(&total)
		if err != nil || total == 0 {
			return err
		}
		rows, err := q.QueryContext(ctx, `
			SELECT id, user_id, action, description, ip_address, user_agent, at FROM activities
			`+whose+` ORDER BY at DESC, id DESC LIMIT ?2 OFFSET ?3`, int64(user), all(limit), max(offset, 0))
		return eachRow(rows, err, func(row scanner) error {
			var e presence.ActivityEntry
			err := row.Scan(&e.ID, &e.User, &e.Action, &e.Description, &e.IP, &e.UserAgent, (*moment)(&e.At))
			entries = append(entries, e)
			return err
		})
	})
	return entries, total, err
}

// ActivityDays implements presence.LogReader. The keys are midnights in UTC.
func (s *Store) ActivityDays(ctx context.Context, user presence.UserID, from, to time.Time) (map[time.Time]int, error) {
	days := map[time.Time]int{}
	err := s.read.each(ctx, "count activity", `
		SELECT at / ?4, count(*) FROM activities WHERE user_id = ?1 AND at >= ?2 AND at < ?3 GROUP BY 1`,
		[]any{int64(user), micros(from), micros(to), day}, func(row scanner) error {
			var (
				number int64
				n      int
			)
			err := row.Scan(&number, &n)
			days[time.UnixMicro(number*day).UTC()] = n
			return err
		})
	return days, err
}

// Audit implements presence.LogReader.
func (s *Store) Audit(ctx context.Context, offset, limit int) ([]presence.AuditEntry, int, error) {
	entries, total := []presence.AuditEntry{}, 0
	err := s.read.together(ctx, "read audit", func(q *sql.Tx) error {
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM audit`).Scan(&total); err != nil || total == 0 {
			return err
		}
		rows, err := q.QueryContext(ctx, `
			SELECT id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at
			FROM audit ORDER BY at DESC, id DESC LIMIT ?1 OFFSET ?2`, all(limit), max(offset, 0))
		return eachRow(rows, err, func(row scanner) error {
			e, err := scanAudit(row)
			entries = append(entries, e)
			return err
		})
	})
	return entries, total, err
}

// all is LIMIT's word for a limit of 0.
func all(limit int) int {
	if limit <= 0 {
		return -1
	}
	return limit
}

// History implements presence.LogReader.
func (s *Store) History(ctx context.Context, user presence.UserID, from, to time.Time, limit int) ([]presence.Change,
	error,
) {
	changes := []presence.Change{}
	err := s.read.each(ctx, "read history", `
		SELECT seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history
		WHERE user_id = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, version LIMIT ?4`,
		[]any{int64(user), micros(from), micros(to), all(limit)}, func(row scanner) error {
			c, err := scanChange(row)
			changes = append(changes, c)
			return err
		})
	return changes, err
}

func scanAudit(row scanner) (presence.AuditEntry, error) {
	var e presence.AuditEntry
	err := row.Scan(&e.ID, &e.Actor, &e.Action, &e.Target, &e.TargetName, &e.Before, &e.After, &e.Reason, &e.IP,
		&e.UserAgent, &e.RequestID, (*moment)(&e.At))
	return e, err
}

func scanChange(row scanner) (presence.Change, error) {
	var c presence.Change
	err := row.Scan((*bits)(&c.Seq), &c.User, word[presence.Status]{&c.From, presence.ParseStatus},
		word[presence.Status]{&c.To, presence.ParseStatus}, word[presence.Cause]{&c.Cause, presence.ParseCause},
		&c.Session, &c.Actor, &c.Node, (*moment)(&c.At), (*moment)(&c.LastSeen), (*bits)(&c.Version))
	return c, err
}

// AppendActivity implements presence.Tx. The entry gets its ID here.
func (t *tx) AppendActivity(e presence.ActivityEntry) error {
	_, err := t.exec("append activity", `
		INSERT INTO activities (user_id, action, description, ip_address, user_agent, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		int64(e.User), e.Action, e.Description, e.IP, e.UserAgent, micros(e.At))
	if isMissingParent(err) {
		return notFound("append activity", "User not found")
	}
	return presence.E(presence.Internal, "append activity", err)
}
