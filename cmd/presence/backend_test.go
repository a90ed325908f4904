package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// get asks, expects success and reads the answer.
func get[T any](r *running, method, path, token, body string) (v T) {
	r.t.Helper()
	code, text := r.call(method, path, token, body)
	if code/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return v
}

// A backend with a token touches, listens, lets somebody in with a ticket and logs them out; and it is out when its
// token is revoked.
func TestABackend(t *testing.T) {
	r := startServer(t)
	link := setupLink.FindStringSubmatch(r.stderr.String())
	r.setUp(link[1], "ann", "Sekrit-pass-1")
	login := get[struct{ Tokens struct{ Access string } }](r, "POST", "/api/users/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
	ann := login.Tokens.Access
	bob := get[struct{ User struct{ ID presence.UserID } }](r, "POST", "/api/users/register/", "", `{"username":"bob","password":"Sekrit-pass-2"}`).User.ID
	if code, text := r.call("DELETE", fmt.Sprintf("/api/v1/users/%d/sessions", bob), ann, ""); code != 204 {
		t.Fatal(code, text)
	}
	made := get[struct{ ID, Token string }](r, "POST", "/api/v1/tokens", ann, `{"name":"app","scopes":["touch","read","tickets","logout"]}`)
	if !auth.IsAPIToken(made.Token) {
		t.Fatalf("%+v", made)
	}

	events := r.stream(made.Token, "?scope=all")
	until(t, events, `"t":"hello"`, `"staff":false`, `"user":"-`+made.ID+`"`)
	until(t, events, `"t":"snap"`)
	alice := get[struct{ User struct{ ID presence.UserID } }](r, "POST", "/api/users/register/", "", `{"username":"alice","password":"Sekrit-pass-3"}`).User.ID
	until(t, events, `"t":"delta"`, fmt.Sprintf(`"id":"%d"`, alice), `"s":"online"`)

	ticket := func(body string) string {
		return get[struct {
			Ticket    string
			ExpiresIn int `json:"expires_in"`
		}](r, "POST", "/api/v1/feed/ticket", made.Token, body).Ticket
	}
	mine := r.stream(ticket(fmt.Sprintf(`{"user":"%d","device":"laptop"}`, alice)), "?scope=users&users=1")
	until(t, mine, `"t":"hello"`, fmt.Sprintf(`"user":"%d"`, alice))
	if code, _ := r.call("GET", "/api/v1/feed?scope=all", ticket(`{"user":"1"}`), ""); code != 403 {
		t.Errorf("an admin's ticket of a backend is good for everything: %d", code)
	}
	for body, want := range map[string]int{
		`{"user":"4711"}`: 404, `{"user":"x"}`: 400, `{"user":"1","ttl":301}`: 400, `{}`: 400, `[]`: 400,
		fmt.Sprintf(`{"user":"1","device":"%s"}`, strings.Repeat("x", 201)): 400,
	} {
		if code, text := r.call("POST", "/api/v1/feed/ticket", made.Token, body); code != want {
			t.Errorf("%s: %d %s, want %d", body, code, text, want)
		}
	}
	if code, _ := r.call("POST", "/api/v1/feed/ticket", ann, `{"user":"1"}`); code != 401 {
		t.Errorf("a person lets others in: %d", code)
	}
	get[struct{}](r, "POST", fmt.Sprintf("/api/v1/users/%d/force-logout", alice), made.Token, `{"reason":"lost phone"}`)
	until(t, mine, `"t":"bye"`, `"code":4001`)
	until(t, events, `"t":"delta"`, fmt.Sprintf(`"id":"%d"`, alice), `"s":"offline"`)

	again := r.stream(ticket(fmt.Sprintf(`{"user":"%d","device":"tablet"}`, alice)), "?scope=users&users=1")
	until(t, again, `"t":"hello"`)
	unused := ticket(fmt.Sprintf(`{"user":"%d","device":"tablet","ttl":300}`, alice))
	if code, text := r.call("DELETE", "/api/v1/tokens/"+made.ID, ann, ""); code != 204 {
		t.Fatal(code, text)
	}
	until(t, events, `"t":"bye"`, `"code":4001`)
	until(t, again, `"t":"bye"`, `"code":4002`, `"retry_ms"`)
	if code, _ := r.call("GET", "/api/v1/feed?ticket="+unused, "", ""); code != 401 {
		t.Errorf("a ticket of a revoked token opens the feed: %d", code)
	}
	if code, _ := r.call("GET", "/api/v1/feed?scope=all", made.Token, ""); code != 401 {
		t.Errorf("a revoked token opens the feed: %d", code)
	}
	if strings.Contains(r.stderr.String(), made.Token) {
		t.Error("the log has the token")
	}
}
