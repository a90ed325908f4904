package backup

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/sqlite"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// house is a data directory with n people and a key.
func house(t *testing.T, n int) (dir string, source Source) {
	t.Helper()
	dir = t.TempDir()
	source = Source{Database: filepath.Join(dir, DatabaseFile), Key: filepath.Join(dir, KeyFile), Program: "1.2.3"}
	people(t, source.Database, 0, n)
	if err := os.WriteFile(source.Key, []byte("the key of "+fmt.Sprint(n)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, source
}

func people(t *testing.T, database string, from, to int) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), database, sqlite.Options{Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Durable(t.Context(), func(tx presence.Tx) error {
		for i := from; i < to; i++ {
			name := fmt.Sprint("user", i)
			if err := tx.InsertAccount(&presence.Account{Username: name, Email: name + "@example.org", Active: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, database string) int {
	t.Helper()
	s, err := sqlite.Open(t.Context(), database, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, n, err := s.AccountCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func create(t *testing.T, from Source, dir string, at time.Time) Backup {
	t.Helper()
	made, err := Create(t.Context(), from, dir, at)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestABackupGoesAndComesBack(t *testing.T) {
	dir, source := house(t, 20)
	backups := filepath.Join(t.TempDir(), "backups")
	made := create(t, source, backups, noon)
	if made.Name() != "presence-20261123T120000Z" || made.Rows["users"] != 20 || !made.Has(KeyFile) || made.Program != "1.2.3" || made.Schema == 0 {
		t.Errorf("%+v", made)
	}
	err := filepath.WalkDir(backups, func(path string, d fs.DirEntry, err error) error {
		if info, _ := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := Verify(t.Context(), made.Path); err != nil {
		t.Errorf("verify: %v", err)
	}
	if entries, _ := os.ReadDir(made.Path); len(entries) != 3 {
		t.Errorf("after it was verified it holds %v", entries)
	}

	people(t, source.Database, 20, 30)
	if err := os.WriteFile(source.Key, []byte("another key"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside, err := Restore(t.Context(), made.Path, Target{Dir: dir}, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, source.Database); n != 20 {
		t.Errorf("%d people are back, want 20", n)
	}
	if key, _ := os.ReadFile(source.Key); string(key) != "the key of 20" {
		t.Errorf("the key is %q", key)
	}
	if n := count(t, filepath.Join(aside, DatabaseFile)); n != 30 {
		t.Errorf("%d people lie aside, want 30", n)
	}
	if key, _ := os.ReadFile(filepath.Join(aside, KeyFile)); string(key) != "another key" {
		t.Errorf("the key aside is %q", key)
	}
	if err := HalfRestored(dir); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestTheKeyMayStay(t *testing.T) {
	dir, source := house(t, 1)
	made := create(t, source, t.TempDir(), noon)
	if err := os.WriteFile(source.Key, []byte("another key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), made.Path, Target{Dir: dir, KeepKey: true}, noon); err != nil {
		t.Fatal(err)
	}
	if key, _ := os.ReadFile(source.Key); string(key) != "another key" {
		t.Errorf("the key is %q", key)
	}
	source.Key = ""
	if made := create(t, source, t.TempDir(), noon); made.Has(KeyFile) {
		t.Error("a key that is configured elsewhere is in the backup")
	}
}

// spoil changes a file of a backup.
func spoil(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, change func(m *Manifest)) {
	t.Helper()
	spoil(t, filepath.Join(path, manifestFile), func(text []byte) []byte {
		var m Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return text
	})
}

func TestABackupThatIsNotGoodIsNeverPutBack(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b Backup)
		says string
	}{
		{"one bit is different", func(t *testing.T, b Backup) {
			spoil(t, filepath.Join(b.Path, DatabaseFile), func(x []byte) []byte { x[5000] ^= 1; return x })
		}, "is not what it was"},
		{"the key is different", func(t *testing.T, b Backup) {
			spoil(t, filepath.Join(b.Path, KeyFile), func(x []byte) []byte { return append(x, '!') })
		}, "is not what it was"},
		{"the database is missing", func(t *testing.T, b Backup) { os.Remove(filepath.Join(b.Path, DatabaseFile)) }, "no such file"},
		{"there is no manifest", func(t *testing.T, b Backup) { os.Remove(filepath.Join(b.Path, manifestFile)) }, "is no backup"},
		{"the manifest is cut off", func(t *testing.T, b Backup) {
			spoil(t, filepath.Join(b.Path, manifestFile), func(x []byte) []byte { return x[:len(x)/2] })
		}, "cannot be read"},
		{"the manifest is of another format", func(t *testing.T, b Backup) { edit(t, b.Path, func(m *Manifest) { m.Format = 9 }) }, "format 9"},
		{"the manifest leads elsewhere", func(t *testing.T, b Backup) {
			edit(t, b.Path, func(m *Manifest) { m.Files[0].Name = "../../etc/passwd" })
		}, "not of a backup"},
		{"rows are missing", func(t *testing.T, b Backup) { edit(t, b.Path, func(m *Manifest) { m.Rows["users"]++ }) }, "has 5 rows and had 6"},
		{"damaged before it was made", func(t *testing.T, b Backup) {
			path := filepath.Join(b.Path, DatabaseFile)
			spoil(t, path, func(x []byte) []byte { clear(x[8*4096 : 9*4096]); return x })
			one, err := describe(b.Path, DatabaseFile)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, b.Path, func(m *Manifest) { m.Files[0] = one })
		}, "damaged"},
		{"made by a newer version", func(t *testing.T, b Backup) {
			newer(t, filepath.Join(b.Path, DatabaseFile))
			one, err := describe(b.Path, DatabaseFile)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, b.Path, func(m *Manifest) { m.Files[0] = one; delete(m.Rows, "goose_db_version") })
		}, "newer version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, source := house(t, 5)
			made := create(t, source, t.TempDir(), noon)
			c.do(t, made)
			if _, err := Verify(t.Context(), made.Path); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("verify says %v, want %q", err, c.says)
			}
			people(t, source.Database, 5, 9)
			if _, err := Restore(t.Context(), made.Path, Target{Dir: dir}, noon); err == nil {
				t.Error("it was restored")
			}
			if n := count(t, source.Database); n != 9 {
				t.Errorf("%d people are there, want the 9 of before", n)
			}
			if err := HalfRestored(dir); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARestoreThatWasCutShortIsNotMistakenForData(t *testing.T) {
	dir, source := house(t, 5)
	made := create(t, source, t.TempDir(), noon)
	// As if the power had failed after the old files were moved.
	if err := os.WriteFile(filepath.Join(dir, marker), []byte(made.Path), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(source.Database); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source.Database+"-wal", []byte("of another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := HalfRestored(dir); err == nil || !strings.Contains(err.Error(), "presence backup restore "+made.Path) {
		t.Errorf("it says %v", err)
	}
	if _, err := Restore(t.Context(), made.Path, Target{Dir: dir}, noon); err != nil {
		t.Fatal(err)
	}
	if n := count(t, source.Database); n != 5 {
		t.Errorf("%d people", n)
	}
	if err := HalfRestored(dir); err != nil {
		t.Error(err)
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	_, source := house(t, 5)
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		source Source
		says   string
	}{
		{"no room", Source{Database: source.Database, Free: func(string) (uint64, error) { return 1 << 20, nil }}, "MiB free"},
		{"no database", Source{Database: source.Database + "x"}, "no such file"},
		{"a key that cannot be read", Source{Database: source.Database, Key: filepath.Dir(source.Database)}, "signing key"},
	} {
		if _, err := Create(t.Context(), c.source, dir, noon); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	spoil(t, source.Database, func(x []byte) []byte { clear(x[8*4096 : 9*4096]); return x })
	if _, err := Create(t.Context(), source, dir, noon); !errors.Is(err, sqlite.ErrDamaged) {
		t.Errorf("a damaged database: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestOldBackupsGoAndStrangersStay(t *testing.T) {
	_, source := house(t, 1)
	dir := t.TempDir()
	for i := range 5 {
		create(t, source, dir, noon.Add(time.Duration(i)*time.Hour))
	}
	twin := create(t, source, dir, noon.Add(4*time.Hour))
	if !strings.HasSuffix(twin.Name(), "-2") {
		t.Errorf("two of one second: %s", twin.Name())
	}
	for _, name := range []string{"notes", "presence-mine", partial + "young", partial + "old"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(filepath.Join(dir, partial+"old"), long, long); err != nil {
		t.Fatal(err)
	}
	removed, err := Prune(dir, 2, time.Now())
	if err != nil || len(removed) != 4 {
		t.Errorf("removed %v, %v", removed, err)
	}
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{partial + "young", "notes", "presence-20261123T160000Z", "presence-20261123T160000Z-2", "presence-mine"}
	if !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
	list, err := List(dir)
	if err != nil || len(list) != 3 || list[0].Problem == "" || list[1].Name() != "presence-20261123T160000Z-2" {
		t.Errorf("%+v, %v", list, err)
	}
	if newest, ok := Newest(dir); !ok || newest.Name() != "presence-20261123T160000Z-2" {
		t.Errorf("the newest: %+v", newest)
	}
	if list, err := List(filepath.Join(dir, "nowhere")); len(list) != 0 || err != nil {
		t.Errorf("of no directory: %v, %v", list, err)
	}
}

func TestTheScheduleMakesBackupsAndGoesOnAfterAFailure(t *testing.T) {
	_, source := house(t, 1)
	dir := t.TempDir()
	var room atomic.Uint64
	source.Free = func(string) (uint64, error) { return room.Load(), nil }
	synctest.Test(t, func(t *testing.T) {
		s := &Schedule{Every: 24 * time.Hour, Keep: 2, Dir: dir, Source: source, Log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		passed := func(d time.Duration) int {
			time.Sleep(d)
			synctest.Wait()
			list, err := List(dir)
			if err != nil {
				t.Error(err)
			}
			return len(list)
		}
		if n := passed(settle + time.Second); n != 0 || s.Failures() != 1 || s.Last() != 0 {
			t.Errorf("without room: %d backups, %d failures", n, s.Failures())
		}
		room.Store(1 << 40)
		if n := passed(again); n != 1 || s.Last() == 0 {
			t.Errorf("when there is room: %d backups", n)
		}
		if n := passed(23 * time.Hour); n != 1 {
			t.Errorf("before the next is due: %d backups", n)
		}
		if n := passed(time.Hour); n != 2 {
			t.Errorf("a day later: %d backups", n)
		}
		if n := passed(10 * 24 * time.Hour); n != 2 {
			t.Errorf("ten days later: %d backups, want those that stay", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// newer makes a database one of a version that does not exist yet.
func newer(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("PRAGMA journal_mode = DELETE; INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
