package valkey

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

// rejoinAll is what Run does a moment after the store came back.
func (w *world) rejoinAll() {
	w.t.Helper()
	for _, e := range w.nodes {
		if !e.away.Load() {
			e.probe(w.t.Context())
		}
	}
	for range 2 { // what one restores, the other reads
		for _, e := range w.nodes {
			var err error
			for try := 0; e.away.Load() && try < 50; try++ { // old connections fail once each
				err = e.rejoin(w.t.Context())
			}
			w.must(err)
		}
		for _, e := range w.nodes {
			e.probe(w.t.Context())
		}
	}
	for _, e := range w.nodes {
		if e.away.Load() || e.stats.Stale.Load() {
			w.t.Fatalf("%s did not come back", e.node)
		}
	}
	w.catchUp(w.nodes)
}

// atWork is two nodes with ten users each, signed in a while ago and beating.
func atWork(t *testing.T, url string) (w *world, a, b *Engine) {
	w = newWorld(t, url, enginetest.DefaultPolicy)
	a, b = w.node(0), w.node(0)
	for _, id := range users(1, 20) {
		w.signal(w.homeOf(id), id, presence.Login)
	}
	w.pass(30 * time.Second)
	w.beatAll()
	return w, a, b
}

func (w *world) homeOf(id presence.UserID) *Engine { return w.nodes[int(id)%2] }

func (w *world) beatAll(except ...presence.UserID) {
	w.t.Helper()
	for _, id := range users(1, 20) {
		if !slices.Contains(except, id) {
			w.signal(w.homeOf(id), id, presence.Heartbeat)
		}
	}
}

// outage lets time pass without a store: everybody beats on, nobody is expired.
func (w *world) outage(d time.Duration, gone ...presence.UserID) {
	w.t.Helper()
	for ; d > 0; d -= 10 * time.Second {
		w.set(w.now().Add(10 * time.Second))
		w.beatAll(gone...)
		for _, e := range w.nodes {
			e.lastTick = e.clock.now().Add(-Tick)
			e.attempt(e.tick(w.t.Context()))
			if !e.away.Load() {
				e.attempt(e.flush(w.t.Context(), false))
			}
		}
	}
}

// The store is killed for five minutes and comes back empty: no beat fails, nobody is told offline, and what
// happened meanwhile is told once.
func TestStoreKilledAndEmpty(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	s.kill()
	w.outage(5 * time.Minute)
	if !a.stats.Stale.Load() || !b.stats.Stale.Load() {
		t.Error("nobody is told that the state is stale")
	}
	w.signal(a, 101, presence.Login)
	w.signal(b, 3, presence.Logout)
	w.must(a.Load(t.Context(), slices.Values([]presence.Record{{Presence: presence.Presence{User: 104, LastSeen: w.now()}}}))) // a new account
	w.want(a, presence.Online, 101)
	w.want(b, presence.Offline, 3)
	if c := must(a.Counts(t.Context())); c.Online != 21 {
		t.Errorf("counts with a login that waits: %+v", c)
	}
	if _, err := b.Signal(t.Context(), w.signalOf(b, 3, presence.Heartbeat)); err != presence.ErrClosed {
		t.Errorf("a beat after the logout, without the store: %v", err)
	}
	w.must(s.start())
	w.rejoinAll()
	for _, e := range w.nodes {
		if p := must(e.State(t.Context(), []presence.UserID{104})); p[0].LastSeen.IsZero() {
			t.Errorf("%s does not know the account that was made meanwhile", e.node)
		}
	}
	w.signal(a, 104, presence.Deleted)
	w.catchUp(w.nodes)
	checkAfterOutage(w, 101, 3)
}

// FLUSHALL under way is noticed by the next write or within a second, and repaired.
func TestFlushAll(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	w.signal(a, 103, presence.Login)
	w.signal(a, 103, presence.Deleted)
	w.catchUp(w.nodes)
	w.must(a.client.Do(t.Context(), a.client.B().Flushall().Build()).Error())
	w.signal(a, 101, presence.Login)
	w.signal(b, 3, presence.Logout)
	w.rejoinAll()
	checkAfterOutage(w, 101, 3)
	late := w.node(0)
	if _, err := late.Signal(t.Context(), w.signalOf(late, 103, presence.Heartbeat)); err != presence.ErrClosed {
		t.Errorf("a session closed before the loss, at a new node: %v", err)
	}
	if a.stats.Restored.Load()+b.stats.Restored.Load() < 20 {
		t.Error("nobody was written back")
	}
}

// The store answers nothing for a while and then goes on as it was: what was on its way counts once.
func TestStoreStands(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	a.timeout, b.timeout = 50*time.Millisecond, 50*time.Millisecond
	s.signal(syscall.SIGSTOP)
	w.signal(a, 101, presence.Connect) // it is in the socket, and will be applied
	w.signal(b, 3, presence.Logout)
	w.outage(5*time.Minute, 3)
	s.signal(syscall.SIGCONT)
	a.timeout, b.timeout = 5*time.Second, 5*time.Second
	w.rejoinAll()
	if state, _, _ := b.Inspect(t.Context(), 101); len(state.Sessions) != 1 || state.Sessions[0].Conns != 1 {
		t.Errorf("one connection was opened, the store has %+v", state.Sessions)
	}
	w.wantSameStory(22)
	w.want(b, presence.Online, 101)
	w.want(a, presence.Offline, 3)
}

// The first node that comes back after a long outage ends nobody whom another one was hearing.
func TestFirstBackWaitsForTheOthers(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	a.timeout, b.timeout = 50*time.Millisecond, 50*time.Millisecond
	s.signal(syscall.SIGSTOP)
	w.signal(a, 101, presence.Login)
	w.signal(b, 102, presence.Login)
	w.outage(10 * time.Minute)
	s.signal(syscall.SIGCONT)
	a.timeout, b.timeout = 5*time.Second, 5*time.Second
	w.must(a.rejoin(t.Context()))
	for range 20 {
		w.set(w.now().Add(Tick))
		w.step([]*Engine{a})
	}
	w.rejoinAll()
	w.pass(10 * time.Second)
	for _, e := range w.nodes {
		w.want(e, presence.Online, users(1, 20)...)
		w.want(e, presence.Offline, 101, 102) // silent for ten minutes
	}
	w.wantSameStory(24)
}

// checkAfterOutage: one user came, one left, nobody else was told anything, and leases go on.
func checkAfterOutage(w *world, came, left presence.UserID) {
	w.t.Helper()
	for _, e := range w.nodes {
		w.want(e, presence.Online, came)
		w.want(e, presence.Offline, left)
		if c := must(e.Counts(w.t.Context())); c.Online != 20 || c.Offline != 1 {
			w.t.Errorf("%s counts %+v", e.node, c)
		}
	}
	for i, changes := range [][]presence.Change{w.told(w.nodes[0]), w.told(w.nodes[1])} {
		if len(changes) != 2 || changes[0].User+changes[1].User != came+left {
			w.t.Errorf("node %d told after the outage: %+v", i+1, changes)
		}
	}
	if _, err := w.nodes[0].Signal(w.t.Context(), w.signalOf(w.nodes[0], left, presence.Heartbeat)); err != presence.ErrClosed {
		w.t.Errorf("a beat of the session that was closed: %v", err)
	}
	stay := []presence.UserID{1, 2, 4, 5, came}
	for range 8 {
		w.pass(30 * time.Second)
		for _, id := range stay {
			w.signal(w.homeOf(id), id, presence.Heartbeat)
		}
	}
	for _, e := range w.nodes {
		w.want(e, presence.Online, stay...)
		w.want(e, presence.Offline, 6, 20)
	}
}

// The store was lost right after a node wrote; another node, which had not heard of it, comes back first.
func TestNewerKnowledgeWins(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	w.signal(b, 1, presence.Logout)
	w.must(b.client.Do(t.Context(), b.client.B().Flushall().Build()).Error())
	a.probe(t.Context())
	w.must(a.rejoin(t.Context()))
	w.want(a, presence.Online, 1) // so far as is known
	cursor, _, _ := a.Snapshot(t.Context())
	w.rejoinAll()
	w.want(a, presence.Offline, 1)
	w.want(b, presence.Offline, 1)
	if _, err := a.Changes(t.Context(), cursor, 0); err != presence.ErrGap {
		t.Errorf("a reader who was shown the past: %v", err)
	}
}

// A failover lost the last writes: the nodes know better, and say so.
func TestLostWritesAreRestored(t *testing.T) {
	s := ownServer(t)
	w, a, b := atWork(t, s.URL)
	admin := must(rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"x"}, DisableCache: true, DialCtxFn: dialOf(s.URL)}))
	t.Cleanup(admin.Close)
	ctx := t.Context()
	meta := w.nodes[0].streams[0].meta
	before := must(admin.Do(ctx, admin.B().Hgetall().Key(meta).Build()).AsStrMap())
	sh := a.shardOf(1)
	blob := must(admin.Do(ctx, admin.B().Hget().Key(sh.users).Field("1").Build()).ToString())
	w.signal(b, 1, presence.Logout)
	w.catchUp(w.nodes)
	// The new master never got the logout: neither the user, nor the grave, nor the entry of the log.
	w.must(admin.Do(ctx, admin.B().Hset().Key(sh.users).FieldValue().FieldValue("1", blob).Build()).Error())
	w.must(admin.Do(ctx, admin.B().Del().Key(sh.closed).Build()).Error())
	w.must(admin.Do(ctx, admin.B().Hset().Key(meta).FieldValue().FieldValue("n", before["n"]).FieldValue("q", before["q"]).Build()).Error())
	w.must(admin.Do(ctx, admin.B().Xtrim().Key(w.nodes[0].streams[0].log).Maxlen().Threshold("0").Build()).Error())
	w.rejoinAll()
	w.want(a, presence.Offline, 1)
	w.want(b, presence.Offline, 1)
	if _, err := a.Signal(ctx, w.signalOf(a, 1, presence.Heartbeat)); err != presence.ErrClosed {
		t.Errorf("a beat of the session that was closed: %v", err)
	}
}

// A node that missed more than the log keeps reads everything anew, and its readers are told to do the same.
func TestFallingBehindTheLog(t *testing.T) {
	w := newWorld(t, shared.URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	cursor, _, _ := b.Snapshot(t.Context())
	for _, id := range users(1, 300) {
		w.signal(a, id, presence.Login)
	}
	w.must(a.client.Do(t.Context(), a.client.B().Xtrim().Key(a.streams[0].log).Maxlen().Threshold("10").Build()).Error())
	w.rejoinAll()
	w.want(b, presence.Online, users(1, 300)...)
	if c := must(b.Counts(t.Context())); c.Online != 300 {
		t.Errorf("counts %+v", c)
	}
	if _, err := b.Changes(t.Context(), cursor, 0); err != presence.ErrGap {
		t.Errorf("a reader from before: %v", err)
	}
	cursor, _, _ = b.Snapshot(t.Context())
	w.signal(b, 1, presence.Logout)
	if changes, err := b.Changes(t.Context(), cursor, 0); err != nil || len(changes) != 1 {
		t.Errorf("a reader from now: %+v, %v", changes, err)
	}
}

// The whole of it with Run running: the store is killed, comes back empty, and both nodes tell a login that
// happened while it was away.
func TestRunComesBack(t *testing.T) {
	s := ownServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var nodes []*Engine
	ended := make(chan error)
	for _, name := range []string{"a", "b"} {
		e := must(New(ctx, Config{URL: s.URL, Policy: enginetest.DefaultPolicy, Node: name, Shards: 4}))
		nodes = append(nodes, e)
		t.Cleanup(e.Close)
		go func() { ended <- e.Run(ctx) }()
	}
	login(t, nodes[0], 1)
	until(t, nodes[1], 1)
	s.kill()
	login(t, nodes[0], 2)
	login(t, nodes[1], 3)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	for _, e := range nodes {
		for id := presence.UserID(1); id <= 3; id++ {
			until(t, e, id)
		}
	}
	cancel()
	for range nodes {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// until waits, following snapshots and changes as a reader does, until a node says that a user is online.
func until(t *testing.T, e *Engine, id presence.UserID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		cursor, everybody, _ := e.Snapshot(ctx)
		for p := range everybody {
			if p.User == id && p.Status == presence.Online {
				return
			}
		}
		if _, err := e.Changes(ctx, cursor, 0); ctx.Err() != nil {
			t.Fatalf("node %s never heard of user %d: %v", e.node, id, err)
		}
	}
}

func login(t *testing.T, e *Engine, id presence.UserID) {
	t.Helper()
	s := presence.Signal{User: id, Session: 1000 + presence.SessionID(id), Kind: presence.Login, At: time.Now()}
	if p, err := e.Signal(t.Context(), s); err != nil || p.Status != presence.Online {
		t.Fatalf("login %d: %+v, %v", id, p, err)
	}
}
