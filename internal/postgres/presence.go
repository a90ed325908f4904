package postgres

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

const (
	// batchRows is how many rows one statement takes as arrays. More are copied into a table first, which is
	// quicker and spares the database a message of many megabytes.
	batchRows = 10_000
	// seenRows is how many last_seen columns one transaction moves, and so how long anybody waits for them.
	seenRows = 5_000
	// pageBytes bounds one transaction of saved pages, so that a busy node has it sent well within idleWithin.
	pageBytes = 1 << 20
	// recordRows is how many records are read at a time.
	recordRows = 20_000
)

// changeColumns are what a change is handed over as, and types what they are.
const (
	changeColumns = `user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version, seq`
	fromArrays    = `unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
		$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]) WITH ORDINALITY AS handed (` + changeColumns + `, place)`
)

// recordChanges writes changes to the history and moves the columns of their users. The rows are locked in the
// order of their ids before, so that two nodes that record the same people never wait in a circle; who is gone
// is passed over. Of several changes of one user the newest counts.
func recordChanges(source string) string {
	return `
	WITH asked AS MATERIALIZED (SELECT ` + changeColumns + `, place FROM ` + source + `),
	locked AS MATERIALIZED (
		SELECT u.id, u.presence_version FROM users u WHERE u.id IN (SELECT user_id FROM asked) ORDER BY u.id FOR NO KEY UPDATE OF u
	), written AS (
		INSERT INTO history (` + changeColumns + `)
		SELECT a.user_id, a.from_status, a.to_status, a.cause, a.session_id, a.actor_id, a.node, a.at, a.last_seen, a.version, a.seq
		FROM asked a JOIN locked l ON l.id = a.user_id ORDER BY a.place
		ON CONFLICT (user_id, at, version) DO NOTHING
	)
	UPDATE users u SET online_status = n.to_status, status_since = n.at, status_cause = n.cause, presence_version = n.version,
		last_seen = greatest(u.last_seen, n.seen)
	FROM (
		SELECT DISTINCT ON (a.user_id) a.user_id, a.to_status, a.at, a.cause, a.version,
			max(a.last_seen) OVER (PARTITION BY a.user_id) AS seen
		FROM asked a JOIN locked l ON l.id = a.user_id WHERE a.version > l.presence_version
		ORDER BY a.user_id, a.version DESC, a.place
	) AS n
	WHERE u.id = n.user_id AND u.presence_version < n.version`
}

var (
	recordFromArrays = recordChanges(fromArrays)
	recordFromTable  = recordChanges(`handed`)
)

// RecordChanges implements presence.PresenceStore. It is one transaction whatever its size, and acts on the same
// users wait for it: hand it some thousands at a time. Changes of accounts that are gone are passed over, and a
// change that was recorded before, by whatever node, is not recorded twice. last_seen moves forward like
// RecordSeen.
func (s *Store) RecordChanges(ctx context.Context, changes []presence.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if len(changes) > batchRows {
		return s.write(ctx, "record changes", func(ctx context.Context, c *pgx.Conn) error { return copyChanges(ctx, c, changes) })
	}
	args := changeArrays(changes)
	return s.write(ctx, "record changes", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, recordFromArrays, args...)
		return err
	})
}

// changeRow is a change in the order of changeColumns.
func changeRow(c *presence.Change) []any {
	return []any{
		int64(c.User), c.From.String(), c.To.String(), c.Cause.String(), int64(c.Session), int64(c.Actor), kept(c.Node),
		micros(c.At), micros(c.LastSeen), int64(c.Version), int64(c.Seq),
	}
}

// changeArrays turns changes by a right angle: one array for each column.
func changeArrays(changes []presence.Change) []any {
	n := len(changes)
	words, ids := [4][]string{}, [7][]int64{}
	for i := range words {
		words[i] = make([]string, n)
	}
	for i := range ids {
		ids[i] = make([]int64, n)
	}
	for i := range changes {
		c := &changes[i]
		words[0][i], words[1][i], words[2][i], words[3][i] = c.From.String(), c.To.String(), c.Cause.String(), kept(c.Node)
		ids[0][i], ids[1][i], ids[2][i] = int64(c.User), int64(c.Session), int64(c.Actor)
		ids[3][i], ids[4][i], ids[5][i], ids[6][i] = micros(c.At), micros(c.LastSeen), int64(c.Version), int64(c.Seq)
	}
	return []any{ids[0], words[0], words[1], words[2], ids[1], ids[2], words[3], ids[3], ids[4], ids[5], ids[6]}
}

// copyChanges is for more changes than a statement takes.
func copyChanges(ctx context.Context, c *pgx.Conn, changes []presence.Change) error {
	_, err := c.Exec(ctx, `CREATE TEMPORARY TABLE handed (user_id bigint, from_status text, to_status text, cause text,
		session_id bigint, actor_id bigint, node text, at bigint, last_seen bigint, version bigint, seq bigint,
		place bigint GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP`)
	if err != nil {
		return err
	}
	columns := []string{
		"user_id", "from_status", "to_status", "cause", "session_id", "actor_id", "node", "at", "last_seen", "version", "seq",
	}
	_, err = c.CopyFrom(ctx, pgx.Identifier{"handed"}, columns,
		pgx.CopyFromSlice(len(changes), func(i int) ([]any, error) { return changeRow(&changes[i]), nil }))
	if err != nil {
		return err
	}
	if _, err := c.Exec(ctx, `ANALYZE handed`); err != nil {
		return err
	}
	_, err = c.Exec(ctx, recordFromTable)
	return err
}

// RecordSeen implements presence.PresenceStore. It goes in steps: an error leaves the earlier ones written.
func (s *Store) RecordSeen(ctx context.Context, seen []presence.Seen) error {
	for step := range slices.Chunk(latest(seen), seenRows) {
		ids, moments := make([]int64, len(step)), make([]int64, len(step))
		for i, one := range step {
			ids[i], moments[i] = int64(one.User), micros(one.At)
		}
		// Locked in the order of their ids, as in recordChanges.
		err := s.write(ctx, "record last seen", func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, `
				WITH locked AS MATERIALIZED (
					SELECT u.id, a.at FROM unnest($1::bigint[], $2::bigint[]) AS a (id, at) JOIN users u ON u.id = a.id
					WHERE u.last_seen < a.at ORDER BY u.id FOR NO KEY UPDATE OF u
				)
				UPDATE users u SET last_seen = l.at FROM locked l WHERE u.id = l.id AND u.last_seen < l.at`, ids, moments)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// latest keeps the latest moment of each user, sorted by user: neighbours in the table are neighbours on its
// pages.
func latest(seen []presence.Seen) []presence.Seen {
	seen = slices.SortedFunc(slices.Values(seen), func(a, b presence.Seen) int {
		return cmp.Or(cmp.Compare(a.User, b.User), b.At.Compare(a.At))
	})
	return slices.CompactFunc(seen, func(a, b presence.Seen) bool { return a.User == b.User })
}

// SavePages implements presence.PresenceStore. A page is written whole or not at all; when an error comes back,
// some of the pages may be written.
func (s *Store) SavePages(ctx context.Context, pages []presence.Page) error {
	for len(pages) > 0 {
		n, size := 0, 0
		for n < len(pages) && n < batchRows && (n == 0 || size+len(pages[n].Data) <= pageBytes) {
			size += len(pages[n].Data)
			n++
		}
		if err := s.savePages(ctx, pages[:n]); err != nil {
			return err
		}
		pages = pages[n:]
	}
	return nil
}

func (s *Store) savePages(ctx context.Context, pages []presence.Page) error {
	kinds, places, data := make([]int64, 0, len(pages)), make([]int64, 0, len(pages)), make([][]byte, 0, len(pages))
	for _, page := range lastOfEach(pages) {
		kinds, places, data = append(kinds, int64(page.Kind)), append(places, int64(page.Number)), append(data, page.Data)
		if page.Data == nil {
			data[len(data)-1] = []byte{} // nil would be NULL
		}
	}
	return s.write(ctx, "save pages", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			INSERT INTO presence_pages (kind, number, data)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS handed (kind, number, data)
			ON CONFLICT (kind, number) DO UPDATE SET data = excluded.data`, kinds, places, data)
		return err
	})
}

// lastOfEach leaves out pages that are replaced by a later one of the same list, which one statement cannot
// write twice, and sorts the others.
func lastOfEach(pages []presence.Page) []presence.Page {
	sorted := slices.Clone(pages)
	slices.Reverse(sorted)
	same := func(a, b presence.Page) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Number, b.Number))
	}
	slices.SortStableFunc(sorted, same)
	return slices.CompactFunc(sorted, func(a, b presence.Page) bool { return same(a, b) == 0 })
}

// Pages implements presence.PresenceStore.
func (s *Store) Pages(ctx context.Context, kind presence.PageKind) (pages []presence.Page, err error) {
	err = s.each(ctx, "read pages", `SELECT number, data FROM presence_pages WHERE kind = $1 ORDER BY number`,
		[]any{int64(kind)}, func() { pages = []presence.Page{} },
		func(row scanner) error {
			page := presence.Page{Kind: kind}
			err := row.Scan((*bits)(&page.Number), &page.Data)
			pages = append(pages, page)
			return err
		})
	return pages, err
}

// Records implements presence.PresenceStore. They are read some thousands at a time, so that no transaction stays
// open while they are used: each is as it was at some moment of the iteration, and somebody who comes or goes
// meanwhile may be in it or not.
func (s *Store) Records(ctx context.Context) iter.Seq2[presence.Presence, error] {
	return func(yield func(presence.Presence, error) bool) {
		records, after := make([]presence.Presence, 0, recordRows), int64(-1<<63)
		for {
			records, err := s.records(ctx, records, after)
			if err != nil {
				yield(presence.Presence{}, err)
				return
			}
			for _, p := range records {
				if !yield(p, nil) {
					return
				}
			}
			if len(records) < recordRows {
				return
			}
			after = int64(records[len(records)-1].User)
		}
	}
}

func (s *Store) records(ctx context.Context, into []presence.Presence, after int64) (records []presence.Presence, err error) {
	var id, seen, since, version int64
	var status, cause string
	targets := []any{&id, &seen, &since, &version, &status, &cause} // made once: there may be millions of rows
	err = s.each(ctx, "read presence", `
		SELECT id, last_seen, status_since, presence_version, online_status, status_cause FROM users
		WHERE deleted_at = 0 AND id > $1 ORDER BY id LIMIT $2`, []any{after, recordRows},
		func() { records = into[:0] },
		func(row scanner) error {
			if err := row.Scan(targets...); err != nil {
				return err
			}
			p := presence.Presence{
				User: presence.UserID(id), LastSeen: fromMicros(seen), Since: fromMicros(since), Version: uint64(version),
			}
			var known, sound bool
			p.Status, known = presence.ParseStatus(status)
			p.Cause, sound = presence.ParseCause(cause)
			if !known || !sound {
				return errors.New("a status or cause that does not exist")
			}
			records = append(records, p)
			return nil
		})
	return records, err
}

// SaveHold implements presence.PresenceStore.
func (s *Store) SaveHold(ctx context.Context, user presence.UserID, h presence.Hold) error {
	return s.act(ctx, func(t *tx) error { return t.SaveHold(user, h) })
}

// SaveHold implements presence.ReportTx.
func (t *tx) SaveHold(user presence.UserID, h presence.Hold) error {
	if !h.Active {
		_, err := t.exec("lift hold", `DELETE FROM holds WHERE user_id = $1`, int64(user))
		return err
	}
	n, err := t.exec("save hold", `
		INSERT INTO holds (user_id, status, until, note, actor_id)
		SELECT id, $2, $3::bigint, $4, $5::bigint FROM users WHERE id = $1
		ON CONFLICT (user_id) DO UPDATE SET status = excluded.status, until = excluded.until, note = excluded.note,
			actor_id = excluded.actor_id`,
		int64(user), h.Status.String(), micros(h.Until), kept(h.Note), int64(h.Actor))
	if err == nil && n == 0 {
		err = notFound("save hold", "User not found")
	}
	return err
}

// Hold implements presence.ReportTx. Whoever changes the hold has the account locked by then.
func (t *tx) Hold(user presence.UserID) (presence.Hold, error) {
	hold := presence.Hold{Active: true}
	err := t.locked("find hold", lockAccount, []any{int64(user)}, `SELECT status, until, note, actor_id FROM holds WHERE user_id = $1`,
		[]any{int64(user)}, word[presence.Status]{&hold.Status, presence.ParseStatus}, (*moment)(&hold.Until), &hold.Note, (*int64)(&hold.Actor))
	if errors.Is(err, pgx.ErrNoRows) {
		return presence.Hold{}, nil
	}
	return hold, err
}

// Holds implements presence.PresenceStore.
func (s *Store) Holds(ctx context.Context) (holds map[presence.UserID]presence.Hold, err error) {
	err = s.each(ctx, "read holds", `SELECT user_id, status, until, note, actor_id FROM holds`, nil,
		func() { holds = map[presence.UserID]presence.Hold{} },
		func(row scanner) error {
			var user int64
			hold := presence.Hold{Active: true}
			err := row.Scan(&user, word[presence.Status]{&hold.Status, presence.ParseStatus}, (*moment)(&hold.Until),
				&hold.Note, (*int64)(&hold.Actor))
			holds[presence.UserID(user)] = hold
			return err
		})
	return holds, err
}
