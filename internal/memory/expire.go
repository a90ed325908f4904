package memory

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

// maxPerTick bounds how many changes one tick may tell, so that readers of the log can follow even when
// everybody leaves at once. What is left is told at the next ticks.
const maxPerTick = 1 << 14

// Run makes time pass: it ends leases and holds that are due until ctx ends. Leases of users that were
// loaded before begin now. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	begin := e.now().Sub(e.start)
	e.lost.Store(int64(begin))
	e.lastTick.Store(int64(begin))
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			e.tick(e.now())
		}
	}
}

// tick ends what is due at a moment. A tick that comes far too late was a stall: the lease clock goes back
// by the gap, and nothing is due that was not due before it.
func (e *Engine) tick(at time.Time) {
	elapsed := at.Sub(e.start)
	since := elapsed - time.Duration(e.lastTick.Load())
	gap := e.policy.Load().Stall(since, Tick)
	if shown := at.UnixMicro(); e.lastWall != 0 && shown-e.lastWall < (since-time.Second).Microseconds() {
		e.bringBack(max(shown, e.start.Add(elapsed).UnixMicro()))
	}
	e.lastWall = at.UnixMicro()
	// In this order: a signal in between reads a clock that is ahead, never one that is behind.
	e.lastTick.Store(int64(elapsed))
	if gap > 0 {
		e.lost.Add(int64(gap))
		e.stats.Stalls.Add(1)
		e.notice.Warn("the process stood still; every lease is extended",
			"stood_still", gap-e.policy.Load().HeartbeatInterval, "extended_by", gap)
		return // whoever was waiting to be heard goes first
	}
	now := e.clock(at)
	pages := e.pages.Load().inOrder
	unjudged := e.breaker.Spent(now)
	if unjudged {
		e.tellBreaker()
	}

	told, shown := 0, at.UnixMicro()
	for _, p := range pages {
		if p.holdBound.Load() <= shown {
			told += e.expireHolds(p, now, at)
		}
		if time.Duration(p.bound.Load()) > now {
			continue
		}
		if !unjudged && !e.allowed(pages, now) {
			continue
		}
		if told += e.expire(p, now, at); told > maxPerTick {
			return
		}
	}
}

// bringBack follows a wall clock that was ahead and was set right: whoever was seen in what is now the future was
// seen now, as far as anybody can still tell. Left alone they would seem to be seen again and again until that
// time comes. Now is no earlier than the time that has passed since the start says, so a clock that is set back
// to 1970 for a moment takes nothing from anybody.
func (e *Engine) bringBack(now int64) {
	e.notice.Warn("the clock was set back; nobody is shown as seen in the future")
	for _, p := range e.pages.Load().inOrder {
		p.mu.Lock()
		for slot := range p.users {
			if u := &p.users[slot]; u.seen > now {
				u.seen = now
				p.markSeen()
			}
		}
		p.mu.Unlock()
	}
}

// allowed asks the breaker, at most once a second, and reports whether silence may end leases now. When the
// breaker opens, every lease that would end meanwhile is moved to the moment it closes again.
func (e *Engine) allowed(pages []*page, now time.Duration) bool {
	if e.breaker.Holding(now) {
		return true // the leases it protects are moved; those of sessions that left still end
	}
	if e.lastJudge != 0 && now-e.lastJudge < time.Second {
		return true
	}
	e.lastJudge = now
	falling := 0
	for _, p := range pages {
		falling += p.falling(now + e.policy.Load().BreakerWindow())
	}
	counts := e.log.Counts()
	if !e.breaker.Judge(now, e.policy.Load().OfflineAfter, falling, counts.Online+counts.Away) {
		return true
	}
	e.tellBreaker()
	e.notice.Warn("too many people fell silent at once; nobody is taken offline for one lease",
		"silent", falling, "present", counts.Online+counts.Away, "wait", e.policy.Load().OfflineAfter)
	for _, p := range pages {
		p.postpone(now + e.policy.Load().OfflineAfter)
	}
	return false
}

// tellBreaker shows the breaker's state to those who watch.
func (e *Engine) tellBreaker() {
	e.stats.BreakerTrips.Store(e.breaker.Trips)
	e.stats.BreakerOpen.Store(e.breaker.Holding(e.clock(e.now())))
}

// expire ends the due leases of one page and returns how many changes that made.
func (e *Engine) expire(p *page, now time.Duration, at time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	told, bound := 0, time.Duration(never)
	for slot := range p.users {
		if p.users[slot].first() == nil {
			continue
		}
		due, ok := p.nextDueLocked(slot)
		if ok && due <= now {
			told += e.silenceLocked(p, slot, now, at)
			e.late(now - due)
			due, ok = p.nextDueLocked(slot)
		}
		if ok {
			bound = min(bound, due)
		}
	}
	p.bound.Store(int64(bound))
	return told
}

func (e *Engine) expireHolds(p *page, now time.Duration, at time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	told, bound := 0, int64(never)
	for slot, hold := range p.holds {
		switch until := micros(hold.Until); {
		case until == 0:
		case until <= at.UnixMicro():
			told += e.silenceLocked(p, slot, now, at)
		default:
			bound = min(bound, until)
		}
	}
	p.holdBound.Store(bound)
	return told
}

// silenceLocked lets the rule end what is due of one user.
func (e *Engine) silenceLocked(p *page, slot int, now time.Duration, at time.Time) int {
	before := p.users[slot].version
	e.applyLocked(p, slot, presence.Signal{User: p.userID(slot), Kind: presence.Silence, At: at}, now)
	return int(p.users[slot].version - before)
}

// nextDueLocked is State.NextDue without unpacking.
func (p *page) nextDueLocked(slot int) (due time.Duration, ok bool) {
	for one := p.users[slot].first(); one != nil; one = p.after(one) {
		if one.flags&sessionLive != 0 && (!ok || one.due < due) {
			due, ok = one.due, true
		}
	}
	return due, ok
}

// falling counts users who fall silent by the given moment without having left: all their leases end by
// then, and not all of them because a connection was closed.
func (p *page) falling(by time.Duration) int {
	if time.Duration(p.bound.Load()) > by {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for slot := range p.users {
		all, silent := true, false
		for one := p.users[slot].first(); one != nil; one = p.after(one) {
			if one.flags&sessionLive == 0 {
				continue
			}
			all = all && one.due <= by
			silent = silent || one.flags&sessionLeaving == 0
		}
		if all && silent {
			n++
		}
	}
	return n
}

// postpone moves every lease that would end before a moment to that moment, except those of sessions that
// have left.
func (p *page) postpone(until time.Duration) {
	if time.Duration(p.bound.Load()) >= until {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot := range p.users {
		for one := p.users[slot].first(); one != nil; one = p.after(one) {
			if one.flags&(sessionLive|sessionLeaving) == sessionLive {
				one.due = max(one.due, until)
			}
		}
	}
}
