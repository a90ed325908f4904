package compat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// matrix says who may do what. The columns: A nobody signed in, U a user on themselves, O a user on another,
// M a moderator, D an admin, B somebody suspended with a token that was good, R a refresh token used as an
// access token, T a backend's API token with every scope. The cells: 2 done, 1 unauthenticated, 3 forbidden, 5 no such method, - does not apply.
// Methods that are not here answer 405 to whom the route lets in at all, and OPTIONS answers everybody.
const matrix = `
login/                               POST   2 2 - 2 2 3 - -
register/                            POST   2 2 - 2 2 2 - -
refresh/                             POST   1 2 - 2 2 1 - -
verify/                              POST   1 2 - 2 2 1 2 -
logout/                              POST   1 2 - 2 2 1 1 1
profile/                             GET    1 2 - 2 2 1 1 1
profile/                             PUT    1 2 - 2 2 1 1 1
activity/                            GET    1 2 - 2 2 1 1 1
statistics/                          GET    1 2 - 2 2 1 1 1
heartbeat/                           POST   1 2 - 2 2 3 1 1
refresh-status/                      POST   1 2 - 2 2 3 1 1
all-users/                           GET    1 2 - 2 2 1 1 1
debug/heartbeat/{name}/              GET    1 3 3 3 2 1 1 1
admin/users/                         GET    1 3 - 2 2 1 1 1
admin/users/                         POST   1 3 - 3 2 1 1 1
admin/users/online/                  GET    1 2 - 2 2 1 1 1
admin/users/{id}/                    GET    1 3 3 2 2 1 1 1
admin/users/{id}/                    PUT    1 3 3 3 2 1 1 1
admin/users/{id}/                    DELETE 1 3 3 3 2 1 1 1
admin/users/{id}/online-status/      GET    1 2 2 2 2 1 1 1
admin/users/{id}/set-online-status/  POST   1 3 3 3 2 1 1 1
admin/users/{id}/approve/            POST   1 3 3 3 2 1 1 1
admin/users/{id}/suspend/            POST   1 3 3 3 2 1 1 1
admin/users/{id}/ban/                POST   1 3 3 3 2 1 1 1
admin/users/{id}/activate/           POST   1 3 3 3 2 1 1 1
admin/users/{id}/force-logout/       POST   1 3 3 3 2 1 1 1
pending-users/                       GET    1 3 - 2 2 1 1 1
pending-users/                       POST   1 3 - 3 5 1 1 1
pending-users/stats/                 GET    1 3 - 2 2 1 1 1
pending-users/{id}/approve/          POST   1 3 3 3 2 1 1 1
pending-users/{id}/reject/           POST   1 3 3 3 2 1 1 1
audit-logs/                          GET    1 3 - 3 2 1 1 1
analytics/data/                      GET    1 3 - 2 2 1 1 1
departments/                         GET    1 2 - 2 2 1 1 1
departments/                         POST   1 3 - 3 5 1 1 1
department-office-users/             GET    1 2 - 2 2 1 1 1
department-office-users/             POST   1 3 - 3 5 1 1 1
notifications/                       GET    1 2 - 2 2 1 1 1
notifications/                       POST   1 3 - 3 5 1 1 1
groups/                              GET    1 2 - 2 2 1 1 1
groups/                              POST   1 3 - 3 5 1 1 1
chat/conversations/                  GET    1 2 - 2 2 1 1 1
chat/conversations/                  POST   1 3 - 3 5 1 1 1
`

const actors = "AUOMDBRT"

var allMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, "PROPFIND",
}

// readMatrix returns cells by route and method.
func readMatrix(t *testing.T) map[string]map[string]string {
	t.Helper()
	rows := map[string]map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(matrix), "\n") {
		words := strings.Fields(line)
		if len(words) != 2+len(actors) {
			t.Fatalf("row %q has %d cells", line, len(words)-2)
		}
		if rows[words[0]] == nil {
			rows[words[0]] = map[string]string{}
		}
		rows[words[0]][words[1]] = strings.Join(words[2:], "")
	}
	return rows
}

// TestMatrix asks every route, under every prefix, with every method, as every actor. A route or method that
// the table does not name, and a row of the table that names no route, fail.
func TestMatrix(t *testing.T) {
	rows := readMatrix(t)
	w := newMatrixWorld(t)
	cells := 0
	for _, r := range w.h.Routes() {
		row, ok := rows[r.Path]
		if !ok {
			t.Errorf("route %s is not in the matrix", r.Path)
			continue
		}
		delete(rows, r.Path)
		for _, m := range r.Methods {
			if _, ok := row[m.Name]; !ok {
				t.Errorf("%s %s is not in the matrix", m.Name, r.Path)
			}
		}
		for _, prefix := range r.Prefixes {
			for _, method := range allMethods {
				for i, actor := range actors {
					want := wantCell(r, row, method, i)
					if want == 0 {
						continue
					}
					cells++
					code := w.ask(prefix+r.Path, method, actor, row[method] != "")
					if code != want && !(want == 200 && code == 201) {
						t.Errorf("%s %s%s as %c: %d, want %d", method, prefix, r.Path, actor, code, want)
					}
				}
			}
		}
	}
	for path := range rows {
		t.Errorf("the matrix names %s, which is no route", path)
	}
	t.Logf("%d cells", cells)
}

var cellStatus = map[byte]int{'2': 200, '1': 401, '3': 403, '5': 405}

// wantCell is the status a cell asks for, 0 when it does not apply.
func wantCell(r Route, row map[string]string, method string, actor int) int {
	if method == http.MethodOptions {
		return 200
	}
	declared := row[method]
	if method == http.MethodHead {
		if strings.Contains(r.Allow, "HEAD") {
			declared = row[http.MethodGet]
		}
	}
	if declared != "" {
		return cellStatus[declared[actor]]
	}
	if r.Least() == Anyone {
		return 405
	}
	switch who := actors[actor]; {
	case who == 'B' && r.Path == "heartbeat/":
		return 401 // not a heartbeat, so not its words
	case strings.ContainsRune("ABRT", rune(who)):
		return 401
	case who == 'D', who == 'M' && r.Least() <= Readers, r.Least() <= SignedIn:
		return 405
	default:
		return 403
	}
}

// matrixWorld makes the people a cell needs.
type matrixWorld struct {
	*stack
	lastID presence.UserID
	shared map[rune]matrixActor

	apiToken string
}

// matrixActor is somebody with a token, or nobody.
type matrixActor struct {
	name   string
	id     presence.UserID
	tokens auth.Tokens
}

func newMatrixWorld(t *testing.T) *matrixWorld {
	w := &matrixWorld{stack: newStack(t), lastID: 100, shared: map[rune]matrixActor{}}
	w.seed(admin(1, "boss")) // so that no other admin is the last one
	every, _ := presence.ParseScope(strings.Join(presence.ScopeNames(), ","))
	var err error
	_, w.apiToken, err = w.auth.CreateAPIToken(t.Context(), auth.System, auth.NewAPIToken{Name: "all", Scopes: every}, presence.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	for _, actor := range actors {
		w.shared[actor] = w.make(actor)
	}
	return w
}

func (w *matrixWorld) person(status presence.AccountStatus, role presence.Role) presence.Account {
	w.lastID++
	a := withStatus(user(w.lastID, fmt.Sprintf("person%d", w.lastID)), status)
	a.Role = role
	w.seed(a)
	return a
}

func (w *matrixWorld) make(actor rune) matrixActor {
	if actor == 'A' {
		return matrixActor{name: "boss"}
	}
	roles := map[rune]presence.Role{'M': presence.RoleModerator, 'D': presence.RoleAdmin}
	a := w.person(presence.AccountActive, roles[actor])
	made := matrixActor{name: a.Username, id: a.ID, tokens: w.login(a.Username)}
	if actor == 'B' {
		if _, err := w.auth.Suspend(w.t.Context(), auth.System, a.ID, "", presence.Origin{}); err != nil {
			w.t.Fatal(err)
		}
	}
	return made
}

// ask returns the status of one cell. Cells that may change something get people of their own.
func (w *matrixWorld) ask(path, method string, actor rune, declared bool) int {
	who := w.shared[actor]
	if declared && method != http.MethodGet {
		who = w.make(actor)
	}
	target := matrixActor{name: who.name, id: who.id}
	if actor != 'U' && strings.Contains(path, "{") {
		status := presence.AccountActive
		if strings.Contains(path, "pending-users") {
			status = presence.AccountPending
		}
		a := w.person(status, presence.RoleUser)
		target = matrixActor{name: a.Username, id: a.ID}
	}
	token := who.tokens.Access
	switch actor {
	case 'R':
		token = who.tokens.Refresh
	case 'T':
		token = w.apiToken
	}
	body := w.body(path, method, actor, who)
	path = strings.NewReplacer("{id}", fmt.Sprint(target.id), "{name}", target.name).Replace(path)
	return w.stack.ask(method, path, token, body).Code
}

// body is a good body for the cell.
func (w *matrixWorld) body(path, method string, actor rune, who matrixActor) string {
	w.lastID++
	token := who.tokens.Refresh
	if token == "" {
		token = "garbage"
	}
	switch {
	case method == http.MethodGet || method == http.MethodHead:
		return ""
	case strings.HasSuffix(path, "login/"):
		return fmt.Sprintf(`{"username":%q,"password":%q}`, who.name, testPassword)
	case strings.HasSuffix(path, "register/") || strings.HasSuffix(path, "admin/users/"):
		return fmt.Sprintf(`{"username":"made%d","email":"made%d@example.test","password":%q}`, w.lastID, w.lastID, testPassword)
	case strings.HasSuffix(path, "refresh/"):
		return fmt.Sprintf(`{"refresh":%q}`, token)
	case strings.HasSuffix(path, "verify/"):
		return fmt.Sprintf(`{"token":%q}`, token)
	case strings.HasSuffix(path, "set-online-status/"):
		return `{"status":"away"}`
	}
	return ""
}

// TestNotOnOneself: admins do nothing to their own accounts that would lock them out, and somebody who may
// administer is always left.
func TestNotOnOneself(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "admin"), admin(2, "second"))
	token := s.login("admin").Access
	for _, act := range []string{"suspend", "ban", "force-logout"} {
		s.want(409, "POST", "/api/users/admin/users/1/"+act+"/", token, "")
	}
	s.want(200, "DELETE", "/api/users/admin/users/2/", token, "")
	for _, change := range []string{`{"role":"user"}`, `{"is_active":false}`, `{"status":"suspended"}`} {
		if answer := s.want(409, "PUT", "/api/users/admin/users/1/", token, change); answer["error"] == nil {
			t.Errorf("%s: no sentence in %v", change, answer)
		}
	}
	s.want(409, "DELETE", "/api/users/admin/users/1/", token, "")
	s.want(200, "GET", "/api/users/admin/users/", token, "")
}
