package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// running is a server in this process.
type running struct {
	t       *testing.T
	at      addresses
	stderr  lockedBuffer
	stop    context.CancelFunc
	ended   chan int
	stopped sync.Once
}

// startServer runs `serve` with a data directory of its own until the test ends.
func startServer(t *testing.T, args ...string) *running {
	t.Helper()
	return startServerWith(t, &process{}, args...)
}

// startServerWith is startServer in a process that has been begun.
func startServerWith(t *testing.T, p *process, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, stop: stop, ended: make(chan int, 1)}
	opened := make(chan addresses, 1)
	p.ctx, p.stdin, p.stdout, p.stderr = ctx, strings.NewReader(""), &r.stderr, &r.stderr
	p.environ, p.opened = []string{"HOME=" + t.TempDir()}, func(at addresses) { opened <- at }
	go func() { r.ended <- run(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), p) }()
	select {
	case r.at = <-opened:
	case code := <-r.ended:
		t.Fatalf("serve ended at once with %d:\n%s", code, r.stderr.String())
	}
	t.Cleanup(r.end)
	return r
}

func (r *running) end() {
	r.stopped.Do(func() {
		r.stop()
		if code := <-r.ended; code != exitOK {
			r.t.Errorf("serve ended with %d:\n%s", code, r.stderr.String())
		}
	})
}

// do asks the server and returns the answer with its body read.
func (r *running) do(method, path, kind, body string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.at.public.String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

const formType = "application/x-www-form-urlencoded"

func (r *running) setUp(token, username, password string) (*http.Response, string) {
	form := url.Values{"token": {token}, "username": {username}, "password": {password}}
	return r.do("POST", "/setup", formType, form.Encode())
}

var setupLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/setup\?token=(\S+)`)

func TestTheFirstAdminIsMadeOnceAndByLink(t *testing.T) {
	r := startServer(t, "--log-level", "debug")
	link := setupLink.FindStringSubmatch(r.stderr.String())
	if link == nil {
		t.Fatalf("no link was printed:\n%s", r.stderr.String())
	}
	token := link[1]

	resp, page := r.do("GET", "/setup?token="+token, "", "")
	if resp.StatusCode != 200 || !strings.Contains(page, `value="`+token+`"`) {
		t.Fatalf("the form: %d\n%s", resp.StatusCode, page)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Security-Policy": pagePolicy} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	const script = `"><script>alert(1)</script>`
	steps := []struct {
		name                      string
		token, username, password string
		status                    int
		want                      string
	}{
		{"a wrong link", token + "x", "ann", "Sekrit-pass-1", 403, "not valid"},
		{"no link", "", "ann", "Sekrit-pass-1", 403, "not valid"},
		{"a short password", token, "ann", "short", 400, "8 characters"},
		{"no name", token, "", "Sekrit-pass-1", 400, "required"},
		{"a name that is a script", token, script, "short", 400, "&lt;script&gt;"},
		{"all is right", token, "ann", "Sekrit-pass-1", 200, "ann is the first admin"},
		{"the same again", token, "eve", "Sekrit-pass-2", 403, "not valid"},
	}
	for _, step := range steps {
		resp, page := r.setUp(step.token, step.username, step.password)
		if resp.StatusCode != step.status || !strings.Contains(page, step.want) {
			t.Errorf("%s: %d, want %d and %q in\n%s", step.name, resp.StatusCode, step.status, step.want, page)
		}
		if strings.Contains(page, "<script") || step.password != "" && strings.Contains(page, step.password) {
			t.Errorf("%s: the page has a script, or the password:\n%s", step.name, page)
		}
	}
	if resp, _ := r.do("GET", "/setup?token="+token, "", ""); resp.StatusCode != 410 {
		t.Errorf("the link afterwards: %d, want 410", resp.StatusCode)
	}
	resp, body := r.do("POST", "/api/users/login/", "application/json", `{"username":"ann","password":"Sekrit-pass-1"}`)
	if resp.StatusCode != 200 || !strings.Contains(body, `"role":"admin"`) {
		t.Errorf("the admin's sign-in: %d %s", resp.StatusCode, body)
	}
	r.end()
	for _, line := range strings.Split(r.stderr.String(), "\n") {
		if strings.HasPrefix(line, "{") && (strings.Contains(line, token) || strings.Contains(line, "Sekrit") || strings.Contains(line, "eyJ")) {
			t.Errorf("a log line holds a secret: %s", line)
		}
	}
	if !strings.Contains(r.stderr.String(), `"path":"/setup"`) {
		t.Error("the requests are not in the log, so the check above proved nothing")
	}
}

func TestTheSetupFormTakesNothingElse(t *testing.T) {
	r := startServer(t)
	tests := []struct {
		name, method, kind, body string
		want                     int
	}{
		{"JSON", "POST", "application/json", `{"token":"x"}`, 415},
		{"text, as a form of another site may send it", "POST", "text/plain", "token=x", 415},
		{"nothing said", "POST", "", "token=x", 415},
		{"too much", "POST", formType, "token=" + strings.Repeat("x", 70<<10), 413},
		{"a form that is none", "POST", formType, "token=%zz", 400},
		{"another method", "DELETE", "", "", 404},
	}
	for _, tt := range tests {
		if resp, _ := r.do(tt.method, "/setup", tt.kind, tt.body); resp.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
}

// TestPagesNeedNoScriptAndNoOtherHost: the policy names the one style by its hash; a browser that finds
// another in the page shows it bare.
func TestPagesNeedNoScriptAndNoOtherHost(t *testing.T) {
	r := startServer(t)
	for _, path := range []string{"/", "/setup", "/setup?token=x"} {
		resp, page := r.do("GET", path, "", "")
		_, rest, _ := strings.Cut(page, "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "'"+sha256Source(style)+"'") {
			t.Errorf("%s: the policy %q does not fit the style", path, policy)
		}
		for _, bad := range []string{"<script", " src=", "style=", " onclick", "http-equiv"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %q", path, bad)
			}
		}
	}
	if _, page := r.do("GET", "/", "", ""); !strings.Contains(page, "http://"+r.at.public.String()+"/api/users/") {
		t.Errorf("the start page does not say where the API is:\n%s", page)
	}
}

func TestMetricsAreForOperatorsOnly(t *testing.T) {
	r := startServer(t, "--ops-listen", "127.0.0.1:0")
	for _, path := range []string{"/metrics", "/debug/pprof/", "/nowhere"} {
		if resp, body := r.do("GET", path, "", ""); resp.StatusCode != 404 || !strings.Contains(body, `"code":"not_found"`) {
			t.Errorf("%s in public: %d %s", path, resp.StatusCode, body)
		}
	}
	r.do("POST", "/api/users/heartbeat/", "application/json", "")
	ops := &running{t: t, at: addresses{public: r.at.ops}}
	_, text := ops.do("GET", "/metrics", "", "")
	for _, line := range []string{
		`presence_users{status="online"} 0`, `presence_breaker_open 0`, `presence_heartbeats_total{result="refused"} 1`,
		`http_request_duration_seconds_count{code="404",method="GET",route="/"} 3`,
		`http_request_duration_seconds_count{code="401",method="POST",route="/api/users/heartbeat/"} 1`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the scrape has no %s", line)
		}
	}
}

func TestWhoHasTheDataDirectory(t *testing.T) {
	list := func(dir string) (int, string) {
		var stderr lockedBuffer
		p := &process{ctx: t.Context(), stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, environ: nil, patience: 1}
		return run([]string{"user", "list", "--data", dir}, p), stderr.String()
	}
	dir := dataDir(t.TempDir())
	if code, text := list(string(dir)); code != exitFailed || !strings.Contains(text, "no data in") {
		t.Errorf("an empty directory: %d %s", code, text)
	}
	if err := os.WriteFile(dir.database(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := dir.lock()
	if err != nil {
		t.Fatal(err)
	}
	code, text := list(string(dir))
	if want := fmt.Sprintf("in use by process %d", os.Getpid()); code != exitUnreachable || !strings.Contains(text, want) || !strings.Contains(text, "does not answer") {
		t.Errorf("somebody has the directory and does not answer: %d %s", code, text)
	}
	unlock()
	if unlock, err = dir.lock(); err != nil {
		t.Errorf("the lock is still held: %v", err)
	} else {
		unlock()
	}
}

func TestTheControlSocketIsItsOwnersAlone(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	for _, dir := range []dataDir{dataDir(t.TempDir()), dataDir(long)} {
		if err := dir.make(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir.socket(), []byte("left by a killed process"), 0o644); err != nil {
			t.Fatal(err)
		}
		ln, err := dir.listenControl()
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		info, err := os.Lstat(dir.socket())
		if err != nil || info.Mode() != os.ModeSocket|0o600 {
			t.Errorf("the socket has mode %v (%v)", info.Mode(), err)
		}
		conn, err := dir.dialControl(t.Context())
		if err != nil {
			t.Errorf("nobody can connect: %v", err)
			continue
		}
		conn.Close()
		if entries, _ := os.ReadDir(string(dir)); len(entries) != 1 {
			t.Errorf("something is left in the directory: %v", entries)
		}
	}
}

func TestAddressesToConnectTo(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8000": "127.0.0.1:8000", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "localhost:1": "localhost:1",
		"192.0.2.1:5": "192.0.2.1:5",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}

func TestWordsForAShell(t *testing.T) {
	for word, want := range map[string]string{"/srv/p": "/srv/p", "/my data": "'/my data'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'"} {
		if got := quoted(word); got != want {
			t.Errorf("%s is written %s, want %s", word, got, want)
		}
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A proxy asks here whether somebody may be let in: 2xx is yes. Only the one address says it.
func TestNoOtherSpellingOfForwardAuthSaysYes(t *testing.T) {
	r := startServer(t)
	for _, path := range []string{
		"/API/v1/forward-auth", "/api/V1/forward-auth", "/api/v1/Forward-Auth", "//api/v1/forward-auth", "/api//v1/forward-auth",
		"/api/v1//forward-auth", "/api/v1/./forward-auth", "/x/../API/v1/forward-auth", "/api/v1/x/../forward-auth",
		"/API%2fv1%2fforward-auth", "/api/v1%2Fforward-Auth", "/api/v1/forward-auth/", "/api/v1/forward-auth/x", "/api/v1/forward-auth;x",
		"/api/v1/forward-auth%00", "/api/v1/forward-auth%20", "/api/v1/forward-authx", "/api;x/v1/forward-auth", "/forward-auth",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			if resp, body := r.do(method, path, "", ""); resp.StatusCode < 400 {
				t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, body)
			}
		}
	}
}
