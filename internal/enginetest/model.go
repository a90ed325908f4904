package enginetest

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// model is the plainest engine there can be: a map, the rule, and a clock that ticks by hand.
type model struct {
	policy presence.Policy
	start  time.Time
	ticked time.Time
	tick   time.Duration
	users  map[presence.UserID]presence.State
	closed map[presence.SessionID]time.Time
	told   []presence.Change
}

func newModel(policy presence.Policy, start time.Time, tick time.Duration) *model {
	return &model{
		policy: policy, start: start, ticked: start, tick: tick,
		users: map[presence.UserID]presence.State{}, closed: map[presence.SessionID]time.Time{},
	}
}

func (m *model) signal(s presence.Signal) error {
	if _, closed := m.closed[s.Session]; closed {
		return presence.ErrClosed
	}
	before := m.users[s.User]
	now := s.At.Sub(m.start)
	s.At = s.At.UTC().Truncate(time.Microsecond)
	after, change, changed := m.policy.Next(before, s, now)
	for _, id := range s.Closes(before) {
		if _, known := m.closed[id]; !known {
			m.closed[id] = s.At
		}
	}
	m.users[s.User] = after
	if s.Kind == presence.Deleted {
		delete(m.users, s.User)
	}
	if changed {
		m.told = append(m.told, change)
	}
	return nil
}

// passTo lets the clock tick up to a moment.
func (m *model) passTo(at time.Time) {
	for next := m.ticked.Add(m.tick); !next.After(at); next = next.Add(m.tick) {
		m.ticked = next
		for _, id := range m.ids() {
			s := m.users[id]
			due, ok := s.NextDue()
			held := s.Hold.Active && !s.Hold.Until.IsZero() && !next.Before(s.Hold.Until)
			if held || ok && due <= next.Sub(m.start) {
				m.signal(presence.Signal{User: id, Kind: presence.Silence, At: next})
			}
		}
	}
}

func (m *model) ids() []presence.UserID {
	ids := make([]presence.UserID, 0, len(m.users))
	for id := range m.users {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Play runs one program, given as bytes, on an engine and on the model and compares what both say. It is
// the body of a fuzz test: any bytes are a program.
func Play(t *testing.T, setup Setup, program []byte) {
	setup.Within(t, func(t *testing.T) {
		h := setup.Open(t, DefaultPolicy)
		m := newModel(DefaultPolicy, h.Now(), h.Tick)
		cursor, _, err := h.Engine.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for step := 0; len(program) >= 3; step++ {
			code, who, how := program[0], program[1], program[2]
			program = program[3:]
			if code%4 == 0 { // a quarter of all steps let time pass: from 10 ms to some minutes
				pause := time.Duration(how%64+1) * 10 * time.Millisecond << (who % 10)
				h.Wait(pause)
				m.passTo(h.Now())
				continue
			}
			s := decodeSignal(code, who, how, h.Now())
			if at, closed := m.closed[s.Session]; closed && s.At.Sub(at) >= time.Hour {
				continue // an engine need not remember longer
			}
			got, err := h.Engine.Signal(t.Context(), s)
			if want := m.signal(s); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Fatalf("step %d, %s of user %d session %d: the engine says %v, the model %v", step, s.Kind, s.User, s.Session, err, want)
			}
			if want := m.users[s.User]; err == nil && s.Kind != presence.Deleted &&
				(got.Status != want.Status || !got.LastSeen.Equal(want.LastSeen) || got.Version != want.Version || !got.Since.Equal(want.Since) || got.Cause != want.Cause) {
				t.Fatalf("step %d, %s: the engine answers %+v, the model has %+v", step, s.Kind, got, want)
			}
		}
		compareAll(t, h, m, cursor)
	})
}

var kindsByByte = []presence.Kind{
	presence.Login, presence.Heartbeat, presence.Heartbeat, presence.Heartbeat, presence.Activity, presence.Touch,
	presence.Connect, presence.Connect, presence.Ping, presence.Disconnect, presence.Disconnect, presence.Idle,
	presence.Active, presence.Logout, presence.Forced, presence.Deleted, presence.Set, presence.SetHold, presence.LiftHold,
}

// decodeSignal makes a signal of three bytes: few users and sessions, so that they meet.
func decodeSignal(code, who, how byte, now time.Time) presence.Signal {
	s := presence.Signal{
		User: presence.UserID(1 + who%5), Session: presence.SessionID(1000 + 10*int(who%5) + int(who/5%4)),
		Kind: kindsByByte[int(code)%len(kindsByByte)], At: now, Status: presence.Status(how % 3),
	}
	switch s.Kind {
	case presence.Heartbeat:
		s.Idle, s.Hidden = how&1 != 0, how&2 != 0
		s.Interval = time.Duration(binary.LittleEndian.Uint16([]byte{how >> 2, how >> 5})) * time.Second
	case presence.Set, presence.LiftHold:
		s.Session = presence.EverySession
	case presence.Forced, presence.Deleted:
		if how%3 != 0 {
			s.Session = presence.EverySession
		}
		if how%4 == 0 {
			s.Sessions = []presence.SessionID{presence.SessionID(1000 + 10*int(who%5) + int(how%4))}
		}
	case presence.SetHold:
		s.Session = presence.EverySession
		if how > 60 {
			s.Until = now.Add(time.Duration(how) * time.Second).UTC().Truncate(time.Microsecond)
		}
	}
	return s
}

// compareAll compares every user, the counts and the whole sequence of changes.
func compareAll(t *testing.T, h *Harness, m *model, from presence.Cursor) {
	t.Helper()
	for id := presence.UserID(1); id <= 5; id++ {
		got, _, err := h.Engine.Inspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want := m.users[id]
		want.User = id
		order := func(a, b presence.Session) int { return int(a.ID - b.ID) }
		slices.SortFunc(got.Sessions, order)
		slices.SortFunc(want.Sessions, order)
		if got.Status != want.Status || got.Version != want.Version || !got.LastSeen.Equal(want.LastSeen) ||
			got.Hold != want.Hold || !slices.Equal(got.Sessions, want.Sessions) {
			t.Errorf("user %d:\nengine %+v\nmodel  %+v", id, got, want)
		}
	}
	var want presence.Counts
	for _, s := range m.users {
		switch s.Status {
		case presence.Online:
			want.Online++
		case presence.Away:
			want.Away++
		default:
			want.Offline++
		}
	}
	if got, _ := h.Engine.Counts(t.Context()); got != want {
		t.Errorf("counts: engine %+v, model %+v", got, want)
	}
	var told []presence.Change
	if len(m.told) > 0 {
		var err error
		if told, err = h.Engine.Changes(t.Context(), from, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != len(m.told) {
		t.Fatalf("changes: engine %d, model %d\nengine %+v\nmodel  %+v", len(told), len(m.told), told, m.told)
	}
	for i, c := range told {
		if c.Seq != from.Seq+uint64(i)+1 {
			t.Errorf("change %d has seq %d", i, c.Seq)
		}
	}
	// Each user's changes have an order; those of different users at the same tick have none.
	byUser := func(a, b presence.Change) int { return int(a.User - b.User) }
	slices.SortStableFunc(told, byUser)
	slices.SortStableFunc(m.told, byUser)
	for i, got := range told {
		if w := m.told[i]; got.User != w.User || got.From != w.From || got.To != w.To || got.Cause != w.Cause ||
			got.Session != w.Session || got.Actor != w.Actor || !got.At.Equal(w.At) || !got.LastSeen.Equal(w.LastSeen) || got.Version != w.Version {
			t.Errorf("change %d:\nengine %+v\nmodel  %+v", i, got, w)
		}
	}
}
