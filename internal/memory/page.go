package memory

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
)

const (
	pageSize = 4096
	none     = -1
	never    = math.MaxInt64
)

// page is the home of 4,096 consecutive user ids. Users and sessions are packed without pointers, so the
// garbage collector has nothing to follow: 32 bytes a user, 24 a session.
type page struct {
	// Static after construction.
	number uint64

	// bound is a moment of the lease clock before which no lease of the page ends. Beats do not touch it:
	// they only move leases further away.
	bound atomic.Int64
	// holdBound is a wall time, in microseconds, before which no hold of the page ends.
	holdBound atomic.Int64
	// What changed since the last checkpoint.
	seenDirty, sessionsDirty atomic.Bool

	mu       sync.Mutex // guards the following fields
	users    [pageSize]user
	sessions []session
	free     int32 // first unused session, linked by next
	live     int   // sessions in use
	holds    map[int]presence.Hold
	graves   graves
}

type user struct {
	seen    int64 // microseconds, 0: never
	since   int64 // microseconds, 0: never
	version uint32
	first   int32 // first session, or none
	status  presence.Status
	cause   presence.Cause
	flags   uint8
}

const (
	userKnown uint8 = 1 << iota
	userHeld
)

func (u *user) known() bool { return u.flags&userKnown != 0 }

type session struct {
	id    presence.SessionID
	due   time.Duration
	next  int32
	conns uint16
	flags uint8
}

const (
	sessionLive uint8 = 1 << iota
	sessionIdle
	sessionLeaving
)

func newPage(number uint64) *page {
	p := &page{number: number, free: none}
	p.bound.Store(never)
	p.holdBound.Store(never)
	for i := range p.users {
		p.users[i].first = none
	}
	return p
}

func (p *page) userID(slot int) presence.UserID {
	return presence.UserID(p.number*pageSize + uint64(slot))
}

// renewLocked is the short way of a signal that can change nobody's status: a sign of life of a live session
// that stays as active or idle as it is. It reports false for everything else. It must come to what the rule
// comes to; enginetest's model fuzz compares them.
func (p *page) renewLocked(slot int, s *presence.Signal, now time.Duration, policy presence.Policy) (presence.Presence, bool) {
	lease, wantIdle := policy.OfflineAfter, uint8(0)
	switch s.Kind {
	case presence.Heartbeat:
		lease = policy.Lease(s.Hidden, s.Interval)
		if s.Idle {
			wantIdle = sessionIdle
		}
	case presence.Activity, presence.Touch, presence.Ping, presence.Active:
	default:
		return presence.Presence{}, false
	}
	u := &p.users[slot]
	var one *session
	for i := u.first; i != none; i = p.sessions[i].next {
		switch p.sessions[i].id {
		case s.Session:
			one = &p.sessions[i]
		case presence.StandIn:
			return presence.Presence{}, false
		}
	}
	if one == nil || one.flags&(sessionLive|sessionLeaving) != sessionLive {
		return presence.Presence{}, false
	}
	if s.Kind == presence.Ping {
		if one.conns == 0 {
			return presence.Presence{}, false
		}
	} else if one.flags&sessionIdle != wantIdle {
		return presence.Presence{}, false
	}
	one.due = max(one.due, now+lease)
	at := s.At.UnixMicro()
	if at > u.seen {
		u.seen = at
		p.markSeen()
	}
	return p.viewLocked(slot, s.User, at), true
}

// markSeen spares the write when the flag is up already: the cache line is shared by all beats of the page.
func (p *page) markSeen() {
	if !p.seenDirty.Load() {
		p.seenDirty.Store(true)
	}
}

// viewLocked is the user's presence as others may be told at a moment (microseconds): after the wall clock
// was set back, nobody was seen in the future.
func (p *page) viewLocked(slot int, id presence.UserID, now int64) presence.Presence {
	u := &p.users[slot]
	return presence.Presence{
		User: id, Status: u.status, Cause: u.cause, Held: u.flags&userHeld != 0,
		LastSeen: wall(min(u.seen, now)), Since: wall(u.since), Version: uint64(u.version),
	}
}

func (p *page) appendViews(to []presence.Presence, now int64) []presence.Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot := range p.users {
		if p.users[slot].known() {
			to = append(to, p.viewLocked(slot, p.userID(slot), now))
		}
	}
	return to
}

// stateLocked unpacks a user for the rule.
func (p *page) stateLocked(slot int, id presence.UserID) presence.State {
	u := &p.users[slot]
	s := presence.State{
		User: id, Status: u.status, Cause: u.cause, LastSeen: wall(u.seen), Since: wall(u.since),
		Version: uint64(u.version),
	}
	if u.flags&userHeld != 0 {
		s.Hold = p.holds[slot]
	}
	for i := u.first; i != none; i = p.sessions[i].next {
		one := &p.sessions[i]
		s.Sessions = append(s.Sessions, presence.Session{
			ID: one.id, Due: one.due, Conns: int(one.conns),
			Live: one.flags&sessionLive != 0, Idle: one.flags&sessionIdle != 0, Leaving: one.flags&sessionLeaving != 0,
		})
	}
	return s
}

// storeLocked packs what the rule made of a user.
func (p *page) storeLocked(slot int, s *presence.State) {
	u := &p.users[slot]
	u.status, u.cause, u.version = s.Status, s.Cause, uint32(s.Version)
	u.seen, u.since = micros(s.LastSeen), micros(s.Since)
	u.flags |= userKnown
	p.storeHoldLocked(slot, s.Hold)

	p.releaseLocked(u)
	link := &u.first
	for i := range s.Sessions {
		at := p.takeLocked()
		one := &s.Sessions[i]
		packed := session{id: one.ID, due: one.Due, next: none, conns: uint16(min(one.Conns, math.MaxUint16))}
		if one.Live {
			packed.flags |= sessionLive
			if int64(one.Due) < p.bound.Load() {
				p.bound.Store(int64(one.Due))
			}
		}
		if one.Idle {
			packed.flags |= sessionIdle
		}
		if one.Leaving {
			packed.flags |= sessionLeaving
		}
		p.sessions[at] = packed
		*link = at
		link = &p.sessions[at].next
	}
	p.seenDirty.Store(true)
	p.sessionsDirty.Store(true)
}

func (p *page) storeHoldLocked(slot int, h presence.Hold) {
	u := &p.users[slot]
	if !h.Active {
		if u.flags&userHeld != 0 {
			delete(p.holds, slot)
			u.flags &^= userHeld
		}
		return
	}
	if p.holds == nil {
		p.holds = map[int]presence.Hold{}
	}
	p.holds[slot] = h
	u.flags |= userHeld
	if until := micros(h.Until); until != 0 && until < p.holdBound.Load() {
		p.holdBound.Store(until)
	}
}

// takeLocked returns an unused session record.
func (p *page) takeLocked() int32 {
	p.live++
	if at := p.free; at != none {
		p.free = p.sessions[at].next
		return at
	}
	if len(p.sessions) == cap(p.sessions) { // in steps of 512, so that growth wastes little
		grown := make([]session, len(p.sessions), len(p.sessions)+512)
		copy(grown, p.sessions)
		p.sessions = grown
	}
	p.sessions = append(p.sessions, session{})
	return int32(len(p.sessions) - 1)
}

// releaseLocked gives all session records of a user back.
func (p *page) releaseLocked(u *user) {
	for i := u.first; i != none; {
		next := p.sessions[i].next
		p.sessions[i] = session{next: p.free}
		p.free = i
		p.live--
		i = next
	}
	u.first = none
	if p.live == 0 {
		p.sessions, p.free = p.sessions[:0], none
	}
}
