package deploy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/offchat/presence/bench/child"
)

// manager stands for systemd: it opens the socket, hears what the service says, and starts it anew.
type manager struct {
	t       *testing.T
	binary  string
	dir     string
	socket  *os.File
	address string
	notices *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir := t.TempDir()
	binary, err := child.Build(t.Context(), dir)
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	socket, err := ln.(*net.TCPListener).File()
	must(t, err)
	address := ln.Addr().String()
	must(t, ln.Close())                 // the file keeps the socket open
	short, err := os.MkdirTemp("", "n") // paths of sockets are short
	must(t, err)
	t.Cleanup(func() {
		socket.Close()
		os.RemoveAll(short)
	})
	notices, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { notices.Close() })
	return &manager{t: t, binary: binary, dir: dir, socket: socket, address: address, notices: notices}
}

// start starts the service as a socket unit would: the shell becomes the server, so that the process id is right.
func (m *manager) start() *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"`, "sh", m.binary, "serve", "--data", filepath.Join(m.dir, "data"))
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=public", "WATCHDOG_USEC=400000", "NOTIFY_SOCKET="+m.notices.LocalAddr().String())
	cmd.ExtraFiles = []*os.File{m.socket}
	var log bytes.Buffer
	cmd.Stderr = &log
	must(m.t, cmd.Start())
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if m.t.Failed() {
			m.t.Log(log.String())
		}
	})
	return cmd
}

// hear waits for a notice; others are passed over.
func (m *manager) hear(want string) {
	m.t.Helper()
	must(m.t, m.notices.SetReadDeadline(time.Now().Add(time.Minute)))
	for buffer := make([]byte, 1024); ; {
		n, err := m.notices.Read(buffer)
		if err != nil {
			m.t.Fatalf("waiting for %s: %v", want, err)
		}
		if strings.Contains(string(buffer[:n]), want) {
			return
		}
	}
}

// The service manager hears what it needs to know, and the public address answers over a restart: a connection that is
// made while no server runs waits for the next one.
func TestServiceManager(t *testing.T) {
	m := newManager(t)
	first := m.start()
	m.hear("READY=1")
	m.hear("WATCHDOG=1")
	m.hear("WATCHDOG=1")
	must(t, first.Process.Signal(syscall.SIGHUP))
	m.hear("RELOADING=1")
	m.hear("READY=1")
	must(t, first.Process.Signal(syscall.SIGTERM))
	m.hear("STOPPING=1")
	if err := first.Wait(); err != nil {
		t.Fatalf("the server ended with %v", err)
	}

	answers := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + m.address + "/healthz")
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		answers <- err
	}()
	m.start()
	m.hear("READY=1")
	if err := <-answers; err != nil {
		t.Errorf("a request made while no server ran: %v", err)
	}
}

// The units say what systemd understands.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing; the units are not checked here")
	}
	// The check wants the program to be there.
	dir := t.TempDir()
	for _, name := range []string{"presence.service", "presence.socket"} {
		text := strings.ReplaceAll(read(t, "systemd/"+name), "/usr/bin/presence", "/bin/true")
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, "presence.service"), filepath.Join(dir, "presence.socket")).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
