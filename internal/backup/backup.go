// Package backup makes copies of a server's data while it works, looks whether a copy is good, and puts one
// back.
//
// A backup is a directory: the database, the signing key when it lies in the data directory, and a manifest
// with the checksum of each and the rows of every table. It is made beside its place and renamed, so whatever
// has a backup's name is whole. It holds password hashes and the key that signs tokens: its mode is 0700, its
// files' 0600, and it belongs where only the operator reads.
//
// The package decides what a backup is and when one is good; when to make one and where, it leaves to its
// callers, and how a database is copied to package sqlite.
package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/offchat/presence/internal/sqlite"
)

// Names of the files of a backup.
const (
	DatabaseFile = "presence.db"
	KeyFile      = "signing.key"
	manifestFile = "manifest.json"
)

// Backups have names that sort by age.
const (
	prefix  = "presence-"
	stamp   = "20060102T150405Z"
	partial = ".partial-"
	// abandoned is the age at which a copy that was never finished is taken away.
	abandoned = 24 * time.Hour
)

// format is the version of the manifest.
const format = 1

// Source is the data that is backed up.
type Source struct {
	Database string
	// Key is the file of the signing key; empty, or not there: the key is configured elsewhere.
	Key string
	// Program is the version that makes the backup.
	Program string
	// Free tells how much room there is at a path; nil: that is not known.
	Free func(path string) (free uint64, err error)
	// Why is what it is made for, such as an upgrade; empty: nothing in particular.
	Why string
}

// Manifest says what a backup is.
type Manifest struct {
	Format  int       `json:"format"`
	MadeAt  time.Time `json:"made_at"`
	Program string    `json:"program"`
	Why     string    `json:"why,omitempty"`
	// Schema is the newest migration that the database has seen.
	Schema int64            `json:"schema"`
	Files  []File           `json:"files"`
	Rows   map[string]int64 `json:"rows"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Size is how many bytes the files have.
func (m *Manifest) Size() (bytes int64) {
	for _, f := range m.Files {
		bytes += f.Size
	}
	return bytes
}

// Has reports whether a file belongs to the backup.
func (m *Manifest) Has(name string) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == name })
}

// Backup is a backup as it lies there.
type Backup struct {
	Path string `json:"path"`
	Manifest
	// Problem is why it cannot be used, as far as its manifest tells; Verify looks closer.
	Problem string `json:"problem,omitempty"`
}

// Name is the last part of its path.
func (b *Backup) Name() string { return filepath.Base(b.Path) }

// Create makes a backup in a directory, looks whether it is good, and returns once it is safe on disk. The
// server may be running, and everything it acknowledged before is in the backup.
func Create(ctx context.Context, from Source, dir string, now time.Time) (made Backup, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return made, fmt.Errorf("make the directory of backups: %w", err)
	}
	if err := roomFor(from, dir); err != nil {
		return made, err
	}
	work, err := os.MkdirTemp(dir, partial)
	if err != nil {
		return made, fmt.Errorf("begin a backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	if err := sqlite.Copy(ctx, from.Database, filepath.Join(work, DatabaseFile)); err != nil {
		return made, fmt.Errorf("copy the database: %w", err)
	}
	files := []string{DatabaseFile}
	switch err := copyFile(from.Key, filepath.Join(work, KeyFile)); {
	case from.Key == "" || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return made, fmt.Errorf("copy the signing key: %w", err)
	default:
		files = append(files, KeyFile)
	}
	found, err := sqlite.Inspect(ctx, filepath.Join(work, DatabaseFile))
	if err != nil {
		return made, fmt.Errorf("check the copy: %w", err)
	}
	made.Manifest = Manifest{Format: format, MadeAt: now.UTC().Truncate(time.Second), Program: from.Program, Why: from.Why, Schema: found.Schema, Rows: found.Rows}
	for _, name := range files {
		one, err := describe(work, name)
		if err != nil {
			return made, err
		}
		made.Files = append(made.Files, one)
	}
	if err := writeManifest(work, made.Manifest); err != nil {
		return made, err
	}
	made.Path, err = publish(work, dir, now)
	return made, err
}

// roomFor refuses to fill the disk that the server needs.
func roomFor(from Source, dir string) error {
	if from.Free == nil {
		return nil
	}
	var need uint64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(from.Database + suffix); err == nil {
			need += uint64(info.Size())
		}
	}
	need += need/10 + 16<<20
	free, err := from.Free(dir)
	if err == nil && free < need {
		return fmt.Errorf("there are %d MiB free at %s; a backup needs %d and leaves a reserve", free>>20, dir, need>>20)
	}
	return nil
}

// publish gives a finished backup its name, and makes sure that it stays.
func publish(work, dir string, now time.Time) (path string, err error) {
	if err := syncDir(work); err != nil {
		return "", err
	}
	name := prefix + now.UTC().Format(stamp)
	for n := 1; ; n++ {
		path = filepath.Join(dir, name)
		if n > 1 {
			path += fmt.Sprintf("-%d", n)
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(work, path); err != nil {
		return "", fmt.Errorf("finish the backup: %w", err)
	}
	return path, syncDir(dir)
}

// List returns the backups in a directory, the newest first. Where there is no directory there are none.
func List(dir string) ([]Backup, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var list []Backup
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		one := Backup{Path: filepath.Join(dir, entry.Name())}
		if one.Manifest, err = readManifest(one.Path); err != nil {
			one.Problem = err.Error()
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Backup) int { return strings.Compare(b.Name(), a.Name()) })
	return list, nil
}

// Newest returns the newest backup that has a manifest, and whether there is one.
func Newest(dir string) (newest Backup, ok bool) {
	list, err := List(dir)
	if err != nil {
		return newest, false
	}
	for _, one := range list {
		if one.Problem == "" {
			return one, true
		}
	}
	return newest, false
}

// Prune removes the oldest good backups but for so many, and copies that were never finished. What it does
// not know it leaves alone.
func Prune(dir string, keep int, now time.Time) (removed []string, err error) {
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	if removed, err = removeBut(list, keep); err != nil {
		return removed, err
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		info, statErr := entry.Info()
		if statErr == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), partial) && now.Sub(info.ModTime()) > abandoned {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return removed, err
}

// PruneAlike removes the oldest good backups that were made for one reason but for so many: what fails again and again
// must not fill the disk with its backups.
func PruneAlike(dir, why string, keep int) (removed []string, err error) {
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	return removeBut(slices.DeleteFunc(list, func(b Backup) bool { return b.Why != why }), keep)
}

// removeBut removes good backups of a list, newest first, but for the first so many.
func removeBut(list []Backup, keep int) (removed []string, err error) {
	good := 0
	for _, one := range list {
		if one.Problem != "" {
			continue
		}
		if good++; good > keep {
			if err := os.RemoveAll(one.Path); err != nil {
				return removed, err
			}
			removed = append(removed, one.Path)
		}
	}
	return removed, nil
}

// Verify reads a backup whole: every checksum, the database's structure, and its rows.
func Verify(ctx context.Context, path string) (Backup, error) {
	one := Backup{Path: path}
	var err error
	if one.Manifest, err = readManifest(path); err != nil {
		return one, err
	}
	if !one.Has(DatabaseFile) {
		return one, errors.New("the backup has no database")
	}
	for _, want := range one.Files {
		got, err := describe(path, want.Name)
		if err != nil {
			return one, err
		}
		if got != want {
			return one, fmt.Errorf("%s is not what it was when the backup was made (%d bytes, sha256 %s; it had %d, %s)",
				filepath.Join(path, want.Name), got.Size, got.SHA256, want.Size, want.SHA256)
		}
	}
	found, err := sqlite.Inspect(ctx, filepath.Join(path, DatabaseFile))
	if err != nil {
		return one, err
	}
	for table, want := range one.Rows {
		if got := found.Rows[table]; got != want {
			return one, fmt.Errorf("the table %s has %d rows and had %d", table, got, want)
		}
	}
	if found.Newer() {
		return one, fmt.Errorf("the backup was made by a newer version of this program (%s, tables %d, known are %d); use that version", one.Program, found.Schema, found.Known)
	}
	return one, nil
}

func readManifest(dir string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, fmt.Errorf("%s is no backup: %w", dir, err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("the manifest of %s cannot be read: %w", dir, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("the manifest of %s has format %d; this version reads %d", dir, m.Format, format)
	}
	for _, f := range m.Files { // a manifest from elsewhere must not lead out of its directory
		if f.Name != DatabaseFile && f.Name != KeyFile {
			return m, fmt.Errorf("the manifest of %s names a file that is not of a backup: %q", dir, f.Name)
		}
	}
	return m, nil
}

func writeManifest(dir string, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, manifestFile), append(text, '\n'))
}

// writeFile writes a new file that only its owner reads, and returns once its content is safe.
func writeFile(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// copyFile copies a file to a new one as writeFile writes it.
func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}

func describe(dir, name string) (File, error) {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	return File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
