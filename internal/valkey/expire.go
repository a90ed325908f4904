package valkey

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// candidate is a user whose place in the index has come.
type candidate struct {
	user presence.UserID
	blob string
}

// tick lets time pass on this node. A tick that comes far too late was a stall of this process: whoever was
// heard here keeps what was left of the lease. Users of other nodes are in the store as those nodes heard them.
func (e *Engine) tick(ctx context.Context) error {
	at := e.clock.now()
	last := e.lastTick
	e.lastTick = at
	if gap := e.policy.Load().Stall(at.Sub(last), Tick); gap > 0 {
		e.stats.Stalls.Add(1)
		e.notice.Warn("the process stood still; the leases of those heard here are extended",
			"stood_still", gap-e.policy.Load().HeartbeatInterval, "extended_by", gap)
		e.extend(e.clock.reading(last), gap)
		return e.flush(ctx, true) // and whoever was waiting to be heard goes first
	}
	return e.sweep(ctx)
}

// extend makes the leases longer that ran at a moment, of everybody who was heard on this node.
func (e *Engine) extend(from int64, by time.Duration) {
	now := e.clock.present()
	oldest := from - presence.MaxDeclaredLease.Microseconds()
	for _, sh := range e.shards {
		sh.mu.Lock()
		sh.eachLocked(func(id presence.UserID, u *user) {
			if u.heard < oldest || u.heard == 0 || u.waiting() {
				return
			}
			s, _, err := u.stateLocked(id)
			if err != nil {
				return
			}
			for _, one := range s.Sessions {
				if one.Live && !one.Leaving && moment(one.Due) > from {
					r := renewal{due: moment(one.Due + by)}
					r.signal.User, r.signal.Session = id, one.ID
					sh.keepLocked(u, r, now, true)
				}
			}
		})
		sh.mu.Unlock()
	}
}

// noticeJump deals with a clock of the store that jumped: after a failover to a server whose clock is ahead,
// or because this machine was suspended. What jumped away of the leases is given back, each node to those it heard.
func (e *Engine) noticeJump(jump time.Duration) {
	if jump <= presence.StallAfter {
		return
	}
	e.stats.Stalls.Add(1)
	e.notice.Warn("the store's clock jumped; leases are extended", "by", jump)
	now := e.clock.present()
	e.mute(now, settleFor)
	e.extend(now-jump.Microseconds(), jump+e.policy.Load().HeartbeatInterval)
}

// mute stops this node from ending leases until every node has had the time to write what it heard.
func (e *Engine) mute(now, duration int64) { e.muted.Store(max(e.muted.Load(), now+duration)) }

// sweep ends what is due in every shard where something may be. Nodes begin at different shards, so that they
// share the work; when two meet, the store lets one of them win.
func (e *Engine) sweep(ctx context.Context) error {
	now := e.clock.present()
	if e.away.Load() || now < e.muted.Load() {
		return nil
	}
	first := rand.IntN(len(e.shards))
	for i := range e.shards {
		sh := e.shards[(first+i)%len(e.shards)]
		if sh.next.Load() > now && now-sh.swept < sweepAnyway {
			continue
		}
		if err := e.expire(ctx, sh, now); err != nil {
			return err
		}
	}
	return nil
}

// expire ends what is due in one shard.
func (e *Engine) expire(ctx context.Context, sh *shard, now int64) error {
	sh.swept = now
	for range roundsAtOnce {
		sh.next.Store(never)
		found, next, err := e.due(ctx, sh, now, 0)
		if err != nil {
			sh.lower(now)
			return err
		}
		sh.lower(next)
		if len(found) == 0 {
			return nil
		}
		ops, silent := e.judged(sh, found, now)
		if silent {
			sh.lower(now) // until it is done
			if allowed, err := e.allowed(ctx, now); err != nil || !allowed {
				return err
			}
		}
		if _, err := e.write(ctx, sh, ops, slowCall); err != nil {
			sh.lower(now)
			return err
		}
		if silent && next > now {
			continue // look again: that was the last of them, unless somebody spoke meanwhile
		}
		if next > now {
			return nil
		}
	}
	sh.lower(now)
	return nil
}

// due reads a handful of a shard's index up to a moment.
func (e *Engine) due(ctx context.Context, sh *shard, until int64, offset int) ([]candidate, int64, error) {
	reply, err := e.call(ctx, dueScript, slowCall, []string{sh.users, sh.due},
		strconv.FormatInt(until, 10), strconv.Itoa(offset), strconv.Itoa(batchSize))
	if err != nil || len(reply) == 0 {
		return nil, 0, err
	}
	var f fields
	next := int64(never)
	if text := f.text(&reply[0]); text != "" {
		next = int64(f.parse(text))
	}
	found := make([]candidate, 0, len(reply)/2)
	for i := 1; i+1 < len(reply); i += 2 {
		found = append(found, candidate{presence.UserID(f.number(&reply[i])), f.text(&reply[i+1])})
	}
	return found, next, f.err
}

// judged makes writes of candidates: silence for those who are silent, a later place in the index for those
// who are not. It reports whether somebody is silent.
func (e *Engine) judged(sh *shard, found []candidate, now int64) (ops []op, silent bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, c := range found {
		u := sh.userLocked(c.user)
		u.blob = c.blob
		state, _, err := u.stateLocked(c.user)
		if err != nil || c.blob == "" { // nobody who could fall silent
			ops = append(ops, op{user: c.user, old: c.blob, new: c.blob})
			continue
		}
		if at, ok := nextMoment(&state); ok && at <= now && !u.waiting() {
			o, err := e.plan(u, presence.Signal{User: c.user, Kind: presence.Silence, At: wall(now)}, now, sh.heard)
			if err == nil {
				ops, silent = append(ops, o), true
				e.stats.LateNanos.Store((now - at) * 1000)
			}
			continue
		}
		o := op{user: c.user, old: c.blob, upTo: sh.heard}
		o.put(state)
		ops = append(ops, o)
	}
	return ops, silent
}

// allowed asks the breaker, at most once a second, and reports whether silence may end leases now. All nodes
// share one breaker: when it opens, every lease that would end meanwhile is moved to the moment it closes,
// and for a while after that moment nobody judges again.
func (e *Engine) allowed(ctx context.Context, now int64) (bool, error) {
	if e.lastJudge != 0 && now-e.lastJudge < time.Second.Microseconds() || e.spent(now) {
		return true, nil
	}
	e.lastJudge = now
	window := now + e.policy.Load().BreakerWindow().Microseconds()
	counts := e.log.Counts()
	present := counts.Online + counts.Away
	if many, err := e.indexed(ctx, window); err != nil || !tooMany(many, present) || e.spent(now) {
		return err == nil, err
	}
	falling, err := e.falling(ctx, window)
	if err != nil || !tooMany(falling, present) {
		return err == nil, err
	}
	until := now + e.policy.Load().OfflineAfter.Microseconds()
	reply, err := e.call(ctx, holdScript, slowCall, []string{e.streams[0].meta}, strconv.FormatInt(now, 10),
		strconv.FormatInt(until, 10), strconv.FormatInt(e.policy.Load().BreakerWindow().Microseconds(), 10))
	if err != nil {
		return false, err
	}
	var f fields
	opened := f.number(&reply[0]) == 1
	e.held.Store(int64(f.number(&reply[1])))
	if !opened || f.err != nil {
		return false, f.err
	}
	e.stats.BreakerTrips.Add(1)
	e.notice.Warn("too many people fell silent at once; nobody is taken offline for one lease",
		"silent", falling, "present", present, "wait", e.policy.Load().OfflineAfter)
	return false, e.postpone(ctx, until)
}

// spent reports whether the breaker is open, or was until a moment ago: the leases it protects are moved
// already, and those that end all the same end rightly.
func (e *Engine) spent(now int64) bool {
	return now < e.held.Load()+e.policy.Load().BreakerWindow().Microseconds()
}

func tooMany(falling, present int) bool {
	var b presence.Breaker
	return b.Judge(0, 1, falling, present)
}

// indexed counts the index's entries up to a moment: at least as many as fall silent.
func (e *Engine) indexed(ctx context.Context, until int64) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, slowCall)
	defer cancel()
	commands := make(rueidis.Commands, 0, len(e.shards)+1)
	for _, sh := range e.shards {
		commands = append(commands, e.client.B().Zcount().Key(sh.due).Min("-inf").Max(strconv.FormatInt(until, 10)).Build())
	}
	commands = append(commands, e.client.B().Hget().Key(e.streams[0].meta).Field("held").Build())
	total := int64(0)
	for i, reply := range e.client.DoMulti(ctx, commands...) {
		n, err := reply.AsInt64()
		switch {
		case rueidis.IsRedisNil(err):
		case err != nil:
			return 0, err
		case i < len(e.shards):
			total += n
		default:
			e.held.Store(n)
		}
	}
	return int(total), nil
}

// falling counts the users who fall silent by a moment without having left: all their leases end by then, and
// not all of them because a connection was closed.
func (e *Engine) falling(ctx context.Context, by int64) (int, error) {
	falling := 0
	err := e.everyDue(ctx, by, func(_ *shard, _ *user, _ candidate, s *presence.State) {
		all, silent := true, false
		for _, one := range s.Sessions {
			if one.Live {
				all = all && moment(one.Due) <= by
				silent = silent || !one.Leaving
			}
		}
		if all && silent {
			falling++
		}
	})
	return falling, err
}

// postpone moves every lease that would end before a moment to that moment, except those of sessions that
// have left.
func (e *Engine) postpone(ctx context.Context, until int64) error {
	byShard := map[*shard][]op{}
	err := e.everyDue(ctx, until, func(sh *shard, u *user, c candidate, s *presence.State) {
		u.blob = c.blob
		moved := *s
		moved.Sessions = slices.Clone(s.Sessions)
		for i := range moved.Sessions {
			if one := &moved.Sessions[i]; one.Live && !one.Leaving {
				one.Due = max(one.Due, lease(until))
			}
		}
		o := op{user: c.user, old: c.blob, upTo: sh.heard}
		if o.put(moved); o.new != o.old {
			byShard[sh] = append(byShard[sh], o)
		}
	})
	for sh, ops := range byShard {
		for some := range slices.Chunk(ops, batchSize) {
			if err == nil {
				_, err = e.write(ctx, sh, some, slowCall)
			}
		}
	}
	return err
}

// everyDue visits all users in the index up to a moment, with the shard's lock held.
func (e *Engine) everyDue(ctx context.Context, until int64, visit func(*shard, *user, candidate, *presence.State)) error {
	for _, sh := range e.shards {
		for offset, more := 0, true; more; offset += batchSize {
			found, _, err := e.due(ctx, sh, until, offset)
			if err != nil {
				return err
			}
			more = len(found) == batchSize
			sh.mu.Lock()
			for _, c := range found {
				u := sh.userLocked(c.user)
				known := u.blob
				u.blob = c.blob
				if s, _, err := u.stateLocked(c.user); err == nil && c.blob != "" {
					visit(sh, u, c, &s)
				}
				if u.blob == "" {
					u.blob = known
				}
			}
			sh.mu.Unlock()
		}
	}
	return nil
}
