package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// fileMagic is how every SQLite file begins.
	fileMagic = "SQLite format 3\x00"
	// applicationID marks the files that are ours ("OFCP").
	applicationID = 0x4F464350
	// checkUpTo is the size up to which a file is checked at every start, and checkUncleanUpTo the size up to
	// which one is that was not closed in order. A check takes 5 ms for each MiB; larger files start unchecked
	// (see Store.Check), because a store that is needed back must not take minutes.
	checkUpTo        = 256 << 20
	checkUncleanUpTo = 1 << 30
)

//go:embed migrations/*.sql
var migrations embed.FS

// dataFile is a database file as it was found.
type dataFile struct {
	path string
	// isNew: there was none, this is an empty one.
	isNew bool
	// unclean: whoever had it open did not close it.
	unclean bool
	size    int64
}

// prepareFile makes sure that there is a file that may be a database, without changing one that exists.
func prepareFile(path string) (dataFile, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return dataFile{}, err
	}
	wal, walErr := os.Stat(path + "-wal")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && walErr == nil:
		return dataFile{}, fmt.Errorf("%s is missing but its companion %[1]s-wal is there; put the file back, or "+
			"restore both from a backup", path)
	case errors.Is(err, fs.ErrNotExist):
		return dataFile{path: path, isNew: true}, createFile(path)
	case err != nil:
		return dataFile{}, err
	case !info.Mode().IsRegular():
		return dataFile{}, fmt.Errorf("%s is not a file", path)
	case info.Size() == 0:
		return dataFile{}, damaged(path, "it is empty, which no database ever is; remove it to begin with nothing")
	}
	return dataFile{path: path, size: info.Size(), unclean: walErr == nil && wal.Size() > 0}, checkMagic(path)
}

// createFile makes an empty file that only its owner can read; SQLite gives its companions the same mode.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync() // the name must survive a power cut as the content does
}

func checkMagic(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(file, head); err != nil || !bytes.Equal(head, []byte(fileMagic)) {
		return damaged(path, "it does not begin as a SQLite database does")
	}
	return nil
}

// removeIfNew takes away what this start has made, when it came to nothing.
func (f dataFile) removeIfNew() {
	if !f.isNew {
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(f.path + suffix)
	}
}

// dsn names the file to the driver, with settings that change nothing in it.
func (f dataFile) dsn(settings string) string {
	const always = "mode=rw&_busy_timeout=5000&_foreign_keys=1&_dqs=0&_error_rc=1&"
	location := url.URL{Scheme: "file", Path: f.path, RawQuery: always + settings}
	return location.String()
}

// prepareSchema checks the file, brings its tables up to date and returns the writer's connection.
func prepareSchema(ctx context.Context, db *sql.DB, file dataFile, opts Options) (*sql.Conn, error) {
	if err := checkOwner(ctx, db, file); err != nil {
		return nil, err
	}
	if file.size <= checkUpTo || file.unclean && file.size <= checkUncleanUpTo {
		if err := checkPages(ctx, db, file.path); err != nil {
			return nil, err
		}
	}
	provider, err := newProvider(db)
	if err != nil {
		return nil, err
	}
	applied, err := checkVersion(ctx, db, file)
	if err != nil {
		return nil, err
	}
	if applied > 0 && applied < KnownSchema() && opts.BeforeUpgrade != nil {
		if err := opts.BeforeUpgrade(ctx, applied, KnownSchema()); err != nil {
			return nil, err
		}
	}
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return nil, asDamage(file.path, err)
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return nil, asDamage(file.path, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", file.path, err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := sealAudit(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("seal the audit of %s: %w", file.path, err), conn.Close())
	}
	return conn, nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, must(fs.Sub(migrations, "migrations")),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// DowngradeForTest takes the newest migrations of a file that nobody has open back, down to one: what an older
// version of this program would have left.
func DowngradeForTest(ctx context.Context, path string, to int64) error {
	db, err := sql.Open("sqlite", (dataFile{path: path}).dsn(writing))
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, to)
	return err
}

// checkOwner refuses files of other programs. A file without tables is one whose first start was cut short.
func checkOwner(ctx context.Context, db *sql.DB, file dataFile) error {
	var tables, id int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return asDamage(file.path, err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return asDamage(file.path, err)
	}
	if id != applicationID && (tables > 0 || id != 0) {
		return fmt.Errorf("%s is the database of another program", file.path)
	}
	return nil
}

// checkPages reads the whole file and refuses it when its structure is broken anywhere.
func checkPages(ctx context.Context, db *sql.DB, path string) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return asDamage(path, err)
	}
	if verdict != "ok" {
		return damaged(path, verdict)
	}
	return nil
}

// checkVersion returns the newest migration that the file has seen, 0 for none, and refuses tables that are newer
// than this program.
func checkVersion(ctx context.Context, db *sql.DB, file dataFile) (applied int64, err error) {
	var has bool
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ?", goose.DefaultTablename).Scan(&has)
	if err != nil || !has {
		return 0, asDamage(file.path, err)
	}
	err = db.QueryRowContext(ctx,
		"SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied").Scan(&applied)
	if err != nil {
		return 0, asDamage(file.path, err)
	}
	if known := KnownSchema(); applied > known {
		return applied, fmt.Errorf("%s was written by a newer version of this program (tables %d, known are %d); "+
			"start that version", file.path, applied, known)
	}
	return applied, nil
}

// asDamage says in plain words what SQLite reports of a broken file.
func asDamage(path string, err error) error {
	if code := primary(codeOf(err)); code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB {
		return damaged(path, err.Error())
	}
	return err
}

// must is for what cannot fail once it was compiled.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
