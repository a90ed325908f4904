package presence

import (
	"fmt"
	"time"
)

// Timeouts are the durations that can be changed while a server runs: those of the Policy, and what clients are told.
type Timeouts struct {
	// HeartbeatInterval, OfflineAfter and LeaveGrace: see Policy.
	HeartbeatInterval, OfflineAfter, LeaveGrace time.Duration
	// IdleAfter is how long without input until clients report their person as away.
	IdleAfter time.Duration
	// RefreshInterval is how often those who poll are told to.
	RefreshInterval time.Duration
}

// HiddenTabs is the least OfflineAfter with which a beat of a hidden tab, which comes once a minute, may be lost.
const HiddenTabs = 2 * time.Minute

// Policy is the part that decides.
func (t Timeouts) Policy() Policy {
	return Policy{OfflineAfter: t.OfflineAfter, LeaveGrace: t.LeaveGrace, HeartbeatInterval: t.HeartbeatInterval}
}

// Check holds the durations against their bounds, and against each other. Its errors are Invalid with the Field.
func (t Timeouts) Check() error {
	for _, one := range []struct {
		field       string
		value       time.Duration
		least, most time.Duration
	}{
		{"heartbeat_interval", t.HeartbeatInterval, time.Second, 12 * time.Hour},
		{"idle_after", t.IdleAfter, time.Second, 24 * time.Hour},
		{"offline_after", t.OfflineAfter, time.Second, 24 * time.Hour},
		{"leave_grace", t.LeaveGrace, time.Second, 10 * time.Minute},
		{"refresh_interval", t.RefreshInterval, time.Second, time.Hour},
	} {
		if one.value < one.least || one.value > one.most {
			return timeoutError(one.field, "%s must be %s to %s", one.field, one.least, one.most)
		}
	}
	if t.OfflineAfter < 2*t.HeartbeatInterval {
		return timeoutError("offline_after",
			"offline_after is less than twice heartbeat_interval: one lost heartbeat would show people offline who are there; use at least %s",
			2*t.HeartbeatInterval)
	}
	return nil
}

func timeoutError(field, text string, args ...any) error {
	return &Error{Kind: Invalid, Op: "check timeouts", Field: field, Tell: fmt.Sprintf(text, args...)}
}

// Warnings say what is allowed and hardly meant.
func (t Timeouts) Warnings() (list []string) {
	if t.OfflineAfter < HiddenTabs {
		list = append(list, "A hidden browser tab beats once a minute at most: with offline_after below 120 s one lost heartbeat takes it offline.")
	}
	if t.LeaveGrace < 5*time.Second {
		list = append(list, "Reloading a page can take longer than a leave_grace below 5 s: it would be told as leaving.")
	}
	return list
}
