package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/offchat/presence"
)

var (
	_ presence.DeskStore = (*Store)(nil)
	_ presence.DeskTx    = (*tx)(nil)
)

func scanDocument(row scanner) (d presence.Document, err error) {
	err = row.Scan(&d.Kind, &d.ID, &d.Owner, (*moment)(&d.At), &d.Body)
	return d, err
}

// Documents implements presence.DeskStore.
func (s *Store) Documents(ctx context.Context, kind string) ([]presence.Document, error) {
	list := []presence.Document{}
	err := s.read.each(ctx, "list documents", `
		SELECT kind, id, owner_id, at, body FROM documents WHERE kind = ?1 ORDER BY at DESC, id`, []any{kind},
		func(row scanner) error {
			d, err := scanDocument(row)
			list = append(list, d)
			return err
		})
	return list, err
}

// ChangesBefore implements presence.DeskStore.
func (s *Store) ChangesBefore(ctx context.Context, f presence.ChangeFilter, before int64, limit int) ([]presence.RecordedChange, error) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if before != 0 {
		add("id < ?", before)
	}
	if f.User != 0 {
		add("user_id = ?", int64(f.User))
	}
	if f.Actor != 0 {
		add("actor_id = ?", int64(f.Actor))
	}
	if f.Node != "" {
		add("node = ?", f.Node)
	}
	if f.From != nil {
		add("from_status = ?", f.From.String())
	}
	if f.To != nil {
		add("to_status = ?", f.To.String())
	}
	if !f.After.IsZero() {
		add("at >= ?", micros(f.After))
	}
	if !f.Before.IsZero() {
		add("at < ?", micros(f.Before))
	}
	if len(f.Causes) > 0 {
		marks := make([]string, len(f.Causes))
		words := make([]any, len(f.Causes))
		for i, cause := range f.Causes {
			marks[i], words[i] = "?", cause.String()
		}
		add("cause IN ("+strings.Join(marks, ", ")+")", words...)
	}
	text := `SELECT id, seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history`
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	changes := []presence.RecordedChange{}
	err := s.read.each(ctx, "read changes", text+" ORDER BY id DESC LIMIT ?", append(args, all(limit)), func(row scanner) error {
		var one presence.RecordedChange
		c := &one.Change
		err := row.Scan(&one.ID, (*bits)(&c.Seq), &c.User, word[presence.Status]{&c.From, presence.ParseStatus},
			word[presence.Status]{&c.To, presence.ParseStatus}, word[presence.Cause]{&c.Cause, presence.ParseCause},
			&c.Session, &c.Actor, &c.Node, (*moment)(&c.At), (*moment)(&c.LastSeen), (*bits)(&c.Version))
		changes = append(changes, one)
		return err
	})
	return changes, err
}

// Trash implements presence.DeskStore.
func (s *Store) Trash(ctx context.Context, limit int) ([]presence.Account, error) {
	accounts := []presence.Account{}
	err := s.read.each(ctx, "list trash", `
		SELECT `+accountColumns+` FROM users u WHERE u.deleted_at <> 0 ORDER BY u.deleted_at DESC, u.id DESC LIMIT ?1`,
		[]any{all(limit)}, func(row scanner) error {
			a, err := scanAccount(row)
			accounts = append(accounts, a)
			return err
		})
	return accounts, err
}

// SaveDocument implements presence.DeskTx.
func (t *tx) SaveDocument(d presence.Document) error {
	_, err := t.exec("save document", `
		INSERT INTO documents (kind, id, owner_id, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (kind, id) DO UPDATE SET owner_id = excluded.owner_id, at = excluded.at, body = excluded.body`,
		d.Kind, d.ID, int64(d.Owner), micros(d.At), d.Body)
	return err
}

// Document implements presence.DeskTx.
func (t *tx) Document(kind, id string) (d presence.Document, err error) {
	err = t.row("find document", `SELECT kind, id, owner_id, at, body FROM documents WHERE kind = ?1 AND id = ?2`,
		[]any{kind, id}, func(row scanner) (err error) {
			d, err = scanDocument(row)
			return err
		})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("find document", "There is no such "+kind+".")
	}
	return d, err
}

// RemoveDocument implements presence.DeskTx.
func (t *tx) RemoveDocument(kind, id string) error {
	n, err := t.exec("remove document", `DELETE FROM documents WHERE kind = ?1 AND id = ?2`, kind, id)
	if err == nil && n == 0 {
		err = notFound("remove document", "There is no such "+kind+".")
	}
	return err
}

// RemoveHistory implements presence.DeskTx.
func (t *tx) RemoveHistory(user presence.UserID) (int, error) {
	n, err := t.exec("remove history", `DELETE FROM history WHERE user_id = ?1`, int64(user))
	return int(n), err
}
