package enginetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// torture lets many goroutines signal, read and list at once and then asks whether the story still adds up:
// gapless sequence, gapless versions, every change starting where the last one ended, and a snapshot that
// the changes after it lead to the final state.
func torture(t *testing.T, setup Setup) {
	const users, workers, rounds = 300, 8, 1500
	setup.Within(t, func(t *testing.T) {
		ctx := t.Context()
		h := setup.Open(t, DefaultPolicy)
		begin, _, err := h.Engine.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var middle presence.Cursor
		view := map[presence.UserID]presence.Presence{}

		var group sync.WaitGroup
		for worker := range workers {
			random := rand.New(rand.NewPCG(uint64(worker), 99))
			group.Go(func() {
				for range rounds {
					disturb(t, h, random, users)
				}
			})
		}
		group.Go(func() { // reads while they write
			cursor, everybody, err := h.Engine.Snapshot(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			middle = cursor
			for p := range everybody {
				view[p.User] = p
			}
		})
		group.Wait()
		h.Wait(time.Second)

		checkStory(t, h, begin)
		checkSnapshot(t, h, middle, view)
	})
}

func disturb(t *testing.T, h *Harness, random *rand.Rand, users int) {
	id := presence.UserID(1 + random.IntN(users))
	s := presence.Signal{
		User: id, Session: presence.SessionID(int64(id)*1000 + int64(random.IntN(3))), At: h.Now(),
		Kind: kindsByByte[random.IntN(len(kindsByByte))], Status: presence.Status(random.IntN(3)),
	}
	if s.Kind == presence.Deleted { // versions start again with a deleted user; that story is told elsewhere
		s.Kind = presence.Heartbeat
	}
	switch random.IntN(20) {
	case 0:
		if _, _, err := h.Engine.Page(t.Context(), presence.Query{Online: true, Limit: 10}); err != nil {
			t.Error(err)
		}
	case 1:
		if c, err := h.Engine.Counts(t.Context()); err != nil || c.Online < 0 || c.Away < 0 || c.Offline < 0 {
			t.Errorf("counts %+v, %v", c, err)
		}
	default:
		if _, err := h.Engine.Signal(t.Context(), s); err != nil && !errors.Is(err, presence.ErrClosed) {
			t.Error(err)
		}
	}
}

// checkStory follows all changes from the beginning and compares their end with the state.
func checkStory(t *testing.T, h *Harness, begin presence.Cursor) {
	t.Helper()
	changes, err := h.Engine.Changes(t.Context(), begin, 0)
	if err != nil {
		t.Fatal(err)
	}
	type at struct {
		status  presence.Status
		version uint64
	}
	story := map[presence.UserID]at{}
	for i, c := range changes {
		was := story[c.User]
		if c.Seq != begin.Seq+uint64(i)+1 || c.From != was.status || c.Version != was.version+1 || c.From == c.To {
			t.Fatalf("change %d does not continue the story (%+v): %+v", i, was, c)
		}
		story[c.User] = at{c.To, c.Version}
	}
	var counts presence.Counts
	_, everybody, _ := h.Engine.Snapshot(t.Context())
	for p := range everybody {
		if end := story[p.User]; end.status != p.Status || end.version != p.Version {
			t.Errorf("user %d: the changes end at %+v, the state is %+v", p.User, end, p)
		}
		switch p.Status {
		case presence.Online:
			counts.Online++
		case presence.Away:
			counts.Away++
		default:
			counts.Offline++
		}
	}
	if got, _ := h.Engine.Counts(t.Context()); got != counts {
		t.Errorf("counts say %+v, counting says %+v", got, counts)
	}
}

// checkSnapshot applies the changes after a snapshot to it, by version, and compares with the state.
func checkSnapshot(t *testing.T, h *Harness, cursor presence.Cursor, view map[presence.UserID]presence.Presence) {
	t.Helper()
	if now, _, _ := h.Engine.Snapshot(t.Context()); now != cursor {
		changes, err := h.Engine.Changes(t.Context(), cursor, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if known := view[c.User]; c.Version > known.Version {
				if c.Version != known.Version+1 || c.From != known.Status {
					t.Fatalf("change %+v does not follow the snapshot's %+v", c, known)
				}
				view[c.User] = presence.Presence{User: c.User, Status: c.To, Version: c.Version}
			}
		}
	}
	_, everybody, _ := h.Engine.Snapshot(t.Context())
	for p := range everybody {
		if seen := view[p.User]; seen.Status != p.Status || seen.Version != p.Version {
			t.Errorf("user %d: snapshot and changes lead to %+v, the state is %+v", p.User, seen, p)
		}
	}
}

// raceLogout lets beats of a session run against its logout: whatever the order, the user ends offline, and
// every beat after the logout is refused.
func raceLogout(t *testing.T, setup Setup) {
	const races, beats = 500, 8
	setup.Within(t, func(t *testing.T) {
		h := setup.Open(t, DefaultPolicy)
		for race := range races {
			id, session := presence.UserID(1+race), presence.SessionID(5000+race)
			signal(t, h, presence.Signal{User: id, Session: session, Kind: presence.Login})
			kind := presence.Logout
			named := session
			if race%2 == 1 {
				kind, named = presence.Forced, presence.EverySession
			}
			var group sync.WaitGroup
			for range beats {
				group.Go(func() {
					h.Engine.Signal(t.Context(), presence.Signal{User: id, Session: session, Kind: presence.Heartbeat, At: h.Now()})
				})
			}
			group.Go(func() {
				h.Engine.Signal(t.Context(), presence.Signal{User: id, Session: named, Kind: kind, At: h.Now()})
			})
			group.Wait()
			if _, err := h.Engine.Signal(t.Context(), presence.Signal{User: id, Session: session, Kind: presence.Heartbeat, At: h.Now()}); !errors.Is(err, presence.ErrClosed) {
				t.Fatalf("race %d: a beat after %s: got %v, want ErrClosed", race, kind, err)
			}
			if p, _ := h.Engine.State(t.Context(), []presence.UserID{id}); p[0].Status != presence.Offline || p[0].Version != 2 {
				t.Fatalf("race %d: after %s: %+v, want offline after exactly two changes", race, kind, p[0])
			}
		}
	})
}
