package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// askFor asks a handler for the script.
func askFor(h http.Handler, method string, headers ...string) *http.Response {
	mux := http.NewServeMux()
	mux.Handle("GET /sdk/presence.js", h)
	r := httptest.NewRequest(method, "/sdk/presence.js", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

func TestAnyPageMayLoadTheScript(t *testing.T) {
	script := strings.Repeat("let presence;", 100)
	f, err := newSDKFile(fstest.MapFS{"presence.js": {Data: []byte(script)}})
	if err != nil {
		t.Fatal(err)
	}
	plain := askFor(f, "GET", "Origin", "https://app.example.org")
	body, _ := io.ReadAll(plain.Body)
	if plain.StatusCode != http.StatusOK || string(body) != script {
		t.Fatalf("got %d and %d bytes", plain.StatusCode, len(body))
	}
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding", "Content-Encoding": "",
	} {
		if got := plain.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	zipped := askFor(f, "GET", "Accept-Encoding", "br, gzip;q=0.8")
	reader, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err = io.ReadAll(reader); err != nil || string(body) != script {
		t.Fatalf("the compressed form has %d bytes: %v", len(body), err)
	}
	if refused := askFor(f, "GET", "Accept-Encoding", "gzip;q=0, br"); refused.Header.Get("Content-Encoding") != "" {
		t.Error("compressed for somebody who refuses it")
	}

	for form, answer := range map[string]*http.Response{"": plain, "gzip": zipped} {
		tag := answer.Header.Get("ETag")
		again := askFor(f, "GET", "If-None-Match", tag, "Accept-Encoding", form)
		if tag == "" || again.StatusCode != http.StatusNotModified {
			t.Errorf("asking again with %q (%q): %d, want 304", tag, form, again.StatusCode)
		}
	}
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("two forms with one tag: a cache would mix them up")
	}
	if head := askFor(f, "HEAD"); head.StatusCode != http.StatusOK || head.Header.Get("Content-Length") != "1300" {
		t.Errorf("HEAD: %d, %s bytes", head.StatusCode, head.Header.Get("Content-Length"))
	}
	if post := askFor(f, "POST"); post.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", post.StatusCode)
	}
}

func TestABinaryWithoutTheScriptSaysHowToBuildOne(t *testing.T) {
	f, err := newSDKFile(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := askFor(f, "GET")
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "make build") {
		t.Errorf("got %d: %s", answer.StatusCode, body)
	}
}

func TestABinaryWithAssetsButWithoutTheScriptDoesNotStart(t *testing.T) {
	if _, err := newSDKFile(fstest.MapFS{}); err == nil {
		t.Error("a build that lost the script is not noticed")
	}
}
