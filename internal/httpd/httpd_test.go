package httpd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/offchat/presence/internal/metrics"
)

// start serves o on a loopback address until the test ends, and returns it.
func start(t *testing.T, o Options) string {
	t.Helper()
	if o.Ready == nil {
		o.Ready = &Readiness{}
		o.Ready.Start()
	}
	if o.Handler == nil {
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	}
	return serveForTest(t, New(o).Serve)
}

func serveForTest(t *testing.T, serve func(context.Context, net.Listener) error) string {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return ln.Addr().String()
}

// send makes one request with exactly these headers.
func send(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

// raw sends bytes as they are and returns everything that comes back until the server closes.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn) // a reset is an end too
	return string(answer)
}

func TestAnswersAreSafeByDefault(t *testing.T) {
	address := start(t, Options{})
	resp, body := send(t, "GET", "http://"+address+"/", "")
	if resp.StatusCode != 200 || body != "hello" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		"Referrer-Policy": "strict-origin-when-cross-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if id := resp.Header.Get("X-Request-Id"); !validID(id) {
		t.Errorf("the request id is %q", id)
	}
	if v := resp.Header.Get("Vary"); v != "" {
		t.Errorf("Vary is %q though no origin is configured", v)
	}
}

func TestWhereARequestComesFrom(t *testing.T) {
	see := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var left []string
		for _, name := range forwarding {
			left = append(left, r.Header[name]...)
		}
		fmt.Fprintf(w, "%s %s %v", ClientIP(r), BaseURL(r), left)
	})
	behind := start(t, Options{Handler: see, TrustedProxies: prefixes("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32")})
	direct := start(t, Options{Handler: see})

	tests := []struct {
		name    string
		at      string
		headers []string
		want    string
	}{
		{"nobody says anything", direct, nil, "127.0.0.1 http://HOST []"},
		{"a stranger claims an address", direct, []string{"X-Forwarded-For", "1.2.3.4", "X-Real-IP", "1.2.3.4", "Forwarded", "for=1.2.3.4"}, "127.0.0.1 http://HOST []"},
		{"a stranger claims a host and TLS", direct, []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, "127.0.0.1 http://HOST []"},
		{"a proxy tells the client", behind, []string{"X-Forwarded-For", "1.2.3.4"}, "1.2.3.4 http://HOST []"},
		{"a proxy tells the host and TLS", behind, []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "chat.example:8443", "X-Forwarded-Proto", "https"}, "1.2.3.4 https://chat.example:8443 []"},
		{"the client lied to the proxy", behind, []string{"X-Forwarded-For", "6.6.6.6, 1.2.3.4"}, "1.2.3.4 http://HOST []"},
		{"two proxies", behind, []string{"X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.1.1.1"}, "1.2.3.4 http://HOST []"},
		{"two header lines", behind, []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "1.2.3.4"}, "1.2.3.4 http://HOST []"},
		{"nothing but proxies", behind, []string{"X-Forwarded-For", "10.9.9.9, 10.1.1.1"}, "10.9.9.9 http://HOST []"},
		{"with a port", behind, []string{"X-Forwarded-For", "1.2.3.4:5678"}, "1.2.3.4 http://HOST []"},
		{"IPv6", behind, []string{"X-Forwarded-For", "2001:db9::1"}, "2001:db9::1 http://HOST []"},
		{"IPv6 with a port, behind an IPv6 proxy", behind, []string{"X-Forwarded-For", "[2001:db9::1]:99, 2001:db8::2"}, "2001:db9::1 http://HOST []"},
		{"IPv4 in IPv6", behind, []string{"X-Forwarded-For", "::ffff:1.2.3.4"}, "1.2.3.4 http://HOST []"},
		{"garbage", behind, []string{"X-Forwarded-For", "<script>, unknown"}, "127.0.0.1 http://HOST []"},
		{"garbage before a proxy", behind, []string{"X-Forwarded-For", "unknown, 10.1.1.1"}, "10.1.1.1 http://HOST []"},
		{"an empty hop", behind, []string{"X-Forwarded-For", "1.2.3.4,"}, "127.0.0.1 http://HOST []"},
		{"a host that is none", behind, []string{"X-Forwarded-Host", "evil.example/path?x"}, "127.0.0.1 http://HOST []"},
		{"a scheme that is none", behind, []string{"X-Forwarded-Proto", "javascript"}, "127.0.0.1 http://HOST []"},
		{"only X-Forwarded is read", behind, []string{"X-Real-IP", "1.2.3.4", "Forwarded", "for=1.2.3.4;proto=https"}, "127.0.0.1 http://HOST []"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, body := send(t, "GET", "http://"+tt.at+"/", "", tt.headers...)
			if got := strings.ReplaceAll(body, tt.at, "HOST"); got != tt.want {
				t.Errorf("the handler saw %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, RequestID(r)) })
	direct := start(t, Options{Handler: echo})
	behind := start(t, Options{Handler: echo, TrustedProxies: prefixes("127.0.0.1/32")})
	tests := []struct {
		name, at, sent string
		kept           bool
	}{
		{"from a stranger", direct, "abc-1", false},
		{"from a proxy", behind, "abc-1.2_3", true},
		{"nothing from a proxy", behind, "", false},
		{"too long from a proxy", behind, strings.Repeat("a", 129), false},
		{"an id that would need quoting", behind, `a"b`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, seen := send(t, "GET", "http://"+tt.at+"/", "", "X-Request-Id", tt.sent)
			answered := resp.Header.Get("X-Request-Id")
			if answered != seen || !validID(seen) {
				t.Errorf("the handler saw %q, the caller %q", seen, answered)
			}
			if (seen == tt.sent) != tt.kept {
				t.Errorf("%q became %q; kept should be %v", tt.sent, seen, tt.kept)
			}
		})
	}
	_, one := send(t, "GET", "http://"+direct+"/", "")
	_, two := send(t, "GET", "http://"+direct+"/", "")
	if one == two {
		t.Errorf("two requests have the id %s", one)
	}
}

func TestOnlyConfiguredOriginsMayCall(t *testing.T) {
	const ours = "http://localhost:5173"
	handled := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	address := start(t, Options{Handler: handled, CORSOrigins: []string{ours, "https://chat.example"}, ExposeHeaders: []string{"Presence-Offline-After"}})
	for origin, allowed := range map[string]bool{
		ours: true, "https://chat.example": true,
		"http://chat.example": false, "https://chat.example.evil.test": false, "https://evilchat.example": false,
		"https://sub.chat.example": false, "null": false, "*": false, "https://chat.example:444": false,
		"https://CHAT.example": false, "http://evil.example": false,
	} {
		resp, _ := send(t, "POST", "http://"+address+"/api/auth/login/", "{}", "Origin", origin)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("%s: Access-Control-Allow-Origin is %q, allowed should be %v", origin, got, allowed)
		}
		if got := resp.Header.Get("Access-Control-Allow-Credentials") == "true"; got != allowed {
			t.Errorf("%s: credentials allowed: %v, want %v", origin, got, allowed)
		}
		if resp.StatusCode != 204 || resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: status %d, Vary %q", origin, resp.StatusCode, resp.Header.Get("Vary"))
		}
	}
	resp, _ := send(t, "POST", "http://"+address+"/", "", "Origin", ours)
	if got, want := resp.Header.Get("Access-Control-Expose-Headers"), "Content-Type, X-CSRFToken, X-Request-Id, Retry-After, Presence-Offline-After"; got != want {
		t.Errorf("exposed headers %q, want %q", got, want)
	}
	resp, _ = send(t, "POST", "http://"+address+"/", "", "Origin", ours, "Origin", ours)
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("two Origin headers are answered with %q", got)
	}
}

func TestPreflightIsAnsweredAsRecorded(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("a preflight reached the handler") })
	address := start(t, Options{Handler: refuse, CORSOrigins: []string{"http://localhost:5173"}})
	ask := func(origin string) *http.Response {
		resp, body := send(t, "OPTIONS", "http://"+address+"/api/auth/login/", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		if resp.StatusCode != 200 || body != "" {
			t.Errorf("%s: %d %q", origin, resp.StatusCode, body)
		}
		return resp
	}
	resp := ask("http://localhost:5173")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Vary": "Origin",
		"Access-Control-Allow-Origin": "http://localhost:5173", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers": "accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with",
		"Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, PATCH, POST, PUT",
		"Access-Control-Max-Age":       "86400", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "strict-origin-when-cross-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name := range ask("http://evil.example").Header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("an unknown origin's preflight is answered with %s", name)
		}
	}
}

func TestBodiesAreLimited(t *testing.T) {
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			tooLarge := (*http.MaxBytesError)(nil)
			if !errors.As(err, &tooLarge) {
				t.Errorf("reading failed with %v", err)
			}
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	address := start(t, Options{Handler: read, Limits: Limits{Body: 1000}})
	for size, want := range map[int]int{0: 200, 1000: 200, 1001: 413} {
		if resp, _ := send(t, "POST", "http://"+address+"/", strings.Repeat("x", size)); resp.StatusCode != want {
			t.Errorf("%d bytes: %d, want %d", size, resp.StatusCode, want)
		}
	}
	chunks := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("64\r\n"+strings.Repeat("y", 100)+"\r\n", 20) + "0\r\n\r\n"
	if answer := raw(t, address, chunks); !strings.HasPrefix(answer, "HTTP/1.1 413") {
		t.Errorf("chunks beyond the limit are answered with %q", answer)
	}
}

// TestNothingIsSmuggled sends two requests on one connection, where the first one's length can be read in two
// ways; the second must never be taken for a request of its own.
func TestNothingIsSmuggled(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	note := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
	})
	address := start(t, Options{Handler: note})
	const second = "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	tests := []struct{ name, head, want string }{
		{"chunked and a length", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200"},
		{"chunked alone", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200"},
		{"two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 400"},
		{"a signed length", "Content-Length: +0\r\n\r\n", "HTTP/1.1 400"},
		{"an unknown encoding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501"},
		{"a space before the colon", "Content-Length : 0\r\n\r\n", "HTTP/1.1 400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			paths = nil
			mu.Unlock()
			answer := raw(t, address, "POST /first HTTP/1.1\r\nHost: x\r\n"+tt.head+second)
			mu.Lock()
			defer mu.Unlock()
			for _, path := range paths {
				if path == "/smuggled" {
					t.Error("the second request was served")
				}
			}
			if !strings.HasPrefix(answer, tt.want) || strings.Count(answer, "HTTP/1.1 ") != 1 {
				t.Errorf("answered with %q, want one %s", answer, tt.want)
			}
		})
	}
	answer := raw(t, address, "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"+second)
	if strings.Count(answer, "HTTP/1.1 200") != 2 {
		t.Errorf("two honest requests on one connection are answered with %q", answer)
	}
}

func TestOddRequestsAreRefused(t *testing.T) {
	address := start(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "method=%s", r.Method)
	})})
	tests := []struct{ name, request, want string }{
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405"},
		{"CONNECT", "CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\nConnection: close\r\n\r\n", "HTTP/1.1 405"},
		{"no host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"a head beyond 16 KiB", "GET / HTTP/1.1\r\nHost: x\r\nX-Much: " + strings.Repeat("a", 32<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505"},
	}
	for _, tt := range tests {
		if answer := raw(t, address, tt.request); !strings.HasPrefix(answer, tt.want) {
			t.Errorf("%s is answered with %.60q, want %s", tt.name, answer, tt.want)
		}
	}
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		if _, body := send(t, "POST", "http://"+address+"/?_method=DELETE", "", header, "DELETE"); body != "method=POST" {
			t.Errorf("%s changes the request: %s", header, body)
		}
	}
}

func TestAHandlerThatFallsOver(t *testing.T) {
	var log lockedBuffer
	reg := prometheus.NewRegistry()
	address := start(t, Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: metrics.New(reg, metrics.Build{}).HTTP,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				io.WriteString(w, "half an ans")
			}
			panic("no such luck")
		}),
	})
	resp, body := send(t, "GET", "http://"+address+"/early?token=topsecret", "")
	if resp.StatusCode != 500 || body != `{"error":"Internal server error"}` {
		t.Errorf("%d %q: an early panic is a plain 500 without details", resp.StatusCode, body)
	}
	answer := raw(t, address, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
	if strings.Contains(answer, "Content-Length: 11") || strings.HasSuffix(answer, "0\r\n\r\n") {
		t.Errorf("half an answer looks whole: %q", answer)
	}
	if text := log.String(); !strings.Contains(text, "no such luck") || strings.Contains(text, "topsecret") {
		t.Errorf("the log should have the reason and no token: %s", text)
	}
	if got := scrape(t, reg); !strings.Contains(got, "\nhttp_panics_total 2\n") {
		t.Error("http_panics_total is not 2")
	}
}

func TestLogsHaveNoQueriesAndNoForgedLines(t *testing.T) {
	var log lockedBuffer
	address := start(t, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	send(t, "GET", "http://"+address+"/a%0d%0alevel=ERROR%20msg=forged?token=topsecret", "")
	text := log.String()
	if !strings.Contains(text, "msg=request") || strings.Contains(text, "topsecret") {
		t.Errorf("the log should have the request and no token: %s", text)
	}
	if strings.Contains(text, "\nlevel=ERROR") || strings.Contains(text, "\r") {
		t.Errorf("a path wrote a line of its own into the log: %s", text)
	}
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	reg := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/users/{id}/", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
	address := start(t, Options{Handler: mux, Metrics: metrics.New(reg, metrics.Build{}).HTTP})
	for _, id := range []string{"1", "2", "3"} {
		send(t, "POST", "http://"+address+"/api/users/"+id+"/", "")
	}
	send(t, "GET", "http://"+address+"/nowhere/"+rawID, "")
	got := scrape(t, reg)
	for _, line := range []string{
		`http_request_duration_seconds_count{code="418",method="POST",route="POST /api/users/{id}/"} 3`,
		`http_request_duration_seconds_count{code="404",method="GET",route="none"} 1`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("the scrape has no %s", line)
		}
	}
	if strings.Contains(got, rawID) {
		t.Error("a path became a label")
	}
}

const rawID = "8d7f3"

func TestTheEndIsOrderly(t *testing.T) {
	inside, release := make(chan bool), make(chan bool)
	ready := &Readiness{}
	ready.Start()
	s := New(Options{Ready: ready, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- true
		<-release
		io.WriteString(w, "finished")
	})})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	body := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		body <- string(text)
	}()
	<-inside
	stop()
	for ready.state(t.Context()).Status == "ready" {
		// Serve sees the end in a moment.
	}
	close(release)
	if got := <-body; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the address still answers")
	}
}

func TestUpgradesReachTheConnection(t *testing.T) {
	address := start(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\nraw bytes")
	})})
	if answer := raw(t, address, "GET /ws/presence/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"); !strings.HasSuffix(answer, "raw bytes") {
		t.Errorf("got %q", answer)
	}
}

func TestConnectionsBeyondTheReserveGet503(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wrapped, ok := reserve(inner).(*reserving)
	if !ok {
		t.Skip("this system does not number descriptors, or allows too few of them")
	}
	wrapped.highest = 0 // every descriptor counts as too many
	address := serveForTest(t, func(ctx context.Context, other net.Listener) error {
		other.Close()
		ready := &Readiness{}
		return New(Options{Ready: ready, Handler: http.NotFoundHandler()}).Serve(ctx, wrapped)
	})
	_ = address
	if answer := raw(t, inner.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 503") {
		t.Errorf("answered with %q, want 503", answer)
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func scrape(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	address := serveForTest(t, NewOps(&Readiness{}, promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), slog.New(slog.DiscardHandler)).Serve)
	_, body := send(t, "GET", "http://"+address+"/metrics", "")
	return body
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
