package valkey

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
)

// The store away: beats go on against what this node knows, other signals are applied here and queued, nobody
// is taken offline (a user who is silent here may be speaking to another node), and readers of changes hear
// nothing until the store has put them in order. fall and rejoin are the way out and the way back.

// fall takes note that the store cannot be worked with.
func (e *Engine) fall(err error) {
	if e.away.Swap(true) {
		return
	}
	e.since.Store(e.clock.present())
	e.stats.Stale.Store(true)
	e.stats.Outages.Add(1)
	e.notice.Warn("the store of presence is away; this node goes on with what it knows", "err", err)
	select {
	case e.fell <- struct{}{}:
	default:
	}
}

// queue applies a signal to what this node knows, and keeps it for the store.
func (e *Engine) queue(s presence.Signal, now int64, tried string) (presence.Presence, error) {
	sh := e.shardOf(s.User)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.userLocked(s.User)
	if sh.graves.has(s.Session) || u.waiting() && slices.Contains(u.pending.closed, s.Session) {
		return u.view(s.User, now), presence.ErrClosed
	}
	before := u.shown()
	if u.pending == nil {
		u.pending = &pending{}
	}
	p := u.pending
	if len(p.queue) == 0 {
		state, _, err := u.stateLocked(s.User)
		if err != nil {
			return presence.Presence{}, err
		}
		p.state, p.tried = state, tried
	}
	p.closed = append(p.closed, s.Closes(p.state)...)
	p.state, _, _ = e.policy.Load().Next(p.state, s, lease(now))
	if s.Kind == presence.Deleted {
		p.state = presence.State{User: s.User}
	}
	p.queue = appendSignal(p.queue, s)
	sh.queued[s.User] = struct{}{}
	u.heard = max(u.heard, now)
	e.log.Move(before, u.shown())
	return viewOf(&p.state), nil
}

// appendSignal keeps the newest of equal beats, and no more than fit: what a flapping client did first is
// forgotten first.
func appendSignal(queue []presence.Signal, s presence.Signal) []presence.Signal {
	if n := len(queue); n > 1 && s.Kind == presence.Heartbeat {
		if last := &queue[n-1]; last.Kind == s.Kind && last.Session == s.Session && last.Interval == s.Interval &&
			last.Idle == s.Idle && last.Hidden == s.Hidden {
			*last = s
			return queue
		}
	}
	if len(queue) == maxQueued {
		queue = slices.Delete(queue, 1, 2) // the first may be on its way
	}
	return append(queue, s)
}

// rejoin comes back to the store: finds out what became of it, rebuilds what it lost, and writes what was
// heard meanwhile.
func (e *Engine) rejoin(ctx context.Context) error {
	for _, st := range e.streams {
		if err := e.rejoinStream(ctx, st); err != nil {
			return err
		}
	}
	if err := e.loadOwed(ctx); err != nil {
		return err
	}
	if err := e.flush(ctx, true); err != nil {
		return err
	}
	if err := e.drain(ctx); err != nil {
		return err
	}
	now := e.clock.present()
	e.mute(now, min(settleFor, settleFor/6+2*(now-e.since.Load())))
	e.away.Store(false)
	e.stats.Stale.Store(false)
	e.notice.Info("the store of presence is back")
	return nil
}

func (e *Engine) rejoinStream(ctx context.Context, st *stream) error {
	st.mu.Lock()
	epoch, server, n, lost := st.epoch, st.server, st.n, st.lost
	st.mu.Unlock()
	r, err := e.poll(ctx, st, n, slowCall)
	if err != nil {
		return err
	}
	if lost || r.epoch != epoch || r.n < n || r.server != server {
		e.notice.Warn("the store of presence is another one, or has lost something; it is rebuilt from what is known here")
		if r.epoch == epoch || r.epoch == "" {
			if r.epoch, err = e.claim(ctx, st, r.epoch); err != nil {
				return err
			}
		}
		st.mu.Lock()
		st.epoch, st.lost = r.epoch, true // until everything has been read
		st.mu.Unlock()
		if err := e.restore(ctx, st); err != nil {
			return err
		}
		return e.readAll(ctx, st)
	}
	if r.n > n && (len(r.entries) == 0 || r.entries[0].n != n+1) {
		return e.readAll(ctx, st)
	}
	return e.reach(ctx, st, r.n)
}

// claim begins a sequence anew in place of a known one, or joins the one that somebody else began.
func (e *Engine) claim(ctx context.Context, st *stream, known string) (string, error) {
	var epoch [8]byte
	rand.Read(epoch[:]) // never fails (crypto/rand)
	reply, err := e.call(ctx, claimScript, slowCall, []string{st.meta, st.log, st.beats},
		known, hex.EncodeToString(epoch[:]), strconv.Itoa(len(e.shards)))
	if err != nil {
		return "", err
	}
	var f fields
	now, shards := f.text(&reply[0]), f.number(&reply[1])
	if f.err == nil && int(shards) != len(e.shards) {
		return "", &presence.Error{
			Kind: presence.Invalid, Op: "open the store of presence", Field: "shards",
			Tell: "The store holds " + strconv.FormatUint(shards, 10) + " shards, this node is configured for " +
				strconv.Itoa(len(e.shards)) + ". All nodes need the same number; to change it, stop them all and delete the keys.",
		}
	}
	return now, f.err
}

// restore writes everybody known here whom the store does not know, or knows as they were before. They get a
// full lease: who is still there will say so.
func (e *Engine) restore(ctx context.Context, st *stream) error {
	wrote := 0
	first := mathrand.IntN(len(st.shards)) // nodes begin at different shards, and find done what others did
	order := slices.Concat(st.shards[first:], st.shards[:first])
	for some := range slices.Chunk(order, shardsAtOnce) {
		n, err := e.restoreShards(ctx, some)
		if wrote += n; err != nil {
			return err
		}
	}
	if wrote == 0 {
		return nil
	}
	e.stats.Restored.Add(uint64(wrote))
	_, err := e.call(ctx, skipScript, slowCall, []string{st.meta})
	return err
}

func (e *Engine) restoreShards(ctx context.Context, shards []*shard) (wrote int, err error) {
	there := map[presence.UserID]string{}
	err = e.scan(ctx, shards, func(_ *shard, id presence.UserID, blob string, _ *presence.State) { there[id] = blob })
	if err != nil {
		return 0, err
	}
	var shares []share
	graves := rueidis.Commands{}
	for _, sh := range shards {
		sh.mu.Lock()
		ops := e.missingLocked(sh, there)
		for id, at := range sh.graves.closed {
			graves = append(graves, e.client.B().Zadd().Key(sh.closed).Nx().ScoreMember().
				ScoreMember(float64(at), strconv.FormatInt(int64(id), 10)).Build())
		}
		sh.mu.Unlock()
		for some := range slices.Chunk(ops, batchSize) {
			shares = append(shares, share{sh, some})
		}
	}
	for some := range slices.Chunk(graves, entriesAtOnce) { // first: nobody comes back in between
		if err := e.bury(ctx, some); err != nil {
			return 0, err
		}
	}
	for some := range slices.Chunk(shares, batchesAtOnce) {
		n, err := e.writeAll(ctx, some)
		if wrote += n; err != nil {
			return wrote, err
		}
	}
	return wrote, nil
}

// missingLocked are the writes of those in a shard whom the store does not know, or knows as they were before.
func (e *Engine) missingLocked(sh *shard, there map[presence.UserID]string) (ops []op) {
	due := lease(e.clock.present() + e.policy.Load().OfflineAfter.Microseconds())
	sh.eachLocked(func(id presence.UserID, u *user) {
		mine, _, err := u.stateLocked(id)
		theirs, damaged := decode(there[id], id)
		if err != nil || damaged != nil || u.blob == "" || there[id] != "" && theirs.Version >= mine.Version {
			return
		}
		for i := range mine.Sessions {
			if one := &mine.Sessions[i]; one.Live {
				one.Due, one.Leaving = max(one.Due, due), false
			}
		}
		o := op{user: id, old: there[id], upTo: sh.heard}
		o.put(mine)
		ops = append(ops, o)
	})
	return ops
}

// bury writes closed sessions.
func (e *Engine) bury(ctx context.Context, graves rueidis.Commands) error {
	ctx, cancel := context.WithTimeout(ctx, slowCall)
	defer cancel()
	for _, reply := range e.client.DoMulti(ctx, graves...) {
		if err := reply.Error(); err != nil {
			return err
		}
	}
	return nil
}

// drain gives the queued signals to the store, each user's in order, several users side by side.
func (e *Engine) drain(ctx context.Context) error {
	e.draining <- struct{}{}
	defer func() { <-e.draining }()
	group, ctx := errgroup.WithContext(context.WithoutCancel(ctx)) // done at the first error
	group.SetLimit(drainsAtOnce)
	for _, sh := range e.shards {
		for _, id := range sh.allQueued() {
			group.Go(func() error { return e.drainUser(ctx, sh, id) })
		}
	}
	return group.Wait()
}

func (sh *shard) allQueued() []presence.UserID {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return slices.Collect(maps.Keys(sh.queued))
}

func (e *Engine) drainUser(ctx context.Context, sh *shard, id presence.UserID) error {
	for ctx.Err() == nil {
		sh.mu.Lock()
		u := sh.userLocked(id)
		if !u.waiting() {
			delete(sh.queued, id)
			sh.mu.Unlock()
			return nil
		}
		s, tried := u.pending.queue[0], u.pending.tried
		sh.mu.Unlock()

		_, err := e.act(ctx, s, micros(s.At), tried, slowCall)
		if gone := (*awayError)(nil); errors.As(err, &gone) {
			sh.mu.Lock()
			u.pending.tried = gone.tried
			sh.mu.Unlock()
			return err
		}
		if err != nil && !errors.Is(err, presence.ErrClosed) {
			e.notice.Error("a signal that waited for the store was not applied", "user", id, "err", err)
		}
		e.forgetFirst(sh, id)
	}
	return nil
}

// forgetFirst takes the oldest signal out of a user's queue: it is in the store.
func (e *Engine) forgetFirst(sh *shard, id presence.UserID) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.userLocked(id)
	before := u.shown()
	p := u.pending
	if p == nil || len(p.queue) == 0 {
		return
	}
	p.tried = ""
	if p.queue = p.queue[1:]; len(p.queue) == 0 {
		p.queue, p.closed, p.state = nil, nil, presence.State{}
		if len(p.renewals) == 0 {
			u.pending = nil
		} else {
			sh.soon = append(sh.soon, id)
			p.listed = true
		}
	}
	e.log.Move(before, u.shown())
}
