package presence

import (
	"fmt"
	"strconv"
)

// UserID names a person. It is positive, given by the store and never used a second time.
type UserID int64

// Everybody stands for all users where a question may be about one or all.
const Everybody UserID = 0

// SessionID names one login, device or foreign token of a person. Real ones are random, 63 bits, so that a
// restored backup can never give an old token a new owner.
type SessionID int64

const (
	// EverySession in a signal means all sessions of the user.
	EverySession SessionID = 0
	// StandIn is a lease without a session of its own: an admin's set opens it when nobody is signed in,
	// and a restart opens it when a person was online but their sessions were not written down yet. The
	// first signal of a real session ends it, so it never keeps anybody online who has just logged out.
	StandIn SessionID = 1
	// firstRandomSession is the smallest id that may be drawn at random.
	firstRandomSession SessionID = 256
)

// Drawable reports whether id may be given to a real session: it is neither reserved nor negative.
func (id SessionID) Drawable() bool { return id >= firstRandomSession }

// String is the form used in tokens, logs and answers: 16 lower-case hexadecimal digits.
func (id SessionID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// ParseSessionID reads what String wrote. It reports false for anything else.
func ParseSessionID(s string) (SessionID, bool) {
	if len(s) != 16 {
		return 0, false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 16, 63)
	return SessionID(n), err == nil
}

// Status is what others see of a person. The order is the precedence when sessions differ: the most
// present one wins.
type Status uint8

// The three statuses of the founding document.
const (
	Offline Status = iota
	Away
	Online
)

var statusNames = [...]string{Offline: "offline", Away: "away", Online: "online"}

// String is the word on the wire and in the database.
func (s Status) String() string { return nameOf(statusNames[:], s) }

// ParseStatus reads a status word, exactly as String writes it.
func ParseStatus(word string) (Status, bool) { return parseName[Status](statusNames[:], word) }

// Cause says why somebody has the status they have.
type Cause uint8

// The causes, named after the signal that brought the change about. CauseNone belongs to people who have
// never changed.
const (
	CauseNone Cause = iota
	CauseLogin
	CauseHeartbeat
	CauseActivity
	CauseTouch
	CauseConnect
	CauseDisconnect
	CauseIdle
	CauseActive
	CauseTimeout
	CauseLogout
	CauseForced
	CauseAdmin
)

var causeNames = [...]string{
	CauseNone: "", CauseLogin: "login", CauseHeartbeat: "heartbeat", CauseActivity: "activity",
	CauseTouch: "touch", CauseConnect: "connect", CauseDisconnect: "disconnect", CauseIdle: "idle",
	CauseActive: "active", CauseTimeout: "timeout", CauseLogout: "logout", CauseForced: "forced",
	CauseAdmin: "admin",
}

// String is the word on the wire and in the database; CauseNone is the empty word.
func (c Cause) String() string { return nameOf(causeNames[:], c) }

// ParseCause reads a cause word, exactly as String writes it.
func ParseCause(word string) (Cause, bool) { return parseName[Cause](causeNames[:], word) }

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown(" + strconv.Itoa(int(v)) + ")"
}

func parseName[T ~uint8](names []string, word string) (T, bool) {
	for i, name := range names {
		if name == word {
			return T(i), true
		}
	}
	return 0, false
}
