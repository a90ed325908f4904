package memory

import (
	"testing"
	"time"

	"github.com/offchat/presence"
)

// ticking is an engine whose clock is moved and ticked by hand, so that a tick can be missed.
type ticking struct {
	*Engine
	at time.Time
}

func newTicking() *ticking {
	k := &ticking{at: time.Now()}
	k.Engine = New(presence.Policy{OfflineAfter: 12 * time.Second, LeaveGrace: time.Second, HeartbeatInterval: 3 * time.Second})
	k.start, k.now = k.at, func() time.Time { return k.at }
	return k
}

// pass lets time pass with a tick every 100 ms; stop lets it pass with none but the one that comes too late.
func (k *ticking) pass(d time.Duration) {
	for ; d > 0; d -= Tick {
		k.at = k.at.Add(min(d, Tick))
		k.tick(k.at)
	}
}

func (k *ticking) stop(d time.Duration) {
	k.at = k.at.Add(d)
	k.tick(k.at)
}

func (k *ticking) heard(t *testing.T, kind presence.Kind) {
	t.Helper()
	if _, err := k.Signal(t.Context(), presence.Signal{User: 1, Session: 1001, Kind: kind, At: k.at}); err != nil {
		t.Fatal(err)
	}
}

func (k *ticking) want(t *testing.T, status presence.Status, when string) {
	t.Helper()
	if p, _ := k.State(t.Context(), []presence.UserID{1}); p[0].Status != status {
		t.Fatalf("%s: %s, want %s", when, p[0].Status, status)
	}
}

// A process that was stopped must not turn everybody grey: the silence it could not hear does not count.
func TestStallIsNobodysSilence(t *testing.T) {
	k := newTicking()
	k.heard(t, presence.Login)
	k.pass(10 * time.Second)
	k.stop(5 * time.Minute)
	k.want(t, presence.Online, "right after the stall")
	k.pass(4 * time.Second)
	k.want(t, presence.Online, "one heartbeat after the stall")
	k.pass(2 * time.Second)
	k.want(t, presence.Offline, "the 2 s that were left and one heartbeat are over")
	if stalls := k.Stats().Stalls.Load(); stalls != 1 {
		t.Errorf("%d stalls counted", stalls)
	}
}

// Whoever is heard before the late tick gets a lease from now, not one longer by the whole stall.
func TestBeatBetweenStallAndTick(t *testing.T) {
	k := newTicking()
	k.heard(t, presence.Login)
	k.pass(time.Second)
	k.at = k.at.Add(time.Hour)
	k.heard(t, presence.Heartbeat)
	k.tick(k.at)
	k.pass(12 * time.Second)
	k.want(t, presence.Online, "within the lease and the extra heartbeat")
	k.pass(4 * time.Second)
	k.want(t, presence.Offline, "a lease and a heartbeat after the beat")
}

// Two seconds late is a busy machine: leases go on.
func TestSmallDelayIsNoStall(t *testing.T) {
	k := newTicking()
	k.heard(t, presence.Login)
	for range 6 {
		k.stop(2 * time.Second)
	}
	k.want(t, presence.Offline, "after twelve seconds in six ticks")
}

// Before Run the lease clock stands: whoever was loaded at boot has the full lease from readiness on.
func TestClockStandsBeforeRun(t *testing.T) {
	k := newTicking()
	k.at = k.at.Add(time.Hour)
	if now := k.clock(k.at); now > presence.StallAfter+Tick {
		t.Errorf("the lease clock moved to %s before Run", now)
	}
}

// The wall clock was set back an hour: nobody was seen in the future, and nobody's last_seen moves back.
func TestWallClockSetBack(t *testing.T) {
	k := newTicking()
	k.heard(t, presence.Login)
	back := k.at.Add(-time.Hour)
	k.now = func() time.Time { return back }
	p, _ := k.State(t.Context(), []presence.UserID{1})
	if p[0].LastSeen.After(back) {
		t.Errorf("seen at %s, which is in the future of %s", p[0].LastSeen, back)
	}
	k.now = func() time.Time { return k.at }
	p, _ = k.State(t.Context(), []presence.UserID{1})
	if want := wall(micros(k.at)); !p[0].LastSeen.Equal(want) {
		t.Errorf("seen at %s, want %s", p[0].LastSeen, want)
	}
}

// Somebody was seen while the clock was ahead by two hours; it is set right. They were seen now, and stay so.
func TestSeenInTheFutureIsBroughtBack(t *testing.T) {
	k := newTicking()
	k.heard(t, presence.Login)
	k.pass(time.Second)
	right := k.at
	p := k.pages.Load().inOrder[0]
	p.users[1].seen = micros(right.Add(2 * time.Hour)) // heard by the wrong clock
	k.lastWall = micros(right.Add(2 * time.Hour))
	k.pass(time.Second)
	first, _ := k.State(t.Context(), []presence.UserID{1})
	k.pass(5 * time.Second)
	then, _ := k.State(t.Context(), []presence.UserID{1})
	if !then[0].LastSeen.Equal(first[0].LastSeen) || then[0].LastSeen.After(right.Add(time.Second)) {
		t.Errorf("seen at %s, then at %s; the clock was set right at %s", first[0].LastSeen, then[0].LastSeen, right)
	}
}
