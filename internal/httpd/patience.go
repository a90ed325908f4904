package httpd

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// patience cuts connections off that take too long. net/http would do it with deadlines, of which it moves
// five for every request; measured at a tenth of what a heartbeat costs. Here a request notes in which phase
// its connection is, and once a second somebody looks who has been in theirs for too long. So every limit is
// exact to a second, which is all that a limit against idlers has to be.
type patience struct {
	limits [phases]uint32 // in ticks; static
	tick   atomic.Uint32  // seconds since the server began

	mu   sync.Mutex // guards the following fields
	open map[*conn]struct{}
}

// phase is what a connection is doing.
type phase uint32

const (
	opening phase = iota // its first request is not read yet
	working              // a request is being read or answered
	resting              // between requests
	phases
	// unbounded: it was handed over to somebody who has limits of their own.
	unbounded
)

// lookEvery is the length of a tick.
const lookEvery = time.Second

func newPatience(l Limits) *patience {
	ticks := func(d time.Duration) uint32 { return uint32((d + lookEvery - 1) / lookEvery) }
	return &patience{
		limits: [phases]uint32{opening: ticks(l.Open), working: ticks(l.Request), resting: ticks(l.Idle)},
		open:   map[*conn]struct{}{},
	}
}

// conn is a connection that knows its phase and since when: both in one word, tick<<8 | phase.
type conn struct {
	net.Conn
	state atomic.Uint64
}

func (c *conn) enter(p phase, tick uint32) { c.state.Store(uint64(tick)<<8 | uint64(p)) }

// handOver ends the limits for what is going on: a stream, or a WebSocket.
func (c *conn) handOver() { c.enter(unbounded, 0) }

// listener gives every connection its conn.
type listener struct{ net.Listener }

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: accepted}, nil
}

// note is net/http's ConnState hook. Every request passes here twice.
func (p *patience) note(nc net.Conn, state http.ConnState) {
	c, ours := nc.(*conn)
	if !ours {
		return
	}
	switch tick := p.tick.Load(); state {
	case http.StateNew:
		c.enter(opening, tick)
		p.mu.Lock()
		p.open[c] = struct{}{}
		p.mu.Unlock()
	case http.StateActive:
		c.enter(working, tick)
	case http.StateIdle:
		c.enter(resting, tick)
	case http.StateHijacked, http.StateClosed:
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
	}
}

// run looks every second until ctx ends.
func (p *patience) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.look()
		}
	}
}

// look lets a tick pass and cuts off who has used up their patience.
func (p *patience) look() {
	now := p.tick.Add(1)
	var over []*conn
	p.mu.Lock()
	for c := range p.open {
		state := c.state.Load()
		if in := phase(state & 0xff); in < phases && now-uint32(state>>8) > p.limits[in] {
			over = append(over, c)
		}
	}
	p.mu.Unlock()
	for _, c := range over {
		_ = c.Close() // whoever reads or writes there is told
	}
}

type connKey struct{}

// remember lets a request find its connection.
func remember(ctx context.Context, nc net.Conn) context.Context {
	if c, ours := nc.(*conn); ours {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// connOf is the connection of a request, or nil.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
