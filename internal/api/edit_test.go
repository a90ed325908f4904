package api

import (
	"testing"

	"github.com/offchat/presence/wire"
)

// TestEditUser: what is named changes, what is not stays, and what may not be is refused by its name.
func TestEditUser(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss := s.login("boss").Access
	edited := want[wire.UserDetail](s, 200, "PATCH", "/api/v1/users/7", boss, `{"first_name":"Alice","role":"moderator"}`)
	if a := edited.Account; a.FirstName != "Alice" || a.Role != "moderator" || a.Username != "alice" || a.Email == "" || !a.Active {
		t.Errorf("edited: %+v", a)
	}
	for body, field := range map[string]string{
		`{"email":"no address"}`: "email",
		`{"role":"king"}`:        "role",
		`{"password":"short"}`:   "password",
	} {
		if p := want[wire.Problem](s, refusedWith(s, boss, body), "PATCH", "/api/v1/users/7", boss, body); p.Field != field {
			t.Errorf("%s is refused with %+v", body, p)
		}
	}
	if p := want[wire.Problem](s, 409, "PATCH", "/api/v1/users/7", boss, `{"username":"bob"}`); p.Code != "unique" {
		t.Errorf("a name that is taken: %+v", p)
	}
	if p := want[wire.Problem](s, 422, "PATCH", "/api/v1/users/7", boss, `{}`); p.Detail == "" {
		t.Errorf("nothing to change: %+v", p)
	}
	want[wire.Problem](s, 404, "PATCH", "/api/v1/users/99", boss, `{"first_name":"Nobody"}`)
	if p := want[wire.Problem](s, 409, "PATCH", "/api/v1/users/1", boss, `{"role":"user"}`); p.Code == "" {
		t.Errorf("the last admin: %+v", p)
	}
}

// refusedWith is the status of a refusal; anything else fails the test.
func refusedWith(s *stack, token, body string) int {
	s.t.Helper()
	status := s.ask("PATCH", "/api/v1/users/7", token, body).Code
	if status != 409 && status != 422 && status != 400 {
		s.t.Fatalf("%s: %d", body, status)
	}
	return status
}

// TestNewPassword ends every session of the person, and the old password with them.
func TestNewPassword(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, alice := s.login("boss").Access, s.login("alice").Access
	want[wire.UserDetail](s, 200, "PATCH", "/api/v1/users/7", boss, `{"password":"Alice-pass-2"}`)
	want[wire.Problem](s, 401, "GET", "/api/v1/me", alice, "")
	if d := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, ""); len(d.Sessions) != 0 || d.Presence.Status != "offline" {
		t.Errorf("afterwards: %+v", d)
	}
}
