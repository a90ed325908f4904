//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// flock locks an open file against other processes, without waiting.
func flock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errInUse
	}
	return err
}

// maxSocketPath is what every system takes for the path of a socket: sun_path has 104 bytes at the least.
const maxSocketPath = 100

// listenControl opens the control socket. It is made in a directory of its own, that only we may enter, and
// put into its place when its mode is right, so that it is its owner's alone from the first moment on; a
// socket that a killed process left is replaced. Only the holder of the lock may call it.
func (d dataDir) listenControl() (net.Listener, error) {
	ln, err := d.bindControl()
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ln, nil
}

func (d dataDir) bindControl() (net.Listener, error) {
	private, err := os.MkdirTemp(string(d), ".s")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	path, done, err := shortPath(private, "s")
	if err != nil {
		return nil, err
	}
	defer done()
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // it would look for it where it was made
	made := filepath.Join(private, "s")
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, d.socket())); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// dialControl connects to the control socket.
func (d dataDir) dialControl(ctx context.Context) (net.Conn, error) {
	path, done, err := shortPath(string(d), filepath.Base(d.socket()))
	if err != nil {
		return nil, err
	}
	defer done()
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}

// shortPath is a path of a socket in a directory that is short enough. On Linux a long one goes through the
// descriptor of the directory, which done closes.
func shortPath(dir, name string) (path string, done func(), err error) {
	if path = filepath.Join(dir, name); len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path of the data directory is too long for a socket: %s; choose a shorter one with --data", path)
	}
	open, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), name), func() { open.Close() }, nil
}
