// Package enginetest is the contract of presence.Engine as tests. Every engine passes the same scripts, the
// same comparison with the plainest model, and the same torture, all in time that the test moves.
//
// It decides what engines have in common; how one stores, ticks or restarts is its own test's business.
package enginetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// Harness is one engine under test.
type Harness struct {
	Engine presence.Engine
	// Now is the engine's present.
	Now func() time.Time
	// Wait lets time pass and returns when everything due by then has happened.
	Wait func(time.Duration)
	// Tick is the step in which the engine notices that leases end; the first step is at the moment the
	// harness was opened.
	Tick time.Duration
	// Restart replaces Engine by one that starts from what this one has saved. Nil where the engine's state
	// does not die with the process.
	Restart func()
}

// Setup tells how to test one kind of engine.
type Setup struct {
	// Within runs a test where its time can be moved, for instance synctest.Test.
	Within func(*testing.T, func(*testing.T))
	// Open makes a fresh, empty, running engine that stops with the test.
	Open func(*testing.T, presence.Policy) *Harness
}

// DefaultPolicy is the founding document's: two minutes of silence, clients that beat every 30 s.
var DefaultPolicy = presence.Policy{
	OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second, HeartbeatInterval: 30 * time.Second,
}

// Run runs the whole contract.
func Run(t *testing.T, setup Setup) {
	t.Run("scripts", func(t *testing.T) { runScripts(t, setup) })
	t.Run("model", func(t *testing.T) { compareWithModel(t, setup) })
	t.Run("cursor", func(t *testing.T) { followCursor(t, setup) })
	t.Run("page", func(t *testing.T) { listPages(t, setup) })
	t.Run("torture", func(t *testing.T) { torture(t, setup) })
	t.Run("logout races beats", func(t *testing.T) { raceLogout(t, setup) })
}

// compareWithModel plays random programs on the engine and on the model.
func compareWithModel(t *testing.T, setup Setup) {
	programs := 80
	if testing.Short() {
		programs = 20
	}
	for seed := range programs {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		program := make([]byte, 1200)
		for i := range program {
			program[i] = byte(random.Uint32())
		}
		Play(t, setup, program)
		if t.Failed() {
			t.Fatalf("program of seed %d differs", seed)
		}
	}
}

// followCursor pins what a reader of changes may rely on.
func followCursor(t *testing.T, setup Setup) {
	setup.Within(t, func(t *testing.T) {
		ctx := t.Context()
		h := setup.Open(t, DefaultPolicy)
		cursor, _, err := h.Engine.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		signal(t, h, presence.Signal{User: 1, Session: 1001, Kind: presence.Login})
		signal(t, h, presence.Signal{User: 2, Session: 1002, Kind: presence.Login})

		first, err := h.Engine.Changes(ctx, cursor, 1)
		if err != nil || len(first) != 1 || first[0].User != 1 || first[0].Seq != cursor.Seq+1 {
			t.Fatalf("the first change after the snapshot: got %+v, %v", first, err)
		}
		cursor.Seq = first[0].Seq
		rest, err := h.Engine.Changes(ctx, cursor, 0)
		if err != nil || len(rest) != 1 || rest[0].User != 2 {
			t.Fatalf("the rest: got %+v, %v", rest, err)
		}
		cursor.Seq = rest[0].Seq

		for name, strange := range map[string]presence.Cursor{
			"another epoch":  {Epoch: cursor.Epoch + 1, Seq: cursor.Seq},
			"the future":     {Epoch: cursor.Epoch, Seq: cursor.Seq + 1},
			"the zero value": {},
		} {
			if _, err := h.Engine.Changes(ctx, strange, 0); !errors.Is(err, presence.ErrGap) {
				t.Errorf("a cursor of %s: got %v, want ErrGap", name, err)
			}
		}

		soon, cancel := context.WithCancel(ctx)
		ended := make(chan error)
		go func() {
			_, err := h.Engine.Changes(soon, cursor, 0)
			ended <- err
		}()
		h.Wait(time.Second)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a reader whose context ends: got %v", err)
		}

		found := make(chan []presence.Change)
		go func() {
			changes, _ := h.Engine.Changes(ctx, cursor, 0)
			found <- changes
		}()
		h.Wait(time.Second)
		signal(t, h, presence.Signal{User: 1, Session: 1001, Kind: presence.Logout})
		if changes := <-found; len(changes) != 1 || changes[0].To != presence.Offline || changes[0].Cause != presence.CauseLogout {
			t.Errorf("a waiting reader got %+v", changes)
		}
	})
}

// listPages pins filtering, order, ties and bounds of Page.
func listPages(t *testing.T, setup Setup) {
	setup.Within(t, func(t *testing.T) {
		ctx := t.Context()
		h := setup.Open(t, DefaultPolicy)
		for id := presence.UserID(1); id <= 6; id++ { // 1..4 sign in a second apart, 5 and 6 together
			signal(t, h, presence.Signal{User: id, Session: 1000 + presence.SessionID(id), Kind: presence.Login})
			if id < 5 {
				h.Wait(time.Second)
			}
		}
		signal(t, h, presence.Signal{User: 2, Session: 1002, Kind: presence.Logout})
		signal(t, h, presence.Signal{User: 3, Session: 1003, Kind: presence.Idle})

		cases := []struct {
			name  string
			query presence.Query
			want  []presence.UserID
			total int
		}{
			{"online, newest first, ties by id", presence.Query{Online: true}, []presence.UserID{6, 5, 4, 1}, 4},
			{"oldest first", presence.Query{Online: true, Order: presence.OldestSeen}, []presence.UserID{1, 4, 5, 6}, 4},
			{"the second page", presence.Query{Online: true, Offset: 2, Limit: 2}, []presence.UserID{4, 1}, 4},
			{"beyond the end", presence.Query{Online: true, Offset: 9, Limit: 2}, nil, 4},
			{"offline", presence.Query{Offline: true}, []presence.UserID{2}, 1},
			{"away or offline", presence.Query{Away: true, Offline: true, Limit: 1, Order: presence.OldestSeen}, []presence.UserID{2}, 2},
			{"everybody", presence.Query{Limit: 1, Order: presence.OldestSeen}, []presence.UserID{1}, 6},
			{"only some", presence.Query{Only: func(id presence.UserID) bool { return id%2 == 0 }, Online: true}, []presence.UserID{6, 4}, 2},
		}
		for _, c := range cases {
			users, total, err := h.Engine.Page(ctx, c.query)
			if err != nil {
				t.Fatal(err)
			}
			ok := len(users) == len(c.want) && total == c.total
			for i := range users {
				ok = ok && users[i].User == c.want[i]
			}
			if !ok {
				t.Errorf("%s: got %+v of %d, want %v of %d", c.name, users, total, c.want, c.total)
			}
		}
	})
}

func signal(t *testing.T, h *Harness, s presence.Signal) presence.Presence {
	t.Helper()
	s.At = h.Now()
	p, err := h.Engine.Signal(t.Context(), s)
	if err != nil {
		t.Fatalf("%s of user %d: %v", s.Kind, s.User, err)
	}
	return p
}
