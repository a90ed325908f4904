package valkey

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

// world is a time that tests move, and some nodes on one store.
type world struct {
	t      testing.TB
	url    string
	prefix string
	policy presence.Policy
	nodes  []*Engine
	shards int
	start  time.Time

	mu    sync.Mutex // guards the following fields
	at    time.Time
	ahead time.Duration // by how much the store's clock is
}

func newWorld(t testing.TB, url string, policy presence.Policy) *world {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return &world{
		t: t, url: url, policy: policy, at: start, start: start, shards: 8,
		prefix: fmt.Sprintf("test%d:%d:", os.Getpid(), prefixes.Add(1)),
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) serverTime() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at.Add(w.ahead)
}

func (w *world) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = at
}

// node adds a node whose own clock is off by some time.
func (w *world) node(off time.Duration) *Engine {
	w.t.Helper()
	e, err := open(w.t.Context(), Config{
		URL: w.url, Prefix: w.prefix, Policy: w.policy, Node: fmt.Sprintf("node%d", len(w.nodes)+1), Shards: w.shards, Timeout: 5 * time.Second,
	}, func() time.Time { return w.now().Add(off) }, func() int64 { return w.serverTime().UnixMicro() })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(e.Close)
	w.nodes = append(w.nodes, e)
	return e
}

// pass lets time pass. Ticks at which nobody has anything to do are left out.
func (w *world) pass(d time.Duration, nodes ...*Engine) {
	w.t.Helper()
	if nodes == nil {
		nodes = w.nodes
	}
	target := w.now().Add(d)
	for {
		next := int64(never)
		for _, e := range nodes {
			for _, sh := range e.shards {
				next = min(next, sh.next.Load())
			}
		}
		since := max(time.UnixMicro(min(next, target.Add(time.Hour).UnixMicro())).Sub(w.start), w.now().Sub(w.start)+1)
		tick := w.start.Add((since + Tick - 1) / Tick * Tick)
		if tick.After(target) {
			break
		}
		w.set(tick)
		w.step(nodes)
	}
	w.set(target)
	for _, e := range nodes {
		w.must(e.flush(w.t.Context(), false))
	}
	w.catchUp(nodes)
}

// step is what Run does at one tick.
func (w *world) step(nodes []*Engine) {
	w.t.Helper()
	ctx := w.t.Context()
	for _, e := range nodes {
		w.must(e.flush(ctx, false))
		e.lastTick = e.clock.now().Add(-Tick)
		w.must(e.tick(ctx))
	}
	w.catchUp(nodes)
}

// catchUp takes in what other nodes wrote.
func (w *world) catchUp(nodes []*Engine) {
	w.t.Helper()
	if len(w.nodes) == 1 {
		return
	}
	for _, e := range nodes {
		for _, st := range e.streams {
			w.must(e.followOnce(w.t.Context(), st, 0))
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func within(t *testing.T, f func(*testing.T)) { f(t) }

func oneNode(url string) enginetest.Setup {
	return enginetest.Setup{Within: within, Open: func(t *testing.T, policy presence.Policy) *enginetest.Harness {
		w := newWorld(t, url, policy)
		return &enginetest.Harness{Engine: w.node(0), Now: w.now, Tick: Tick, Wait: func(d time.Duration) { w.pass(d) }}
	}}
}

func TestContract(t *testing.T) { enginetest.Run(t, oneNode(shared.URL)) }

func FuzzAgainstModel(f *testing.F) {
	f.Add([]byte("a login, some beats, a long silence and a logout"))
	f.Fuzz(func(t *testing.T, program []byte) { enginetest.Play(t, twoNodes(shared.URL, 8), program) })
}

// crowd is an engine made of several nodes: every signal goes to the next one, and is asked of another.
type crowd struct {
	*Engine // reads
	w       *world
	mu      sync.Mutex
	turn    int
}

func (c *crowd) Signal(ctx context.Context, s presence.Signal) (presence.Presence, error) {
	c.mu.Lock()
	c.turn++
	e := c.w.nodes[c.turn%len(c.w.nodes)]
	c.mu.Unlock()
	s.At = e.clock.now()
	p, err := e.Signal(ctx, s)
	for _, one := range c.w.nodes { // what a moment later every node knows
		if err := one.flush(ctx, true); err != nil {
			return p, err
		}
	}
	for _, one := range c.w.nodes {
		for _, st := range one.streams {
			if err := one.followOnce(ctx, st, 0); err != nil {
				return p, err
			}
		}
	}
	return p, err
}

func twoNodes(url string, shards int) enginetest.Setup {
	return enginetest.Setup{Within: within, Open: func(t *testing.T, policy presence.Policy) *enginetest.Harness {
		w := newWorld(t, url, policy)
		w.shards = shards
		c := &crowd{Engine: w.node(0), w: w}
		w.node(30 * time.Second) // its wall clock is wrong, and changes nothing
		return &enginetest.Harness{Engine: c, Now: w.now, Tick: Tick, Wait: func(d time.Duration) { w.pass(d) }}
	}}
}

// Two nodes that share the work are one engine.
func TestContractOfTwoNodes(t *testing.T) { enginetest.Run(t, twoNodes(shared.URL, 8)) }
