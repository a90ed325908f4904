package valkey

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/changes"
)

const (
	pageSize = 256
	never    = math.MaxInt64
)

// shard is a share of the users: where they lie in the store, and what this node knows of them.
type shard struct {
	// Static after construction.
	number int
	of     int // how many shards there are
	users  string
	due    string
	closed string
	stream *stream

	// next is a moment before which nothing in the shard's index comes due, as far as is known here.
	next atomic.Int64
	// swept is when the index was last looked at. Owned by Run.
	swept int64

	mu     sync.Mutex // guards the following fields
	pages  map[int]*[pageSize]user
	dirty  []dirtyUser                  // users with renewals to be written, oldest first
	soon   []presence.UserID            // those of them that cannot wait
	queued map[presence.UserID]struct{} // users whose signals wait for the store
	owed   []presence.Record            // users to be loaded when the store is back
	graves graves
	heard  uint64 // counts renewals
}

type dirtyUser struct {
	user  presence.UserID
	since int64
}

// user is what this node knows of one user. What others may see (status to held) follows the log and nothing
// else, so that it agrees with what readers of changes were told; blob is the newest string seen in the store,
// which is what the next write will compare with.
type user struct {
	blob    string
	pending *pending
	seen    int64 // newest sign of life known here, written or not
	since   int64
	armed   int64 // the user's entry in the index, as far as is known here; 0: not known
	heard   int64 // newest sign of life heard by this very node
	version uint32
	status  presence.Status
	cause   presence.Cause
	known   bool
	held    bool
}

// pending is what this node has accepted and the store does not know yet.
type pending struct {
	// renewals of leases that do not change anything else, one a session.
	renewals []renewal
	// queue are the signals that were accepted while the store was away, in order, and state is what they
	// come to; it means something only while there are some.
	queue  []presence.Signal
	state  presence.State
	closed []presence.SessionID // by those signals
	tried  string               // what was being written for the first of them when the store went away
	listed bool                 // in dirty or soon
}

// renewal is a sign of life that moved a lease to due. Signal tells how to repeat it in case the session has
// ended meanwhile; one without a kind (the extension after a stall) is not repeated.
type renewal struct {
	signal presence.Signal
	due    int64
	number uint64
	beats  bool // it was a heartbeat, or stands for one
}

func (sh *shard) findLocked(id presence.UserID) *user {
	slot := int(uint64(id) / uint64(sh.of))
	page := sh.pages[slot/pageSize]
	if page == nil {
		return nil
	}
	return &page[slot%pageSize]
}

// userLocked finds a user's place, making it when it is new. The place never moves.
func (sh *shard) userLocked(id presence.UserID) *user {
	if u := sh.findLocked(id); u != nil {
		return u
	}
	slot := int(uint64(id) / uint64(sh.of))
	sh.pages[slot/pageSize] = new([pageSize]user)
	return &sh.pages[slot/pageSize][slot%pageSize]
}

// eachLocked visits every place in use.
func (sh *shard) eachLocked(visit func(presence.UserID, *user)) {
	for number, page := range sh.pages {
		for i := range page {
			if u := &page[i]; u.known || u.pending != nil {
				visit(presence.UserID((number*pageSize+i)*sh.of+sh.number), u)
			}
		}
	}
}

func (u *user) waiting() bool { return u.pending != nil && len(u.pending.queue) > 0 }

// shown is the status the user is shown with here, or changes.Nobody: what waits for the store counts.
func (u *user) shown() presence.Status {
	switch {
	case u.waiting():
		return u.pending.state.Status
	case u.known:
		return u.status
	default:
		return changes.Nobody
	}
}

// view is the user as others may be told at a moment: nobody was seen in the future.
func (u *user) view(id presence.UserID, now int64) presence.Presence {
	if u.waiting() {
		return viewOf(&u.pending.state)
	}
	return u.told(id, now)
}

// told is the user as the log has told it: what a snapshot is made of.
func (u *user) told(id presence.UserID, now int64) presence.Presence {
	return presence.Presence{
		User: id, Status: u.status, Cause: u.cause, Held: u.held,
		LastSeen: wall(min(u.seen, now)), Since: wall(u.since), Version: uint64(u.version),
	}
}

func viewOf(s *presence.State) presence.Presence {
	return presence.Presence{
		User: s.User, Status: s.Status, Cause: s.Cause, Held: s.Held(),
		LastSeen: s.LastSeen, Since: s.Since, Version: s.Version,
	}
}

// stateLocked is what the rule is asked about: what the store has, with the renewals it does not have yet.
// strays are renewals of sessions that no longer live there, or are leaving.
func (u *user) stateLocked(id presence.UserID) (s presence.State, strays []renewal, err error) {
	s, err = decode(u.blob, id)
	if err != nil {
		return s, nil, err
	}
	if at := wall(u.seen); u.blob != "" && at.After(s.LastSeen) {
		s.LastSeen = at
	}
	if u.pending == nil {
		return s, nil, nil
	}
	for _, r := range u.pending.renewals {
		if one := live(&s, r.signal.Session); one != nil {
			one.Due, one.Beats = max(one.Due, lease(r.due)), one.Beats || r.beats
		} else {
			strays = append(strays, r)
		}
	}
	return s, strays, nil
}

func live(s *presence.State, id presence.SessionID) *presence.Session {
	for i := range s.Sessions {
		if one := &s.Sessions[i]; one.ID == id && one.Live && !one.Leaving {
			return one
		}
	}
	return nil
}

// renewLocked is the short way of a signal that can change nobody's status: a sign of life of a live session
// that stays as active or idle as it is. It must come to what the rule comes to. It reports false for
// everything else, and for leases so near their end that the store has to hear of it at once.
func (sh *shard) renewLocked(s *presence.Signal, now int64, p presence.Policy, away bool) (presence.Presence, bool) {
	length, wantIdle := p.OfflineAfter, uint8(0)
	switch s.Kind {
	case presence.Heartbeat:
		length = p.Lease(s.Hidden, s.Interval)
		if s.Idle {
			wantIdle = flagIdle
		}
	case presence.Activity, presence.Touch, presence.Ping, presence.Active:
	default:
		return presence.Presence{}, false
	}
	u := sh.findLocked(s.User)
	if u == nil || !u.known || u.blob == "" || u.waiting() {
		return presence.Presence{}, false
	}
	one, ok := plainSession(u.blob, s.Session)
	if !ok || one.flags&(flagLive|flagLeaving) != flagLive || !away && one.due-now < edge {
		return presence.Presence{}, false
	}
	if s.Kind == presence.Ping {
		if one.conns == 0 {
			return presence.Presence{}, false
		}
	} else if one.flags&flagIdle != wantIdle {
		return presence.Presence{}, false
	}
	sh.keepLocked(u, renewal{signal: *s, due: now + moment(length), beats: s.Kind == presence.Heartbeat}, now, one.due-now < edge+coalesce)
	u.seen, u.heard = max(u.seen, now), max(u.heard, now)
	return u.view(s.User, now), true
}

// plainSession finds a session in a blob. It reports false when it is not there, and when a stand-in is,
// which the session would end.
func plainSession(blob string, id presence.SessionID) (found session, ok bool) {
	r := reader{rest: blob}
	h := r.head()
	for range h.sessions {
		one := r.session(h.seen)
		switch one.id {
		case presence.StandIn:
			return found, false
		case id:
			found, ok = one, true
		}
	}
	return found, ok && !r.bad
}

// keepLocked keeps a renewal until it is written.
func (sh *shard) keepLocked(u *user, r renewal, now int64, cannotWait bool) {
	if u.pending == nil {
		u.pending = &pending{}
	}
	p := u.pending
	sh.heard++
	r.number = sh.heard
	known := false
	for i := range p.renewals {
		if old := &p.renewals[i]; old.signal.Session == r.signal.Session {
			r.due, r.beats = max(r.due, old.due), r.beats || old.beats
			if r.signal.Kind == 0 {
				r.signal = old.signal
			}
			*old, known = r, true
		}
	}
	if !known {
		p.renewals = append(p.renewals, r)
	}
	switch {
	case cannotWait:
		sh.soon = append(sh.soon, r.signal.User)
	case !p.listed:
		sh.dirty = append(sh.dirty, dirtyUser{r.signal.User, now})
	}
	p.listed = true
}

// writtenLocked takes note of what the store has now, and forgets the renewals up to a number, which are in
// it. What was heard later stays to be written.
func (sh *shard) writtenLocked(id presence.UserID, u *user, blob string, upTo uint64, now int64) {
	u.blob = blob
	p := u.pending
	if p == nil {
		return
	}
	kept := p.renewals[:0]
	for _, r := range p.renewals {
		if r.number > upTo {
			kept = append(kept, r)
		}
	}
	p.renewals = kept
	if len(kept) > 0 {
		if !p.listed {
			sh.dirty = append(sh.dirty, dirtyUser{id, now})
			p.listed = true
		}
		return
	}
	if p.listed = false; len(p.queue) == 0 {
		u.pending = nil
	}
}

// lower makes sure that the index is looked at by a moment.
func (sh *shard) lower(at int64) {
	for {
		next := sh.next.Load()
		if at >= next || sh.next.CompareAndSwap(next, at) {
			return
		}
	}
}
