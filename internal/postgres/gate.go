package postgres

import (
	"sync"
	"sync/atomic"
	"time"
)

// pause is how long nobody asks a database that does not answer.
const pause = 500 * time.Millisecond

// gate spares callers the wait for a database that is away: after a failure they are turned back at once, but
// for one in each pause, who goes and sees. All methods may be called from any goroutine.
type gate struct {
	now func() time.Time // static

	shut atomic.Bool // read on every call; written with mu held

	mu    sync.Mutex // guards the following fields
	until time.Time  // when the next caller may go and see
	cause error      // what the last one met
}

// enter returns why a caller is turned back, or nil.
func (g *gate) enter() error {
	if !g.shut.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if !g.shut.Load() || !now.Before(g.until) {
		g.until = now.Add(pause) // for everybody behind
		return nil
	}
	return g.cause
}

// answered opens the gate: the database has said something.
func (g *gate) answered() {
	if !g.shut.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut.Store(false)
	g.cause = nil
}

// failed shuts the gate. It reports whether it was open before.
func (g *gate) failed(cause error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until, g.cause = g.now().Add(pause), cause
	return !g.shut.Swap(true)
}
