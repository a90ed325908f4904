package postgres

import (
	"context"

	"github.com/offchat/presence"
)

var (
	_ presence.ImportStore = (*Store)(nil)
	_ presence.ImportTx    = (*tx)(nil)
)

// ImportMarks implements presence.ImportStore.
func (s *Store) ImportMarks(ctx context.Context) (marks map[string]int64, err error) {
	err = s.each(ctx, "read import marks", `SELECT name, value FROM import_marks`, nil,
		func() { marks = map[string]int64{} },
		func(row scanner) error {
			var name string
			var value int64
			err := row.Scan(&name, &value)
			marks[name] = value
			return err
		})
	return marks, err
}

// SetImportMark implements presence.ImportTx.
func (t *tx) SetImportMark(name string, value int64) error {
	_, err := t.exec("set import mark", `
		INSERT INTO import_marks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
