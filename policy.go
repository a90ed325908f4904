package presence

import (
	"slices"
	"time"
)

const (
	// HiddenInterval is how often a hidden browser tab's main-thread timer fires after five minutes
	// (Chrome 88 and later, measured 60 s). A beat that says "hidden" and no interval is taken to mean it.
	HiddenInterval = time.Minute
	// LeaseSlack is what a declared interval gets on top of two missed beats.
	LeaseSlack = 30 * time.Second
	// MaxDeclaredLease bounds what a beat can ask for.
	MaxDeclaredLease = 10 * time.Minute
)

// Policy holds the durations that decide when somebody goes offline. The zero value is not useful.
type Policy struct {
	// OfflineAfter is the lease of a plain sign of life: silence this long means offline.
	OfflineAfter time.Duration
	// LeaveGrace is how long a session whose last connection closed may take to come back (a reload, a
	// navigation, a change of network) before it is over.
	LeaveGrace time.Duration
	// HeartbeatInterval is how often clients were told to beat. After a stall everybody gets one more, and so
	// does a session that beats when its last connection closes.
	HeartbeatInterval time.Duration
}

// Kind says what a signal is about.
type Kind uint8

// The signals. What each one does is written at Next.
const (
	Login Kind = iota + 1
	Heartbeat
	Activity
	Touch
	Connect
	Ping
	Disconnect
	Idle
	Active
	Silence
	Logout
	Forced
	Deleted
	Set
	SetHold
	LiftHold
)

var kindNames = [...]string{
	0: "none", Login: "login", Heartbeat: "heartbeat", Activity: "activity", Touch: "touch", Connect: "connect", Ping: "ping",
	Disconnect: "disconnect", Idle: "idle", Active: "active", Silence: "silence", Logout: "logout", Forced: "forced",
	Deleted: "deleted", Set: "set", SetHold: "hold", LiftHold: "lift",
}

// String names the kind in logs and scripts.
func (k Kind) String() string { return nameOf(kindNames[:], k) }

// ParseKind reads what String wrote.
func ParseKind(word string) (Kind, bool) {
	k, ok := parseName[Kind](kindNames[:], word)
	return k, ok && k != 0
}

// Signal is one thing that was heard about a user.
type Signal struct {
	User    UserID
	Session SessionID
	Kind    Kind
	// At is when it was heard. Carry the monotonic reading of time.Now: engines measure leases with it and
	// show only the wall clock.
	At time.Time
	// Interval is what a beat declares as the time to its next one; 0 means it declares nothing.
	Interval time.Duration
	// Hidden is set by a beat from a page that nobody can see; its timers run slow.
	Hidden bool
	// Idle is set by a beat or a connection whose client knows that its user left.
	Idle bool
	// Status is what Set and SetHold ask for.
	Status Status
	// Until ends a hold by itself; zero means until it is lifted.
	Until time.Time
	// Note is what the admin wrote beside a hold.
	Note string
	// Actor is the admin behind Set, SetHold, LiftHold, Forced and Deleted; 0 where there is none.
	Actor UserID
	// Sessions are those that Forced and Deleted revoke besides the ones the engine knows to be live, so
	// that a beat already past the door cannot bring one of them back.
	Sessions []SessionID
}

// Session is what the rule knows of one session. Due is on the engine's lease clock: a duration since an
// arbitrary moment that never jumps and stands still while the process is stalled.
type Session struct {
	ID    SessionID
	Due   time.Duration
	Conns int
	// Live: the lease runs. A session that is not live is remembered only while it has connections.
	Live bool
	// Idle: its client says that the user left.
	Idle bool
	// Leaving: its last connection closed and the leave grace runs.
	Leaving bool
	// Beats: it has sent a heartbeat, so the end of a connection does not mean that its client is gone.
	Beats bool
}

// Hold is an admin's override. It outranks all signals until it ends; underneath, signals go on. One's own word (Own)
// is kept in the same place and says less: away at most, for as long as signals say that one is there at all.
type Hold struct {
	Active bool
	Status Status
	Until  time.Time
	Note   string
	Actor  UserID
}

// Own reports whether the hold is the user's own word that they are away, and not an admin's.
func (h Hold) Own(user UserID) bool {
	return h.Active && h.Status == Away && h.Actor == user && user != Everybody
}

// State is everything the rule knows of one user. The zero State is somebody who was never seen.
type State struct {
	User     UserID
	Status   Status
	Cause    Cause
	LastSeen time.Time
	Since    time.Time
	// Version counts the changes of Status.
	Version  uint64
	Sessions []Session
	Hold     Hold
}

// Held reports whether an admin's hold decides the status.
func (s *State) Held() bool { return s.Hold.Active && !s.Hold.Own(s.User) }

// Lease is how long a sign of life counts that declares its interval or says it is hidden: two missed beats
// and some slack, at least OfflineAfter; the declaration counts for at most MaxDeclaredLease.
func (p Policy) Lease(hidden bool, interval time.Duration) time.Duration {
	if hidden && interval < HiddenInterval {
		interval = HiddenInterval
	}
	if interval <= 0 {
		return p.OfflineAfter
	}
	interval = min(interval, MaxDeclaredLease) // keeps the sum from overflowing
	return max(p.OfflineAfter, min(2*interval+LeaseSlack, MaxDeclaredLease))
}

// Next is the rule: what signal sig does to a user in state s at the moment now of the lease clock.
// It returns the new state, and the change to publish when the status changed (without Seq and Node,
// which the engine adds). It does not modify s.
//
//	signal      the session                                    last_seen  cause of a change
//	login       opens, active, lease starts                    moves      login
//	heartbeat   opens or renews, active or idle as it says     moves      heartbeat
//	activity    opens or renews, active                        moves      activity
//	touch       opens or renews, active                        moves      touch
//	connect     one connection more; active, or idle as it says  moves    connect; idle, of who was online
//	ping        renews; idle stays idle                        moves      connect
//	disconnect  one connection less; the last one starts the leave grace  disconnect (when the grace ends)
//	idle        renews, idle                                   moves      idle
//	active      renews, active                                 moves      active
//	silence     every session that is due is over              stays      timeout, or disconnect
//	logout      over and closed                                moves      logout
//	forced      the given ones and all live ones closed        stays      forced
//	deleted     as forced; the engine forgets the user         stays      forced
//	set         online, away: every live session renewed and active, or idle; a stand-in where none is.
//	            offline: every lease ends. Moves last_seen unless away (as recorded).        admin
//	hold, lift  the override begins, ends                      stays      admin; idle, active for one's own word
//
// A sign of life never shortens a lease. Engines refuse signals of closed sessions before they ask Next
// (see Engine.Signal).
func (p Policy) Next(s State, sig Signal, now time.Duration) (State, Change, bool) {
	s.User = sig.User
	s.Sessions = slices.Clone(s.Sessions)
	cause, who := CauseNone, sig.Session

	switch sig.Kind {
	case Login:
		s.renew(sig, now+p.OfflineAfter, false)
		cause = CauseLogin
	case Heartbeat:
		s.renew(sig, now+p.Lease(sig.Hidden, sig.Interval), sig.Idle).Beats = true
		cause = CauseHeartbeat
	case Activity:
		s.renew(sig, now+p.OfflineAfter, false)
		cause = CauseActivity
	case Touch:
		s.renew(sig, now+p.OfflineAfter, false)
		cause = CauseTouch
	case Connect:
		s.renew(sig, now+p.OfflineAfter, sig.Idle).Conns++
		cause = CauseConnect
		if sig.Idle && s.Status == Online {
			cause = CauseIdle
		}
	case Ping:
		i := s.find(sig.Session)
		idle := i >= 0 && s.Sessions[i].Idle
		one := s.renew(sig, now+p.OfflineAfter, idle)
		one.Conns = max(one.Conns, 1)
		cause = CauseConnect
	case Disconnect:
		s.disconnect(sig.Session, now+p.LeaveGrace, p.HeartbeatInterval)
	case Idle:
		s.renew(sig, now+p.OfflineAfter, true)
		cause = CauseIdle
	case Active:
		s.renew(sig, now+p.OfflineAfter, false)
		cause = CauseActive
	case Silence:
		cause, who = s.expire(now)
		if s.Hold.Active && !s.Hold.Until.IsZero() && !sig.At.Before(s.Hold.Until) {
			cause = CauseAdmin
			if s.Hold.Own(s.User) {
				cause = CauseActive
			}
			s.Hold = Hold{}
		}
	case Logout:
		s.seen(sig.At)
		s.drop(func(one Session) bool { return one.ID == sig.Session || one.ID == StandIn })
		cause = CauseLogout
	case Forced, Deleted:
		s.drop(func(one Session) bool {
			return sig.endsAll() || one.ID == sig.Session || one.ID == StandIn || slices.Contains(sig.Sessions, one.ID)
		})
		if sig.Kind == Deleted {
			s.Hold = Hold{}
		}
		cause = CauseForced
	case Set:
		s.set(sig, now+p.OfflineAfter)
		cause = CauseAdmin
	case SetHold:
		s.Hold = Hold{Active: true, Status: sig.Status, Until: sig.Until, Note: sig.Note, Actor: sig.Actor}
		cause = CauseAdmin
		if s.Hold.Own(s.User) {
			cause = CauseIdle
		}
	case LiftHold:
		cause = CauseAdmin
		if s.Hold.Own(s.User) && sig.Actor == s.User {
			cause = CauseActive
		}
		s.Hold = Hold{}
	}

	from, to := s.Status, s.merge()
	if from == to {
		return s, Change{}, false
	}
	s.Status, s.Cause, s.Since = to, cause, sig.At
	s.Version++
	return s, Change{
		User: s.User, From: from, To: to, Cause: cause, Session: who, Actor: sig.Actor,
		At: sig.At, LastSeen: s.LastSeen, Version: s.Version,
	}, true
}

// Closes returns the sessions that a signal closes for good: the ones it names, and all live ones when it
// ends all. Engines remember them and refuse their signals from then on.
func (sig Signal) Closes(before State) []SessionID {
	switch sig.Kind {
	case Logout:
		return []SessionID{sig.Session}
	case Forced, Deleted:
	default:
		return nil
	}
	closed := append([]SessionID{sig.Session}, sig.Sessions...)
	if sig.endsAll() {
		for _, one := range before.Sessions {
			closed = append(closed, one.ID)
		}
	}
	return slices.DeleteFunc(closed, func(id SessionID) bool { return !id.Drawable() })
}

func (sig Signal) endsAll() bool { return sig.Session == EverySession || sig.Kind == Deleted }

// merge derives the status from the sessions: the most present one wins, and a hold outranks them all. One's own
// word makes nobody present who is not there.
func (s *State) merge() Status {
	if s.Held() {
		return s.Hold.Status
	}
	own := s.Hold.Active
	status := Offline
	for _, one := range s.Sessions {
		switch {
		case one.Live && !one.Idle && !own:
			return Online
		case one.Live:
			status = Away
		}
	}
	return status
}

// NextDue is the earliest moment of the lease clock at which silence could end one of the sessions.
// It reports false when no lease runs.
func (s *State) NextDue() (time.Duration, bool) {
	due, any := time.Duration(0), false
	for _, one := range s.Sessions {
		if one.Live && (!any || one.Due < due) {
			due, any = one.Due, true
		}
	}
	return due, any
}

// renew is a sign of life of a session: it lives, its lease reaches at least to due, last_seen moves.
func (s *State) renew(sig Signal, due time.Duration, idle bool) *Session {
	s.seen(sig.At)
	if sig.Session != StandIn {
		s.drop(func(one Session) bool { return one.ID == StandIn })
	}
	i := s.find(sig.Session)
	if i < 0 {
		s.Sessions = append(s.Sessions, Session{ID: sig.Session})
		i = len(s.Sessions) - 1
	}
	one := &s.Sessions[i]
	if !one.Live || one.Leaving || one.Due < due {
		one.Due = due
	}
	one.Live, one.Leaving, one.Idle = true, false, idle
	return one
}

// disconnect counts a connection less. A session that beats may go on beating without it, so it is not taken
// for gone before its next beat is due.
func (s *State) disconnect(id SessionID, graceEnds, nextBeat time.Duration) {
	i := s.find(id)
	if i < 0 || s.Sessions[i].Conns == 0 {
		return
	}
	one := &s.Sessions[i]
	if one.Conns--; one.Conns > 0 {
		return
	}
	if !one.Live {
		s.Sessions = slices.Delete(s.Sessions, i, i+1)
		return
	}
	if one.Beats {
		graceEnds += nextBeat
	}
	if graceEnds < one.Due {
		one.Due, one.Leaving = graceEnds, true
	}
}

// expire ends every lease that is due and tells which session fell silent last, and how.
func (s *State) expire(now time.Duration) (Cause, SessionID) {
	cause, who, latest := CauseTimeout, EverySession, time.Duration(-1)
	for i := range s.Sessions {
		one := &s.Sessions[i]
		if !one.Live || one.Due > now {
			continue
		}
		if one.Due > latest {
			latest, who, cause = one.Due, one.ID, CauseTimeout
			if one.Leaving {
				cause = CauseDisconnect
			}
		}
		one.end()
	}
	s.drop(func(one Session) bool { return !one.Live && one.Conns == 0 })
	return cause, who
}

// set applies an admin's set-online-status: one signal, from which the next sign of life moves on.
func (s *State) set(sig Signal, due time.Duration) {
	if sig.Status != Away {
		s.seen(sig.At)
	}
	if sig.Status == Offline {
		for i := range s.Sessions {
			s.Sessions[i].end()
		}
		s.drop(func(one Session) bool { return one.Conns == 0 })
		return
	}
	heard := false
	for i := range s.Sessions {
		one := &s.Sessions[i]
		if !one.Live {
			continue
		}
		heard = true
		one.Idle, one.Leaving, one.Due = sig.Status == Away, false, max(one.Due, due)
	}
	if !heard {
		s.Sessions = append(s.Sessions, Session{ID: StandIn, Due: due, Live: true, Idle: sig.Status == Away})
	}
}

// seen moves last_seen forward, never back.
func (s *State) seen(at time.Time) {
	if at.After(s.LastSeen) {
		s.LastSeen = at
	}
}

func (s *State) find(id SessionID) int {
	return slices.IndexFunc(s.Sessions, func(one Session) bool { return one.ID == id })
}

func (s *State) drop(gone func(Session) bool) { s.Sessions = slices.DeleteFunc(s.Sessions, gone) }

// end stops the lease; the connections stay counted.
func (one *Session) end() { *one = Session{ID: one.ID, Conns: one.Conns, Beats: one.Beats} }
