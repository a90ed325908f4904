package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// matrix says who may do what. The columns: A nobody signed in, U a user on themselves, O a user on another, M a
// moderator, D an admin, B somebody suspended with a token that was good, R a refresh token used as an access
// token, T an API token with every scope, N one with every scope but those that the operation takes, V an API token that
// was revoked. The cells: 2 done, 1 unauthenticated, 3 forbidden, 9 conflict, - does not apply.
// What is below /session is done with the cookie of the actor instead of the token.
const matrix = `
POST   /session                        1 2 - 2 2 1 2 - - -
POST   /session/refresh                1 2 - 2 2 1 2 - - -
DELETE /session                        2 2 - 2 2 2 2 - - -
GET    /session/setup                  2 2 - 2 2 2 2 - - -
POST   /session/setup                  3 3 - 3 3 3 3 - - -
GET    /me                             1 2 - 2 2 1 1 3 3 1
GET    /me/history                     1 2 - 2 2 1 1 3 3 1
GET    /me/privacy                     1 2 - 2 2 1 1 3 3 1
PUT    /me/privacy                     1 2 - 2 2 1 1 3 3 1
GET    /me/status                      1 2 - 2 2 1 1 3 3 1
PUT    /me/status                      1 2 - 2 2 1 1 3 3 1
DELETE /me/sessions                    1 2 - 2 2 1 1 3 3 1
DELETE /me/sessions/{session}          1 2 - 2 2 1 1 3 3 1
POST   /presence/query                 1 2 2 2 2 1 1 2 3 1
GET    /presence/{id}                  1 2 2 2 2 1 1 2 3 1
GET    /counts                         1 2 - 2 2 1 1 2 3 1
GET    /settings                       1 2 - 2 2 1 1 2 3 1
GET    /roster                         1 3 - 2 2 1 1 2 3 1
GET    /users                          1 3 - 2 2 1 1 2 3 1
GET    /users/{id}                     1 3 3 2 2 1 1 2 3 1
GET    /users/{id}/history             1 3 3 2 2 1 1 2 3 1
POST   /users/{id}/hold                1 3 3 3 2 1 1 3 3 1
DELETE /users/{id}/hold                1 3 3 3 2 1 1 3 3 1
DELETE /users/{id}/sessions            1 3 3 3 2 1 1 2 3 1
DELETE /users/{id}/sessions/{session}  1 3 3 3 2 1 1 2 3 1
GET    /history/concurrency            1 3 - 2 2 1 1 2 3 1
GET    /history/week                   1 3 - 2 2 1 1 2 3 1
GET    /transitions                    1 3 - 2 2 1 1 2 3 1
GET    /audit                          1 3 - 3 2 1 1 2 3 1
POST   /users/{id}/force-logout        1 3 3 3 2 1 1 2 3 1
POST   /touch                          1 3 3 3 3 1 1 2 3 1
POST   /identity/check                 1 3 - 3 2 1 1 3 3 1
POST   /tokens                         1 3 - 3 2 1 1 3 3 1
GET    /tokens                         1 3 - 3 2 1 1 3 3 1
DELETE /tokens/{token}                 1 3 - 3 2 1 1 3 3 1
GET    /webhooks                       1 3 - 3 2 1 1 3 3 1
POST   /webhooks                       1 3 - 3 2 1 1 3 3 1
GET    /webhooks/events                1 3 - 3 2 1 1 3 3 1
GET    /webhooks/{webhook}             1 3 - 3 2 1 1 3 3 1
PATCH  /webhooks/{webhook}             1 3 - 3 2 1 1 3 3 1
DELETE /webhooks/{webhook}             1 3 - 3 2 1 1 3 3 1
POST   /webhooks/{webhook}/secret      1 3 - 3 2 1 1 3 3 1
POST   /webhooks/{webhook}/test        1 3 - 3 2 1 1 3 3 1
GET    /webhooks/{webhook}/deliveries  1 3 - 3 2 1 1 3 3 1
GET    /webhooks/{webhook}/deliveries/{delivery}        1 3 - 3 2 1 1 3 3 1
POST   /webhooks/{webhook}/deliveries/{delivery}/retry  1 3 - 3 2 1 1 3 3 1
`

const actors = "AUOMDBRTNV"

// readMatrix returns the cells by method and path.
func readMatrix(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(strings.TrimSpace(matrix)+deskMatrix), "\n") {
		words := strings.Fields(line)
		if len(words) != 2+len(actors) {
			t.Fatalf("row %q has %d cells", line, len(words)-2)
		}
		rows[words[0]+" /api/v1"+words[1]] = strings.Join(words[2:], "")
	}
	return rows
}

// TestMatrix does every operation of the document as every actor. An operation that the table does not name, and
// a row that names none, fail.
func TestMatrix(t *testing.T) {
	rows := readMatrix(t)
	w := newMatrixWorld(t)
	cells := 0
	for path, item := range w.h.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete, "PATCH": item.Patch, "HEAD": item.Head,
			"OPTIONS": item.Options, "TRACE": item.Trace,
		} {
			if op == nil {
				continue
			}
			row, ok := rows[method+" "+path]
			if !ok {
				t.Errorf("%s %s is not in the matrix", method, path)
				continue
			}
			delete(rows, method+" "+path)
			for i, actor := range actors {
				if row[i] == '-' {
					continue
				}
				cells++
				if code := w.ask(method, path, op.OperationID, actor); code != cellStatus[row[i]] && !(row[i] == '2' && code == 204) {
					t.Errorf("%s %s as %c: %d, want %d", method, path, actor, code, cellStatus[row[i]])
				}
			}
		}
	}
	for row := range rows {
		t.Errorf("the matrix names %s, which is no operation", row)
	}
	t.Logf("%d cells", cells)
}

var cellStatus = map[byte]int{'2': 200, '1': 401, '3': 403, '9': 409}

// matrixWorld makes the people a cell needs.
type matrixWorld struct {
	*stack
	lastID presence.UserID
}

// matrixActor is somebody with a token, or nobody.
type matrixActor struct {
	id      presence.UserID
	tokens  auth.Tokens
	session presence.SessionID
}

func newMatrixWorld(t *testing.T) *matrixWorld {
	w := &matrixWorld{stack: newStack(t), lastID: 100}
	w.seed(admin(1, "boss")) // so that no other admin is the last one
	w.apiToken('T', 0)       // number 1
	return w
}

func (w *matrixWorld) person(role presence.Role) matrixActor {
	w.lastID++
	name := fmt.Sprintf("person%d", w.lastID)
	w.seed(withRole(user(w.lastID, name), role))
	made := matrixActor{id: w.lastID, tokens: w.login(name)}
	sessions, err := w.store.Sessions(w.t.Context(), made.id, epoch, 0)
	if err != nil || len(sessions) != 1 {
		w.t.Fatalf("sessions of %s: %v, %v", name, sessions, err)
	}
	made.session = sessions[0].ID
	return made
}

// ask returns the status of one cell. Every cell gets people of its own.
func (w *matrixWorld) ask(method, path, op string, actor rune) int {
	w.t.Helper()
	roles := map[rune]presence.Role{'M': presence.RoleModerator, 'D': presence.RoleAdmin}
	who := w.person(roles[actor])
	if actor == 'B' {
		if _, err := w.auth.Suspend(w.t.Context(), auth.System, who.id, "", presence.Origin{}); err != nil {
			w.t.Fatal(err)
		}
	}
	target := who
	if actor != 'U' && !strings.Contains(path, "/me/") {
		target = w.person(presence.RoleUser)
	}
	token := map[rune]string{'A': "", 'R': who.tokens.Refresh}
	access, special := token[actor]
	if !special {
		access = who.tokens.Access
	}
	if strings.HasPrefix(path, "/api/v1/session") {
		if actor == 'A' {
			who = matrixActor{}
		}
		return w.askBrowser(method, path, who.tokens.Refresh, map[string]string{
			"POST /api/v1/session":       fmt.Sprintf(`{"username":"person%d","password":%q}`, who.id, testPassword),
			"POST /api/v1/session/setup": `{"token":"x","username":"mallory","password":"Mallory-pass-1"}`,
		}[method+" "+path]).Code
	}
	body := map[string]string{
		"PUT /api/v1/me/privacy":       hideNothing,
		"PUT /api/v1/me/status":        `{"status":"away"}`,
		"POST /api/v1/presence/query":  fmt.Sprintf(`{"ids":["%d"]}`, target.id),
		"POST /api/v1/users/{id}/hold": `{"status":"away"}`,

		"POST /api/v1/users/{id}/force-logout":   `{"reason":"lost phone"}`,
		"POST /api/v1/touch":                     fmt.Sprintf(`{"ids":["%d"]}`, target.id),
		"POST /api/v1/identity/check":            `{"token":"x"}`,
		"POST /api/v1/tokens":                    `{"name":"made","scopes":["read"]}`,
		"POST /api/v1/webhooks":                  `{"url":"https://example.org/hook"}`,
		"PATCH /api/v1/webhooks/{webhook}":       `{"state":"paused"}`,
		"POST /api/v1/webhooks/{webhook}/secret": `{"keep_old_seconds":60}`,
	}[method+" "+path]
	if strings.Contains(path, "{webhook}") {
		path = w.webhookIn(path)
	}
	if method == "PATCH" && path == "/api/v1/users/{id}" {
		body = `{"first_name":"Edited"}`
	}
	if strings.HasSuffix(path, "/erase") {
		body = fmt.Sprintf(`{"confirm":"person%d"}`, target.id)
	}
	if strings.HasSuffix(path, "/acts") {
		body = `{"act":"force_logout"}`
	}
	if path == "/api/v1/jobs" && method == "POST" {
		body = fmt.Sprintf(`{"act":"lift","ids":["%d"],"expected":1}`, target.id)
	}
	if method+" "+path == "POST /api/v1/users" {
		body = fmt.Sprintf(`{"username":"made%d","password":%q}`, w.lastID, testPassword)
		w.lastID++ // the account's
	}
	if strings.HasPrefix(path, "/api/v1/settings/timeouts") && (method == "PUT" || method == "POST") {
		body = timeoutsBody
	}
	if strings.HasPrefix(path, "/api/v1/views") && method != "GET" {
		body = `{"name":"v","page":"users","query":"","shared":false}`
		if strings.Contains(path, "{view}") {
			saved := want[wire.View](w.stack, 200, "POST", "/api/v1/views", w.viewer(access), body)
			if path = strings.ReplaceAll(path, "{view}", saved.ID); method == "DELETE" {
				body = ""
			}
		}
	}
	if strings.Contains(path, "{job}") {
		path = strings.ReplaceAll(path, "{job}", w.job(w.login("boss").Access, fmt.Sprintf(`{"act":"hold","status":"away","ids":["%d"],"expected":1}`, target.id)).ID)
	}
	if strings.HasPrefix(path, "/api/v1/trash/") && target.id != who.id {
		if _, err := w.auth.Delete(w.t.Context(), auth.System, target.id, false, presence.Origin{}); err != nil {
			w.t.Fatal(err)
		}
	}
	path = strings.NewReplacer("{id}", fmt.Sprint(target.id), "{session}", target.session.String(), "{token}", "1").Replace(path)
	if strings.HasSuffix(path, "/history") {
		path += "?from=2026-01-02T03:04:05Z&to=2026-01-03T00:00:00Z"
	}
	if strings.ContainsRune("TNV", actor) {
		access = w.apiToken(actor, w.h.scopes[op])
	}
	return w.stack.ask(method, path, access, body).Code
}

// apiToken makes a token for an actor that is a backend. taken are the scopes that the operation takes.
func (w *matrixWorld) apiToken(actor rune, taken presence.Scope) string {
	w.t.Helper()
	scopes := every
	if actor == 'N' {
		scopes &^= taken
	}
	made, secret, err := w.auth.CreateAPIToken(w.t.Context(), auth.System, auth.NewAPIToken{Name: string(actor), Scopes: scopes}, presence.Origin{})
	if err != nil {
		w.t.Fatal(err)
	}
	if actor == 'V' {
		if err := w.auth.RevokeAPIToken(w.t.Context(), auth.System, made.ID, presence.Origin{}); err != nil {
			w.t.Fatal(err)
		}
	}
	return secret
}

// every scope there is.
var every, _ = presence.ParseScope(strings.Join(presence.ScopeNames(), ","))

// viewer is whose view a cell is about: the actor's own, where the actor can have one.
func (w *matrixWorld) viewer(access string) string {
	if w.stack.ask("GET", "/api/v1/views", access, "").Code == http.StatusOK {
		return access
	}
	return w.login("boss").Access
}

// TestNobodyIsEverybody: an operation whose access was forgotten lets nobody in.
func TestNobodyIsEverybody(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	delete(s.h.need, "get_counts")
	if code := s.ask(http.MethodGet, "/api/v1/counts", s.login("boss").Access, "").Code; code != http.StatusForbidden {
		t.Errorf("status %d, want 403", code)
	}
}

// TestOtherMethods: what no operation does is a problem that says what does.
func TestOtherMethods(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	token := s.login("alice").Access
	for _, one := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"PATCH", "/api/v1/me", 405, "GET, HEAD"},
		{"TRACE", "/api/v1/counts", 405, "GET, HEAD"},
		{"OPTIONS", "/api/v1/users/7/hold", 204, "DELETE, POST"},
		{"HEAD", "/api/v1/me", 200, ""},
		{"GET", "/api/v1/nothing", 404, ""},
		{"GET", "/api/v1/me/", 404, ""},
		{"GET", "/api/v1", 404, ""},
		{"GET", "/api/v1//me", 404, ""},
		{"POST", "/api/v1/users/../presence/query", 404, ""},
	} {
		w := s.ask(one.method, one.path, token, "")
		if w.Code != one.status || w.Header().Get("Allow") != one.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", one.method, one.path, w.Code, w.Header().Get("Allow"), one.status, one.allow)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: content type %q", one.method, one.path, w.Header().Get("Content-Type"))
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be stored", one.method, one.path)
		}
	}
}
