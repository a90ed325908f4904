package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
)

// ErrDamaged is in the error about a file that cannot be trusted any more.
var ErrDamaged = errors.New("the database file is damaged")

// copyPages is how many pages are copied at a time: a megabyte. After each the copy rests for copyRest times as
// long as that took, so that those who work with the file have the disk for themselves most of the time.
const (
	copyPages = 256
	copyRest  = 3
)

// Copy writes what a database file holds at this moment into a new file (mode 0600), and returns once that is
// safe on disk, its name excepted, which is the caller's. Whoever works with the file goes on meanwhile, in this
// process or another; what was committed before Copy began is in the copy. It changes no content of the file.
func Copy(ctx context.Context, from, to string) (err error) {
	if err := checkMagic(from); err != nil {
		return err
	}
	from, err = filepath.Abs(from)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(to)
		}
	}()
	db, err := sql.Open("sqlite", (dataFile{path: from}).dsn("_query_only=1"))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return asDamage(from, err)
	}
	defer conn.Close()
	// One moment for all of it: without a transaction each commit of others would begin the copy anew.
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return asDamage(from, err)
	}
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return asDamage(from, err)
	}
	target := url.URL{Scheme: "file", Path: to}
	if err := conn.Raw(func(c any) error { return copyAll(ctx, c, target.String()) }); err != nil {
		return asDamage(from, err)
	}
	return file.Sync()
}

func copyAll(ctx context.Context, conn any, to string) error {
	online, ok := conn.(interface {
		NewBackup(to string) (*driver.Backup, error)
	})
	if !ok {
		return errors.New("sqlite: the driver cannot copy")
	}
	work, err := online.NewBackup(to)
	if err != nil {
		return err
	}
	for more := ctx.Err() == nil; more && err == nil; {
		began := time.Now()
		if more, err = work.Step(copyPages); more && err == nil {
			rest := time.NewTimer(copyRest * time.Since(began))
			select {
			case <-rest.C:
			case <-ctx.Done():
				rest.Stop()
			}
			err = ctx.Err()
		}
	}
	return errors.Join(ctx.Err(), err, work.Finish())
}

// Inspection is what was found in a database file.
type Inspection struct {
	// Schema is the newest migration it has seen, Known the newest that this program knows.
	Schema, Known int64
	// Rows is how many rows each of our tables has.
	Rows map[string]int64
}

// Newer reports whether the file was written by a newer version of this program.
func (i Inspection) Newer() bool { return i.Schema > i.Known }

// Inspect reads the whole of a database file that nobody works with, changes nothing, and returns an error when
// it is no database of ours or broken anywhere: in its structure, in an index, or in what refers to what.
func Inspect(ctx context.Context, path string) (found Inspection, err error) {
	if err := checkMagic(path); err != nil {
		return found, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return found, err
	}
	location := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&immutable=1&_query_only=1&_dqs=0"}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return found, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err := checkOwner(ctx, db, dataFile{path: path}); err != nil {
		return found, err
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return found, asDamage(path, err)
	}
	if verdict != "ok" {
		return found, damaged(path, verdict)
	}
	var broken sql.NullString
	err = db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&broken)
	if err == nil {
		return found, damaged(path, "rows of "+broken.String+" refer to rows that are not there")
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return found, asDamage(path, err)
	}
	return found, asDamage(path, found.count(ctx, db))
}

func (i *Inspection) count(ctx context.Context, db *sql.DB) error {
	i.Rows = map[string]int64{}
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return err
	}
	err = eachRow(rows, nil, func(row scanner) error {
		var name string
		err := row.Scan(&name)
		i.Rows[name] = 0
		return err
	})
	for name := range i.Rows {
		var n int64
		err = errors.Join(err, db.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n))
		i.Rows[name] = n
	}
	if err != nil {
		return err
	}
	if _, ours := i.Rows[goose.DefaultTablename]; ours {
		delete(i.Rows, goose.DefaultTablename)
		err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied").Scan(&i.Schema)
	}
	i.Known = KnownSchema()
	return err
}

// Schema returns the newest migration that a database file has seen and the newest that this program knows. It looks at
// nothing else, whoever works with the file, and changes nothing in it.
func Schema(ctx context.Context, path string) (applied, known int64, err error) {
	if err := checkMagic(path); err != nil {
		return 0, 0, err
	}
	file := dataFile{}
	if file.path, err = filepath.Abs(path); err != nil {
		return 0, 0, err
	}
	db, err := sql.Open("sqlite", file.dsn("_query_only=1"))
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	if err := checkOwner(ctx, db, file); err != nil {
		return 0, 0, err
	}
	applied, err = checkVersion(ctx, db, file)
	if applied > KnownSchema() {
		err = nil // whoever asks sees it
	}
	return applied, KnownSchema(), err
}

// KnownSchema is the newest migration of this program.
func KnownSchema() (newest int64) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0
	}
	for _, file := range files {
		var n int64
		if _, err := fmt.Sscanf(file.Name(), "%d_", &n); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}
