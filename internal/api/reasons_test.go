package api

import (
	"testing"

	"github.com/offchat/presence"
)

// TestReasons: what an admin writes beside an act is in its line of the audit.
func TestReasons(t *testing.T) {
	s := newStack(t)
	pending := user(7, "alice")
	pending.Status = presence.AccountPending
	s.seed(admin(1, "boss"), pending, user(8, "bob"))
	boss := s.login("boss").Access
	for _, one := range []struct{ user, act, line, more string }{
		{"7", "approve", "approve", ""},
		{"8", "ban", "ban", ""},
		{"8", "activate", "activate", ""},
		{"8", "suspend", "suspend", ""},
		{"8", "activate", "activate", ""},
		{"8", "hold", "", `,"status":"away"`},
		{"8", "lift", "lift_hold", ""},
	} {
		reason := "because of " + one.act + " " + one.user
		got := s.ask("POST", "/api/v1/users/"+one.user+"/acts", boss, `{"act":"`+one.act+`"`+one.more+`,"reason":"`+reason+`"}`)
		if got.Code >= 300 {
			t.Fatalf("%s: %d %s", one.act, got.Code, got.Body)
		}
		if one.line == "" {
			continue
		}
		lines, err := s.store.AuditBefore(t.Context(), presence.AuditFilter{Action: one.line}, 0, 1)
		if err != nil || len(lines) != 1 || lines[0].Reason != reason {
			t.Errorf("after %s: %+v, %v", one.act, lines, err)
		}
	}
}
