package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/offchat/presence"
)

// closedStore makes a database with a few hundred accounts and closes it in order.
func closedStore(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "presence.db")
	s := openAt(t, path)
	err := s.Durable(t.Context(), func(tx presence.Tx) error {
		for i := range 300 {
			if err := insertOne(fmt.Sprint("user", i))(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// alter runs a statement on a closed database.
func alter(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(data, at); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNotFitIsRefusedAndNotChanged(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		says  string
	}{
		{"not a database", func(t *testing.T, path string) {
			overwrite(t, path, 0, bytes.Repeat([]byte("garbage "),
				4096))
		}, "damaged"},
		{"emptied", func(t *testing.T, path string) { truncate(t, path, 0) }, "empty"},
		{"cut off", func(t *testing.T, path string) { truncate(t, path, 40960) }, "damaged"},
		{"shorter than a header", func(t *testing.T, path string) { truncate(t, path, 7) }, "damaged"},
		{"a page overwritten", func(t *testing.T, path string) {
			overwrite(t, path, 3*4096, bytes.Repeat([]byte{0xA5},
				4096))
		}, "damaged"},
		{"the last page overwritten", func(t *testing.T, path string) {
			info, _ := os.Stat(path)
			overwrite(t, path, info.Size()-4096, bytes.Repeat([]byte{0xA5}, 4096))
		}, "damaged"},
		{"from a newer version", func(t *testing.T, path string) {
			alter(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
		}, "newer version of this program (tables 999"},
		{
			"from another program", func(t *testing.T, path string) { alter(t, path, "PRAGMA application_id = 42") },
			"another program",
		},
		{"its log without it", func(t *testing.T, path string) {
			if err := os.Rename(path, path+"-wal"); err != nil {
				t.Fatal(err)
			}
		}, "missing"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := closedStore(t)
			c.spoil(t, path)
			before, _ := os.ReadFile(path)
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("says %q, want the path and %q", err, c.says)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func TestACheckFindsDamageWhileOpen(t *testing.T) {
	s := openAt(t, closedStore(t))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	overwrite(t, s.path, 3*4096, bytes.Repeat([]byte{0xA5}, 4096))
	s = &Store{path: s.path, read: newReader(openAnother(t, s.path))} // with nothing in its cache
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damage is %v", err)
	}
}

func openAnother(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOnlyItsOwnerMayReadTheFile(t *testing.T) {
	s := openNew(t)
	if err := s.Durable(t.Context(), insertOne("ada")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("presence.db%s: %v, %v", suffix, info, err)
		}
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "100% what? #1 & پری")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	openAt(t, filepath.Join(directory, "presence?.db"))
	if _, err := os.Stat(filepath.Join(directory, "presence?.db-wal")); err != nil {
		t.Error(err)
	}
}

func TestAFailedFirstStartLeavesNothingBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "presence.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, path, Options{}); err == nil {
		t.Fatal("opened")
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	openAt(t, path)
}

// TestACrashLeavesWholeActs takes the files away in the middle of an act, as a crash would, and cuts the log
// at many places besides, as a power cut may. What opens then holds the acts up to some moment, each whole.
func TestACrashLeavesWholeActs(t *testing.T) {
	s := openNew(t)
	const acts = 12
	var file, log []byte
	for n := range acts {
		err := s.Durable(t.Context(), func(tx presence.Tx) error {
			for _, part := range []string{"a", "b"} {
				if err := insertOne(fmt.Sprint("user", n, part))(tx); err != nil {
					return err
				}
			}
			if n == acts-1 { // not acknowledged, and written as far as it gets
				file, log = read(t, s.path), read(t, s.path+"-wal")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := crashed(t, file, log)
	if whole != acts-1 {
		t.Errorf("%d acts survived, %d were acknowledged", whole, acts-1)
	}
	before := 0
	for cut := 32; cut < len(log); cut += len(log)/16 + 13 {
		n := crashed(t, file, log[:cut])
		if n < before || n >= acts {
			t.Errorf("%d acts with %d bytes of the log, %d with fewer", n, cut, before)
		}
		before = n
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// crashed opens what a crash left and returns how many acts are in it: the first so many, and no half ones.
func crashed(t *testing.T, file, log []byte) (acts int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "presence.db")
	for suffix, data := range map[string][]byte{"": file, "-wal": log} {
		if err := os.WriteFile(path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openAt(t, path)
	for exists(t, s, fmt.Sprint("user", acts, "a")) {
		if !exists(t, s, fmt.Sprint("user", acts, "b")) {
			t.Errorf("half of act %d", acts)
		}
		acts++
	}
	if _, total, err := s.AccountCounts(t.Context()); total != 2*acts || err != nil {
		t.Errorf("%d accounts in %d acts, %v", total, acts, err)
	}
	if err := s.Durable(t.Context(), insertOne("next")); err != nil {
		t.Error(err)
	}
	return acts
}
