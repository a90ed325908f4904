package compat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

var (
	hidesStatus   = presence.Privacy{HideStatus: true}
	hidesLastSeen = presence.Privacy{HideLastSeen: true}
	hidesNothing  presence.Privacy
)

func (s *stack) hide(user presence.UserID, p presence.Privacy) {
	s.t.Helper()
	if err := s.auth.SetPrivacy(s.t.Context(), auth.Identity{User: user}, p, presence.Origin{}); err != nil {
		s.t.Fatal(err)
	}
}

// privacyWorld has alice who looks, bob who hides and carol who does not, at a moment that stands still.
func privacyWorld(t *testing.T) *stack {
	noon := time.Now().Add(-time.Second).UTC().Truncate(time.Microsecond)
	s := newStack(t, func(c *Config, a *auth.Config) {
		c.Now = func() time.Time { return noon }
		a.Now = func() time.Time { return noon }
	})
	made := noon.Add(-24 * time.Hour)
	for id, name := range map[presence.UserID]string{1: "boss", 7: "alice", 8: "bob", 9: "carol"} {
		a := user(id, name)
		if name == "boss" {
			a = admin(id, name)
		}
		a.CreatedAt = made.Add(time.Duration(id) * time.Second)
		a.LastSeen = noon.Add(-time.Duration(id) * time.Minute) // the column: nobody may fall back to it
		s.seed(a)
	}
	s.login("carol")
	return s
}

// questions are what an ordinary user may ask about others.
var questions = []string{
	"/api/users/all-users/", "/api/auth/all-users/", "/api/users/admin/users/8/online-status/", "/api/users/admin/users/online/",
	"/api/users/admin/users/online/?per_page=1&page=1", "/api/users/admin/users/online/?per_page=1&page=2",
	"/api/users/admin/users/online/?per_page=1&page=last", "/api/users/admin/users/online/?per_page=3&page=1",
	"/api/users/admin/users/8/", "/api/users/admin/users/?ordering=last_seen", "/api/users/statistics/", "/api/analytics/data/",
}

// answers is everything that somebody is told, with the headers.
func (s *stack) answers(name string) string {
	s.t.Helper()
	var all strings.Builder
	for _, path := range questions {
		w := s.ask("GET", path, s.login(name).Access, "")
		fmt.Fprintf(&all, "%s %d %v %s\n", path, w.Code, w.Header(), w.Body)
	}
	return all.String()
}

// TestHiddenIsOffline: to an ordinary user, whatever somebody does who hides, every answer stays byte for byte
// what it is while that person is offline and only keeps their last_seen to themselves.
func TestHiddenIsOffline(t *testing.T) {
	s := privacyWorld(t)
	s.hide(8, hidesLastSeen)
	s.login("alice")
	wanted := s.answers("alice")
	if strings.Contains(wanted, `"username":"bob","online_status":"online"`) || !strings.Contains(wanted, `"count":2}`) {
		t.Fatalf("not the picture to compare with: %s", wanted)
	}
	s.hide(8, hidesStatus)
	same := func(what string) {
		t.Helper()
		if got := s.answers("alice"); got != wanted {
			t.Errorf("%s, alice sees a difference:\n%s\nwant\n%s", what, got, wanted)
		}
	}
	same("while bob hides and is offline")
	s.login("bob")
	same("when bob signs in")
	for _, kind := range []presence.Kind{presence.Heartbeat, presence.Idle, presence.Active, presence.Touch} {
		s.want(200, "POST", "/api/users/heartbeat/", s.login("bob").Access, "")
		if _, err := s.tracker.Signal(t.Context(), presence.Signal{User: 8, Session: 999, Kind: kind, At: s.h.Now()}); err != nil {
			t.Fatal(err)
		}
		same("after bob's " + kind.String())
	}
	if err := s.auth.SetHold(t.Context(), auth.System, 8, presence.Online, time.Time{}, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	same("when an admin holds bob online")

	for _, name := range []string{"boss", "bob"} { // staff and the owner see the truth
		answer := s.want(200, "GET", "/api/users/admin/users/8/online-status/", s.login(name).Access, "")
		if answer["online_status"] != "online" {
			t.Errorf("%s is told %v", name, answer)
		}
	}
}

// TestHiddenLastSeen: who keeps only their last_seen to themselves is online like anybody, comes last in the list
// that is sorted by it, and shows the day the account was made.
func TestHiddenLastSeen(t *testing.T) {
	s := privacyWorld(t)
	s.login("alice")
	s.login("bob")
	s.hide(8, hidesLastSeen)
	made := s.account("bob").CreatedAt.Format("2006-01-02T15:04:05")
	for _, page := range []string{"", "?per_page=10&page=1"} {
		answer := s.want(200, "GET", "/api/users/admin/users/online/"+page, s.login("alice").Access, "")
		list := answer["online_users"].([]any)
		last := list[len(list)-1].(map[string]any)
		if answer["count"] != 3.0 || last["username"] != "bob" || !strings.HasPrefix(last["last_seen"].(string), made) {
			t.Errorf("page %q: %v", page, answer)
		}
	}
	third := s.want(200, "GET", "/api/users/admin/users/online/?per_page=1&page=last", s.login("alice").Access, "")
	if list := third["online_users"].([]any); len(list) != 1 || list[0].(map[string]any)["username"] != "bob" {
		t.Errorf("last page: %v", third)
	}
}

// TestPrivacyIsMutual: who hides does not see.
func TestPrivacyIsMutual(t *testing.T) {
	s := privacyWorld(t)
	s.login("bob")
	s.hide(8, hidesStatus)
	token := s.login("bob").Access
	if answer := s.want(200, "GET", "/api/users/admin/users/9/online-status/", token, ""); answer["online_status"] != "offline" {
		t.Errorf("bob sees carol: %v", answer)
	}
	answer := s.want(200, "GET", "/api/users/admin/users/online/", token, "")
	if list := answer["online_users"].([]any); len(list) != 1 || list[0].(map[string]any)["username"] != "bob" || answer["count"] != 1.0 {
		t.Errorf("bob sees online: %v", answer)
	}
	s.hide(8, hidesNothing)
	if answer := s.want(200, "GET", "/api/users/admin/users/online/", token, ""); answer["count"] != 2.0 {
		t.Errorf("after bob shows himself again he sees %v", answer)
	}
}

// TestSocketPrivacy: the sockets of ordinary users hear nothing of who hides, those of staff and of the person
// hear everything; hiding looks like leaving, and showing oneself like coming.
func TestSocketPrivacy(t *testing.T) {
	l := newLive(t, usualLimits)
	l.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), user(9, "carol"))
	boss, alice := l.connect(l.login("boss").Access), l.connect(l.login("alice").Access)
	bob := l.login("bob")
	drain := func() { // until carol's change: what was sent before is here then
		t.Helper()
		l.login("carol")
		if err := l.auth.Logout(t.Context(), must(l.auth.Authenticate(t.Context(), l.login("carol").Access, time.Now())), "", presence.Origin{}); err != nil {
			t.Fatal(err)
		}
		delete(l.tokens, "carol")
	}
	drain()
	alice.until(changed(9, "carol", "offline"))
	boss.until(changed(9, "carol", "offline"))

	l.hide(8, hidesStatus)
	alice.want(changed(8, "bob", "offline"))
	mine := l.connect(bob.Access)
	l.signalAs(8, presence.Idle)
	mine.want(changed(8, "bob", "away"))
	boss.want(changed(8, "bob", "away"))
	l.signalAs(8, presence.Active)
	mine.want(changed(8, "bob", "online"))
	boss.want(changed(8, "bob", "online"))
	drain()
	alice.want(changed(9, "carol", "online")) // and nothing of bob before
	alice.want(changed(9, "carol", "offline"))
	if before := mine.ping(); len(before) != 0 {
		t.Errorf("bob hides and yet hears %v", before)
	}

	l.hide(8, hidesNothing)
	alice.want(changed(8, "bob", "online"))
	if code := mine.code(); code != closeRestart {
		t.Errorf("bob's socket was closed with %d, to come back as somebody who sees", code)
	}
}

// TestSocketOfDemoted: who is staff no more hears no more than others.
func TestSocketOfDemoted(t *testing.T) {
	l := newLive(t, usualLimits)
	l.seed(admin(1, "boss"), admin(2, "second"))
	second := l.connect(l.login("second").Access)
	role := presence.RoleUser
	if _, err := l.auth.Update(t.Context(), auth.System, 2, auth.Patch{Role: &role}, presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case <-second.frames:
			continue
		case <-second.closed:
		case <-time.After(patience):
			t.Error("the socket of a demoted admin goes on")
		}
		return
	}
}

// until reads frames up to one.
func (c *client) until(frame string) {
	c.t.Helper()
	for c.next() != frame {
	}
}

// signalAs gives the engine a signal of every session of somebody.
func (s *stack) signalAs(user presence.UserID, kind presence.Kind) {
	s.t.Helper()
	state, _, err := s.tracker.Inspect(s.t.Context(), user)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range state.Sessions {
		sig := presence.Signal{User: user, Session: one.ID, Kind: kind, At: time.Now()}
		if _, err := s.tracker.Signal(s.t.Context(), sig); err != nil {
			s.t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestEncodeForTwo: of some changes in a row, everybody else gets those of people who do not hide, in order.
func TestEncodeForTwo(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"), user(8, "bob"))
	s.hide(8, hidesStatus)
	names := map[presence.UserID]string{7: "alice", 8: "bob"}
	for _, whose := range [][]presence.UserID{{7}, {8}, {7, 7}, {7, 8}, {8, 7}, {7, 8, 7, 8, 7}, {8, 8}} {
		var changes []presence.Change
		var everything, shown []byte
		count := 0
		for i, id := range whose {
			c := presence.Change{User: id, To: presence.Status(i % 3)}
			changes = append(changes, c)
			frame := appendFrame(nil, appendChange(nil, &c, names[id]))
			if everything = append(everything, frame...); id == 7 {
				shown = append(shown, frame...)
				count++
			}
		}
		f := s.h.sockets.encode(changes, names)
		if string(f.everything) != string(everything) || string(f.shown) != string(shown) || f.count != count || len(f.hidden) != len(whose)-count {
			t.Errorf("%v: %q and %q (%d), %d hidden", whose, f.everything, f.shown, f.count, len(f.hidden))
		}
	}
}
