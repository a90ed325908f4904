package presence

import (
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	policy = Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second, HeartbeatInterval: 30 * time.Second}
)

// The table of the rule, row by row: what a signal does to somebody in a given state, 100 s into the lease
// clock, with one session 7 that was heard 50 s ago.
func TestNext(t *testing.T) {
	const now = 100 * time.Second
	seen := noon.Add(-50 * time.Second)
	with := func(edit func(*State)) State {
		s := State{
			User: 1, Status: Online, Cause: CauseLogin, LastSeen: seen, Since: seen, Version: 1,
			Sessions: []Session{{ID: 700, Live: true, Due: 170 * time.Second}},
		}
		if edit != nil {
			edit(&s)
		}
		return s
	}
	online := with(nil)
	away := with(func(s *State) { s.Status, s.Sessions[0].Idle = Away, true })
	silent := with(func(s *State) { s.Sessions[0].Due = now })
	left := with(func(s *State) { s.Sessions[0].Due, s.Sessions[0].Leaving = now, true })
	offline := State{User: 1, Status: Offline, Cause: CauseTimeout, LastSeen: seen, Since: seen, Version: 2}
	nobody := State{}
	held := with(func(s *State) { s.Status, s.Hold = Away, Hold{Active: true, Status: Away, Until: noon} })

	stays, moves := seen, noon
	cases := []struct {
		name   string
		state  State
		signal Signal
		status Status
		cause  Cause // of the change; CauseNone: no change is published
		seen   time.Time
	}{
		{"a login brings somebody online", nobody, Signal{Kind: Login, Session: 700}, Online, CauseLogin, moves},
		{"a heartbeat brings an offline user online", offline, Signal{Kind: Heartbeat, Session: 700}, Online, CauseHeartbeat, moves},
		{"a heartbeat of somebody online changes nothing to see", online, Signal{Kind: Heartbeat, Session: 700}, Online, CauseNone, moves},
		{"a heartbeat turns away into online", away, Signal{Kind: Heartbeat, Session: 700}, Online, CauseHeartbeat, moves},
		{"a heartbeat may say idle", online, Signal{Kind: Heartbeat, Session: 700, Idle: true}, Away, CauseHeartbeat, moves},
		{"any request is activity", offline, Signal{Kind: Activity, Session: 700}, Online, CauseActivity, moves},
		{"a backend's touch too", offline, Signal{Kind: Touch, Session: 700}, Online, CauseTouch, moves},
		{"a connection brings somebody online", offline, Signal{Kind: Connect, Session: 700}, Online, CauseConnect, moves},
		{"a ping of somebody idle leaves them away", away, Signal{Kind: Ping, Session: 700}, Away, CauseNone, moves},
		{"the client says the user left", online, Signal{Kind: Idle, Session: 700}, Away, CauseIdle, moves},
		{"the client says the user came back", away, Signal{Kind: Active, Session: 700}, Online, CauseActive, moves},
		{"another device idle changes nothing", online, Signal{Kind: Idle, Session: 800}, Online, CauseNone, moves},
		{"another device active wins over idle", away, Signal{Kind: Heartbeat, Session: 800}, Online, CauseHeartbeat, moves},
		{"silence before the lease ends means nothing", online, Signal{Kind: Silence}, Online, CauseNone, stays},
		{"silence at the lease's end means offline", silent, Signal{Kind: Silence}, Offline, CauseTimeout, stays},
		{"away expires like online", with(func(s *State) { s.Status, s.Sessions[0].Idle, s.Sessions[0].Due = Away, true, now }), Signal{Kind: Silence}, Offline, CauseTimeout, stays},
		{"a session that left is gone after the grace", left, Signal{Kind: Silence}, Offline, CauseDisconnect, stays},
		{"logout is at once", online, Signal{Kind: Logout, Session: 700}, Offline, CauseLogout, moves},
		{"logout of another device changes nothing to see", online, Signal{Kind: Logout, Session: 800}, Online, CauseNone, moves},
		{"forced ends every session", online, Signal{Kind: Forced, Actor: 9}, Offline, CauseForced, stays},
		{"deleting too", online, Signal{Kind: Deleted, Actor: 9}, Offline, CauseForced, stays},
		{"an admin sets away; last_seen stays", online, Signal{Kind: Set, Status: Away, Actor: 9}, Away, CauseAdmin, stays},
		{"an admin sets offline", online, Signal{Kind: Set, Status: Offline, Actor: 9}, Offline, CauseAdmin, moves},
		{"an admin sets online where nobody is signed in", offline, Signal{Kind: Set, Status: Online, Actor: 9}, Online, CauseAdmin, moves},
		{"a hold outranks a heartbeat", held, Signal{Kind: Heartbeat, Session: 700}, Away, CauseNone, moves},
		{"a hold ends by itself", held, Signal{Kind: Silence}, Online, CauseAdmin, stays},
		{"one's own away lowers", online, Signal{Kind: SetHold, Status: Away, Actor: 1}, Away, CauseIdle, stays},
		{"an admin's offline on themselves is a hold", online, Signal{Kind: SetHold, Status: Offline, Actor: 1}, Offline, CauseAdmin, stays},
		{"a hold is lifted", held, Signal{Kind: LiftHold, Actor: 9}, Online, CauseAdmin, stays},
		{"a hold begins", online, Signal{Kind: SetHold, Status: Offline, Actor: 9}, Offline, CauseAdmin, stays},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := with(nil)
			c.signal.User, c.signal.At = 1, noon
			after, change, changed := policy.Next(c.state, c.signal, now)
			if after.Status != c.status {
				t.Errorf("status %s, want %s", after.Status, c.status)
			}
			if !after.LastSeen.Equal(c.seen) {
				t.Errorf("last_seen %s, want %s", after.LastSeen, c.seen)
			}
			if changed != (c.cause != CauseNone) || changed && change.Cause != c.cause {
				t.Errorf("change %v with cause %q, want %q", changed, change.Cause, c.cause)
			}
			if changed {
				if change.From != c.state.Status || change.To != c.status || change.Actor != c.signal.Actor || change.Version != c.state.Version+1 {
					t.Errorf("the change does not tell what happened: %+v", change)
				}
				if after.Version != change.Version || !after.Since.Equal(noon) || after.Cause != c.cause {
					t.Errorf("the state does not carry the change: %+v", after)
				}
			} else if after.Version != c.state.Version || !after.Since.Equal(c.state.Since) {
				t.Errorf("nothing was published, yet version or since moved: %+v", after)
			}
			if now := with(nil); online.Sessions[0] != now.Sessions[0] || before.Status != now.Status {
				t.Error("Next modified the state it was given")
			}
		})
	}
}

func TestLastSeenNeverMovesBack(t *testing.T) {
	s := State{User: 1, LastSeen: noon}
	s, _, _ = policy.Next(s, Signal{User: 1, Kind: Heartbeat, Session: 700, At: noon.Add(-time.Hour)}, 0)
	if !s.LastSeen.Equal(noon) {
		t.Errorf("last_seen moved back to %s", s.LastSeen)
	}
}

func TestLease(t *testing.T) {
	for _, c := range []struct {
		name     string
		hidden   bool
		interval time.Duration
		want     time.Duration
	}{
		{"a plain beat", false, 0, 2 * time.Minute},
		{"a hidden page's timer fires once a minute", true, 0, 150 * time.Second},
		{"a hidden page that declares less", true, 30 * time.Second, 150 * time.Second},
		{"a short interval gets no less than a plain beat", false, 10 * time.Second, 2 * time.Minute},
		{"two missed beats and some slack", false, 2 * time.Minute, 270 * time.Second},
		{"ten minutes at most", false, 10 * time.Minute, 10 * time.Minute},
		{"nonsense does not overflow", false, 1<<63 - 1, 10 * time.Minute},
		{"nor does negative nonsense", false, -1, 2 * time.Minute},
	} {
		if got := policy.Lease(c.hidden, c.interval); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestStall(t *testing.T) {
	const tick = 100 * time.Millisecond
	for _, c := range []struct {
		name          string
		elapsed, want time.Duration
	}{
		{"on time", tick, 0},
		{"two seconds late is a busy machine", 2*time.Second + tick, 0},
		{"more is a stall: the gap and one heartbeat", 10*time.Second + tick, 40 * time.Second},
		{"time that runs backwards is none", -time.Hour, 0},
	} {
		if got := policy.Stall(c.elapsed, tick); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBreakerWindowFollowsTheLease(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{
		12 * time.Second: time.Second, 2 * time.Minute: 10 * time.Second, time.Hour: 10 * time.Second,
	} {
		if got := (Policy{OfflineAfter: lease}).BreakerWindow(); got != want {
			t.Errorf("a lease of %s: %s, want %s", lease, got, want)
		}
	}
}

func TestBreaker(t *testing.T) {
	const lease = 2 * time.Minute
	for _, c := range []struct {
		name             string
		falling, present int
		open             bool
	}{
		{"nobody", 0, 0, false},
		{"fifty of sixty are few", 50, 60, false},
		{"fifty-one of sixty are not", 51, 60, true},
		{"a fifth of a thousand is life", 200, 1000, false},
		{"more than a fifth is an outage", 201, 1000, true},
	} {
		var b Breaker
		if open := b.Judge(0, lease, c.falling, c.present); open != c.open {
			t.Errorf("%s: open %v", c.name, open)
		}
	}
	var b Breaker
	b.Judge(time.Minute, lease, 100, 100)
	switch {
	case !b.Holding(3*time.Minute - 1):
		t.Error("it holds for one lease")
	case b.Holding(3 * time.Minute), !b.Spent(3 * time.Minute):
		t.Error("after one lease it is spent")
	case b.Spent(3 * time.Minute):
		t.Error("it is spent once")
	case b.Trips != 1:
		t.Errorf("%d trips", b.Trips)
	}
}

func TestWordsRoundTrip(t *testing.T) {
	for s := Offline; s <= Online; s++ {
		if got, ok := ParseStatus(s.String()); !ok || got != s {
			t.Errorf("status %v comes back as %v", s, got)
		}
	}
	for c := CauseNone; c <= CauseAdmin; c++ {
		if got, ok := ParseCause(c.String()); !ok || got != c {
			t.Errorf("cause %v comes back as %v", c, got)
		}
	}
	for k := Login; k <= LiftHold; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("kind %v comes back as %v", k, got)
		}
	}
	for _, word := range []string{"ONLINE", "busy", " online", "offline\n"} {
		if s, ok := ParseStatus(word); ok {
			t.Errorf("%q was read as %v", word, s)
		}
	}
}

func TestSessionIDWords(t *testing.T) {
	for _, id := range []SessionID{256, 1<<63 - 1, 0x0123456789abcdef} {
		if got, ok := ParseSessionID(id.String()); !ok || got != id {
			t.Errorf("%v comes back as %v, %v", id, got, ok)
		}
	}
	for _, word := range []string{"", "1", "8000000000000000", "ffffffffffffffff", "0123456789ABCDEF", "0123456789abcdeg", "+123456789abcdef", "0x23456789abcdef"} {
		if id, ok := ParseSessionID(word); ok {
			t.Errorf("%q was read as %v", word, id)
		}
	}
}
