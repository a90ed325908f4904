package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// purgeRows bounds one step of a purge, and so how long it holds its locks.
const purgeRows = 5000

// purges delete what is out of its time, up to $2 rows a step; each finds its rows by an index, and leaves rows
// that another node is at to that one. A session that was ended stays until its last token would have ended by
// itself: its row is what refuses a token that was issued elsewhere.
var purges = []struct {
	text    string
	history bool // by the history's own limit instead of now
}{
	{`DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, true},
	{`DELETE FROM concurrency WHERE at IN (SELECT at FROM concurrency WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, true},
	{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, false},
	{`DELETE FROM revoked_tokens WHERE jti IN
		(SELECT jti FROM revoked_tokens WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, false},
}

// Purge implements presence.Store. Every node may purge at any time; an error leaves the earlier steps done.
func (s *Store) Purge(ctx context.Context, now, historyBefore time.Time) (gone int, err error) {
	for _, purge := range purges {
		limit := now
		if purge.history {
			limit = historyBefore
		}
		for n := purgeRows; n == purgeRows; gone += n {
			if n, err = s.purge(ctx, purge.text, limit); err != nil {
				return gone, err
			}
		}
	}
	if err := s.dropNotices(ctx); err != nil {
		return gone, err
	}
	return gone, s.sumCounts(ctx)
}

func (s *Store) purge(ctx context.Context, text string, limit time.Time) (n int, err error) {
	err = s.write(ctx, "purge", func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, text, micros(limit), purgeRows)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}

// dropNotices deletes notices that every node has heard, by the clock that stamped them. They are not counted.
func (s *Store) dropNotices(ctx context.Context) error {
	return s.write(ctx, "drop notices", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			DELETE FROM notices WHERE at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1::bigint`,
			presence.NoticeRetention.Microseconds())
		return err
	})
}

// sumCounts puts the lines of user_counts together.
func (s *Store) sumCounts(ctx context.Context) error {
	return s.write(ctx, "sum counts", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			WITH gone AS (DELETE FROM user_counts RETURNING status, role, n)
			INSERT INTO user_counts (status, role, n) SELECT status, role, sum(n) FROM gone GROUP BY status, role HAVING sum(n) <> 0`)
		return err
	})
}
