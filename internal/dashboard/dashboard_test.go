package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
)

const problem = "application/problem+json"

var (
	page   = "<!doctype html><title>Presence</title>" + strings.Repeat(" ", 500)
	script = "console.log(1);" + strings.Repeat("\n", 500)
)

func site(t *testing.T) *Site {
	t.Helper()
	s, err := NewSite(fstest.MapFS{
		"index.html":          {Data: []byte(page)},
		"icon.svg":            {Data: []byte("<svg/>")},
		"assets/app-1a2b.js":  {Data: []byte(script)},
		"assets/font-1.woff2": {Data: []byte("wOF2")},
		".vite/manifest.json": {Data: []byte("{}")},
		".stamp":              {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, s *Site, method, path string, header ...string) *http.Response {
	t.Helper()
	return getFrom(t, s, method, path, header...)
}

// getFrom asks for a target as it might come over the wire, well-formed or not.
func getFrom(t *testing.T, s http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", http.NoBody)
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL = u
	} else {
		r.URL.Path = target
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func TestSiteAnswers(t *testing.T) {
	s := site(t)
	for _, c := range []struct {
		name, method, path string
		status             int
		kind, cache        string
	}{
		{"the page", "GET", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"an address that only the page knows", "GET", "/users/7", 200, "text/html; charset=utf-8", "no-cache"},
		{"a script, for ever", "GET", "/assets/app-1a2b.js", 200, "text/javascript; charset=utf-8", immutable},
		{"a font", "HEAD", "/assets/font-1.woff2", 200, "font/woff2", immutable},
		{"a script that is gone is not the page", "GET", "/assets/app-0000.js", 404, problem, "no-store"},
		{"nor is anything else below assets", "GET", "/assets/x", 404, problem, "no-store"},
		{"what the build keeps for itself", "GET", "/.vite/manifest.json", 404, problem, "no-store"},
		{"its stamp", "GET", "/.stamp", 404, problem, "no-store"},
		{"no way up", "GET", "/assets/../../etc/passwd.txt", 404, problem, "no-store"},
		{"only for reading", "POST", "/", 404, problem, "no-store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := get(t, s, c.method, c.path)
			if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.kind || got.Header.Get("Cache-Control") != c.cache {
				t.Errorf("%s %s: %d %q %q, want %d %q %q", c.method, c.path, got.StatusCode, got.Header.Get("Content-Type"),
					got.Header.Get("Cache-Control"), c.status, c.kind, c.cache)
			}
		})
	}
}

func TestThePageMayLoadNothingInlineOrForeign(t *testing.T) {
	got := get(t, site(t), "GET", "/users").Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(got, "default-src 'none'; ") || strings.Contains(got, "unsafe") || strings.Contains(got, "http") || strings.Contains(got, "*") {
		t.Errorf("policy %q", got)
	}
}

func TestCompressed(t *testing.T) {
	s := site(t)
	got := get(t, s, "GET", "/assets/app-1a2b.js", "Accept-Encoding", "br, gzip;q=0.8")
	if got.Header.Get("Content-Encoding") != "gzip" || got.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers %v", got.Header)
	}
	r, err := gzip.NewReader(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r); err != nil || string(body) != script {
		t.Errorf("body %q, %v", body, err)
	}
	for _, accepted := range []string{"", "identity", "gzip;q=0", "gzip; q=0.0"} {
		got := get(t, s, "GET", "/assets/app-1a2b.js", "Accept-Encoding", accepted)
		if body, _ := io.ReadAll(got.Body); got.Header.Get("Content-Encoding") != "" || string(body) != script {
			t.Errorf("Accept-Encoding %q got %v", accepted, got.Header)
		}
	}
}

func TestNotModified(t *testing.T) {
	s := site(t)
	for _, accepted := range []string{"", "gzip"} {
		tag := get(t, s, "GET", "/", "Accept-Encoding", accepted).Header.Get("ETag")
		again := get(t, s, "GET", "/", "Accept-Encoding", accepted, "If-None-Match", tag)
		if body, _ := io.ReadAll(again.Body); again.StatusCode != http.StatusNotModified || len(body) != 0 {
			t.Errorf("with %q: %d and %d bytes", tag, again.StatusCode, len(body))
		}
		other := get(t, s, "GET", "/", "Accept-Encoding", accepted, "If-None-Match", `"other"`)
		if other.StatusCode != http.StatusOK {
			t.Errorf("another tag: %d", other.StatusCode)
		}
	}
}

func TestNoIndex(t *testing.T) {
	if _, err := NewSite(fstest.MapFS{"icon.svg": {}}); err == nil {
		t.Error("a dashboard without a page was taken")
	}
}
