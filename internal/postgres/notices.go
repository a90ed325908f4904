package postgres

import (
	"context"
	"strconv"

	"github.com/offchat/presence"
)

var _ presence.SharedStore = (*Store)(nil)

// Notices implements presence.SharedStore. Neither ids nor times say in which order transactions were committed,
// so a mark is the oldest transaction that was still under way: all before it are over and were seen, and what
// those from it on have written is looked at again. Transactions that only read, a backup say, have no number and
// hold nothing back.
func (s *Store) Notices(ctx context.Context, since presence.Mark) (notices []presence.Notice, next presence.Mark, err error) {
	from := "9223372036854775807" // nothing
	if since != 0 {
		from = strconv.FormatUint(uint64(since), 10)
	}
	// One statement sees one snapshot: what it does not find is of a transaction that its mark does not leave behind.
	err = s.each(ctx, "read notices", `
		SELECT pg_snapshot_xmin(pg_current_snapshot())::text, coalesce(n.id, 0), coalesce(n.user_id, 0), coalesce(n.session_id, 0),
			coalesce(n.topic, ''), coalesce(n.cause, '')
		FROM (SELECT 1) AS always LEFT JOIN notices n ON n.tx >= $1::text::xid8 ORDER BY n.id`, []any{from},
		func() { notices = []presence.Notice{} },
		func(row scanner) error {
			var n presence.Notice
			var mark, topic, cause string
			if err := row.Scan(&mark, &n.ID, (*int64)(&n.User), (*int64)(&n.Session), &topic, &cause); err != nil {
				return err
			}
			number, err := strconv.ParseUint(mark, 10, 64)
			next = presence.Mark(number)
			if n.Topic, _ = presence.ParseNoticeTopic(topic); n.Topic != presence.NoticeOther {
				n.Cause, _ = presence.ParseCause(cause)
				notices = append(notices, n)
			}
			return err
		})
	if err == nil && next < since { // the database is an older one, restored from a backup
		return nil, 0, presence.ErrGap
	}
	return notices, next, err
}

// Unrecorded implements presence.SharedStore.
func (s *Store) Unrecorded(ctx context.Context, changes []presence.Change) (missing []presence.Change, err error) {
	ids, moments, versions := make([]int64, len(changes)), make([]int64, len(changes)), make([]int64, len(changes))
	for i := range changes {
		ids[i], moments[i], versions[i] = int64(changes[i].User), micros(changes[i].At), int64(changes[i].Version)
	}
	err = s.each(ctx, "look for changes", `
		SELECT a.place FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS a (user_id, at, version, place)
		WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = a.user_id)
			AND NOT EXISTS (SELECT 1 FROM history h WHERE h.user_id = a.user_id AND h.at = a.at AND h.version = a.version)
		ORDER BY a.place`, []any{ids, moments, versions}, func() { missing = []presence.Change{} },
		func(row scanner) error {
			var place int
			err := row.Scan(&place)
			missing = append(missing, changes[place-1])
			return err
		})
	return missing, err
}
