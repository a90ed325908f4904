package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// TestTransitions: what happened to anybody, newest first, with who, by what and by whom, in pages.
func TestTransitions(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss, alice := s.login("boss").Access, s.login("alice")
	session := s.sessionOf(7)
	change := func(n int, user presence.UserID, from, to presence.Status, cause presence.Cause, node string) presence.Change {
		return presence.Change{
			Seq: uint64(n), User: user, From: from, To: to, Cause: cause, Node: node, At: epoch.Add(time.Hour + time.Duration(n)*time.Second), Version: uint64(n),
		}
	}
	changes := []presence.Change{
		change(1, 7, presence.Offline, presence.Online, presence.CauseLogin, "a"),
		change(2, 8, presence.Offline, presence.Online, presence.CauseConnect, "b"),
		change(3, 7, presence.Online, presence.Offline, presence.CauseAdmin, "a"),
	}
	changes[0].Session, changes[2].Actor, changes[2].Version = session, 1, 2
	if err := s.store.RecordChanges(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	list := func(query string) string {
		var words []string
		for _, e := range want[wire.EventPage](s, 200, "GET", "/api/v1/transitions?"+query, boss, "").Items {
			words = append(words, fmt.Sprintf("%s:%s>%s:%s:%s:%s:%s", e.Username, e.From, e.To, e.Cause, e.Node, e.Device, e.ActorName))
		}
		return strings.Join(words, " ")
	}
	one, two, three := "alice:offline>online:login:a:Firefox:", "bob:offline>online:connect:b::", "alice:online>offline:admin:a::boss"
	for query, want := range map[string]string{
		"":                    three + " " + two + " " + one,
		"user=7":              three + " " + one,
		"cause=login,connect": two + " " + one,
		"node=b":              two,
		"actor=1":             three,
		"to=offline":          three,
		"from=offline&node=a": one,
		"after=2026-01-02T04:04:07Z&before=2026-01-02T04:04:08Z": two,
		"user=12345": "",
	} {
		if got := list(query); got != want {
			t.Errorf("%s: %s\nwant %s", query, got, want)
		}
	}
	page := want[wire.EventPage](s, 200, "GET", "/api/v1/transitions?limit=2", boss, "")
	rest := want[wire.EventPage](s, 200, "GET", "/api/v1/transitions?limit=2&cursor="+*page.NextCursor, boss, "")
	if len(page.Items) != 2 || len(rest.Items) != 1 || rest.NextCursor != nil || rest.Items[0].Username != "alice" {
		t.Errorf("pages: %+v then %+v", page, rest)
	}
	for _, bad := range []string{"user=x", "actor=-1", "cause=boredom", "cursor=%20", "to=busy"} {
		want[wire.Problem](s, 422, "GET", "/api/v1/transitions?"+bad, boss, "")
	}
	mine := want[wire.History](s, 200, "GET", "/api/v1/me/history?from=2026-01-02T04:04:00Z&to=2026-01-02T04:05:00Z", alice.Access, "")
	if mine.Totals.OnlineSeconds != 2 {
		t.Errorf("alice's own history: %+v", mine.Totals)
	}
}

// sessionOf is somebody's only session.
func (s *stack) sessionOf(user presence.UserID) presence.SessionID {
	s.t.Helper()
	sessions, err := s.store.Sessions(s.t.Context(), user, epoch, 0)
	if err != nil || len(sessions) != 1 {
		s.t.Fatalf("sessions of %d: %v, %v", user, sessions, err)
	}
	return sessions[0].ID
}
