package api

import (
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// TestOwnStatus: somebody's own word that they are away counts on every device, is no admin's hold, survives in the
// store and ends when they say so.
func TestOwnStatus(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, laptop, phone := s.login("boss").Access, s.login("alice").Access, s.login("alice").Access
	if own := want[wire.OwnStatus](s, 200, "GET", "/api/v1/me/status", laptop, ""); own.Status != "auto" {
		t.Errorf("before: %+v", own)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	own := want[wire.OwnStatus](s, 200, "PUT", "/api/v1/me/status", laptop, `{"status":"away","until":"`+until.Format(time.RFC3339)+`","text":"travelling"}`)
	if own.Status != "away" || own.Until == nil || !own.Until.Equal(until) || own.Text != "travelling" {
		t.Errorf("set: %+v", own)
	}
	if me := want[wire.Me](s, 200, "GET", "/api/v1/me", phone, ""); me.Presence.Status != "away" || me.Presence.Cause != "idle" || me.Presence.Held {
		t.Errorf("the phone says: %+v", me.Presence)
	}
	d := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, "")
	if d.Hold != nil || d.OwnStatus == nil || d.OwnStatus.Text != "travelling" || d.Why.Rule != "own_status" || !strings.Contains(d.Why.Text, "themselves") {
		t.Errorf("the admin sees: hold %+v, own %+v, why %+v", d.Hold, d.OwnStatus, d.Why)
	}
	if holds, err := s.store.Holds(t.Context()); err != nil || !holds[7].Own(7) {
		t.Errorf("stored: %+v, %v", holds, err)
	}
	if own := want[wire.OwnStatus](s, 200, "PUT", "/api/v1/me/status", phone, `{"status":"auto"}`); own.Status != "auto" {
		t.Errorf("taken back: %+v", own)
	}
	if me := want[wire.Me](s, 200, "GET", "/api/v1/me", phone, ""); me.Presence.Status != "online" {
		t.Errorf("taken back: %+v", me.Presence)
	}
	if page := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?target=7", boss, ""); len(page.Items) != 0 {
		t.Errorf("one's own word is no act of an admin: %+v", page.Items)
	}
}

// TestAnAdminsHoldOutranksOnesOwnWord: neither away nor auto moves it; once it is lifted, one may speak again.
func TestAnAdminsHoldOutranksOnesOwnWord(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, alice := s.login("boss").Access, s.login("alice").Access
	want[wire.OwnStatus](s, 200, "PUT", "/api/v1/me/status", alice, `{"status":"away"}`)
	if d := want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, `{"status":"online"}`); d.Presence.Status != "online" || d.OwnStatus != nil || !d.Presence.Held {
		t.Errorf("held: %+v", d.Presence)
	}
	if p := want[wire.Problem](s, 409, "PUT", "/api/v1/me/status", alice, `{"status":"away"}`); p.Code != auth.CodeHeld {
		t.Errorf("refused with %+v", p)
	}
	want[wire.OwnStatus](s, 200, "PUT", "/api/v1/me/status", alice, `{"status":"auto"}`)
	if d := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, ""); d.Hold == nil || d.Presence.Status != "online" {
		t.Errorf("the hold gave way: %+v", d.Hold)
	}
	want[wire.UserDetail](s, 200, "DELETE", "/api/v1/users/7/hold", boss, "")
	if own := want[wire.OwnStatus](s, 200, "PUT", "/api/v1/me/status", alice, `{"status":"away"}`); own.Status != "away" {
		t.Errorf("after the hold: %+v", own)
	}
}

func TestOwnStatusKeepsToItsBounds(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	alice := s.login("alice").Access
	for body, field := range map[string]string{
		`{"status":"offline"}`: "status", `{"status":"online"}`: "status", `{"status":"away","until":"2020-01-01T00:00:00Z"}`: "until",
		`{"status":"auto","text":"x"}`: "status", `{"status":"away","text":"` + strings.Repeat("x", 501) + `"}`: "text",
		`{"status":"away","text":"a\u202eb"}`: "text",
	} {
		if p := want[wire.Problem](s, 422, "PUT", "/api/v1/me/status", alice, body); p.Field != field {
			t.Errorf("%s: %+v", body, p)
		}
	}
}
