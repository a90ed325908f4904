package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// dataDir is the directory with everything a server keeps. Whoever holds its lock may open what is in it.
type dataDir string

func (d dataDir) database() string { return filepath.Join(string(d), "presence.db") }
func (d dataDir) key() string      { return filepath.Join(string(d), "signing.key") }
func (d dataDir) lockFile() string { return filepath.Join(string(d), "lock") }
func (d dataDir) socket() string   { return filepath.Join(string(d), "control.sock") }

// errInUse: another process has the data directory.
var errInUse = errors.New("the data directory is in use")

// make creates the directory, for its owner only, when it is not there.
func (d dataDir) make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("the data directory cannot be made: %w", err)
	}
	info, err := os.Stat(string(d))
	if err != nil {
		return fmt.Errorf("the data directory cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("the data directory %s may be written by others (mode %04o), who could exchange the signing key; run: chmod 700 %s",
			string(d), info.Mode().Perm(), quoted(string(d)))
	}
	return nil
}

// exists reports whether a server has ever kept anything here.
func (d dataDir) exists() bool {
	_, err := os.Stat(d.database())
	return err == nil
}

// lockWithin tries to take the directory until the time is up: a command that works on a stopped server's
// data has it for a moment.
func (d dataDir) lockWithin(ctx context.Context, patience time.Duration) (unlock func(), err error) {
	for until := now().Add(patience); ; {
		unlock, err := d.lock()
		if !errors.Is(err, errInUse) || !now().Before(until) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

const (
	lockPatience = 2 * time.Second
	lockPause    = 50 * time.Millisecond
)

// lock takes the directory for this process, or returns an error that wraps errInUse and names the holder.
// The lock ends with unlock, or with the process, however it ends.
func (d dataDir) lock() (unlock func(), err error) {
	file, err := os.OpenFile(d.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := flock(file); err != nil {
		holder, _ := os.ReadFile(d.lockFile()) // only for the message
		file.Close()
		if !errors.Is(err, errInUse) {
			return nil, fmt.Errorf("lock the data directory: %w", err)
		}
		by := ""
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
			by = fmt.Sprintf(" by process %d", pid)
		}
		return nil, fmt.Errorf("%w%s: %s", errInUse, by, string(d))
	}
	// Who holds it, for the message above. Losing this line loses nothing else.
	_ = file.Truncate(0)
	_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return func() { file.Close() }, nil
}
