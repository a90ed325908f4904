package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"

	"github.com/offchat/presence"
)

const (
	// chunkRows and chunkBytes bound one transaction of the class behind, and so what a durable act waits for.
	chunkRows  = 1000
	chunkBytes = 1 << 20
)

// RecordChanges implements presence.PresenceStore. It is one transaction whatever its size, and durable acts
// wait for it: hand it a thousand or so at a time. Changes of accounts that are gone are passed over, and a
// change that was recorded before is not recorded twice. last_seen moves forward like RecordSeen.
func (s *Store) RecordChanges(ctx context.Context, changes []presence.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return s.write.behind(ctx, func(t *tx) error {
		for i := range changes {
			if err := t.recordChange(&changes[i]); err != nil {
				return fault("record changes", err)
			}
		}
		return nil
	})
}

func (t *tx) recordChange(c *presence.Change) error {
	_, err := t.exec("record changes", `
		INSERT OR IGNORE INTO history (user_id, from_status, to_status, cause, session_id, actor_id, node, at,
			last_seen, version, seq)
		SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM users WHERE id = ?1`,
		int64(c.User), c.From.String(), c.To.String(), c.Cause.String(), int64(c.Session), int64(c.Actor), c.Node, micros(c.At),
		micros(c.LastSeen), int64(c.Version), int64(c.Seq))
	if err != nil {
		return err
	}
	_, err = t.exec("record changes", `
		UPDATE users SET online_status = ?2, status_since = ?3, status_cause = ?4, presence_version = ?5,
			last_seen = max(last_seen, ?6)
		WHERE id = ?1 AND presence_version < ?5`,
		int64(c.User), c.To.String(), micros(c.At), c.Cause.String(), int64(c.Version), micros(c.LastSeen))
	return err
}

// RecordSeen implements presence.PresenceStore. It goes in chunks: an error leaves the earlier ones written.
func (s *Store) RecordSeen(ctx context.Context, seen []presence.Seen) error {
	// Neighbours in the table are neighbours on its pages.
	seen = slices.SortedFunc(slices.Values(seen), func(a, b presence.Seen) int { return cmp.Compare(a.User, b.User) })
	for chunk := range slices.Chunk(seen, chunkRows) {
		err := s.write.behind(ctx, func(t *tx) error {
			for _, one := range chunk {
				_, err := t.exec("record last seen", `UPDATE users SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2`,
					int64(one.User), micros(one.At))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SavePages implements presence.PresenceStore. A page is written whole or not at all; when an error comes
// back, some of the pages may be written.
func (s *Store) SavePages(ctx context.Context, pages []presence.Page) error {
	for len(pages) > 0 {
		n, size := 0, 0
		for n < len(pages) && n < chunkRows && (n == 0 || size+len(pages[n].Data) <= chunkBytes) {
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
	return s.write.behind(ctx, func(t *tx) error {
		for _, page := range pages {
			data := page.Data
			if data == nil {
				data = []byte{} // nil would be NULL
			}
			_, err := t.exec("save pages", `
				INSERT INTO presence_pages (kind, number, data) VALUES (?1, ?2, ?3)
				ON CONFLICT (kind, number) DO UPDATE SET data = excluded.data`,
				int64(page.Kind), int64(page.Number), data)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Pages implements presence.PresenceStore.
func (s *Store) Pages(ctx context.Context, kind presence.PageKind) ([]presence.Page, error) {
	pages := []presence.Page{}
	err := s.read.each(ctx, "read pages", `SELECT number, data FROM presence_pages WHERE kind = ?1 ORDER BY number`,
		[]any{int64(kind)}, func(row scanner) error {
			page := presence.Page{Kind: kind}
			err := row.Scan((*bits)(&page.Number), &page.Data)
			pages = append(pages, page)
			return err
		})
	return pages, err
}

// Records implements presence.PresenceStore. What it yields is one moment of the database.
func (s *Store) Records(ctx context.Context) iter.Seq2[presence.Presence, error] {
	return func(yield func(presence.Presence, error) bool) {
		if err := s.records(ctx, yield); err != nil {
			yield(presence.Presence{}, fault("read presence", err))
		}
	}
}

func (s *Store) records(ctx context.Context, yield func(presence.Presence, error) bool) error {
	rows, err := s.read.db.QueryContext(ctx, `
		SELECT id, last_seen, status_since, presence_version, online_status, status_cause FROM users
		WHERE deleted_at = 0 ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p presence.Presence
		err := rows.Scan(&p.User, (*moment)(&p.LastSeen), (*moment)(&p.Since), (*bits)(&p.Version),
			word[presence.Status]{&p.Status, presence.ParseStatus}, word[presence.Cause]{&p.Cause, presence.ParseCause})
		if err != nil {
			return err
		}
		if !yield(p, nil) {
			return nil
		}
	}
	return rows.Err()
}

// SaveHold implements presence.PresenceStore.
func (s *Store) SaveHold(ctx context.Context, user presence.UserID, h presence.Hold) error {
	return s.write.durable(ctx, func(t *tx) error { return t.SaveHold(user, h) })
}

// SaveHold implements presence.ReportTx.
func (t *tx) SaveHold(user presence.UserID, h presence.Hold) error {
	if !h.Active {
		_, err := t.exec("lift hold", `DELETE FROM holds WHERE user_id = ?1`, int64(user))
		return err
	}
	_, err := t.exec("save hold", `
		INSERT INTO holds (user_id, status, until, note, actor_id) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (user_id) DO UPDATE SET status = excluded.status, until = excluded.until, note = excluded.note,
			actor_id = excluded.actor_id`,
		int64(user), h.Status.String(), micros(h.Until), h.Note, int64(h.Actor))
	if isMissingParent(err) {
		return notFound("save hold", "User not found")
	}
	return presence.E(presence.Internal, "save hold", err)
}

// Hold implements presence.ReportTx.
func (t *tx) Hold(user presence.UserID) (presence.Hold, error) {
	hold := presence.Hold{Active: true}
	err := t.row("find hold", `SELECT status, until, note, actor_id FROM holds WHERE user_id = ?1`, []any{int64(user)},
		func(row scanner) error {
			return row.Scan(word[presence.Status]{&hold.Status, presence.ParseStatus}, (*moment)(&hold.Until), &hold.Note, &hold.Actor)
		})
	if errors.Is(err, sql.ErrNoRows) {
		return presence.Hold{}, nil
	}
	return hold, err
}

// Holds implements presence.PresenceStore.
func (s *Store) Holds(ctx context.Context) (map[presence.UserID]presence.Hold, error) {
	holds := map[presence.UserID]presence.Hold{}
	err := s.read.each(ctx, "read holds", `SELECT user_id, status, until, note, actor_id FROM holds`, nil,
		func(row scanner) error {
			var user presence.UserID
			hold := presence.Hold{Active: true}
			err := row.Scan(&user, word[presence.Status]{&hold.Status, presence.ParseStatus}, (*moment)(&hold.Until),
				&hold.Note, &hold.Actor)
			holds[user] = hold
			return err
		})
	return holds, err
}
