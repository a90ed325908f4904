package sqlite

import (
	"context"
	"time"
)

// purges delete what is out of its time, up to ?2 rows a step. Each finds its rows by an index. A session that
// was ended stays until its last token would have ended by itself: its row is what refuses a token that was
// issued elsewhere.
var purges = []struct {
	text    string
	history bool // by the history's own limit instead of now
}{
	{`DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < ?1 LIMIT ?2)`, true},
	{`DELETE FROM concurrency WHERE at IN (SELECT at FROM concurrency WHERE at < ?1 LIMIT ?2)`, true},
	{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ?1 LIMIT ?2)`, false},
	{`DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at < ?1 LIMIT ?2)`, false},
}

// Purge implements presence.Store. It goes in steps between which everybody else may write; what a power cut
// takes back, the next purge deletes again.
func (s *Store) Purge(ctx context.Context, now, historyBefore time.Time) (gone int, err error) {
	for _, purge := range purges {
		limit := now
		if purge.history {
			limit = historyBefore
		}
		for n := int64(chunkRows); n == chunkRows; gone += int(n) {
			n = 0
			err := s.write.behind(ctx, func(t *tx) (err error) {
				n, err = t.exec("purge", purge.text, micros(limit), chunkRows)
				return err
			})
			if err != nil {
				return gone, err
			}
		}
	}
	return gone, nil
}
