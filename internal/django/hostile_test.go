package django

import (
	"database/sql"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileFile is a SQLite file made by statements that no Django site would run.
func hostileFile(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, one := range statements {
		if _, err := db.Exec(one); err != nil {
			t.Fatalf("%.100s: %v", one, err)
		}
	}
	return path
}

// A view in the place of the users is no table of users, whether it has no end, is about itself, or is all there is.
func TestViewsOfAFileFromElsewhereAreNotRead(t *testing.T) {
	for name, view := range map[string]string{
		"without end": `CREATE VIEW users AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, 'u' || id AS username FROM n`,
		"of itself":   `CREATE VIEW users AS SELECT * FROM users`,
		"of another":  `CREATE VIEW users AS SELECT id, name AS username FROM others`,
	} {
		t.Run(name, func(t *testing.T) {
			source, err := Open(t.Context(), hostileFile(t, `CREATE TABLE others (id INTEGER PRIMARY KEY, name TEXT)`, view))
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			if source.table("users") != "" || source.table("others") == "" {
				t.Errorf("the tables are %v", source.tableNames())
			}
		})
	}
}

// What a column computes, and what is far too long, costs no memory and stops nothing; the row beside it is read.
func TestHugeAndOddFieldsAreCut(t *testing.T) {
	source, err := Open(t.Context(), hostileFile(t,
		`CREATE TABLE users (id INTEGER PRIMARY KEY, username, email, last_seen, bio)`,
		`INSERT INTO users VALUES (1, zeroblob(50000000), x'ff00', 'x', 1e300)`,
		`INSERT INTO users VALUES (2, 'ada', 'ada@home.example', 9223372036854775807, NULL)`,
		`CREATE TRIGGER users_read AFTER UPDATE ON users BEGIN DELETE FROM users; END`))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	l := source.lay("users", userWants)
	var notes []Finding
	people := newPeople(&Options{Place: time.UTC, Now: time.Now(), Readable: func(string) bool { return true }}, time.Now(), func(f Finding) { notes = append(notes, f) })
	var names []string
	err = source.each(t.Context(), &l, 0, func(f *fields) error {
		if text, _ := f.get("username"); len(text) > maxText {
			t.Errorf("%d bytes of a name were read", len(text))
		}
		if one, ok := people.read(f); ok {
			names = append(names, one.Username)
		}
		return nil
	})
	if err != nil || strings.Join(names, " ") != "ada" || len(notes) == 0 {
		t.Errorf("read %v, %v, notes %v", names, err, notes)
	}
}

// What is no regular file is refused at once: nobody waits for a pipe.
func TestOnlyFilesAreRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{pipe, t.TempDir(), "/dev/zero", ""} {
		if source, err := Open(t.Context(), path); err == nil {
			source.Close()
			t.Errorf("%q was opened", path)
		}
	}
}
