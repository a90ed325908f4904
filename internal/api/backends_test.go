package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// token makes an API token through the API, as the admin boss.
func (s *stack) token(scopes ...string) wire.MadeToken {
	s.t.Helper()
	body := fmt.Sprintf(`{"name":"backend","scopes":["%s"]}`, strings.Join(scopes, `","`))
	return want[wire.MadeToken](s, 200, "POST", "/api/v1/tokens", s.login("boss").Access, body)
}

func TestATokensLife(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	made := s.token("touch", "read")
	if !strings.HasPrefix(made.Secret, "opt_") || !strings.HasPrefix(made.Secret, made.Hint) || made.CreatedBy != "1" || made.Status != "active" {
		t.Errorf("%+v", made)
	}
	want[wire.PresenceList](s, 200, "POST", "/api/v1/presence/query", made.Secret, `{"ids":["7"]}`)
	w := s.ask("GET", "/api/v1/tokens", boss, "")
	if strings.Contains(w.Body.String(), made.Secret) {
		t.Error("the list tells the token")
	}
	list := want[wire.TokenList](s, 200, "GET", "/api/v1/tokens", boss, "")
	if len(list.Items) != 1 || list.Items[0].LastUsedAt == nil || !slices.Equal(list.Items[0].Scopes, []string{"touch", "read"}) {
		t.Errorf("%+v", list)
	}
	want[struct{}](s, 204, "DELETE", "/api/v1/tokens/"+made.ID, boss, "")
	if p := want[wire.Problem](s, 401, "POST", "/api/v1/presence/query", made.Secret, `{"ids":["7"]}`); p.Code != auth.CodeTokenInvalid {
		t.Errorf("%+v", p)
	}
	want[struct{}](s, 204, "DELETE", "/api/v1/tokens/"+made.ID, boss, "") // again
	want[wire.Problem](s, 404, "DELETE", "/api/v1/tokens/99", boss, "")
	if list := want[wire.TokenList](s, 200, "GET", "/api/v1/tokens", boss, ""); list.Items[0].Status != "revoked" || list.Items[0].RevokedBy != "1" {
		t.Errorf("%+v", list)
	}
	page := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?target=-1", boss, "")
	if len(page.Items) != 2 || page.Items[0].Action != "revoke_api_token" || page.Items[1].Action != "create_api_token" || page.Items[1].TargetName != "backend" {
		t.Errorf("audit %+v", page.Items)
	}
	if strings.Contains(s.log.String(), made.Secret) {
		t.Error("the log has the token")
	}
}

func TestTokensThatCannotBeMade(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	boss := s.login("boss").Access
	for field, body := range map[string]string{
		"name":       `{"name":" ","scopes":["read"]}`,
		"scopes":     `{"name":"x","scopes":[]}`,
		"scopes[0]":  `{"name":"x","scopes":["red"]}`,
		"expires_at": `{"name":"x","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}`,
	} {
		if p := want[wire.Problem](s, 422, "POST", "/api/v1/tokens", boss, body); p.Field != field {
			t.Errorf("%s: %+v", field, p)
		}
	}
}

func TestATokenLacksWhatItWasNotGiven(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	touch := s.token("touch").Secret
	if p := want[wire.Problem](s, 403, "GET", "/api/v1/counts", touch, ""); p.Code != auth.CodeScope || !strings.Contains(p.Detail, "read or admin:read") {
		t.Errorf("%+v", p)
	}
	if p := want[wire.Problem](s, 403, "GET", "/api/v1/me", touch, ""); p.Code != auth.CodeScope || !strings.Contains(p.Detail, "signed in") {
		t.Errorf("%+v", p)
	}
}

func TestTouch(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), user(9, "mallory"))
	if _, err := s.auth.Ban(t.Context(), auth.System, 9, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	token := s.token("touch", "admin:read").Secret
	if w := s.ask("POST", "/api/v1/touch", token, `{"ids":["7","8"],"source":"mobile-api"}`); w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	told := want[wire.Touched](s, 200, "POST", "/api/v1/touch", token, `{"ids":["7","9","4711"]}`)
	if told.Touched != 1 || !slices.Equal(told.Unknown, []string{"4711"}) || !slices.Equal(told.Refused, []wire.TouchedRefusal{{ID: "9", Reason: "not_active"}}) {
		t.Errorf("%+v", told)
	}
	detail := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", token, "")
	if detail.Presence.Status != "online" || detail.Presence.Cause != "touch" {
		t.Errorf("%+v", detail.Presence)
	}
	if len(detail.Sessions) != 1 || detail.Sessions[0].Kind != "touch" || detail.Sessions[0].UserAgent != "mobile-api" {
		t.Errorf("%+v", detail.Sessions)
	}
	for _, body := range []string{`{"ids":[]}`, `{"ids":["x"]}`, `{"ids":["07"]}`, `{"ids":["7"],"source":"a\nb"}`, `{"ids":["` + strings.Repeat(`1","`, 1000) + `2"]}`} {
		want[wire.Problem](s, 422, "POST", "/api/v1/touch", token, body)
	}
}

// A ban through the API holds for touches from the moment it is answered.
func TestTouchAfterABan(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	token := s.token("touch").Secret
	s.ask("POST", "/api/v1/touch", token, `{"ids":["7"]}`)
	if _, err := s.auth.Ban(t.Context(), auth.System, 7, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	told := want[wire.Touched](s, 200, "POST", "/api/v1/touch", token, `{"ids":["7"]}`)
	states, err := s.tracker.State(t.Context(), []presence.UserID{7})
	if err != nil || told.Touched != 0 || states[0].Status != presence.Offline {
		t.Errorf("%+v, %+v, %v", told, states, err)
	}
}

// What people keep to themselves a backend sees with admin:read alone; for others it asks as the viewer it has.
func TestWhatABackendMaySee(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	s.login("alice")
	s.hide("alice", hideStatus)
	ask := func(token, viewer string) string {
		body := `{"ids":["7"]}`
		if viewer != "" {
			body = fmt.Sprintf(`{"ids":["7"],"viewer":%q}`, viewer)
		}
		return want[wire.PresenceList](s, 200, "POST", "/api/v1/presence/query", token, body).Items[0].Status
	}
	read, all := s.token("read").Secret, s.token("admin:read").Secret
	for _, one := range []struct{ token, viewer, status string }{
		{read, "", "offline"}, {read, "8", "offline"}, {read, "7", "online"}, {all, "", "online"}, {all, "8", "offline"},
	} {
		if got := ask(one.token, one.viewer); got != one.status {
			t.Errorf("asked for %q: %s, want %s", one.viewer, got, one.status)
		}
	}
	want[wire.Problem](s, 422, "POST", "/api/v1/presence/query", s.login("bob").Access, `{"ids":["7"],"viewer":"7"}`)
	if counts := want[wire.Counts](s, 200, "GET", "/api/v1/counts", read, ""); counts.Online != 2-1+1 { // boss and bob, without alice
		t.Errorf("%+v", counts)
	}
}

func TestABackendLogsSomebodyOut(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	alice, made := s.login("alice").Access, s.token("logout")
	want[struct{}](s, 204, "POST", "/api/v1/users/7/force-logout", made.Secret, `{"reason":"lost phone"}`)
	want[wire.Problem](s, 401, "GET", "/api/v1/me", alice, "")
	page := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?actor=-"+made.ID, s.login("boss").Access, "")
	if len(page.Items) != 1 || page.Items[0].Action != "force_logout" || page.Items[0].Reason != "lost phone" || page.Items[0].Actor != "-"+made.ID {
		t.Errorf("%+v", page.Items)
	}
}

// A request with an API token makes nobody present.
func TestABackendIsNobody(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	token := s.token("read").Secret
	before := want[wire.Counts](s, 200, "GET", "/api/v1/counts", token, "")
	s.ask("GET", "/api/v1/presence/7", token, "")
	after := want[wire.Counts](s, 200, "GET", "/api/v1/counts", token, "")
	if before.AsOf = after.AsOf; before != after || after.Total != 2 {
		t.Errorf("%+v, then %+v", before, after)
	}
}

func BenchmarkTouch(b *testing.B) {
	s := newStack(b)
	s.seed(admin(1, "boss"))
	var ids []string
	for id := presence.UserID(100); id < 1100; id++ {
		s.seed(user(id, fmt.Sprintf("user%d", id)))
		ids = append(ids, fmt.Sprint(id))
	}
	token := s.token("touch").Secret
	body := fmt.Sprintf(`{"ids":["%s"]}`, strings.Join(ids, `","`))
	at := time.Now()
	s.h.Now = func() time.Time { return at }
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(5 * time.Second)
		if w := s.ask("POST", "/api/v1/touch", token, body); w.Code != 204 {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "touches/s")
}
