package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/offchat/presence"
)

var (
	_ presence.DeskStore = (*Store)(nil)
	_ presence.DeskTx    = (*tx)(nil)
)

func intoDocument(d *presence.Document) []any {
	return []any{&d.Kind, &d.ID, (*int64)(&d.Owner), (*moment)(&d.At), &d.Body}
}

// Documents implements presence.DeskStore.
func (s *Store) Documents(ctx context.Context, kind string) (list []presence.Document, err error) {
	err = s.each(ctx, "list documents", `SELECT kind, id, owner_id, at, body FROM documents WHERE kind = $1 ORDER BY at DESC, id`,
		[]any{kept(kind)}, func() { list = []presence.Document{} }, func(row scanner) error {
			list = append(list, presence.Document{})
			return row.Scan(intoDocument(&list[len(list)-1])...)
		})
	return list, err
}

// ChangesBefore implements presence.DeskStore.
func (s *Store) ChangesBefore(ctx context.Context, f presence.ChangeFilter, before int64, limit int) (
	changes []presence.RecordedChange, err error,
) {
	var where []string
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, condition+" $"+strconv.Itoa(len(args)))
	}
	if before != 0 {
		add("id <", before)
	}
	if f.User != 0 {
		add("user_id =", int64(f.User))
	}
	if f.Actor != 0 {
		add("actor_id =", int64(f.Actor))
	}
	if f.Node != "" {
		add("node =", kept(f.Node))
	}
	if f.From != nil {
		add("from_status =", f.From.String())
	}
	if f.To != nil {
		add("to_status =", f.To.String())
	}
	if !f.After.IsZero() {
		add("at >=", micros(f.After))
	}
	if !f.Before.IsZero() {
		add("at <", micros(f.Before))
	}
	if len(f.Causes) > 0 {
		words := make([]string, len(f.Causes))
		for i, cause := range f.Causes {
			words[i] = cause.String()
		}
		args = append(args, words)
		where = append(where, "cause = ANY($"+strconv.Itoa(len(args))+"::text[])")
	}
	text := `SELECT id, seq, user_id, from_status, to_status, cause, session_id, actor_id, node, at, last_seen, version FROM history`
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, all(limit))
	text += " ORDER BY id DESC LIMIT $" + strconv.Itoa(len(args))
	err = s.each(ctx, "read changes", text, args, func() { changes = []presence.RecordedChange{} }, func(row scanner) error {
		changes = append(changes, presence.RecordedChange{})
		one := &changes[len(changes)-1]
		return row.Scan(append([]any{&one.ID}, intoChange(&one.Change)...)...)
	})
	return changes, err
}

// Trash implements presence.DeskStore.
func (s *Store) Trash(ctx context.Context, limit int) (accounts []presence.Account, err error) {
	err = s.each(ctx, "list trash", `
		SELECT `+accountColumns+` FROM users u WHERE u.deleted_at <> 0 ORDER BY u.deleted_at DESC, u.id DESC LIMIT $1`,
		[]any{all(limit)}, func() { accounts = []presence.Account{} }, func(row scanner) error {
			accounts = append(accounts, presence.Account{})
			return row.Scan(intoAccount(&accounts[len(accounts)-1])...)
		})
	return accounts, err
}

// SaveDocument implements presence.DeskTx.
func (t *tx) SaveDocument(d presence.Document) error {
	_, err := t.exec("save document", `
		INSERT INTO documents (kind, id, owner_id, at, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (kind, id) DO UPDATE SET owner_id = excluded.owner_id, at = excluded.at, body = excluded.body`,
		kept(d.Kind), kept(d.ID), int64(d.Owner), micros(d.At), kept(d.Body))
	return err
}

// Document implements presence.DeskTx.
func (t *tx) Document(kind, id string) (d presence.Document, err error) {
	err = t.row("find document", `SELECT kind, id, owner_id, at, body FROM documents WHERE kind = $1 AND id = $2 FOR UPDATE`,
		[]any{kept(kind), kept(id)}, intoDocument(&d)...)
	return d, missing("find document", "There is no such "+kind+".", err)
}

// RemoveDocument implements presence.DeskTx.
func (t *tx) RemoveDocument(kind, id string) error {
	n, err := t.exec("remove document", `DELETE FROM documents WHERE kind = $1 AND id = $2`, kept(kind), kept(id))
	if err == nil && n == 0 {
		err = notFound("remove document", "There is no such "+kind+".")
	}
	return err
}

// RemoveHistory implements presence.DeskTx.
func (t *tx) RemoveHistory(user presence.UserID) (int, error) {
	n, err := t.exec("remove history", `DELETE FROM history WHERE user_id = $1`, int64(user))
	return int(n), err
}
