package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// stream opens the feed as an event stream.
func (r *running) stream(token, query string) *bufio.Scanner {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.at.public.String()+"/api/v1/feed"+query, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		r.t.Fatalf("feed: %d %v", resp.StatusCode, resp.Header)
	}
	return bufio.NewScanner(resp.Body)
}

// until reads a stream up to a frame that has all of these words.
func until(t *testing.T, s *bufio.Scanner, words ...string) {
	t.Helper()
	for s.Scan() {
		found := strings.HasPrefix(s.Text(), "data: ")
		for _, word := range words {
			found = found && strings.Contains(s.Text(), word)
		}
		if found {
			return
		}
	}
	t.Fatalf("the stream ended before %v: %v", words, s.Err())
}

// A heartbeat by HTTP is told to who watches; a logout ends the session's own feed; and a server that stops says when
// to come back.
func TestTheFeedOfAServer(t *testing.T) {
	r := startServer(t)
	link := setupLink.FindStringSubmatch(r.stderr.String())
	r.setUp(link[1], "ann", "Sekrit-pass-1")
	login := func() string {
		resp, body := r.do("POST", "/api/users/login/", "application/json", `{"username":"ann","password":"Sekrit-pass-1"}`)
		var answer struct{ Tokens struct{ Access string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Tokens.Access == "" {
			t.Fatalf("login: %d %s", resp.StatusCode, body)
		}
		return answer.Tokens.Access
	}
	first, second := login(), login()
	one, other := r.stream(first, "?scope=all"), r.stream(second, "?users=1")
	until(t, one, `"t":"hello"`, `"staff":true`, `"offline_after_ms":120000`)
	until(t, one, `"t":"snap"`, `"full":true`)
	until(t, other, `"t":"snap"`, `"s":"online"`)

	ask := func(token, path string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://%s%s", r.at.public, path), strings.NewReader(`{"status":"offline"}`))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v", path, resp, err)
		}
		_ = resp.Body.Close()
	}
	ask(second, "/api/users/admin/users/1/set-online-status/")
	until(t, one, `"t":"delta"`, `"s":"offline"`, `"c":"admin"`, `"from":"online"`)
	until(t, other, `"t":"delta"`, `"s":"offline"`)
	ask(first, "/api/users/logout/")
	until(t, one, `"t":"bye"`, `"code":4001`)
	go r.end()
	until(t, other, `"t":"bye"`, `"code":1012`, `"retry_ms":[500,2000]`)
}
