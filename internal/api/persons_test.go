package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// TestAPersonsData: an admin gets all of it, the trash included, no secret is in it, and the audit has who took it.
func TestAPersonsData(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, alice := s.login("boss").Access, s.login("alice")
	want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, `{"status":"away","note":"travels"}`)
	raw := s.ask("GET", "/api/v1/users/7/export", boss, "").Body.String()
	if strings.Contains(raw, "argon2") || strings.Contains(raw, "pbkdf2") || strings.Contains(raw, alice.Refresh) {
		t.Errorf("a secret is in the export: %s", raw)
	}
	p := want[wire.Person](s, 200, "GET", "/api/v1/users/7/export", boss, "")
	if p.Account.ID != "7" || p.Account.Username != "alice" || len(p.Sessions) != 1 || p.Hold == nil || p.Hold.Note != "travels" || p.Hold.Actor != "1" {
		t.Errorf("the export: %+v", p)
	}
	if n := len(p.AuditAbout); n != 3 || p.AuditAbout[0].Action != "export" || p.AuditAbout[0].Actor != "1" {
		t.Errorf("the audit about alice: %+v", p.AuditAbout)
	}
	if code := s.ask("POST", "/api/v1/users/7/acts", boss, `{"act":"trash"}`).Code; code != http.StatusNoContent {
		t.Fatalf("into the trash: %d", code)
	}
	if p := want[wire.Person](s, 200, "GET", "/api/v1/users/7/export", boss, ""); p.Account.DeletedAt == nil {
		t.Errorf("in the trash: %+v", p.Account)
	}
	want[wire.Problem](s, 404, "GET", "/api/v1/users/99/export", boss, "")
}

// TestErasingAPerson needs their name, is for good, and leaves an audit that holds.
func TestErasingAPerson(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, alice := s.login("boss").Access, s.login("alice").Access
	want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, `{"status":"away","note":"travels"}`)
	for _, body := range []string{`{"confirm":"Alice"}`, `{"confirm":""}`, `{"confirm":"boss"}`} {
		if p := want[wire.Problem](s, 422, "POST", "/api/v1/users/7/erase", boss, body); p.Field != "confirm" {
			t.Errorf("%s: %+v", body, p)
		}
	}
	want[wire.Problem](s, 422, "POST", "/api/v1/users/7/erase", boss, `{}`)
	if code := s.ask("GET", "/api/v1/me", alice, "").Code; code != http.StatusOK {
		t.Fatalf("alice after refusals: %d", code)
	}
	did := want[wire.ErasedPerson](s, 200, "POST", "/api/v1/users/7/erase", boss, `{"confirm":"alice"}`)
	if did.ID != "7" || did.AuditLines == 0 {
		t.Errorf("erased: %+v", did)
	}
	want[wire.Problem](s, 401, "GET", "/api/v1/me", alice, "")
	want[wire.Problem](s, 404, "GET", "/api/v1/users/7", boss, "")
	want[wire.Problem](s, 404, "GET", "/api/v1/users/7/export", boss, "")
	want[wire.Problem](s, 404, "POST", "/api/v1/users/7/erase", boss, `{"confirm":"alice"}`)
	if text := s.ask("GET", "/api/v1/audit", boss, "").Body.String(); strings.Contains(text, "alice") || strings.Contains(text, "travels") {
		t.Errorf("the audit still knows alice: %s", text)
	}
	if _, err := presence.VerifyAudit(t.Context(), s.store); err != nil {
		t.Error(err)
	}
	if p := want[wire.Problem](s, 409, "POST", "/api/v1/users/1/erase", boss, `{"confirm":"boss"}`); p.Code == "" {
		t.Errorf("the last admin: %+v", p)
	}
}
