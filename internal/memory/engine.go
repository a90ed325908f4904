// Package memory is the embedded engine: everybody's presence in the memory of one process.
//
// It decides how presence is laid out, locked, expired and told; what a signal means is the rule's business
// (presence.Policy). Users live in pages of 4,096, found by their id without hashing; each page has its own
// lock, so a beat meets nobody on its way but users of its own page. A beat moves one deadline and one
// last_seen, publishes nothing, allocates nothing and touches no timer: each page only knows a moment before
// which none of its leases can end, and a tick every 100 ms looks at the pages whose moment has come.
package memory

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"iter"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/changes"
)

// Tick is how often due leases are looked for: nobody is told offline later than this after the lease ended.
const Tick = 100 * time.Millisecond

// Engine is an embedded presence.Engine and presence.Checkpointer. Make one with New and let Run run.
type Engine struct {
	// Static after construction.
	node    string
	now     func() time.Time
	start   time.Time
	history int
	log     *changes.Log
	notice  *slog.Logger

	policy atomic.Pointer[presence.Policy] // replaced, never modified

	// The page directory is replaced, never modified: readers take no lock.
	pages atomic.Pointer[directory]
	grow  sync.Mutex // serialises replacements

	// The lease clock: time since start, less what was lost in stalls. See clock.
	lastTick atomic.Int64
	lost     atomic.Int64

	// Owned by Run.
	breaker   presence.Breaker
	lastJudge time.Duration
	lastWall  int64 // the wall clock at the last tick, microseconds; 0: there was none

	stats Stats
	late  func(time.Duration) // told how long after a lease's end that was told
}

// Stats are facts about an engine, for metrics. The fields may be read at any time.
type Stats struct {
	// Stalls counts ticks that came so late that leases were extended.
	Stalls atomic.Uint64
	// BreakerTrips counts how often mass expiry was held back; BreakerOpen tells whether it is now.
	BreakerTrips atomic.Uint64
	BreakerOpen  atomic.Bool
}

type directory struct {
	byNumber map[uint64]*page
	inOrder  []*page
}

// Option changes how New builds an engine.
type Option func(*Engine)

// WithNode names this node in changes.
func WithNode(name string) Option { return func(e *Engine) { e.node = name } }

// WithLog tells an operator about stalls and about the breaker.
func WithLog(log *slog.Logger) Option { return func(e *Engine) { e.notice = log } }

// WithLateness calls told with the time from the end of a lease to the change that said so. It must be quick.
func WithLateness(told func(time.Duration)) Option { return func(e *Engine) { e.late = told } }

// WithHistory bounds how many changes the log keeps for readers that fall behind (default 131,072).
func WithHistory(limit int) Option { return func(e *Engine) { e.history = limit } }

// New makes an empty engine. Its lease clock stands still until Run runs.
func New(policy presence.Policy, options ...Option) *Engine {
	var epoch [8]byte
	rand.Read(epoch[:]) // never fails (crypto/rand)
	e := &Engine{
		now: time.Now, history: changes.DefaultHistory,
		notice: slog.New(slog.DiscardHandler), late: func(time.Duration) {},
	}
	e.policy.Store(&policy)
	e.start = e.now()
	e.pages.Store(&directory{byNumber: map[uint64]*page{}})
	for _, apply := range options {
		apply(e)
	}
	e.log = changes.New(binary.BigEndian.Uint64(epoch[:]), e.history)
	return e
}

// Stats returns the engine's counters.
func (e *Engine) Stats() *Stats { return &e.stats }

// SetPolicy makes the engine go by another policy from now on. Leases that run keep their end, but where the new ones
// are longer they are extended by the difference: clients that follow the new times beat later than the old leases end.
func (e *Engine) SetPolicy(policy presence.Policy) {
	old := e.policy.Swap(&policy)
	if longer := policy.OfflineAfter - old.OfflineAfter; longer > 0 {
		e.lost.Add(int64(longer)) // the lease clock goes back by it
	}
}

// Signal implements presence.Engine.
func (e *Engine) Signal(_ context.Context, s presence.Signal) (presence.Presence, error) {
	now := e.clock(s.At)
	p, slot := e.page(s.User)
	p.mu.Lock()
	defer p.mu.Unlock()
	if view, ok := p.renewLocked(slot, &s, now, e.policy.Load()); ok {
		return view, nil
	}
	if p.graves.has(s.Session) {
		return p.viewLocked(slot, s.User, s.At.UnixMicro()), presence.ErrClosed
	}
	e.applyLocked(p, slot, s, now)
	return p.viewLocked(slot, s.User, s.At.UnixMicro()), nil
}

// applyLocked is the long way of a signal: unpack, ask the rule, pack, tell.
func (e *Engine) applyLocked(p *page, slot int, s presence.Signal, now time.Duration) {
	before := p.stateLocked(slot, s.User)
	s.At = wall(micros(s.At))
	after, change, changed := e.policy.Load().Next(before, s, now)
	if change.LastSeen.After(s.At) { // the wall clock was set back
		change.LastSeen = s.At
	}
	for _, id := range s.Closes(before) {
		p.graves.add(id, now)
	}
	was := p.shownLocked(slot)
	p.storeLocked(slot, &after)
	if s.Kind == presence.Deleted {
		p.users[slot] = user{session: session{next: none}}
	}
	if !changed {
		e.log.Move(was, p.shownLocked(slot))
		return
	}
	change.Node = e.node
	e.log.Tell(was, p.shownLocked(slot), change)
}

// Load implements presence.Engine.
func (e *Engine) Load(_ context.Context, users iter.Seq[presence.Record]) error {
	now := e.clock(e.now())
	for r := range users {
		p, slot := e.page(r.User)
		p.mu.Lock()
		was := p.shownLocked(slot)
		state := r.State(now + e.policy.Load().OfflineAfter)
		p.storeLocked(slot, &state)
		e.log.Move(was, state.Status)
		p.mu.Unlock()
	}
	return nil
}

// State implements presence.Engine.
func (e *Engine) State(_ context.Context, users []presence.UserID) ([]presence.Presence, error) {
	out := make([]presence.Presence, len(users))
	pages, now := e.pages.Load(), e.now().UnixMicro()
	for i, id := range users {
		out[i].User = id
		if p := pages.byNumber[uint64(id)/pageSize]; p != nil {
			p.mu.Lock()
			out[i] = p.viewLocked(int(uint64(id)%pageSize), id, now)
			p.mu.Unlock()
		}
	}
	return out, nil
}

// Inspect implements presence.Engine.
func (e *Engine) Inspect(_ context.Context, id presence.UserID) (presence.State, time.Duration, error) {
	now := e.clock(e.now())
	p, slot := e.pages.Load().byNumber[uint64(id)/pageSize], int(uint64(id)%pageSize)
	if p == nil {
		return presence.State{User: id}, now, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stateLocked(slot, id), now, nil
}

// Devices implements presence.DeviceCounter.
func (e *Engine) Devices(_ context.Context, users []presence.UserID) ([]int, error) {
	out := make([]int, len(users))
	pages := e.pages.Load()
	for i, id := range users {
		if p := pages.byNumber[uint64(id)/pageSize]; p != nil {
			out[i] = p.devices(int(uint64(id) % pageSize))
		}
	}
	return out, nil
}

// Links implements presence.LinkCounter. Pages are looked at one at a time while others move on.
func (e *Engine) Links(context.Context) (presence.Links, error) {
	links := presence.Links{Known: true}
	for _, p := range e.pages.Load().inOrder {
		p.addLinks(&links)
	}
	return links, nil
}

// Counts implements presence.Engine.
func (e *Engine) Counts(context.Context) (presence.Counts, error) { return e.log.Counts(), nil }

// Snapshot implements presence.Engine. Pages are read one at a time while others move on.
func (e *Engine) Snapshot(context.Context) (presence.Cursor, iter.Seq[presence.Presence], error) {
	cursor := e.log.Cursor()
	return cursor, func(yield func(presence.Presence) bool) {
		buffer, now := make([]presence.Presence, 0, pageSize), e.now().UnixMicro()
		for _, p := range e.pages.Load().inOrder {
			buffer = p.appendViews(buffer[:0], now)
			for i := range buffer {
				if !yield(buffer[i]) {
					return
				}
			}
		}
	}, nil
}

// Changes implements presence.Engine.
func (e *Engine) Changes(ctx context.Context, after presence.Cursor, limit int) ([]presence.Change, error) {
	return e.log.After(ctx, after, limit)
}

// clock is the reading of the lease clock at a moment. Between a stall and the tick that notices it, the
// clock stands where the tick will put it, or nobody would ever be extended by less than the stall.
func (e *Engine) clock(at time.Time) time.Duration {
	elapsed, last := at.Sub(e.start), time.Duration(e.lastTick.Load())
	if elapsed-last > presence.StallAfter+Tick {
		elapsed = last + Tick
	}
	return elapsed - time.Duration(e.lost.Load())
}

// page finds the page and slot of a user, making the page when it is new.
func (e *Engine) page(id presence.UserID) (*page, int) {
	number, slot := uint64(id)/pageSize, int(uint64(id)%pageSize)
	if p := e.pages.Load().byNumber[number]; p != nil {
		return p, slot
	}
	e.grow.Lock()
	defer e.grow.Unlock()
	old := e.pages.Load()
	if p := old.byNumber[number]; p != nil {
		return p, slot
	}
	p := newPage(number)
	next := &directory{byNumber: make(map[uint64]*page, len(old.byNumber)+1)}
	for n, known := range old.byNumber {
		next.byNumber[n] = known
	}
	next.byNumber[number] = p
	at, _ := slices.BinarySearchFunc(old.inOrder, number, func(p *page, n uint64) int {
		return int(min(max(int64(p.number)-int64(n), math.MinInt32), math.MaxInt32))
	})
	next.inOrder = slices.Insert(slices.Clone(old.inOrder), at, p)
	e.pages.Store(next)
	return p, slot
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func wall(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
