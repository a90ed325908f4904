package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// TestHold: an admin's word outranks what is heard, survives in the store, is in the audit, and ends.
func TestHold(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss, alice := s.login("boss").Access, s.login("alice").Access
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	body := `{"status":"away","until":"` + until.Format(time.RFC3339) + `","note":" on leave "}`
	d := want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, body)
	if d.Hold == nil || d.Hold.Status != "away" || d.Hold.Note != "on leave" || d.Hold.By != "1" || !d.Hold.Until.Equal(until) || d.Presence.Status != "away" || !d.Presence.Held {
		t.Errorf("held: %+v, %+v", d.Hold, d.Presence)
	}
	if d.Why.Rule != "hold" || d.Why.Next == nil || d.Why.Next.Status != "online" || !d.Why.Next.At.Equal(until) {
		t.Errorf("why: %+v", d.Why)
	}
	if me := want[wire.Me](s, 200, "GET", "/api/v1/me", alice, ""); me.Presence.Status != "away" {
		t.Errorf("a sign of life ended the hold: %+v", me.Presence)
	}
	holds, err := s.store.Holds(t.Context())
	if h := holds[7]; err != nil || !h.Active || h.Status != presence.Away || h.Actor != 1 || !h.Until.Equal(until) {
		t.Errorf("stored: %+v, %v", holds, err)
	}
	if d := want[wire.UserDetail](s, 200, "DELETE", "/api/v1/users/7/hold", boss, ""); d.Hold != nil || d.Presence.Status != "online" {
		t.Errorf("lifted: %+v", d)
	}
	want[wire.UserDetail](s, 200, "DELETE", "/api/v1/users/7/hold", boss, "")
	page := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?target=7", boss, "")
	if len(page.Items) != 2 || page.Items[0].Action != "lift_hold" || page.Items[1].Action != "hold" || page.Items[1].Reason != "on leave" || page.Items[1].Actor != "1" {
		t.Errorf("audit: %+v", page.Items)
	}
}

// TestHoldEndsWithTheAccount: nobody who may not sign in is held online.
func TestHoldEndsWithTheAccount(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, `{"status":"online"}`)
	if _, err := s.auth.Suspend(t.Context(), auth.System, 7, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	if d := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, ""); d.Hold != nil || d.Presence.Status != "offline" {
		t.Errorf("a suspended account is %+v, held %+v", d.Presence, d.Hold)
	}
	if holds, err := s.store.Holds(t.Context()); err != nil || len(holds) != 0 {
		t.Errorf("stored: %v, %v", holds, err)
	}
	if p := want[wire.Problem](s, 409, "POST", "/api/v1/users/7/hold", boss, `{"status":"online"}`); p.Code != auth.CodeAccountInactive {
		t.Errorf("problem %+v", p)
	}
}

// TestSessions: one session, all the others, all of them; what was ended is out at once.
func TestSessions(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss, bob := s.login("boss").Access, s.login("bob").Access
	first, second, third := s.again("alice").Access, s.again("alice").Access, s.again("alice").Access
	alive := func(what string, wanted ...bool) {
		t.Helper()
		for i, token := range []string{first, second, third} {
			if code := s.ask("GET", "/api/v1/settings", token, "").Code; (code == http.StatusOK) != wanted[i] {
				t.Errorf("%s: session %d answers %d", what, i+1, code)
			}
		}
	}
	me := want[wire.Me](s, 200, "GET", "/api/v1/me", first, "")
	if len(me.Sessions) != 3 {
		t.Fatalf("sessions %+v", me.Sessions)
	}
	ids := map[bool][]string{}
	for _, one := range me.Sessions {
		if one.IP != "192.0.2.1" || one.UserAgent != "Firefox" || !one.Live || one.LeaseEndsAt == nil || one.CreatedAt == nil {
			t.Errorf("session %+v", one)
		}
		ids[one.Current] = append(ids[one.Current], one.ID)
	}
	if len(ids[true]) != 1 {
		t.Fatalf("current sessions: %v", ids)
	}
	bobs := want[wire.Me](s, 200, "GET", "/api/v1/me", bob, "").Sessions[0].ID
	want[wire.Problem](s, 404, "DELETE", "/api/v1/me/sessions/"+bobs, first, "")
	want[wire.Problem](s, 404, "DELETE", "/api/v1/users/7/sessions/"+bobs, boss, "")
	want[wire.Problem](s, 403, "DELETE", "/api/v1/users/7/sessions/"+ids[true][0], bob, "")
	alive("before", true, true, true)

	third = s.again("alice").Access
	if ended := want[wire.Ended](s, 200, "DELETE", "/api/v1/me/sessions?except=current", third, ""); ended.Ended != 3 {
		t.Errorf("ended %d", ended.Ended)
	}
	alive("all but the third", false, false, true)
	first = s.again("alice").Access
	mine := ""
	for _, one := range want[wire.Me](s, 200, "GET", "/api/v1/me", first, "").Sessions {
		if one.Current {
			mine = one.ID
		}
	}
	want[nothing](s, 204, "DELETE", "/api/v1/users/7/sessions/"+mine, boss, "")
	alive("the first by an admin", false, false, true)
	if ended := want[wire.Ended](s, 200, "DELETE", "/api/v1/me/sessions", third, ""); ended.Ended != 1 {
		t.Errorf("ended %d", ended.Ended)
	}
	alive("all", false, false, false)
	second = s.again("alice").Access
	want[nothing](s, 204, "DELETE", "/api/v1/users/7/sessions", boss, "")
	alive("all by an admin", false, false, false)
	if d := want[wire.UserDetail](s, 200, "GET", "/api/v1/users/7", boss, ""); d.Presence.Status != "offline" || len(d.Sessions) != 0 || d.Why.Rule != "no_session" {
		t.Errorf("afterwards alice is %+v because %+v with %+v", d.Presence, d.Why, d.Sessions)
	}
	if p := want[wire.Problem](s, 409, "DELETE", "/api/v1/users/1/sessions", boss, ""); p.Code != auth.CodeSelf {
		t.Errorf("on oneself: %+v", p)
	}
}

// TestSettings: everybody is told the times; the server's settings are for admins.
func TestSettings(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), withRole(user(2, "mod"), presence.RoleModerator), user(7, "alice"))
	for name, sees := range map[string]int{"boss": 1, "mod": 0, "alice": 0} {
		told := want[wire.Settings](s, 200, "GET", "/api/v1/settings", s.login(name).Access, "")
		if told.HeartbeatInterval != 30 || told.OfflineAfter != 120 || len(told.Server) != sees {
			t.Errorf("%s is told %+v", name, told)
		}
	}
}

// TestConcurrency: a minute that was counted has numbers, one that was not has none, and changes stand by cause.
func TestConcurrency(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	now := time.Now().UTC()
	s.h.Now = func() time.Time { return now }
	for _, ago := range []int{3, 2} {
		m := presence.Minute{At: now.Add(-time.Duration(ago) * time.Minute).Truncate(time.Minute), Counts: presence.Counts{Online: ago, Offline: 1}, PeakOnline: 9}
		if ago == 2 { // the other was recorded before devices were
			m.Links = presence.Links{Known: true, Devices: 5, Connections: 3}
		}
		if err := s.store.RecordCounts(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	change := presence.Change{User: 7, To: presence.Online, Cause: presence.CauseTouch, At: now.Add(-2 * time.Minute), Version: 1}
	if err := s.store.RecordChanges(t.Context(), []presence.Change{change}); err != nil {
		t.Fatal(err)
	}
	series := want[wire.Concurrency](s, 200, "GET", "/api/v1/history/concurrency?range=1h", boss, "")
	if len(series.Items) != 61 || series.StepSeconds != 60 {
		t.Fatalf("%d steps of %d s", len(series.Items), series.StepSeconds)
	}
	for i, p := range series.Items {
		switch ago := len(series.Items) - 1 - i; {
		case ago == 2 || ago == 3:
			if p.Online == nil || *p.Online != float64(ago) || *p.Offline != 1 || *p.PeakOnline != 9 {
				t.Errorf("%d minutes ago: %+v", ago, p)
			}
		case p.Online != nil || p.Away != nil || p.PeakOnline != nil:
			t.Errorf("nobody counted %d minutes ago, and yet %+v", ago, p)
		}
		switch {
		case i != len(series.Items)-3:
			if p.Devices != nil || p.Connections != nil {
				t.Errorf("nobody counted devices in step %d, and yet %+v", i, p)
			}
		case p.Devices == nil || *p.Devices != 5 || p.Connections == nil || *p.Connections != 3:
			t.Errorf("with devices: %+v", p)
		}
		if (p.Changes["touch"] == 1) != (i == len(series.Items)-3) {
			t.Errorf("changes of step %d: %v", i, p.Changes)
		}
	}
	for name, steps := range map[string]int{"6h": 73, "24h": 145, "7d": 169, "30d": 181} {
		if got := want[wire.Concurrency](s, 200, "GET", "/api/v1/history/concurrency?range="+name, boss, ""); len(got.Items) != steps {
			t.Errorf("%s has %d steps, want %d", name, len(got.Items), steps)
		}
	}
}
