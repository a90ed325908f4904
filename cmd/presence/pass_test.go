package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/offchat/presence"
)

// Where sockets are blocked, whoever was given a ticket is online and sees others by requests alone, is nobody's staff in
// them, may do nothing else, and is out when the session is.
func TestATicketIsGoodBesideTheFeed(t *testing.T) {
	r := startServer(t)
	r.setUp(setupLink.FindStringSubmatch(r.stderr.String())[1], "ann", "Sekrit-pass-1")
	ann := get[struct{ Tokens struct{ Access string } }](r, "POST", "/api/users/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`).Tokens.Access
	bob := get[struct{ User struct{ ID presence.UserID } }](r, "POST", "/api/users/register/", "", `{"username":"bob","password":"Sekrit-pass-2"}`).User.ID
	if code, text := r.call("DELETE", fmt.Sprintf("/api/v1/users/%d/sessions", bob), ann, ""); code != 204 {
		t.Fatal(code, text)
	}
	app := get[struct{ ID, Token string }](r, "POST", "/api/v1/tokens", ann, `{"name":"app","scopes":["tickets","logout"]}`)
	ticket := func(user any) string {
		return get[struct{ Ticket string }](r, "POST", "/api/v1/feed/ticket", app.Token, fmt.Sprintf(`{"user":"%v","device":"laptop"}`, user)).Ticket
	}
	// ask sends a request and returns the pass that came with the answer.
	ask := func(method, path, token, body string) (status int, pass, text string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.at.public.String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", "http://"+r.at.public.String())
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b strings.Builder
		_ = resp.Write(&b)
		return resp.StatusCode, resp.Header.Get(passHeader), b.String()
	}

	bobs := ticket(bob)
	code, pass, text := ask("POST", "/api/users/heartbeat/", bobs, "")
	if code != 200 || pass == "" {
		t.Fatalf("the heartbeat with a ticket: %d, pass %q\n%s", code, pass, text)
	}
	if code, _, _ := ask("POST", "/api/users/heartbeat/", bobs, ""); code != 401 {
		t.Errorf("a ticket is good twice: %d", code)
	}
	online := fmt.Sprintf(`{"ids":["%d"]}`, bob)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/users/heartbeat/", ""},
		{"POST", "/api/v1/presence/query", online},
		{"GET", "/api/v1/settings", ""},
		{"PUT", "/api/v1/me/status", `{"status":"auto"}`},
		{"GET", "/api/v1/feed", ""},
	} {
		if c.path == "/api/v1/feed" {
			until(t, r.stream(pass, ""), `"t":"hello"`, fmt.Sprintf(`"user":"%d"`, bob))
			continue
		}
		code, again, text := ask(c.method, c.path, pass, c.body)
		if code != 200 || again != "" {
			t.Errorf("%s %s with the pass: %d, another pass %q\n%s", c.method, c.path, code, again, text)
		}
		if c.body == online && !strings.Contains(text, `"status":"online"`) {
			t.Errorf("who beats is not online: %s", text)
		}
	}
	for _, path := range []string{
		"GET /api/users/profile/", "PUT /api/users/profile/", "GET /api/v1/me", "GET /api/v1/users", "POST /api/v1/feed/ticket", "POST /api/v1/touch",
		"POST /api/auth/heartbeat/", "POST /api/users/heartbeat", "GET /api/v1/presence/1", "POST /api/users/change-password/",
	} {
		method, path, _ := strings.Cut(path, " ")
		for what, text := range map[string]string{"pass": pass, "ticket": ticket(bob)} {
			if code, _, _ := ask(method, path, text, "{}"); code < 400 {
				t.Errorf("%s %s with a %s: %d", method, path, what, code)
			}
		}
	}
	for name, text := range map[string]string{
		"a changed pass": pass[:len(pass)-2] + "xx", "nothing": "pass.", "a sealed nothing": "pass.AAAA", "a pass in a pass": "pass." + pass,
	} {
		if code, _, _ := ask("POST", "/api/users/heartbeat/", text, ""); code != 401 {
			t.Errorf("%s: %d", name, code)
		}
	}

	// An admin whom a backend let in is no admin.
	_, boss, text := ask("GET", "/api/v1/settings", ticket(1), "")
	if boss == "" || strings.Contains(text, `"server"`) {
		t.Errorf("a ticket of a backend makes an admin: %s", text)
	}
	if _, _, text := ask("POST", "/api/v1/presence/query", boss, online); !strings.Contains(text, `"status":"online"`) || strings.Contains(text, `"cause"`) {
		t.Errorf("a pass of a backend's ticket makes staff: %s", text)
	}
	if code, _ := r.call("GET", "/api/v1/feed?scope=all", boss, ""); code != 403 {
		t.Errorf("a pass of a backend's ticket opens the feed of staff: %d", code)
	}

	// Out means out: with the session, and with the backend's right to let people in.
	get[struct{}](r, "POST", fmt.Sprintf("/api/v1/users/%d/force-logout", bob), app.Token, `{"reason":"lost phone"}`)
	if code, _, _ := ask("POST", "/api/users/heartbeat/", pass, ""); code != 401 {
		t.Errorf("a pass outlives its session: %d", code)
	}
	until(t, r.stream(ticket(bob), ""), `"t":"hello"`) // a token that may let people in and not listen
	_, pass, _ = ask("POST", "/api/users/heartbeat/", ticket(bob), "")
	listening, unused := r.stream(pass, ""), ticket(bob)
	until(t, listening, `"t":"hello"`)
	if code, text := r.call("DELETE", "/api/v1/tokens/"+app.ID, ann, ""); code != 204 {
		t.Fatal(code, text)
	}
	until(t, listening, `"t":"bye"`)
	for what, text := range map[string]string{"pass": pass, "ticket": unused} {
		if code, _, _ := ask("POST", "/api/users/heartbeat/", text, ""); code != 401 {
			t.Errorf("a %s outlives the API token on whose word it was given: %d", what, code)
		}
	}
}
