package memory

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/changes"
)

const (
	pageSize = 4096
	none     = -1
	never    = math.MaxInt64
)

// page is the home of 4,096 consecutive user ids. Users and sessions are packed without pointers, so the
// garbage collector has nothing to follow, and a user's first session lies in the user's own record, so that
// a beat waits for memory once: 48 bytes a user with one session, 24 for every further one.
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

	mu     sync.Mutex // guards the following fields
	users  *[pageSize]user
	more   []session // every session of a user but the first
	free   int32     // first unused one of more, linked by next
	inUse  int       // of more
	holds  map[int]presence.Hold
	graves graves
}

type user struct {
	session        // the first; its id is 0 where there is none
	seen    int64  // microseconds, 0: never
	since   int64  // microseconds, 0: never
	version uint32 // of the status
	status  presence.Status
	cause   presence.Cause
	known   bool
	held    bool
}

type session struct {
	id    presence.SessionID
	due   time.Duration
	next  int32 // in more, or none
	conns uint16
	flags uint8
}

const (
	sessionLive uint8 = 1 << iota
	sessionIdle
	sessionLeaving
	sessionBeats
)

func newPage(number uint64) *page {
	p := &page{number: number, users: new([pageSize]user), free: none}
	p.bound.Store(never)
	p.holdBound.Store(never)
	for i := range p.users {
		p.users[i].next = none
	}
	return p
}

// shownLocked is the status the user is shown with, or changes.Nobody.
func (p *page) shownLocked(slot int) presence.Status {
	if u := &p.users[slot]; u.known {
		return u.status
	}
	return changes.Nobody
}

func (p *page) userID(slot int) presence.UserID {
	return presence.UserID(p.number*pageSize + uint64(slot))
}

// renewLocked is the short way of a signal that can change nobody's status: a sign of life of a live session
// that stays as active or idle as it is. It reports false for everything else. It must come to what the rule
// comes to; enginetest's model fuzz compares them.
func (p *page) renewLocked(slot int, s *presence.Signal, now time.Duration, policy *presence.Policy) (presence.Presence, bool) {
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
	for each := u.first(); each != nil; each = p.after(each) {
		switch each.id {
		case s.Session:
			one = each
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
	if s.Kind == presence.Heartbeat {
		one.flags |= sessionBeats
	}
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
		User: id, Status: u.status, Cause: u.cause, Held: u.held && !p.holds[slot].Own(id),
		LastSeen: wall(min(u.seen, now)), Since: wall(u.since), Version: uint64(u.version),
	}
}

func (p *page) appendViews(to []presence.Presence, now int64) []presence.Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot := range p.users {
		if p.users[slot].known {
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
	if u.held {
		s.Hold = p.holds[slot]
	}
	for one := u.first(); one != nil; one = p.after(one) {
		s.Sessions = append(s.Sessions, presence.Session{
			ID: one.id, Due: one.due, Conns: int(one.conns),
			Live: one.flags&sessionLive != 0, Idle: one.flags&sessionIdle != 0, Leaving: one.flags&sessionLeaving != 0,
			Beats: one.flags&sessionBeats != 0,
		})
	}
	return s
}

// storeLocked packs what the rule made of a user.
func (p *page) storeLocked(slot int, s *presence.State) {
	u := &p.users[slot]
	u.status, u.cause, u.version = s.Status, s.Cause, uint32(s.Version)
	u.seen, u.since, u.known = micros(s.LastSeen), micros(s.Since), true
	p.storeHoldLocked(slot, s.Hold)

	p.releaseLocked(u)
	last := &u.session
	for i := range s.Sessions {
		if i > 0 {
			// The address of last may change with p.more: link first, then follow the link.
			link := p.takeLocked(last)
			last = &p.more[link]
		}
		p.packLocked(last, &s.Sessions[i])
	}
	p.seenDirty.Store(true)
	p.sessionsDirty.Store(true)
}

func (p *page) packLocked(to *session, from *presence.Session) {
	*to = session{id: from.ID, due: from.Due, next: none, conns: uint16(min(from.Conns, math.MaxUint16))}
	if from.Live {
		to.flags |= sessionLive
		if int64(from.Due) < p.bound.Load() {
			p.bound.Store(int64(from.Due))
		}
	}
	if from.Idle {
		to.flags |= sessionIdle
	}
	if from.Leaving {
		to.flags |= sessionLeaving
	}
	if from.Beats {
		to.flags |= sessionBeats
	}
}

func (p *page) storeHoldLocked(slot int, h presence.Hold) {
	u := &p.users[slot]
	if !h.Active {
		if u.held {
			delete(p.holds, slot)
			u.held = false
		}
		return
	}
	if p.holds == nil {
		p.holds = map[int]presence.Hold{}
	}
	p.holds[slot] = h
	u.held = true
	if until := micros(h.Until); until != 0 && until < p.holdBound.Load() {
		p.holdBound.Store(until)
	}
}

// first is the user's first session, or nil.
func (u *user) first() *session {
	if u.id == presence.EverySession {
		return nil
	}
	return &u.session
}

// after is the user's next session, or nil.
func (p *page) after(one *session) *session {
	if one.next == none {
		return nil
	}
	return &p.more[one.next]
}

// devices counts a user's live sessions, the stand-in aside.
func (p *page) devices(slot int) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := &p.users[slot]
	for one := u.first(); one != nil; one = p.after(one) {
		if one.flags&sessionLive != 0 && one.id != presence.StandIn {
			n++
		}
	}
	return n
}

// addLinks counts the page's devices and connections in.
func (p *page) addLinks(links *presence.Links) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot := range p.users {
		u := &p.users[slot]
		for one := u.first(); one != nil; one = p.after(one) {
			links.Add(presence.Session{ID: one.id, Live: one.flags&sessionLive != 0, Conns: int(one.conns)})
		}
	}
}

// takeLocked finds an unused session record, links it behind one and returns its place.
func (p *page) takeLocked(behind *session) int32 {
	p.inUse++
	at := p.free
	if at != none {
		p.free = p.more[at].next
	} else {
		at = int32(len(p.more))
	}
	behind.next = at
	if int(at) == len(p.more) {
		p.more = append(p.more, session{})
	}
	return at
}

// releaseLocked gives all session records of a user back.
func (p *page) releaseLocked(u *user) {
	for i := u.next; i != none; {
		next := p.more[i].next
		p.more[i] = session{next: p.free}
		p.free = i
		p.inUse--
		i = next
	}
	u.session = session{next: none}
	if p.inUse == 0 {
		p.more, p.free = nil, none
	}
}
