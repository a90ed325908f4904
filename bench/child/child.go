// Package child runs a server as a process of its own, as the benchmarks need it: built from this tree, on a free
// port of the loopback interface, on a processor of its own where that matters, to be stopped, killed or halted.
//
// It decides how such a process is started and ended. What is done to the server it leaves to its callers.
package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/offchat/presence/internal/loadgen"
)

// AnyCPU leaves a process to run where it likes.
const AnyCPU = -1

// bootPatience is how long a server may take until it is ready.
const bootPatience = 2 * time.Minute

// Build builds the presence binary of this tree into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "presence")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/offchat/presence/cmd/presence")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build presence: %w\n%s", err, out)
	}
	return binary, nil
}

// MakeAdmin makes an admin's account in a data directory that no server uses.
func MakeAdmin(ctx context.Context, binary, data, name, password string) error {
	cmd := exec.CommandContext(ctx, binary, "user", "create", name, "--role", "admin", "--password-stdin", "--data", data)
	cmd.Env = environment(nil)
	cmd.Stdin = strings.NewReader(password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make an admin: %w\n%s", err, out)
	}
	return nil
}

// Options say how a server is started.
type Options struct {
	Binary string
	Data   string   // directory
	Env    []string // settings: "PRESENCE_OFFLINE_AFTER=12s"
	CPU    int      // the only processor it may use, or AnyCPU
	Log    string   // file that its log is added to; empty: it is dropped
	// Address is where it listens, so that one that is started again can be found; empty: a free one.
	Address string
}

// Server is a running server. It is used from one goroutine at a time, but for its fields.
type Server struct {
	URL  string
	PID  int
	Boot time.Duration // from the start of the process until it was ready

	process *Process
}

// Start starts a server and waits until it is ready.
func Start(ctx context.Context, o Options) (*Server, error) {
	address := o.Address
	if address == "" {
		var err error
		if address, err = FreeAddress(); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(o.Binary, "serve", "--listen", address, "--data", o.Data)
	cmd.Env = environment(o.Env)
	began := time.Now()
	process, err := Launch(cmd, o.CPU, o.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + address, PID: process.PID, process: process}
	if err := process.Ready(ctx, s.URL+"/readyz"); err != nil {
		process.Kill()
		return nil, err
	}
	s.Boot = time.Since(began)
	return s, nil
}

// environment is ours without the settings that somebody may have in theirs.
func environment(settings []string) []string {
	var env []string
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "PRESENCE_") {
			env = append(env, line)
		}
	}
	return append(env, settings...)
}

// FreeAddress is an address of the loopback interface that nobody listens at.
func FreeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// Stop asks the server to end and waits until it has.
func (s *Server) Stop() error { return s.process.Stop() }

// Kill ends the server as a crash does, and waits until it is gone.
func (s *Server) Kill() { s.process.Kill() }

// Signal sends the server a signal.
func (s *Server) Signal(sig syscall.Signal) error { return s.process.cmd.Process.Signal(sig) }

// Usage is what the server uses of the machine.
func (s *Server) Usage() (loadgen.Usage, error) { return loadgen.ProcessUsage(s.PID) }

// Process is a child process.
type Process struct {
	PID int

	cmd   *exec.Cmd
	ended chan struct{}
	err   error // why it ended; set before ended is closed
}

// Launch starts a process on one processor, or on any.
func Launch(cmd *exec.Cmd, cpu int, log string) (*Process, error) {
	if log != "" {
		file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		cmd.Stderr = file
	}
	start := cmd.Start
	if cpu != AnyCPU {
		start = func() error { return on(cpu, cmd.Start) }
	}
	if err := start(); err != nil {
		return nil, err
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Ready waits until a GET of the address is answered with 200.
func (p *Process) Ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended before it was ready: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Stop sends SIGTERM and waits for the end, for half a minute.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(30 * time.Second):
		p.Kill()
		return errors.New("the server did not end within 30 s of SIGTERM")
	}
}

// Kill sends SIGKILL and waits for the end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
