// Package examples runs the examples against the real server, and the real nginx.
package examples

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is for processes of other programs, on a machine that may be busy.
const patience = time.Minute

// nginx runs the example with its upstreams turned to these addresses, and returns where it listens: the mirror, the
// guard, and a bare auth_request beside them.
func nginx(t *testing.T, presence, app string) (mirror, guard, bare string) {
	t.Helper()
	program := lookNginx(t)
	dir := t.TempDir()
	if os.Geteuid() == 0 { // its worker is somebody else, and the directory of a test is closed to others
		openUp(t, dir)
	}
	for _, name := range []string{"presence-mirror.conf", "presence-guard.conf"} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join("../deploy/nginx", name)))
	}
	write(t, filepath.Join(dir, "presence-bare.conf"),
		strings.Replace(read(t, "../deploy/nginx/presence-guard.conf"), "error_page 500 502 503 504 = @presence_open;", "", 1))
	mirror, guard, bare = freeAddress(t), freeAddress(t), freeAddress(t)
	text := strings.NewReplacer("127.0.0.1:8000", presence, "127.0.0.1:3000", app, "127.0.0.1:8080", mirror, "127.0.0.1:8081", guard,
		"http {", "http {\n server { listen "+bare+"; include presence-bare.conf; location / { auth_request /_presence; proxy_pass http://app; } }").
		Replace(read(t, "nginx-forward-auth/nginx.conf"))
	write(t, filepath.Join(dir, "nginx.conf"), text)
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-p", dir, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &log, &log, patience
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it takes its worker with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx:\n%s", log.String())
		}
	})
	for _, address := range []string{mirror, guard, bare} {
		listening(t, address)
	}
	return mirror, guard, bare
}

func lookNginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no nginx here; scripts/test-deps.sh installs it")
	return ""
}

// openUp lets others go through a directory and those above it that are the test's own.
func openUp(t *testing.T, dir string) {
	t.Helper()
	for top := filepath.Clean(os.TempDir()); dir != top && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// freeAddress is an address at which nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func listening(t *testing.T, address string) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("nobody listens at %s: %v", address, err)
		}
	}
}

// through asks the app by a proxy and returns the status.
func through(t *testing.T, address, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.AddCookie(&http.Cookie{Name: "jwt", Value: token})
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode == 200 && string(body) != "app: a body" {
		t.Fatalf("%q, %v", body, err)
	}
	return resp.StatusCode
}

func theApp(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "app: %s", body)
	}))
	t.Cleanup(app.Close)
	return app.Listener.Addr().String()
}

// The table of docs/recipes/nginx.md, with the presence server up and dead.
func TestNginxWithThePresenceServerUpAndDead(t *testing.T) {
	s := startServer(t, "--forward-auth-cookie", "jwt")
	mirror, guard, bare := nginx(t, s.address, theApp(t))
	s.register("bob")
	mallory := s.register("mallory")
	s.command("user", "logout", "bob")
	s.command("user", "ban", "mallory")
	bob := s.login("bob")
	s.setOffline("bob")
	for _, one := range []struct {
		name, address, token string
		up, dead             int
	}{
		{"mirror", mirror, bob, 200, 200},
		{"mirror, banned", mirror, mallory, 200, 200},
		{"mirror, nobody", mirror, "", 200, 200},
		{"guard", guard, bob, 200, 200},
		{"guard, banned", guard, mallory, 403, 200},
		{"guard, nobody", guard, "", 200, 200},
		{"bare", bare, bob, 200, 500},
	} {
		if got := through(t, one.address, one.token); got != one.up {
			t.Errorf("%s: %d, want %d", one.name, got, one.up)
		}
	}
	s.until("bob", "online") // by the mirror: nothing else was heard of him
	s.stop()
	for _, one := range []struct {
		name, address string
		want          int
	}{{"mirror", mirror, 200}, {"guard", guard, 200}, {"bare", bare, 500}} {
		for range 3 {
			if got := through(t, one.address, bob); got != one.want {
				t.Errorf("%s with the presence server dead: %d, want %d", one.name, got, one.want)
			}
		}
	}
}

// A presence server that takes every question and answers none, which is as slow as can be: the app goes on.
func TestNginxWithThePresenceServerSlow(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 100)
	slow := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done() // nginx gives up
	})}
	ended := make(chan error, 1)
	go func() { ended <- slow.Serve(ln) }()
	t.Cleanup(func() {
		_ = slow.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	mirror, guard, bare := nginx(t, ln.Addr().String(), theApp(t))
	for _, one := range []struct {
		name, address string
		want          int
	}{{"mirror", mirror, 200}, {"guard", guard, 200}, {"bare", bare, 500}} {
		if got := through(t, one.address, "x"); got != one.want {
			t.Errorf("%s: %d, want %d", one.name, got, one.want)
		}
		select {
		case <-asked:
		case <-time.After(patience):
			t.Errorf("%s asked nobody", one.name)
		}
	}
}
