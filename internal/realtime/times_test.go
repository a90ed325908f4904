package realtime

import (
	"testing"
	"time"
)

func TestAConnectionIsHeardWithinEveryLease(t *testing.T) {
	for _, lease := range []time.Duration{3 * time.Second, 12 * time.Second, 35 * time.Second, 2 * time.Minute, time.Hour} {
		if got := timesFor(lease); got.ping+got.pong+got.look >= lease || got.ping <= 0 || got.pong <= 0 {
			t.Errorf("lease %v: a ping every %v, answered within %v", lease, got.ping, got.pong)
		}
	}
	if got := timesFor(2 * time.Minute); got != usualTimes {
		t.Errorf("the usual lease has unusual times: %+v", got)
	}
	if got := timesFor(0); got != usualTimes {
		t.Errorf("without a lease: %+v", got)
	}
}
