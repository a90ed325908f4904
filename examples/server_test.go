package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program builds the server once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "presence-examples-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "presence")
	cmd := exec.Command("go", "build", "-o", path, "github.com/offchat/presence/cmd/presence")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// server is the real program in a process of its own.
type server struct {
	t             *testing.T
	path, data    string
	address       string
	process       *exec.Cmd
	ended         chan error
	once          sync.Once
	log           lockedBuffer
	password, url string
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var readyAt = regexp.MustCompile(`Presence is ready at http://([0-9.:]+)/`)

func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, path: path, data: t.TempDir(), ended: make(chan error, 1), password: "Sekrit-pass-1"}
	s.process = exec.CommandContext(context.Background(), path, append([]string{"serve", "--data", s.data, "--listen", "127.0.0.1:0"}, args...)...)
	s.process.Stderr, s.process.Env = &s.log, []string{"HOME=" + s.data}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.process.Wait() }()
	t.Cleanup(s.stop)
	for until := time.Now().Add(patience); s.address == ""; time.Sleep(20 * time.Millisecond) {
		if found := readyAt.FindStringSubmatch(s.log.String()); found != nil {
			s.address, s.url = found[1], "http://"+found[1]
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("the server ended: %v\n%s", err, s.log.String())
		default:
		}
		if time.Now().After(until) {
			t.Fatalf("the server is not ready:\n%s", s.log.String())
		}
	}
	return s
}

func (s *server) stop() {
	s.once.Do(func() {
		_ = s.process.Process.Signal(syscall.SIGTERM)
		if err := <-s.ended; err != nil {
			s.t.Errorf("the server ended with %v:\n%s", err, s.log.String())
		}
	})
}

// command runs the command line on the server's data and returns what it printed.
func (s *server) command(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.path, append(args, "--data", s.data)...)
	var errs bytes.Buffer
	cmd.Stderr, cmd.Env = &errs, []string{"HOME=" + s.data}
	cmd.Stdin = strings.NewReader(s.password + "\n")
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("presence %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// post sends JSON and reads the answer.
func (s *server) post(path, token, body string, into any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s: %s", path, resp.Status)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			s.t.Fatal(err)
		}
	}
}

type signedIn struct{ Tokens struct{ Access string } }

// register makes somebody and returns an access token.
func (s *server) register(name string) string {
	s.t.Helper()
	var in signedIn
	s.post("/api/auth/register/", "", `{"username":"`+name+`","password":"`+s.password+`"}`, &in)
	return in.Tokens.Access
}

func (s *server) login(name string) string {
	s.t.Helper()
	var in signedIn
	s.post("/api/auth/login/", "", `{"username":"`+name+`","password":"`+s.password+`"}`, &in)
	return in.Tokens.Access
}

// status is who is what, by the command line.
func (s *server) status(name string) string {
	s.t.Helper()
	var users []struct {
		Username string `json:"username"`
		Status   string `json:"online_status"`
		ID       int    `json:"id"`
	}
	if err := json.Unmarshal([]byte(s.command("user", "list", "--json")), &users); err != nil {
		s.t.Fatal(err)
	}
	for _, u := range users {
		if u.Username == name {
			return u.Status
		}
	}
	return ""
}

// setOffline takes somebody's lease away, as an admin can; the login lives on.
func (s *server) setOffline(name string) {
	s.t.Helper()
	if s.status("root") == "" {
		s.command("user", "create", "root", "--role", "admin", "--password-stdin")
	}
	root := s.login("root")
	s.post("/api/users/admin/users/"+s.id(name)+"/set-online-status/", root, `{"is_online":false}`, nil)
	s.until(name, "offline")
}

func (s *server) id(name string) string {
	s.t.Helper()
	found := regexp.MustCompile(`(?m)^(\d+) +` + name + ` `).FindStringSubmatch(s.command("user", "list"))
	if found == nil {
		s.t.Fatalf("there is no %s", name)
	}
	return found[1]
}

// until waits for somebody's status.
func (s *server) until(name, status string) {
	s.t.Helper()
	for until := time.Now().Add(patience); s.status(name) != status; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			s.t.Fatalf("%s is %s, not %s", name, s.status(name), status)
		}
	}
}
