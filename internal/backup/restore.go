package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Target is where a backup is put back. Whoever restores must hold the data directory's lock.
type Target struct {
	// Dir is the data directory, which exists.
	Dir string
	// KeepKey leaves the signing key alone.
	KeepKey bool
}

// marker lies in a data directory while a backup is being put there: what is in it then is neither the old
// data nor the new.
const marker = "restoring"

// HalfRestored returns an error when the last restore into a data directory was cut short.
func HalfRestored(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, marker))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("putting a backup into %s was cut short, and what is there is not to be trusted; run it again: presence backup restore %s --data %s",
		dir, text, dir)
}

// Restore verifies a backup and puts it into a data directory. What was there is moved into a directory
// beside it, which is returned; empty when there was nothing. When Restore is cut short it can be run again, and
// until it has been, HalfRestored says so.
func Restore(ctx context.Context, path string, to Target, now time.Time) (aside string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	one, err := Verify(ctx, path)
	if err != nil {
		return "", err
	}
	files := []string{DatabaseFile}
	if one.Has(KeyFile) && !to.KeepKey {
		files = append(files, KeyFile)
	}
	// First everything that may fail for want of room or of rights.
	for _, name := range files {
		fresh := filepath.Join(to.Dir, name+".new")
		if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := copyFile(filepath.Join(path, name), fresh); err != nil {
			return "", errors.Join(fmt.Errorf("copy the backup: %w", err), os.Remove(fresh))
		}
	}
	_ = os.Remove(filepath.Join(to.Dir, marker)) // of a restore that was cut short
	if err := errors.Join(writeFile(filepath.Join(to.Dir, marker), []byte(path)), syncDir(to.Dir)); err != nil {
		return "", err
	}
	if aside, err = setAside(to.Dir, files, now); err != nil {
		return aside, err
	}
	for _, name := range files {
		if err := os.Rename(filepath.Join(to.Dir, name+".new"), filepath.Join(to.Dir, name)); err != nil {
			return aside, err
		}
	}
	if err := syncDir(to.Dir); err != nil {
		return aside, err
	}
	return aside, errors.Join(os.Remove(filepath.Join(to.Dir, marker)), syncDir(to.Dir))
}

// setAside moves what is about to be replaced. The companions of a database go with it: SQLite would take an old
// log for the new file's.
func setAside(dir string, files []string, now time.Time) (aside string, err error) {
	var old []string
	for _, name := range files {
		suffixes := []string{""}
		if name == DatabaseFile {
			suffixes = []string{"", "-wal", "-shm"}
		}
		for _, suffix := range suffixes {
			if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
				old = append(old, name+suffix)
			}
		}
	}
	if len(old) == 0 {
		return "", nil
	}
	if aside, err = os.MkdirTemp(dir, "replaced-"+now.UTC().Format(stamp)+"-"); err != nil {
		return "", err
	}
	for _, name := range old {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil {
			return aside, err
		}
	}
	return aside, syncDir(aside)
}
