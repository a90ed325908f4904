package presence_test

import (
	"errors"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func TestTimeouts(t *testing.T) {
	good := presence.Timeouts{
		HeartbeatInterval: 30 * time.Second, IdleAfter: 5 * time.Minute, OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second,
		RefreshInterval: 10 * time.Second,
	}
	if err := good.Check(); err != nil || len(good.Warnings()) != 0 {
		t.Errorf("the usual ones: %v, %q", err, good.Warnings())
	}
	for field, change := range map[string]func(*presence.Timeouts){
		"heartbeat_interval": func(t *presence.Timeouts) { t.HeartbeatInterval = 0 },
		"idle_after":         func(t *presence.Timeouts) { t.IdleAfter = 25 * time.Hour },
		"offline_after":      func(t *presence.Timeouts) { t.OfflineAfter = time.Minute - 1 },
		"leave_grace":        func(t *presence.Timeouts) { t.LeaveGrace = -time.Second },
		"refresh_interval":   func(t *presence.Timeouts) { t.RefreshInterval = time.Hour + 1 },
	} {
		bad := good
		change(&bad)
		if e := (*presence.Error)(nil); !errors.As(bad.Check(), &e) || e.Field != field || e.Kind != presence.Invalid {
			t.Errorf("%s: %v", field, bad.Check())
		}
	}
	short := good
	short.OfflineAfter, short.LeaveGrace = time.Minute, time.Second
	if err := short.Check(); err != nil || len(short.Warnings()) != 2 {
		t.Errorf("short ones: %v, %q", err, short.Warnings())
	}
}
