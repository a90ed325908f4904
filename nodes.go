package presence

import (
	"context"
	"iter"
	"time"
)

// What several nodes need of what they share. An engine or a store that one process has for itself implements
// none of it.

// SharedEngine is an engine that several nodes share: what it knows outlives each of them.
type SharedEngine interface {
	Engine

	// Node is what changes made here carry as their Node.
	Node() string

	// Heard returns those of whom this very node had a sign of life since a moment, with the newest one.
	Heard(since time.Time) iter.Seq[Seen]

	// Stale reports whether what other nodes hear may be missing here just now, because what they share is away.
	Stale() bool
}

// SharedStore is a store that several nodes share. Nodes keep sessions, accounts and privacy in memory, so each
// must hear what the others, or a command line, did to them.
type SharedStore interface {
	Store

	// Notices returns what acts have made known since a mark, and the mark to go on from. The zero Mark means
	// from now on, and returns nothing but a mark. What was acknowledged before the call is in it, whoever did
	// it, this node too. A notice may come again for as long as an act that began before it is under way. It
	// returns ErrGap when it cannot continue from there: whatever is kept in memory may be out of date then.
	// Notices are kept for NoticeRetention.
	Notices(ctx context.Context, since Mark) ([]Notice, Mark, error)

	// Unrecorded returns those of the changes that are not in the history, in the same order. Changes of
	// accounts that are gone are left out.
	Unrecorded(ctx context.Context, changes []Change) ([]Change, error)
}

// NoticeRetention is how long a SharedStore keeps notices at least.
const NoticeRetention = time.Hour

// Mark is a place among the notices of a store. Only the store knows what the number means.
type Mark uint64

// Notice says that something in the store is no longer what a node may remember of it.
type Notice struct {
	ID   int64
	User UserID
	// Session is the one that ended; EverySession when the notice is about the account.
	Session SessionID
	// Cause is why the session ended.
	Cause Cause
	Topic NoticeTopic
}

// NoticeTopic says what a notice is about.
type NoticeTopic uint8

// The topics. Programs pass over those they do not know: a newer one may run beside them.
const (
	NoticeOther   NoticeTopic = iota
	NoticeAccount             // somebody is new or gone, or their role, status or name has changed
	NoticeSession             // a session was ended
	NoticePrivacy             // somebody hides something else than before
	NoticeProfile             // an account looks different in lists: names, a hold
	NoticeToken               // the tokens of backends are others; about nobody in particular
)

var noticeTopicNames = [...]string{
	NoticeOther: "", NoticeAccount: "account", NoticeSession: "session", NoticePrivacy: "privacy",
	NoticeProfile: "profile", NoticeToken: "token",
}

// String is the word in the database.
func (t NoticeTopic) String() string { return nameOf(noticeTopicNames[:], t) }

// ParseNoticeTopic reads a topic; false when this program does not know it.
func ParseNoticeTopic(word string) (NoticeTopic, bool) {
	return parseName[NoticeTopic](noticeTopicNames[:], word)
}
