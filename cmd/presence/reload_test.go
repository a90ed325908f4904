package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP changes what may change in a running server, names what needs a restart, and lets nothing of a wrong
// configuration in.
func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "presence.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`log_format = "text"`)
	hangup := make(chan os.Signal)
	r := startServerWith(t, &process{hangup: hangup}, "--config", file)
	allowed := func(origin string) bool {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.at.public.String()+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header.Get("Access-Control-Allow-Origin") == origin
	}
	reload := func(wantInLog ...string) {
		t.Helper()
		before := len(r.stderr.String())
		hangup <- syscall.SIGHUP
		for _, want := range wantInLog {
			r.waitFor(want, before)
		}
	}

	if allowed("https://app.example.com") {
		t.Fatal("an origin is let in that nobody configured")
	}
	write(`log_format = "text"
cors_origins = ["https://app.example.com"]
offline_after = "5m"`)
	reload("setting=cors_origins", "needs a restart", "setting=offline_after", "changes=2")
	if !allowed("https://app.example.com") {
		t.Error("the origin that was added is not let in")
	}

	write(`log_format = "text"
cors_orgins = []`)
	reload("the configuration is wrong; the server goes on with the one before", "cors_origins")
	if !allowed("https://app.example.com") {
		t.Error("a wrong configuration has changed something")
	}

	write(`log_format = "text"`)
	reload("changes=1")
	if allowed("https://app.example.com") {
		t.Error("the origin that was taken away is let in")
	}
}

// waitFor waits until a text stands in the log after a place.
func (r *running) waitFor(text string, after int) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(r.stderr.String()[after:], text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("the log does not say %q:\n%s", text, r.stderr.String()[after:])
		}
	}
}
