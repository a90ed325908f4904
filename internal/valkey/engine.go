// Package valkey is the shared engine: everybody's presence in a Valkey or Redis 7+ server, for several nodes
// at once.
//
// It decides how presence is laid out there, how nodes write without getting in each other's way, what a node
// keeps in its own memory, and what happens while the store is away. What a signal means is the rule's business
// (presence.Policy) and is decided in Go: a node reads a user, asks the rule, and writes what came of it if the
// user is still what was read, else it asks again. The scripts only compare, write and append; each is atomic,
// so any node may end any lease, and every change is in the log exactly once.
//
// Users are hashed to shards, each in a slot of its own:
//
//	presence:{p7}:users   hash    user -> packed state (blob.go)
//	presence:{p7}:due     zset    user -> a moment before which nothing of the user comes due
//	presence:{p7}:closed  zset    session -> when it was closed; an hour long
//	presence:{p}:log      stream  one entry for every write but renewals, numbered n without gaps
//	presence:{p}:meta     hash    epoch, n, q (the newest change), b (batches), held (the breaker), shards
//	presence:{p}:beats    stream  batches of (user, last_seen), for the other nodes; short
//
// On a single server, or behind Sentinel, there is one log, and a cursor is good on every node. In a cluster a
// script cannot write to two slots, so each shard has its own log, meta and beats, every node merges them in
// the order it sees them, and a reader who comes back to another node is answered with ErrGap. One user's
// changes are in order and gapless either way.
//
// Renewed leases are the bulk: a node keeps them, and writes a user at most once in two seconds, in batches.
// Only a lease that is nearly over is renewed in the store before the caller is answered. The index is not
// touched by a renewal unless it lags half a lease behind; who finds an entry too early moves it.
//
// Every node reads all users when it starts and follows the log from there, so reads are answered from memory.
//
// Time is the store's (clock.go). The server must not evict (maxmemory-policy noeviction); persistence is not
// needed: what it loses, the nodes restore.
package valkey

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/changes"
)

// Tick is how often due leases are looked for.
const Tick = 100 * time.Millisecond

const (
	flushEvery = 200 * time.Millisecond
	pollEvery  = time.Second
	retryEvery = 250 * time.Millisecond
	blockFor   = 500 * time.Millisecond
	slowCall   = 2 * time.Second // for everything nobody waits for

	// In microseconds. A renewal waits at most coalesce; a lease that ends within edge is renewed at once;
	// after an outage nobody is taken offline for settleFor; an index is looked at once in sweepAnyway even
	// when nothing should be due.
	coalesce    = 2_000_000
	edge        = 2_000_000
	settleFor   = 3_000_000
	sweepAnyway = 5_000_000

	defaultShards  = 64
	defaultTimeout = 100 * time.Millisecond
	beatHistory    = 1 << 12
	preload        = 1 << 14
	roundsAtOnce   = 16
	shardsAtOnce   = 8  // are read in one round trip
	batchesAtOnce  = 8  // are on their way at a time: some ten milliseconds of the store's time
	drainsAtOnce   = 32 // users whose queued signals are given to the store side by side
	maxQueued      = 64 // signals of one user while the store is away
)

// Config is what an Engine is built from.
type Config struct {
	// URL says where the store is:
	//
	//	redis://user:password@host:6379/0                             one server; valkey:// is the same
	//	rediss://user:password@host:6380                              with TLS; valkeys:// is the same
	//	unix:///run/valkey.sock                                       a socket
	//	redis://host1:26379?addr=host2:26379&master_set=mymaster      Sentinel: the addresses are sentinels'
	//	redis://host1:6379?addr=host2:6379                            Cluster, found out by asking
	URL    string
	Policy presence.Policy
	// Node names this node in changes.
	Node string
	// Log tells an operator about outages, stalls and the breaker; nil: nobody.
	Log *slog.Logger
	// Shards is into how many parts users are divided, the same on all nodes. 0: 64.
	Shards int
	// Prefix begins every key, so that several systems fit in one store. Empty: "presence:".
	Prefix string
	// Timeout bounds how long a signal waits for the store before this node goes on without it. 0: 100 ms.
	Timeout time.Duration
	// History bounds how many entries the log keeps for readers that fall behind. 0: 131,072.
	History int
}

// Engine is a presence.Engine that several nodes share. Make one with New and let Run run.
type Engine struct {
	// Static after construction.
	policy  atomic.Pointer[presence.Policy] // replaced, never modified
	node    string
	prefix  string // of every key
	notice  *slog.Logger
	client  rueidis.Client
	timeout time.Duration
	history int
	shards  []*shard
	streams []*stream
	log     *changes.Log
	clock   clock
	start   int64 // of the lease clock that Inspect shows
	fell    chan struct{}
	// draining admits one who gives queued signals to the store at a time.
	draining chan struct{}
	// serverTime stands in for the store's clock in tests.
	serverTime func() int64

	// away: signals are queued, nobody is taken offline. muted: until when nobody is, all the same.
	away  atomic.Bool
	muted atomic.Int64
	since atomic.Int64 // when the store went away
	held  atomic.Int64 // until when the breaker is open

	// Owned by Run.
	lastTick  time.Time
	lastJudge int64

	stats Stats
}

// Stats are facts about an engine, for metrics. The fields may be read at any time.
type Stats struct {
	// Stale: the store is away; what other nodes hear is not known here.
	Stale atomic.Bool
	// Outages counts how often the store went away, Readings how often everything was read anew, Restored the
	// users who were written back after the store had lost them.
	Outages, Readings, Restored atomic.Uint64
	// Renewals counts leases renewed in the store, Conflicts the writes that had to be thought over.
	Renewals, Conflicts atomic.Uint64
	// Stalls counts ticks that came so late, and jumps of the store's clock, that leases were extended.
	Stalls atomic.Uint64
	// BreakerTrips counts how often this node opened the breaker that all nodes share.
	BreakerTrips atomic.Uint64
	// LateNanos is how late the latest expiry was told after the lease's end.
	LateNanos atomic.Int64
}

// New connects to the store and reads everybody who is there. An unusable URL or configuration is Invalid, a
// store that does not answer Unavailable.
func New(ctx context.Context, c Config) (*Engine, error) {
	return open(ctx, c, time.Now, nil)
}

// SetPolicy makes this node go by another policy from now on; every node is to be told. Leases that run keep their end:
// give clients longer times before, or together with, a longer heartbeat interval.
func (e *Engine) SetPolicy(policy presence.Policy) { e.policy.Store(&policy) }

func open(ctx context.Context, c Config, now func() time.Time, serverTime func() int64) (*Engine, error) {
	client, err := connect(c)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		node: c.Node, notice: c.Log, client: client, clock: clock{now: now}, serverTime: serverTime,
		timeout: defaulted(c.Timeout, defaultTimeout), history: defaulted(c.History, changes.DefaultHistory), fell: make(chan struct{}, 1),
		draining: make(chan struct{}, 1),
	}
	e.policy.Store(&c.Policy)
	if e.notice == nil {
		e.notice = slog.New(slog.DiscardHandler)
	}
	e.log = changes.New(0, e.history)
	e.prefix = defaulted(c.Prefix, "presence:")
	e.layOut(e.prefix, defaulted(c.Shards, defaultShards), client.Mode() == rueidis.ClientModeCluster)
	for _, st := range e.streams {
		if err := e.join(ctx, st); err != nil {
			client.Close()
			return nil, presence.E(presence.Unavailable, "open the store of presence", err)
		}
	}
	e.start = e.clock.present()
	e.lastTick = e.clock.now()
	return e, nil
}

func connect(c Config) (rueidis.Client, error) {
	option, err := rueidis.ParseURL(c.URL)
	if err != nil || c.Shards < 0 || c.Shards > 1<<14 {
		return nil, &presence.Error{
			Kind: presence.Invalid, Op: "open the store of presence", Field: "engine", Err: err,
			Tell: "The engine must be a URL like redis://127.0.0.1:6379, with 1 to 16384 shards.",
		}
	}
	option.DisableCache = true
	option.DisableRetry = true // whoever asks knows better whether to ask again
	option.RingScaleEachConn = 8
	option.ReadBufferEachConn, option.WriteBufferEachConn = 64<<10, 64<<10
	option.ConnWriteTimeout = 3 * time.Second
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = time.Second
	}
	client, err := rueidis.NewClient(option)
	return client, presence.E(presence.Unavailable, "connect to the store of presence", err)
}

func defaulted[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (e *Engine) layOut(prefix string, shards int, clustered bool) {
	one := newStream(prefix + "{p}:")
	for i := range shards {
		tag := prefix + "{p" + strconv.Itoa(i) + "}:"
		st := one
		if clustered {
			st = newStream(tag)
		}
		sh := &shard{
			number: i, of: shards, users: tag + "users", due: tag + "due", closed: tag + "closed", stream: st,
			pages: map[int]*[pageSize]user{}, queued: map[presence.UserID]struct{}{},
		}
		st.shards = append(st.shards, sh)
		e.shards = append(e.shards, sh)
		if clustered || i == 0 {
			e.streams = append(e.streams, st)
		}
	}
}

func newStream(tag string) *stream {
	return &stream{log: tag + "log", meta: tag + "meta", beats: tag + "beats", polling: make(chan struct{}, 1)}
}

// join finds a stream, or begins it, and reads its shards.
func (e *Engine) join(ctx context.Context, st *stream) error {
	if _, err := e.claim(ctx, st, ""); err != nil {
		return err
	}
	if _, err := e.poll(ctx, st, never, slowCall); err != nil { // sets the clock
		return err
	}
	return e.readAll(ctx, st)
}

// Close lets go of the store. No other method may be called after or while it runs.
func (e *Engine) Close() { e.client.Close() }

// Stats returns the engine's counters.
func (e *Engine) Stats() *Stats { return &e.stats }

// Run makes time pass, follows what other nodes write, and writes what was heard here, until ctx ends; then it
// writes what is left. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	e.lastTick = e.clock.now()
	group, run := errgroup.WithContext(ctx)
	for _, st := range e.streams {
		group.Go(func() error { return e.follow(run, st) })
	}
	group.Go(func() error { return every(run, Tick, nil, func() { e.attempt(e.tick(run)) }) })
	group.Go(func() error {
		return every(run, flushEvery, nil, func() {
			if !e.away.Load() {
				e.attempt(errors.Join(e.loadOwed(run), e.flush(run, false), e.drain(run)))
			}
		})
	})
	group.Go(func() error { return every(run, pollEvery, nil, func() { e.probe(run) }) })
	group.Go(func() error {
		return every(run, retryEvery, e.fell, func() {
			if e.away.Load() {
				e.rejoin(run) // when it fails, it is tried again
			}
		})
	})
	err := group.Wait()
	if !e.away.Load() {
		err = errors.Join(err, e.flush(ctx, true), e.drain(ctx))
	}
	return err
}

// attempt notices that the store is away.
func (e *Engine) attempt(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		e.fall(err)
	}
}

// probe asks every stream where it stands, over another connection than the one that follows it: entries that
// do not arrive there, and a server that is not the one it was, are noticed within a second.
func (e *Engine) probe(ctx context.Context) {
	if e.away.Load() {
		return
	}
	for _, st := range e.streams {
		st.mu.Lock()
		epoch, server, n := st.epoch, st.server, st.n
		st.mu.Unlock()
		r, err := e.poll(ctx, st, n, slowCall)
		switch {
		case err != nil:
			e.attempt(err)
			return
		case r.epoch != epoch || r.server != server || r.n < n:
			e.fall(errLost)
			return
		default:
			if r.n > n && len(r.entries) == 0 {
				err = errGap
			} else {
				err = e.apply(st, epoch, r.entries)
			}
			e.attempt(err)
		}
	}
}

// every does something again and again, and whenever it is woken, until ctx ends.
func every(ctx context.Context, pause time.Duration, wake <-chan struct{}, what func()) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-ticker.C:
		}
		if ctx.Err() == nil {
			what()
		}
	}
}

func (e *Engine) shardOf(id presence.UserID) *shard {
	return e.shards[uint64(id)%uint64(len(e.shards))]
}

// Signal implements presence.Engine.
func (e *Engine) Signal(ctx context.Context, s presence.Signal) (presence.Presence, error) {
	now := e.clock.reading(s.At)
	s.At = wall(now)
	return e.heard(ctx, s, now)
}

// heard applies a signal: at once here where that is enough, else in the store, else here and later there.
func (e *Engine) heard(ctx context.Context, s presence.Signal, now int64) (presence.Presence, error) {
	sh, away := e.shardOf(s.User), e.away.Load()
	sh.mu.Lock()
	if sh.graves.has(s.Session) {
		view := sh.userLocked(s.User).view(s.User, now)
		sh.mu.Unlock()
		return view, presence.ErrClosed
	}
	view, ok := sh.renewLocked(&s, now, *e.policy.Load(), away)
	waiting := !ok && sh.userLocked(s.User).waiting()
	sh.mu.Unlock()
	switch {
	case ok:
		return view, nil
	case away || waiting:
		return e.queue(s, now, "")
	}
	view, err := e.act(ctx, s, now, "", e.timeout)
	if gone := (*awayError)(nil); errors.As(err, &gone) {
		e.fall(err)
		return e.queue(s, now, gone.tried)
	}
	return view, err
}

// State implements presence.Engine.
func (e *Engine) State(_ context.Context, users []presence.UserID) ([]presence.Presence, error) {
	out, now := make([]presence.Presence, len(users)), e.clock.present()
	for i, id := range users {
		out[i].User = id
		sh := e.shardOf(id)
		sh.mu.Lock()
		if u := sh.findLocked(id); u != nil && (u.known || u.waiting()) {
			out[i] = u.view(id, now)
		}
		sh.mu.Unlock()
	}
	return out, nil
}

// Inspect implements presence.Engine. It asks the store, for leases that other nodes renewed.
func (e *Engine) Inspect(ctx context.Context, id presence.UserID) (presence.State, time.Duration, error) {
	sh := e.shardOf(id)
	e.fetch(ctx, sh, id)
	now := lease(e.clock.present() - e.start)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.findLocked(id)
	if u == nil {
		return presence.State{User: id}, now, nil
	}
	s, _, err := u.stateLocked(id)
	if u.waiting() {
		s = u.pending.state
	}
	s = withSessionsFrom(s, e.start)
	return s, now, err
}

// withSessionsFrom shows leases on a clock that begins at a moment.
func withSessionsFrom(s presence.State, start int64) presence.State {
	shown := make([]presence.Session, len(s.Sessions))
	for i, one := range s.Sessions {
		if shown[i] = one; one.Live {
			shown[i].Due -= lease(start)
		}
	}
	s.Sessions = shown
	return s
}

// Counts implements presence.Engine.
func (e *Engine) Counts(context.Context) (presence.Counts, error) { return e.log.Counts(), nil }

// Snapshot implements presence.Engine. It shows what the log has told: signals that wait for the store to come
// back are not in it yet.
func (e *Engine) Snapshot(context.Context) (presence.Cursor, iter.Seq[presence.Presence], error) {
	cursor := e.log.Cursor()
	return cursor, func(yield func(presence.Presence) bool) {
		var buffer []presence.Presence
		now := e.clock.present()
		for _, sh := range e.shards {
			buffer = buffer[:0]
			sh.mu.Lock()
			sh.eachLocked(func(id presence.UserID, u *user) {
				if u.known {
					buffer = append(buffer, u.told(id, now))
				}
			})
			sh.mu.Unlock()
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
