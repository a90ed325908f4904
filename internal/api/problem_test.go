package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// TestBadInput: what is wrong is named, with its bound, and nothing changes.
func TestBadInput(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	ids := func(n int) string { return `{"ids":["7"` + strings.Repeat(`,"7"`, n-1) + `]}` }
	past := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	before := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, "")
	for _, one := range []struct {
		method, path, body string
		status             int
		field, bound       string
	}{
		{"POST", "/presence/query", ids(1001), 422, "ids", "<= 1000"},
		{"POST", "/presence/query", `{"ids":[]}`, 422, "ids", ">= 1"},
		{"POST", "/presence/query", `{"ids":null}`, 422, "ids", "array"},
		{"POST", "/presence/query", `{}`, 422, "ids", "required"},
		{"POST", "/presence/query", `[]`, 422, "", "object"},
		{"POST", "/presence/query", `{"ids":[7]}`, 422, "ids[0]", "string"},
		{"POST", "/presence/query", `{"ids":["7","-1"]}`, 422, "ids[1]", idBound},
		{"POST", "/presence/query", `{"ids":["9223372036854775808"]}`, 422, "ids[0]", idBound},
		{"POST", "/presence/query", `{"ids":["7"],"all":true}`, 422, "all", ""},
		{"POST", "/presence/query", `{"ids":`, 400, "", ""},
		{"POST", "/presence/query", ``, 400, "", ""},
		{"POST", "/presence/query", strings.Repeat("[", 10_000), 400, "", ""},
		{"POST", "/presence/query", `{"ids":["` + strings.Repeat("7", 64<<10) + `"]}`, 413, "", ""},
		{"PUT", "/me/privacy", `{"hide_status":true}`, 422, "hide_last_seen", "required"},
		{"PUT", "/me/privacy", `{"hide_status":"yes","hide_last_seen":false}`, 422, "hide_status", "boolean"},
		{"POST", "/users/7/hold", `{"status":"busy"}`, 422, "status", `"online, away, offline"`},
		{"POST", "/users/7/hold", `{"status":"ONLINE"}`, 422, "status", `"online, away, offline"`},
		{"POST", "/users/7/hold", `{"status":"away","until":"tomorrow"}`, 422, "until", "RFC 3339 date-time"},
		{"POST", "/users/7/hold", `{"status":"away","until":"` + past + `"}`, 422, "until", "after *"},
		{"POST", "/users/7/hold", `{"status":"away","note":"` + strings.Repeat("x", 501) + `"}`, 422, "note", "<= 500"},
		{"POST", "/users/7/hold", `{"status":"away","note":"a\u202eb"}`, 422, "note", ""},
		{"POST", "/users/7/hold", `{"status":"away","actor":"1"}`, 422, "actor", ""},
		{"GET", "/users?limit=0", "", 422, "limit", ">= 1"},
		{"GET", "/users?limit=1001", "", 422, "limit", "<= 1000"},
		{"GET", "/users?limit=1e9", "", 422, "limit", "integer"},
		{"GET", "/users?sort=password", "", 422, "sort", "*"},
		{"GET", "/users?presence=busy", "", 422, "presence[0]", "*"},
		{"GET", "/users?presence=online&presence=busy,away", "", 422, "presence", "once"},
		{"GET", "/users?search=" + strings.Repeat("x", 255), "", 422, "search", "<= 254"},
		{"GET", "/users?search=%FF", "", 422, "search", "UTF-8"},
		{"GET", "/users?seen_after=yesterday", "", 422, "seen_after", "RFC 3339 date-time"},
		{"GET", "/users?seen_after=2026-02-01T00:00:00Z&seen_before=2026-01-01T00:00:00Z", "", 422, "seen_after", "*"},
		{"GET", "/users?per_page=10", "", 422, "per_page", ""},
		{"GET", "/users/7/history", "", 422, "from", "required"},
		{"GET", "/users/7/history?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "", 422, "from", "*"},
		{"GET", "/users/7/history?from=2020-01-01T00:00:00Z", "", 422, "from", "to - from <= 92 days"},
		{"GET", "/users/7/history?from=2026-11-01T00:00:00Z&tz=Mars/Olympus", "", 422, "tz", "*"},
		{"GET", "/users/7/history?from=2026-11-01T00:00:00Z&tz=../../etc/passwd", "", 422, "tz", "*"},
		{"GET", "/history/concurrency?range=1y", "", 422, "range", "*"},
		{"GET", "/audit?actor=me", "", 422, "actor", "*"},
		{"DELETE", "/me/sessions?except=all", "", 422, "except", "*"},
		{"DELETE", "/me/sessions/xyz", "", 422, "session", "*"},
		{"DELETE", "/users/7/sessions/ffffffffffffffff", "", 422, "session", "*"},
		{"DELETE", "/users/7/sessions/00000000000000ff", "", 404, "", ""},
		{"GET", "/users/12345", "", 404, "", ""},
		{"GET", "/presence/9223372036854775807", "", 404, "", ""},
		{"GET", "/presence/9223372036854775808", "", 422, "id", idBound},
		{"GET", "/presence/0", "", 422, "id", "*"},
		{"GET", "/presence/-1", "", 422, "id", "*"},
		{"GET", "/presence/1e3", "", 422, "id", "*"},
		{"GET", "/presence/0x1", "", 422, "id", "*"},
		{"GET", "/presence/07", "", 422, "id", "*"},
		{"GET", "/presence/7%00", "", 422, "id", "*"},
		{"GET", "/presence/..%2f1", "", 404, "", ""},
	} {
		name := fmt.Sprintf("%s %s %.60s", one.method, one.path, one.body)
		w := s.ask(one.method, "/api/v1"+one.path, boss, one.body)
		var p wire.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, no problem: %v %s", name, w.Code, err, w.Body)
			continue
		}
		stem, any := strings.CutSuffix(one.bound, "*")
		bound := p.Bound == one.bound || any && p.Bound != "" && strings.HasPrefix(p.Bound, stem)
		if w.Code != one.status || p.Status != one.status || p.Field != one.field || !bound {
			t.Errorf("%s: %d, field %q, bound %q; want %d, %q, %q\n%s", name, w.Code, p.Field, p.Bound, one.status, one.field, one.bound, w.Body)
		}
		if p.Type != "/api/docs#problem-"+p.Code || p.Title == "" || p.Detail == "" || p.Code == "" {
			t.Errorf("%s: an incomplete problem: %s", name, w.Body)
		}
	}
	after := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, "")
	if before.AsOf = after.AsOf; fmt.Sprintf("%+v", before) != fmt.Sprintf("%+v", after) {
		t.Errorf("something changed:\n%+v\n%+v", before, after)
	}
	if s.log.Len() > 0 {
		t.Errorf("bad input is nobody's fault here, but the log says %s", s.log)
	}
}

// TestTokens: how a token may come, and what is said when it is not good.
func TestTokens(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	tokens := s.login("alice")
	for _, one := range []struct {
		header, code string
		status       int
	}{
		{"Bearer " + tokens.Access, "", 200},
		{"bearer " + tokens.Access, "", 200}, // RFC 9110: the scheme's case does not count
		{"", "not_authenticated", 401},
		{"Basic YTpi", "not_authenticated", 401},
		{"Bearer", "not_authenticated", 401},
		{"Bearer " + tokens.Access + " x", "not_authenticated", 401},
		{"Bearer " + tokens.Access + ", Bearer " + tokens.Access, "not_authenticated", 401},
		{"Bearer " + tokens.Refresh, "token_not_valid", 401},
		{"Bearer " + tokens.Access[:len(tokens.Access)-2], "token_not_valid", 401},
		{"Bearer " + strings.Repeat("x", 64<<10), "token_not_valid", 401},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "/api/v1/settings?token="+tokens.Access, nil)
		if one.status == 200 {
			r.URL.RawQuery = ""
		}
		if one.header != "" {
			r.Header.Set("Authorization", one.header)
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		var p wire.Problem
		_ = json.Unmarshal(w.Body.Bytes(), &p)
		if w.Code != one.status || p.Code != one.code {
			t.Errorf("%.40q: %d %q, want %d %q", one.header, w.Code, p.Code, one.status, one.code)
		}
		if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (one.status == 401) {
			t.Errorf("%.40q: challenge %v", one.header, challenged)
		}
	}
}

// TestActivity: every authenticated request is a sign of life of its session, one that is refused too; others are not.
func TestActivity(t *testing.T) {
	for _, one := range []struct {
		path   string
		status int
		counts bool
	}{{"/me", 200, true}, {"/users", 403, true}, {"/presence/0", 422, true}, {"/nothing", 404, false}} {
		s := newStack(t)
		s.seed(user(7, "alice"))
		token := s.login("alice").Access
		s.signal(presence.Signal{User: 7, Kind: presence.Set, Status: presence.Away})
		if w := s.ask("GET", "/api/v1"+one.path, token, ""); w.Code != one.status {
			t.Errorf("%s: %d", one.path, w.Code)
		}
		states, err := s.tracker.State(t.Context(), []presence.UserID{7})
		if err != nil || (states[0].Status == presence.Online) != one.counts {
			t.Errorf("after %s: %+v, %v", one.path, states, err)
		}
	}
}

// TestDocument: the document names every operation, its access and its problems, and is what the page shows.
func TestDocument(t *testing.T) {
	s := newStack(t)
	w := s.ask("GET", "/api/v1/openapi.json", "", "")
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID, Description string
			Security                 []map[string][]string
			Responses                map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.Schemas["Presence"] == nil {
		t.Errorf("openapi %q, schemas %v", doc.OpenAPI, len(doc.Components.Schemas))
	}
	page := s.ask("GET", "/api/docs", "", "")
	html := page.Body.String()
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if len(op.Security) == 0 || !strings.Contains(op.Description, "For "+s.h.need[op.OperationID].String()) {
				t.Errorf("%s %s does not say for whom: %q", method, path, op.Description)
			}
			if op.Responses["401"].Content["application/problem+json"] == nil || op.Responses["422"].Content["application/problem+json"] == nil {
				t.Errorf("%s %s does not name its problems", method, path)
			}
			if !strings.Contains(html, `id="`+op.OperationID+`"`) {
				t.Errorf("the page lacks %s", op.OperationID)
			}
		}
	}
	for _, k := range kinds {
		if !strings.Contains(html, `id="problem-`+k.Code+`"`) {
			t.Errorf("the page lacks problem %s", k.Code)
		}
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "//cdn") || strings.Contains(html, `src=`) {
		t.Error("the page fetches or runs something")
	}
	_, style, _ := strings.Cut(html, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	if !strings.Contains(page.Header().Get("Content-Security-Policy"), "'sha256-"+digest(style)+"'") {
		t.Error("the policy does not allow the page's own style")
	}
	links := 0
	for _, part := range strings.Split(html, `href="#`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if links++; !strings.Contains(html, `id="`+name+`"`) {
			t.Errorf("the page has a link to #%s, which is not there", name)
		}
	}
	if links < 20 {
		t.Errorf("%d links", links)
	}
}

// TestNamesOnTheWire: fields are snake_case, times end in Z, ids are strings.
func TestNamesOnTheWire(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	for _, path := range []string{"/me", "/users?total=true", "/users/1", "/presence/1", "/counts", "/settings", "/history/concurrency", "/audit", "/users/1/history?from=2026-11-01T00:00:00Z"} {
		w := s.ask("GET", "/api/v1"+path, boss, "")
		reader := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		for last := ""; ; {
			token, err := reader.Token()
			if err != nil {
				break
			}
			text, isText := token.(string)
			if isText && text != strings.ToLower(text) && slices.Contains([]string{"id", "status"}, last) {
				t.Errorf("%s: %q", path, text)
			}
			if isText && strings.HasSuffix(last, "_at") && !strings.HasSuffix(text, "Z") {
				t.Errorf("%s: %s is %q", path, last, text)
			}
			if _, number := token.(float64); number && (last == "id" || last == "actor") {
				t.Errorf("%s: %s is a number", path, last)
			}
			if last = text; strings.ContainsAny(text, " :-") {
				last = ""
			}
		}
	}
}
