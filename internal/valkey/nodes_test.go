package valkey

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

func (w *world) signal(e *Engine, user presence.UserID, kind presence.Kind) presence.Presence {
	w.t.Helper()
	p, err := e.Signal(w.t.Context(), w.signalOf(e, user, kind))
	w.must(err)
	return p
}

func (w *world) signalOf(e *Engine, user presence.UserID, kind presence.Kind) presence.Signal {
	return presence.Signal{User: user, Session: presence.SessionID(1000 + user), Kind: kind, At: e.clock.now()}
}

func (w *world) want(e *Engine, status presence.Status, users ...presence.UserID) {
	w.t.Helper()
	found, err := e.State(w.t.Context(), users)
	w.must(err)
	for _, p := range found {
		if p.Status != status {
			w.t.Fatalf("%s: user %d is %s, want %s", e.node, p.User, p.Status, status)
		}
	}
}

// told is everything a node told from the beginning.
func (w *world) told(e *Engine) []presence.Change {
	w.t.Helper()
	from := e.log.Oldest()
	if from == e.log.Cursor() {
		return nil
	}
	changes, err := e.Changes(w.t.Context(), from, 0)
	w.must(err)
	return changes
}

// wantSameStory checks that all nodes told the same changes with the same seqs, gapless for each user.
func (w *world) wantSameStory(changes int) {
	w.t.Helper()
	first := w.told(w.nodes[0])
	if changes >= 0 && len(first) != changes {
		w.t.Errorf("%d changes were told, want %d: %+v", len(first), changes, first)
	}
	for _, e := range w.nodes[1:] {
		if other := w.told(e); !reflect.DeepEqual(first, other) {
			w.t.Errorf("the nodes tell different stories:\n%+v\n%+v", first, other)
		}
	}
	versions := map[presence.UserID]presence.Change{}
	for _, c := range first {
		if was := versions[c.User]; c.Version != was.Version+1 || c.From != was.To {
			w.t.Errorf("%+v does not follow %+v", c, was)
		}
		versions[c.User] = c
	}
}

func users(from, to presence.UserID) (ids []presence.UserID) {
	for id := from; id <= to; id++ {
		ids = append(ids, id)
	}
	return ids
}

// Every node tells every change once, in the same order, with the same cursor; a reader may go on elsewhere.
func TestCursorIsGoodOnEveryNode(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	cursor, _, _ := a.Snapshot(t.Context())
	w.signal(a, 1, presence.Login)
	w.signal(b, 2, presence.Login)
	w.signal(a, 2, presence.Logout)
	w.catchUp(w.nodes)
	w.wantSameStory(3)

	first, err := a.Changes(t.Context(), cursor, 1)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	cursor.Seq = first[0].Seq
	late := w.node(0) // started after all that
	for _, e := range []*Engine{b, late} {
		rest, err := e.Changes(t.Context(), cursor, 0)
		if err != nil || len(rest) != 2 || rest[0].User != 2 || rest[1].Cause != presence.CauseLogout || rest[0].Node != "node2" {
			t.Errorf("%s goes on with %+v, %v", e.node, rest, err)
		}
	}
}

// Last seen is right at once where it was heard, and everywhere a coalescing time later.
func TestLastSeenReachesOtherNodes(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.pass(30 * time.Second)
	heard := w.signal(a, 1, presence.Heartbeat)
	if !heard.LastSeen.Equal(w.now()) {
		t.Errorf("where it was heard: %s", heard.LastSeen)
	}
	w.pass(coalesce * time.Microsecond)
	p, _ := b.State(t.Context(), []presence.UserID{1})
	if !p[0].LastSeen.Equal(heard.LastSeen) {
		t.Errorf("at the other node: %s, want %s", p[0].LastSeen, heard.LastSeen)
	}
	w.wantSameStory(1)
}

// A user heard by two nodes in turn stays online; each node's renewals count, whoever sweeps.
func TestBeatsAtDifferentNodes(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	for i := range 20 {
		w.pass(110 * time.Second)
		w.signal(w.nodes[i%2], 1, presence.Heartbeat)
	}
	w.pass(119 * time.Second)
	w.want(a, presence.Online, 1)
	w.pass(time.Second)
	w.want(a, presence.Offline, 1)
	w.want(b, presence.Offline, 1)
	w.wantSameStory(2)
}

// A beat in the last moment of a lease counts, whichever node ends leases.
func TestBeatJustInTime(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.signal(a, 2, presence.Login)
	w.pass(2*time.Minute-3*time.Second, b)
	w.signal(a, 1, presence.Heartbeat) // near the end, and written with the next batch
	w.set(w.now().Add(flushEvery))
	w.must(a.flush(t.Context(), false))
	w.pass(3*time.Second-flushEvery-time.Millisecond, b)
	w.signal(a, 2, presence.Heartbeat) // at the very end, and written at once
	w.pass(5*time.Second, b)
	w.want(b, presence.Online, 1, 2)
	w.wantSameStory(2)
}

// A renewal that was on its way does not undo what another node wrote meanwhile.
func TestRenewalUndoesNothing(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.pass(10 * time.Second)
	w.signal(b, 1, presence.Idle)
	w.set(w.now().Add(time.Second))
	w.signal(a, 1, presence.Heartbeat) // a has not heard that the client is idle
	w.must(a.flush(t.Context(), true))
	w.pass(5 * time.Second)
	for _, e := range w.nodes {
		if s, _, _ := e.Inspect(t.Context(), 1); s.Status != presence.Away || !s.Sessions[0].Idle {
			t.Errorf("%s has %+v", e.node, s)
		}
	}
	w.pass(2*time.Minute - 5*time.Second - 2*Tick)
	w.want(b, presence.Away, 1) // but it counts as a sign of life
	w.wantSameStory(2)
}

// A beat that a node accepted but could not write before the lease ended brings the user back.
func TestBeatThatCameTooLate(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.pass(100*time.Second, b)
	w.signal(a, 1, presence.Heartbeat)
	w.pass(30*time.Second, b) // a stands still
	w.want(b, presence.Offline, 1)
	for range 3 {
		w.must(a.flush(t.Context(), true))
	}
	w.catchUp(w.nodes)
	w.want(a, presence.Online, 1)
	w.want(b, presence.Online, 1)
	w.wantSameStory(3)
}

// What a starting node brings from its database never puts the clock back.
func TestLoadBesideOthers(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.signal(a, 2, presence.Login)
	w.catchUp(w.nodes)
	w.must(b.Load(t.Context(), slices.Values([]presence.Record{
		{Presence: presence.Presence{User: 1, Status: presence.Offline, Version: 0}},                     // an old row
		{Presence: presence.Presence{User: 2, Status: presence.Offline, Version: 2, LastSeen: w.now()}},  // the store lost something
		{Presence: presence.Presence{User: 3, LastSeen: w.now()}},                                        // a new account
		{Presence: presence.Presence{User: 4, Status: presence.Online, Version: 7, LastSeen: w.now()}},   // after a loss of everything
		{Presence: presence.Presence{User: 5}, Hold: presence.Hold{Active: true, Status: presence.Away}}, // an admin's override
	})))
	w.catchUp(w.nodes)
	for _, e := range w.nodes {
		w.want(e, presence.Online, 1, 4)
		w.want(e, presence.Offline, 2, 3)
		w.want(e, presence.Away, 5)
		if c := must(e.Counts(t.Context())); c != (presence.Counts{Online: 2, Away: 1, Offline: 2}) {
			t.Errorf("%s counts %+v", e.node, c)
		}
	}
	w.wantSameStory(2)
	w.pass(2 * time.Minute)
	w.want(a, presence.Offline, 1, 2, 3, 4)
}

// A session that was closed at one node is closed at the others, even for beats they would take in passing.
func TestLogoutElsewhere(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.catchUp(w.nodes)
	w.signal(b, 1, presence.Heartbeat)
	w.signal(a, 1, presence.Logout)
	b.Signal(t.Context(), w.signalOf(b, 1, presence.Heartbeat)) // b has not heard of it yet
	if _, err := b.Signal(t.Context(), w.signalOf(b, 1, presence.Connect)); err != presence.ErrClosed {
		t.Errorf("a connection at the other node, at once: %v", err)
	}
	w.pass(5 * time.Second)
	w.want(a, presence.Offline, 1)
	w.want(b, presence.Offline, 1)
	if _, err := b.Signal(t.Context(), w.signalOf(b, 1, presence.Heartbeat)); err != presence.ErrClosed {
		t.Errorf("a beat at the other node: %v", err)
	}
	w.wantSameStory(2)
}

// Nodes that expire the same shards at the same moment tell each transition once.
func TestExpiryByEveryNode(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	for range 3 {
		w.node(0)
	}
	const gone, staying = 50, 300
	for _, id := range users(1, gone+staying) {
		w.signal(w.nodes[int(id)%3], id, presence.Login)
	}
	for range 3 {
		w.pass(39 * time.Second)
		for _, id := range users(gone+1, gone+staying) {
			w.signal(w.nodes[int(id)%3], id, presence.Heartbeat)
		}
	}
	w.catchUp(w.nodes)
	w.set(w.now().Add(3 * time.Second))
	var group sync.WaitGroup
	for _, e := range w.nodes {
		group.Go(func() {
			e.lastTick = e.clock.now()
			if err := errorsOf(e.flush(t.Context(), false), e.tick(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.catchUp(w.nodes)
	w.wantSameStory(2*gone + staying)
	w.want(w.nodes[2], presence.Offline, users(1, gone)...)
	w.want(w.nodes[2], presence.Online, users(gone+1, gone+staying)...)
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A crowd that falls silent at once is held back by all nodes together, for one lease and no longer.
func TestBreakerIsShared(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	for _, id := range users(1, 200) {
		w.signal(w.nodes[int(id)%2], id, presence.Login)
	}
	w.pass(4*time.Minute - Tick)
	w.want(a, presence.Online, users(1, 200)...)
	w.pass(Tick)
	w.want(a, presence.Offline, users(1, 200)...)
	w.want(b, presence.Offline, users(1, 200)...)
	if trips := a.stats.BreakerTrips.Load() + b.stats.BreakerTrips.Load(); trips != 1 {
		t.Errorf("the breaker tripped %d times", trips)
	}
	w.wantSameStory(400)
}

// A node that stood still past the lease ends nobody who spoke to other nodes meanwhile; its own were ended,
// once, by the others.
func TestStallOfOneNode(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.signal(b, 2, presence.Login)
	w.pass(time.Second)
	for range 10 { // five minutes in which only b runs
		w.pass(30*time.Second, b)
		w.signal(b, 2, presence.Heartbeat)
	}
	a.lastTick = w.start.Add(time.Second)
	w.must(a.tick(t.Context())) // a wakes
	w.step(w.nodes)
	w.want(a, presence.Online, 2)
	w.want(a, presence.Offline, 1)
	if a.stats.Stalls.Load() != 1 {
		t.Errorf("%d stalls", a.stats.Stalls.Load())
	}
	w.pass(119 * time.Second)
	w.want(a, presence.Online, 2)
	w.pass(time.Second)
	w.want(a, presence.Offline, 2)
	w.wantSameStory(4)
}

// The only node stood still: nobody's silence is counted while nobody could be heard.
func TestStallOfTheOnlyNode(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a := w.node(0)
	w.signal(a, 1, presence.Login)
	w.pass(10 * time.Second)
	a.lastTick = a.clock.now()
	w.set(w.now().Add(5 * time.Minute))
	w.must(a.tick(t.Context()))
	w.want(a, presence.Online, 1)
	w.pass(110*time.Second + w.policy.HeartbeatInterval - time.Second)
	w.want(a, presence.Online, 1) // what was left of the lease, and one heartbeat
	w.pass(2 * time.Second)
	w.want(a, presence.Offline, 1)
}

// A failover to a server whose clock is ahead: what jumped away of the leases is given back.
func TestStoreClockJumps(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	w.signal(a, 1, presence.Login)
	w.signal(b, 2, presence.Login)
	w.pass(10 * time.Second)
	w.mu.Lock()
	w.ahead = 5 * time.Minute
	w.mu.Unlock()
	for _, e := range w.nodes {
		e.probe(t.Context())
		w.must(e.flush(t.Context(), true))
		e.lastTick = e.clock.now()
		w.must(e.tick(t.Context()))
	}
	for range 40 {
		w.set(w.now().Add(Tick))
		w.step(w.nodes)
	}
	w.want(a, presence.Online, 1, 2)
	for range 1400 { // what was left of the lease, and one heartbeat
		w.set(w.now().Add(Tick))
		w.step(w.nodes)
	}
	w.want(a, presence.Offline, 1, 2)
	w.wantSameStory(4)
}

// A node whose wall clock is 30 s off ends leases at the right moment and shows the right moments.
func TestWrongWallClock(t *testing.T) {
	for _, off := range []time.Duration{30 * time.Second, -30 * time.Second, 24 * time.Hour} {
		w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
		a, b := w.node(0), w.node(off)
		w.signal(a, 1, presence.Login)
		if p := w.signal(b, 2, presence.Login); !p.LastSeen.Equal(w.now()) {
			t.Errorf("off by %s: seen at %s, want %s", off, p.LastSeen, w.now())
		}
		w.pass(2*time.Minute-Tick, b)
		w.catchUp(w.nodes)
		w.want(a, presence.Online, 1, 2)
		w.pass(Tick, b)
		w.catchUp(w.nodes)
		w.want(a, presence.Offline, 1, 2)
		w.want(b, presence.Offline, 1, 2)
		w.wantSameStory(4)
	}
}

// Two nodes with everything running and many callers: one story, and it adds up.
func TestTortureOfTwoRunningNodes(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	ctx, cancel := context.WithCancel(t.Context())
	var group, runs sync.WaitGroup
	for range 2 {
		e, err := New(ctx, Config{URL: w.url, Prefix: w.prefix, Policy: w.policy, Node: "n", Shards: 4, Timeout: 10 * time.Second})
		w.must(err)
		t.Cleanup(e.Close)
		w.nodes = append(w.nodes, e)
		runs.Go(func() { e.Run(ctx) })
	}
	kinds := []presence.Kind{
		presence.Login, presence.Heartbeat, presence.Heartbeat, presence.Idle, presence.Active, presence.Connect,
		presence.Ping, presence.Disconnect, presence.Logout, presence.Forced, presence.Set,
	}
	for worker := range 8 {
		random := rand.New(rand.NewPCG(uint64(worker), 5))
		group.Go(func() {
			for range 600 {
				e := w.nodes[random.IntN(2)]
				s := presence.Signal{
					User: presence.UserID(1 + random.IntN(60)), Kind: kinds[random.IntN(len(kinds))], At: time.Now(),
					Status: presence.Status(random.IntN(3)), Session: presence.SessionID(1000 + random.IntN(5000)),
				}
				if _, err := e.Signal(ctx, s); err != nil && err != presence.ErrClosed {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	mark := w.signal(w.nodes[0], 9999, presence.Login)
	for _, e := range w.nodes { // each tells the mark last
		cursor := presence.Cursor{}
		cursor, _, _ = e.Snapshot(ctx)
		for cursor.Seq = 0; ; {
			changes, err := e.Changes(ctx, cursor, 0)
			w.must(err)
			cursor.Seq = changes[len(changes)-1].Seq
			if slices.ContainsFunc(changes, func(c presence.Change) bool { return c.User == mark.User }) {
				break
			}
		}
	}
	cancel()
	runs.Wait()
	w.wantSameStory(-1)
	var views [2][]presence.Presence
	for i, e := range w.nodes {
		for _, p := range must(e.State(t.Context(), users(1, 60))) {
			p.LastSeen = time.Time{} // follows a moment later
			views[i] = append(views[i], p)
		}
	}
	if !reflect.DeepEqual(views[0], views[1]) {
		t.Errorf("the nodes show different users:\n%+v\n%+v", views[0], views[1])
	}
	if a, b := must(w.nodes[0].Counts(ctx)), must(w.nodes[1].Counts(ctx)); a != b {
		t.Errorf("the nodes count differently: %+v and %+v", a, b)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whoever inspects a user while their lease is being written sees the lease either way, never the one before.
func TestInspectNeverShowsAnOlderLease(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	e := w.node(0)
	w.signal(e, 1, presence.Login)
	for range 300 {
		w.set(w.now().Add(time.Second))
		w.signal(e, 1, presence.Heartbeat)
		want, _, err := e.Inspect(t.Context(), 1)
		w.must(err)
		var writing sync.WaitGroup
		writing.Go(func() {
			if err := e.flush(t.Context(), true); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			got, _, err := e.Inspect(t.Context(), 1)
			w.must(err)
			if got.Sessions[0].Due < want.Sessions[0].Due {
				t.Fatalf("the lease ends at %s, and ended at %s a moment ago", got.Sessions[0].Due, want.Sessions[0].Due)
			}
		}
		writing.Wait()
	}
}
