package valkey

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// server is a real redis-server on a socket of its own, with nothing saved.
type server struct {
	URL   string
	args  []string
	ready string // what it says when it is; empty: the usual
	cmd   *exec.Cmd
}

func newServer(dir string, more ...string) *server {
	socket := filepath.Join(dir, "redis.sock")
	return &server{URL: "unix://" + socket, args: append([]string{
		"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no",
	}, more...)}
}

// start returns when the server accepts connections.
func (s *server) start() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if program, err = exec.LookPath("valkey-server"); err != nil {
			return fmt.Errorf("these tests need redis-server or valkey-server 7 or newer in PATH (Debian: apt-get install redis-server): %w", err)
		}
	}
	s.cmd = exec.Command(program, s.args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), defaulted(s.ready, "eady to accept connections")) {
			go io.Copy(io.Discard, out)
			return nil
		}
	}
	return fmt.Errorf("the server did not start:\n%s", said.String())
}

// kill ends the server as a power cut would; a new start finds nothing.
func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) signal(sig os.Signal) { s.cmd.Process.Signal(sig) }

var (
	shared   *server // for all tests that do not harm it
	prefixes atomic.Int64
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "presence-valkey")
	if err != nil {
		panic(err)
	}
	shared = newServer(dir)
	if err := shared.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.kill()
	os.RemoveAll(dir)
	os.Exit(code)
}

// ownServer is a server that a test may do harm to.
func ownServer(t testing.TB) *server {
	t.Helper()
	s := newServer(t.TempDir())
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	return s
}

// dialOf connects to the server of a unix:// URL.
func dialOf(url string) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", strings.TrimPrefix(url, "unix://"))
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	return free.Addr().(*net.TCPAddr).Port
}
