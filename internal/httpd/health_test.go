package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestHealthNeverTouchesTheStore(t *testing.T) {
	ready := &Readiness{}
	ready.Start(Check{Name: "store", Run: func(context.Context) error { t.Error("the store was asked"); return nil }})
	address := start(t, Options{Ready: ready})
	for _, path := range []string{"/healthz", "/livez"} {
		if resp, body := send(t, "GET", "http://"+address+path, ""); resp.StatusCode != 200 || body != `{"status":"ok"}` {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if resp, _ := send(t, "POST", "http://"+address+path, ""); resp.StatusCode != 405 {
			t.Errorf("POST %s: %d, want 405", path, resp.StatusCode)
		}
		if resp, body := send(t, "HEAD", "http://"+address+path, ""); resp.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: %d %q", path, resp.StatusCode, body)
		}
	}
}

func TestReadinessAndItsReasons(t *testing.T) {
	fine := Check{Name: "store", Run: func(context.Context) error { return nil }}
	away := Check{Name: "store", Run: func(context.Context) error { return errors.New("database is locked") }}
	const allWell = `{"status":"ready","checks":[{"name":"server","ok":true},{"name":"store","ok":true}]}`
	tests := []struct {
		name   string
		bring  func(*Readiness)
		status int
		inside string // for the machine itself
		abroad string // for everybody else
	}{
		{"starting", func(*Readiness) {}, 503, `{"status":"not ready","checks":[{"name":"server","ok":false,"reason":"starting"}]}`, `{"status":"not ready"}`},
		{"ready", func(r *Readiness) { r.Start(fine) }, 200, allWell, `{"status":"ready"}`},
		{
			"the store is away", func(r *Readiness) { r.Start(away) }, 503,
			`{"status":"not ready","checks":[{"name":"server","ok":true},{"name":"store","ok":false,"reason":"database is locked"}]}`, `{"status":"not ready"}`,
		},
		{
			"the disk is full", func(r *Readiness) {
				r.Start(fine, Check{"disk", func(context.Context) error { return Degraded(errors.New("no room")) }})
			}, 200,
			`{"status":"degraded","checks":[{"name":"server","ok":true},{"name":"store","ok":true},{"name":"disk","ok":false,"reason":"no room"}]}`,
			`{"status":"degraded"}`,
		},
		{
			"the disk is full and the store is away", func(r *Readiness) {
				r.Start(away, Check{"disk", func(context.Context) error { return Degraded(errors.New("no room")) }})
			}, 503,
			`{"status":"not ready","checks":[{"name":"server","ok":true},{"name":"store","ok":false,"reason":"database is locked"},{"name":"disk","ok":false,"reason":"no room"}]}`,
			`{"status":"not ready"}`,
		},
		{"draining", func(r *Readiness) { r.Start(fine); r.Drain() }, 503, `{"status":"not ready","checks":[{"name":"server","ok":false,"reason":"draining"}]}`, `{"status":"not ready"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ready := &Readiness{}
			tt.bring(ready)
			direct := start(t, Options{Ready: ready})
			behind := start(t, Options{Ready: ready, TrustedProxies: prefixes("127.0.0.1/32")})
			ops := serveForTest(t, NewOps(ready, http.NotFoundHandler(), slog.New(slog.DiscardHandler)).Serve)
			for _, ask := range []struct {
				who, address string
				headers      []string
				want         string
			}{
				{"the machine itself", direct, nil, tt.inside},
				{"somebody through a proxy of this machine that is not trusted", direct, []string{"X-Forwarded-For", "127.0.0.1"}, tt.abroad},
				{"somebody through a trusted proxy", behind, []string{"X-Forwarded-For", "1.2.3.4"}, tt.abroad},
				{"an operator", ops, []string{"X-Forwarded-For", "1.2.3.4"}, tt.inside},
			} {
				resp, body := send(t, "GET", "http://"+ask.address+"/readyz", "", ask.headers...)
				if resp.StatusCode != tt.status || body != ask.want {
					t.Errorf("%s is told %d %s, want %d %s", ask.who, resp.StatusCode, body, tt.status, ask.want)
				}
			}
		})
	}
}

func TestStrangersCannotLoadTheChecks(t *testing.T) {
	asked := 0
	ready := &Readiness{}
	ready.Start(Check{Name: "store", Run: func(context.Context) error { asked++; return nil }})
	for range 50 {
		ready.state(t.Context())
	}
	if asked > 10 { // one, unless the machine needs a second for fifty calls
		t.Errorf("50 questions ran the check %d times", asked)
	}
}

func TestMetricsAndProfilesAreNotPublic(t *testing.T) {
	address := start(t, Options{Handler: http.NotFoundHandler()})
	ops := serveForTest(t, NewOps(&Readiness{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}), slog.New(slog.DiscardHandler)).Serve)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap", "/debug/vars"} {
		if resp, _ := send(t, "GET", "http://"+address+path, ""); resp.StatusCode != 404 {
			t.Errorf("%s is answered with %d on the public address, want 404", path, resp.StatusCode)
		}
	}
	for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/healthz"} {
		if resp, _ := send(t, "GET", "http://"+ops+path, ""); resp.StatusCode != 200 {
			t.Errorf("%s is answered with %d to operators, want 200", path, resp.StatusCode)
		}
	}
	resp, body := send(t, "GET", "http://"+ops+"/debug/pprof/heap", "", "Sec-Fetch-Site", "cross-site")
	if resp.StatusCode != 403 || strings.Contains(body, "heap") {
		t.Errorf("another site's page reads profiles: %d", resp.StatusCode)
	}
}

func TestNothingIsServedBeforeTheStart(t *testing.T) {
	ready := &Readiness{}
	address := start(t, Options{Ready: ready, CORSOrigins: []string{"https://a.example"}})
	resp, _ := send(t, "GET", "http://"+address+"/", "", "Origin", "https://a.example")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("before the start: %d %v; want 503, when to come back, and readable for our pages", resp.StatusCode, resp.Header)
	}
	if resp, _ := send(t, "GET", "http://"+address+"/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("/healthz before the start: %d, want 200: the process lives", resp.StatusCode)
	}
	ready.Start()
	if resp, body := send(t, "GET", "http://"+address+"/", ""); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("after it: %d %s", resp.StatusCode, body)
	}
}
