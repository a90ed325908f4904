//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a server may take to come up or to answer.
const patience = 60 * time.Second

// Postgres is a PostgreSQL server that belongs to this test process. Its methods may be called from any
// goroutine, Stop and Start by one at a time.
type Postgres struct {
	// Static after construction.
	binaries string
	dir      string // holds data/ and server.log
	owner    *syscall.Credential
	settings []string
	port     int

	run *process // of the running server; nil while it is stopped

	mu        sync.Mutex // guards the following fields
	admin     *pgx.Conn  // for making and dropping databases
	databases int
	templates map[string]error
}

var shared struct {
	once   sync.Once
	server *Postgres
	err    error
}

// SharedPostgres returns the one server that the tests of this process share, and starts it the first time:
// without fsync, for it is quick that way. Main ends it. It fails the test when PostgreSQL is not installed.
func SharedPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = newPostgres("fsync=off", "full_page_writes=off") })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server
}

// NewPostgres starts a server for one test alone, which may stop and start it; it ends with the test. Settings
// are those of postgresql.conf ("fsync=on", which is the default here).
func NewPostgres(tb testing.TB, settings ...string) *Postgres {
	tb.Helper()
	p, err := newPostgres(settings...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.close)
	return p
}

// Main runs the tests of a package and ends the servers they share: os.Exit(testserver.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		shared.server.close()
	}
	return code
}

// newPostgres makes a cluster of databases and starts a server on it.
func newPostgres(settings ...string) (*Postgres, error) {
	p := &Postgres{settings: settings, templates: map[string]error{}}
	var err error
	if p.binaries, err = postgresBinaries(); err != nil {
		return nil, err
	}
	if p.owner, err = postgresOwner(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "presence-postgres-"); err != nil {
		return nil, err
	}
	if p.owner != nil {
		err = os.Chown(p.dir, int(p.owner.Uid), int(p.owner.Gid))
	}
	if err == nil {
		// Sorted and compared by code point, spoken to in plain English, whatever this machine is set to.
		err = p.command("initdb", "--no-sync", "--no-instructions", "--auth=trust", "--username=postgres",
			"--encoding=UTF8", "--locale=C.UTF-8", "--pgdata", p.data())
	}
	if err == nil {
		err = p.start()
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	return p, nil
}

// postgresBinaries is where the newest installed PostgreSQL of the distribution lies.
func postgresBinaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	best, newest := "", -1
	for _, path := range found {
		version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if version > newest {
			best, newest = filepath.Dir(path), version
		}
	}
	if best != "" {
		return best, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("these tests need PostgreSQL, which is not installed: run scripts/test-deps.sh, " +
		"or apt-get install postgresql-15")
}

// postgresOwner is who the server runs as: it refuses to be root. nil: as ourselves.
func postgresOwner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// command runs one of PostgreSQL's programs to its end.
func (p *Postgres) command(name string, args ...string) error {
	command := exec.Command(filepath.Join(p.binaries, name), args...)
	command.Dir = p.dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}

// Start starts a server that was stopped, on the port it had before.
func (p *Postgres) Start(tb testing.TB) {
	tb.Helper()
	if err := p.start(); err != nil {
		tb.Fatal(err)
	}
}

// start tries several ports: between choosing one and listening on it, it may be taken.
func (p *Postgres) start() error {
	again, err := p.port != 0, error(nil)
	for range 5 {
		if !again {
			if p.port, err = freePort(); err != nil {
				return err
			}
		}
		if err = p.startOn(p.port); err == nil || again {
			return err
		}
	}
	return err
}

func (p *Postgres) startOn(port int) error {
	args := []string{
		"-D", p.data(), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "logging_collector=off", "-c", "log_min_messages=fatal", "-c", "max_wal_size=2GB",
	}
	for _, setting := range p.settings {
		args = append(args, "-c", setting)
	}
	run, err := begin(filepath.Join(p.binaries, "postgres"), args, p.dir, p.owner)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			p.run = run
			return conn.Close(ctx)
		}
		select {
		case <-run.done:
			return fmt.Errorf("postgres ended at once:\n%s", run.log())
		case <-ctx.Done():
			run.end(syscall.SIGQUIT)
			return fmt.Errorf("postgres does not answer: %w\n%s", err, run.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server as a power cut would (pg_ctl stop -m immediate): all connections break, nothing is
// written down any more.
func (p *Postgres) Stop(tb testing.TB) {
	tb.Helper()
	p.forgetAdmin()
	p.run.end(syscall.SIGQUIT)
	p.run = nil
}

// close ends the server and removes its directory.
func (p *Postgres) close() {
	p.forgetAdmin()
	if p.run != nil {
		p.run.end(syscall.SIGQUIT)
	}
	_ = os.RemoveAll(p.dir) // where it is not gone, the system cleans its directory of temporary files
}

// URL names a database of the server.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", p.Address(), database)
}

// Address is where the server listens.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Database makes an empty database, or a copy of a template, and returns its URL. It goes with the test. After the
// template's name may stand what else CREATE DATABASE understands.
func (p *Postgres) Database(tb testing.TB, template string) string {
	tb.Helper()
	if template == "" {
		template = "template0"
	}
	p.mu.Lock()
	p.databases++
	name := fmt.Sprint("test_", p.databases)
	// Copying files is four times as quick as writing the copy to the log first.
	err := p.execLocked("CREATE DATABASE " + name + " STRATEGY FILE_COPY TEMPLATE " + template)
	p.mu.Unlock()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.execLocked("DROP DATABASE " + name + " WITH (FORCE)"); err != nil && p.run != nil {
			tb.Error(err)
		}
	})
	return p.URL(name)
}

// Template makes a database that Database copies, once for each name: fill fills it and must leave no
// connection to it.
func (p *Postgres) Template(tb testing.TB, name string, fill func(url string) error) string {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	err, made := p.templates[name]
	if !made {
		if err = p.execLocked("CREATE DATABASE " + name + " TEMPLATE template0"); err == nil {
			err = fill(p.URL(name))
		}
		p.templates[name] = err
	}
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

func (p *Postgres) execLocked(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if p.admin == nil || p.admin.IsClosed() {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err != nil {
			return err
		}
		p.admin = conn
	}
	_, err := p.admin.Exec(ctx, text)
	return err
}

func (p *Postgres) forgetAdmin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.admin != nil {
		_ = p.admin.Close(context.Background()) // the server goes next
		p.admin = nil
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// process is a server that is running.
type process struct {
	command *exec.Cmd
	leash   io.Closer // closed by us, or by the system when we are gone: the server ends
	path    string    // of the log
	pid     string    // of the file with the server's own process id
	done    chan struct{}
}

// guard starts a server and waits for its end. When whoever holds the other end of the leash goes without having
// ended it, the guard does, and tidies up.
const guard = `rm -f ended
"$@" & server=$!
echo $server > server.pid
{ cat > /dev/null
  [ -e ended ] && exit
  kill -QUIT $server
  while kill -0 $server; do sleep 0.1; done
  rm -rf "$PWD"
} <&3 2> /dev/null &
wait $server`

func begin(program string, args []string, dir string, owner *syscall.Credential) (*process, error) {
	hold, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hold.Close() // the child has its own
	run := &process{leash: leash, path: filepath.Join(dir, "server.log"), pid: filepath.Join(dir, "server.pid"), done: make(chan struct{})}
	log, err := os.OpenFile(run.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	run.command = exec.Command("sh", append([]string{"-c", guard, "sh", program}, args...)...)
	run.command.Dir, run.command.Stdout, run.command.Stderr = dir, log, log
	run.command.ExtraFiles = []*os.File{hold} // descriptor 3
	run.command.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true}
	if err := run.command.Start(); err != nil {
		return nil, errors.Join(err, leash.Close())
	}
	go func() {
		_ = run.command.Wait() // how it ended is in the log
		close(run.done)
	}()
	return run, nil
}

// end ends the server by a signal and waits until it is gone.
func (run *process) end(signal syscall.Signal) {
	_ = os.WriteFile(filepath.Join(filepath.Dir(run.pid), "ended"), nil, 0o644) // else the guard ends it, no worse
	text, _ := os.ReadFile(run.pid)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		_ = syscall.Kill(pid, signal) // where it is gone already, all the better
	}
	_ = run.leash.Close()
	<-run.done
}

func (run *process) log() string {
	text, _ := os.ReadFile(run.path)
	return string(text)
}
