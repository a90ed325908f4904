package api

import (
	"testing"
	"time"

	"github.com/offchat/presence"
)

// TestWhy: what decides, and what happens next when nothing more is heard.
func TestWhy(t *testing.T) {
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	lease := 500 * time.Second
	in := func(seconds int) time.Duration { return lease + time.Duration(seconds)*time.Second }
	active := presence.Session{ID: 0xa1, Live: true, Due: in(30)}
	idle := presence.Session{ID: 0xa2, Live: true, Idle: true, Due: in(90)}
	for _, one := range []struct {
		name                string
		state               presence.State
		rule, session, next string
		after               int // seconds until next
	}{
		{"one active session", presence.State{Status: presence.Online, Version: 1, Sessions: []presence.Session{active}}, "active_session", "00000000000000a1", "offline", 30},
		{"an idle one lasts longer", presence.State{Status: presence.Online, Version: 1, Sessions: []presence.Session{idle, active}}, "active_session", "00000000000000a1", "away", 30},
		{
			"the later of two active ones",
			presence.State{Status: presence.Online, Version: 1, Sessions: []presence.Session{active, {ID: 0xa3, Live: true, Due: in(40)}}},
			"active_session", "00000000000000a3", "offline", 40,
		},
		{"all idle", presence.State{Status: presence.Away, Version: 1, Sessions: []presence.Session{idle}}, "idle_session", "00000000000000a2", "offline", 90},
		{"a connection without a lease", presence.State{Status: presence.Offline, Version: 2, Cause: presence.CauseTimeout, Sessions: []presence.Session{{ID: 0xa4, Conns: 1}}}, "no_session", "", "", 0},
		{"logged out", presence.State{Status: presence.Offline, Version: 2, Cause: presence.CauseLogout}, "no_session", "", "", 0},
		{"never heard", presence.State{}, "never_seen", "", "", 0},
		{"held for good", presence.State{Status: presence.Away, Version: 1, Hold: presence.Hold{Active: true, Status: presence.Away}, Sessions: []presence.Session{active}}, "hold", "", "", 0},
		{
			"held for a minute",
			presence.State{
				Status: presence.Offline, Version: 1, Hold: presence.Hold{Active: true, Until: now.Add(time.Minute)}, Sessions: []presence.Session{active},
			},
			"hold", "", "online", 60,
		},
	} {
		t.Run(one.name, func(t *testing.T) {
			p := person{state: one.state, lease: lease, now: now}
			w := p.why()
			if w.Rule != one.rule || w.Session != one.session || w.Text == "" || w.Status != one.state.Status.String() {
				t.Errorf("why %+v, want rule %s, session %q", w, one.rule, one.session)
			}
			switch {
			case (w.Next != nil) != (one.next != ""):
				t.Errorf("next %+v, want %q", w.Next, one.next)
			case w.Next != nil && (w.Next.Status != one.next || !w.Next.At.Equal(now.Add(time.Duration(one.after)*time.Second))):
				t.Errorf("next %+v, want %s in %d s", w.Next, one.next, one.after)
			}
		})
	}
}

// TestWhyAgreesWithTheRule: what is said to come next is what the rule does at that moment, and not before.
func TestWhyAgreesWithTheRule(t *testing.T) {
	policy := presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second}
	begin := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	kinds := []presence.Kind{presence.Login, presence.Heartbeat, presence.Idle, presence.Active, presence.Connect, presence.Disconnect, presence.Logout}
	for a := range kinds {
		for b := range kinds {
			for c := range kinds {
				var state presence.State
				lease := time.Duration(0)
				for i, kind := range []presence.Kind{kinds[a], kinds[b], kinds[c]} {
					lease = time.Duration(i) * 7 * time.Second
					sig := presence.Signal{User: 7, Session: presence.SessionID(1000 + i%2), Kind: kind, At: begin.Add(lease)}
					state, _, _ = policy.Next(state, sig, lease)
				}
				now := begin.Add(lease)
				p := person{state: state, lease: lease, now: now}
				w := p.why()
				if w.Next == nil {
					if state.Status != presence.Offline {
						t.Errorf("%v: %v for ever", kinds, state.Status)
					}
					continue
				}
				due := w.Next.At.Sub(now) + lease
				silence := presence.Signal{User: 7, Kind: presence.Silence, At: w.Next.At}
				before, _, _ := policy.Next(state, silence, due-1)
				after, _, _ := policy.Next(state, silence, due)
				if before.Status != state.Status || after.Status.String() != w.Next.Status {
					t.Errorf("%v %v %v: said %s, the rule goes %v, %v, %v", kinds[a], kinds[b], kinds[c], w.Next.Status, state.Status, before.Status, after.Status)
				}
			}
		}
	}
}
