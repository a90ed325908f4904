package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const timeoutsBody = `{"heartbeat_interval":30,"idle_after":300,"offline_after":240,"leave_grace":10,"refresh_interval":10}`

var usualTimeouts = presence.Timeouts{
	HeartbeatInterval: 30 * time.Second, IdleAfter: 5 * time.Minute, OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second,
	RefreshInterval: 10 * time.Second,
}

// TestTimeoutsAreSetWhileRunning: they hold at once, outrank the configuration, are found again by the next server and
// by other nodes, and can be taken back.
func TestTimeoutsAreSetWhileRunning(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	var applied []time.Duration
	cfg := s.h.Config
	cfg.Configured = usualTimeouts
	cfg.OnTimeouts = func(t presence.Timeouts) { applied = append(applied, t.OfflineAfter) }
	s.h = New(cfg)
	other := New(cfg) // a node beside it

	now := want[wire.TimeoutsNow](s, 200, "GET", "/api/v1/settings/timeouts", boss, "")
	if now.Source != "configuration" || now.OfflineAfter != 120 || len(now.History) != 0 {
		t.Errorf("at first: %+v", now)
	}
	set := want[wire.TimeoutsNow](s, 200, "PUT", "/api/v1/settings/timeouts", boss,
		`{"heartbeat_interval":20,"idle_after":300,"offline_after":60,"leave_grace":10,"refresh_interval":10,"reason":"a test"}`)
	if set.Source != "dashboard" || set.OfflineAfter != 60 || set.Configured.OfflineAfter != 120 || len(set.Warnings) != 1 ||
		len(set.History) != 1 || set.History[0].ByName != "boss" || set.History[0].Reason != "a test" {
		t.Errorf("after a change: %+v", set)
	}
	if err := other.FollowTimeouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(applied) != "[1m0s 1m0s]" {
		t.Errorf("applied: %v", applied)
	}
	told := want[wire.Settings](s, 200, "GET", "/api/v1/settings", boss, "")
	if told.OfflineAfter != 60 || told.HeartbeatInterval != 20 {
		t.Errorf("clients are told %+v", told)
	}
	back := want[wire.TimeoutsNow](s, 200, "DELETE", "/api/v1/settings/timeouts", boss, "")
	if back.Source != "configuration" || back.OfflineAfter != 120 || len(back.History) != 2 || back.History[0].Timeouts != nil {
		t.Errorf("taken back: %+v", back)
	}
	if fmt.Sprint(applied) != "[1m0s 1m0s 2m0s]" {
		t.Errorf("applied: %v", applied)
	}
	acts := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?action=set_timeouts", boss, "").Items
	if len(acts) != 2 || acts[1].Reason != "a test" || acts[1].Before == nil || acts[1].After == nil {
		t.Errorf("audit: %+v", acts)
	}
	for body, field := range map[string]string{
		`{"heartbeat_interval":30,"idle_after":300,"offline_after":59,"leave_grace":10,"refresh_interval":10}`:   "offline_after",
		`{"heartbeat_interval":0,"idle_after":300,"offline_after":59,"leave_grace":10,"refresh_interval":10}`:    "heartbeat_interval",
		`{"heartbeat_interval":30,"idle_after":300,"offline_after":120,"leave_grace":601,"refresh_interval":10}`: "leave_grace",
		`{"heartbeat_interval":30}`: "idle_after",
	} {
		if p := want[wire.Problem](s, 422, "PUT", "/api/v1/settings/timeouts", boss, body); p.Field != field && len(p.Errors) < 2 {
			t.Errorf("%s: %+v, want %s", body, p, field)
		}
	}
}

func TestPreviewOfTimeouts(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), user(9, "carol"))
	boss := s.login("boss").Access
	now := time.Now()
	for id, ago := range map[presence.UserID]time.Duration{7: 5 * time.Second, 8: 80 * time.Second} {
		s.signal(presence.Signal{User: id, Session: presence.SessionID(5000 + id), Kind: presence.Heartbeat, At: now.Add(-ago)})
	}
	got := want[wire.TimeoutsPreview](s, 200, "POST", "/api/v1/settings/timeouts/preview", boss,
		`{"heartbeat_interval":30,"idle_after":300,"offline_after":60,"leave_grace":10,"refresh_interval":10}`)
	if got.Present != 3 || got.Offline != 1 || len(got.Warnings) != 1 {
		t.Errorf("with 60 s: %+v", got)
	}
}

// TestHistoryOfTimeoutsIsBounded: the oldest go.
func TestHistoryOfTimeoutsIsBounded(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	boss := s.login("boss").Access
	var now wire.TimeoutsNow
	for range timeoutsKept + 3 {
		now = want[wire.TimeoutsNow](s, 200, "PUT", "/api/v1/settings/timeouts", boss, timeoutsBody)
	}
	if len(now.History) != timeoutsKept {
		t.Errorf("%d remembered", len(now.History))
	}
}
