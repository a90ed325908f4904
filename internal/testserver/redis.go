//go:build unix

package testserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis is a Valkey or Redis server that belongs to this test process, with nothing saved. Its methods are called
// by one goroutine at a time.
type Redis struct {
	dir  string
	port int
	more []string
	run  *process // nil while it is stopped
}

// NewRedis starts a server for one test alone; it ends with the test. More are further arguments of the server.
// It fails the test when neither Valkey nor Redis is installed.
func NewRedis(tb testing.TB, more ...string) *Redis {
	tb.Helper()
	dir, err := os.MkdirTemp("", "presence-redis-")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Redis{dir: dir, more: more}
	tb.Cleanup(func() {
		if r.run != nil {
			r.Stop(tb)
		}
		_ = os.RemoveAll(dir) // where it is not gone, the system cleans its directory of temporary files
	})
	for range 5 { // between choosing a port and listening on it, it may be taken
		if r.port, err = freePort(); err == nil {
			if err = r.start(); err == nil {
				return r
			}
		}
	}
	tb.Fatal(err)
	return nil
}

// Start starts a server that was stopped, on the port it had before. It knows nothing any more.
func (r *Redis) Start(tb testing.TB) {
	tb.Helper()
	if err := r.start(); err != nil {
		tb.Fatal(err)
	}
}

func (r *Redis) start() error {
	program, err := exec.LookPath("valkey-server")
	if err != nil {
		if program, err = exec.LookPath("redis-server"); err != nil {
			return errors.New("these tests need valkey-server or redis-server 7 or newer in PATH (Debian: apt-get install redis-server)")
		}
	}
	args := append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
	}, r.more...)
	run, err := begin(program, args, r.dir, nil)
	if err != nil {
		return err
	}
	for until := time.Now().Add(patience); ; {
		if r.ping() {
			r.run = run
			return nil
		}
		select {
		case <-run.done:
			return fmt.Errorf("%s ended at once:\n%s", filepath.Base(program), run.log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(until) {
			run.end(syscall.SIGKILL)
			return fmt.Errorf("%s does not answer:\n%s", filepath.Base(program), run.log())
		}
	}
}

func (r *Redis) ping() bool {
	answer, err := r.Ask("PING")
	return err == nil && answer == "+PONG"
}

// Ask sends one command without arguments that need quoting, and returns the first line of the answer.
func (r *Redis) Ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.Address(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	line, _, _ := strings.Cut(string(buffer[:n]), "\r\n")
	return line, err
}

// Stop ends the server as a power cut would.
func (r *Redis) Stop(tb testing.TB) {
	tb.Helper()
	r.run.end(syscall.SIGKILL)
	r.run = nil
}

// URL names the server for clients.
func (r *Redis) URL() string { return "redis://" + r.Address() }

// Address is where the server listens.
func (r *Redis) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }
