package api

import (
	"testing"

	"github.com/offchat/presence/wire"
)

func TestAnAdminMakesAnAccount(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	boss := s.login("boss").Access
	const body = `{"username":"alice","password":"` + testPassword + `","first_name":"Alice"}`
	made := want[wire.Account](s, 200, "POST", "/api/v1/users", boss, body)
	if made.Username != "alice" || made.Role != "user" || made.AccountStatus != "active" || made.FirstName != "Alice" {
		t.Errorf("made: %+v", made)
	}
	want[wire.Problem](s, 409, "POST", "/api/v1/users", boss, body)
	if me := want[wire.Me](s, 200, "GET", "/api/v1/me", s.login("alice").Access, ""); me.Account.ID != made.ID {
		t.Errorf("alice is %+v", me.Account)
	}
}
