package api

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// The actors of privacy: alice looks, bob hides, carol does not, boss is an admin.
func privacyWorld(t *testing.T) *stack {
	s := newStack(t)
	s.seed(admin(1, "boss"), withRole(user(2, "mod"), presence.RoleModerator), user(7, "alice"), user(8, "bob"), user(9, "carol"))
	s.login("carol")
	s.login("alice")
	return s
}

func (s *stack) hideAs(user presence.UserID, p presence.Privacy) {
	s.t.Helper()
	if err := s.auth.SetPrivacy(s.t.Context(), auth.Identity{User: user}, p, presence.Origin{}); err != nil {
		s.t.Fatal(err)
	}
}

// ownTimes are what moves from answer to answer whoever else does what: the moment of the answer, and the
// viewer's and carol's own signs of life.
var ownTimes = regexp.MustCompile(`"as_of":"[^"]*"|(?:"id":"7"|"id":"9")[^}]*\}|"last_signal_at":"[^"]*"|"lease_ends_at":"[^"]*"|"last_seen":"2026-11[^"]*"`)

// everything is what somebody is told by every operation that an ordinary user may ask about others with.
func (s *stack) everything(name string) string {
	s.t.Helper()
	var all strings.Builder
	for _, q := range [][3]string{
		{"GET", "/presence/8", ""},
		{"POST", "/presence/query", `{"ids":["8","9","7","12345"]}`},
		{"POST", "/presence/query", `{"ids":["8"]}`},
		{"GET", "/counts", ""},
		{"GET", "/users", ""},
		{"GET", "/users?presence=online&sort=last_seen", ""},
		{"GET", "/users/8", ""},
		{"GET", "/users/8/history?from=2026-01-01T00:00:00Z", ""},
		{"DELETE", "/users/8/sessions", ""},
		{"POST", "/users/8/hold", `{"status":"away"}`},
		{"GET", "/history/concurrency", ""},
		{"GET", "/audit", ""},
		{"GET", "/settings", ""},
	} {
		w := s.ask(q[0], "/api/v1"+q[1], s.login(name).Access, q[2])
		fmt.Fprintf(&all, "%s %s %d %v %s\n", q[0], q[1], w.Code, w.Header(), ownTimes.ReplaceAllString(w.Body.String(), ""))
	}
	return all.String()
}

// TestHiddenIsOffline: to an ordinary user, whatever somebody does who hides, every answer stays byte for byte
// what it is while that person is offline and only keeps their last_seen to themselves.
func TestHiddenIsOffline(t *testing.T) {
	s := privacyWorld(t)
	s.hideAs(8, presence.Privacy{HideLastSeen: true})
	wanted := s.everything("alice")
	if !strings.Contains(wanted, `{"id":"8","status":"offline","last_seen":null,"since":null}`) || !strings.Contains(wanted, `"online":2,`) {
		t.Fatalf("not the picture to compare with: %s", wanted)
	}
	same := func(what string) {
		t.Helper()
		if got := s.everything("alice"); got != wanted {
			t.Errorf("%s, alice sees a difference:\n%s\nwant\n%s", what, got, wanted)
		}
	}
	s.hideAs(8, presence.Privacy{HideStatus: true})
	same("while bob hides and is offline")
	bob := s.login("bob")
	same("when bob signs in")
	want[wire.Me](s, 200, "GET", "/api/v1/me", bob.Access, "")
	id, err := s.auth.Authenticate(t.Context(), bob.Access, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []presence.Kind{presence.Heartbeat, presence.Idle, presence.Active, presence.Connect, presence.Disconnect} {
		s.signal(presence.Signal{User: 8, Session: id.Session, Kind: kind})
		same("after bob's " + kind.String())
	}
	if err := s.auth.SetHold(t.Context(), auth.System, 8, presence.Online, time.Time{}, "secret", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	same("when an admin holds bob online")
	s.hideAs(8, presence.Privacy{})
	if got := s.everything("alice"); got == wanted {
		t.Error("alice sees no difference when bob shows himself: the test compares nothing")
	}
}

// TestWhoMayKnow is the rule, asked by HTTP: what each of four viewers is told of bob, who is online.
func TestWhoMayKnow(t *testing.T) {
	type told struct {
		status               string
		seen, since, because bool
	}
	full, usual, coy, nothing := told{"online", true, true, true}, told{"online", true, true, false}, told{"online", false, false, false}, told{"offline", false, false, false}
	for _, one := range []struct {
		name        string
		bob, viewer presence.Privacy
		want        map[string]told
	}{
		{name: "nobody hides anything", want: map[string]told{"boss": full, "mod": full, "bob": full, "alice": usual}},
		{
			name: "bob hides his status", bob: presence.Privacy{HideStatus: true},
			want: map[string]told{"boss": full, "mod": full, "bob": full, "alice": nothing},
		},
		{
			name: "bob hides his last_seen", bob: presence.Privacy{HideLastSeen: true},
			want: map[string]told{"boss": full, "mod": full, "bob": full, "alice": coy},
		},
		{name: "alice hides her status", viewer: presence.Privacy{HideStatus: true}, want: map[string]told{"boss": full, "bob": full, "alice": nothing}},
		{name: "alice hides her last_seen", viewer: presence.Privacy{HideLastSeen: true}, want: map[string]told{"boss": full, "bob": full, "alice": coy}},
	} {
		t.Run(one.name, func(t *testing.T) {
			s := privacyWorld(t)
			s.login("bob")
			s.hideAs(8, one.bob)
			s.hideAs(7, one.viewer)
			for viewer, expected := range one.want {
				token := s.login(viewer).Access
				single := want[wire.PresenceNow](s, 200, "GET", "/api/v1/presence/8", token, "")
				many := want[wire.PresenceList](s, 200, "POST", "/api/v1/presence/query", token, `{"ids":["8"]}`)
				for _, p := range []wire.Presence{single.Presence, many.Items[0]} {
					if got := (told{p.Status, p.LastSeen != nil, p.Since != nil, p.Cause != ""}); got != expected {
						t.Errorf("%s is told %+v, want %+v", viewer, got, expected)
					}
				}
			}
		})
	}
}

// TestCountsAgree: everybody's counts are what adding up single answers gives them.
func TestCountsAgree(t *testing.T) {
	for _, hides := range []presence.Privacy{{}, {HideStatus: true}, {HideLastSeen: true}} {
		s := privacyWorld(t)
		for _, name := range []string{"boss", "mod", "bob"} {
			s.login(name)
		}
		s.hideAs(8, hides)
		for _, viewer := range []string{"boss", "mod", "alice", "bob", "carol"} {
			token := s.login(viewer).Access
			list := want[wire.PresenceList](s, 200, "POST", "/api/v1/presence/query", token, `{"ids":["1","2","7","8","9"]}`)
			sum := map[string]int{}
			for _, p := range list.Items {
				sum[p.Status]++
			}
			c := want[wire.Counts](s, 200, "GET", "/api/v1/counts", token, "")
			if c.Online != sum["online"] || c.Away != sum["away"] || c.Offline != sum["offline"] || c.Total != 5 {
				t.Errorf("bob hides %+v: %s counts %+v, and sees %v", hides, viewer, c, sum)
			}
		}
	}
}

// TestPrivacySurvives: privacy is as durable as the account, and known again after a restart before anybody asks.
func TestPrivacySurvives(t *testing.T) {
	s := privacyWorld(t)
	s.hide("bob", hideStatus)
	if got := want[wire.Privacy](s, 200, "GET", "/api/v1/me/privacy", s.login("bob").Access, ""); !got.HideStatus || got.HideLastSeen {
		t.Errorf("told %+v", got)
	}
	keys, err := auth.NewKeys([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := auth.New(auth.Config{Store: s.store, Presence: s.tracker, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.LoadPrivacy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := again.Privacy(8); got != (presence.Privacy{HideStatus: true}) {
		t.Errorf("after a restart bob hides %+v", got)
	}
	s.hide("bob", hideLastSeen)
	s.hide("bob", hideNothing)
	if got := s.auth.Privacy(8); got != (presence.Privacy{}) {
		t.Errorf("bob still hides %+v", got)
	}
}
