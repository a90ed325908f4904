package tracker

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
)

const (
	// touchEvery is the pace at which words about one person are passed on: more often says nothing new.
	touchEvery = 5 * time.Second
	// standingFor is how long an account's standing is taken from memory. Changes of this node are heard of at once
	// (Toucher.AccountChanged); those of other nodes then.
	standingFor = time.Minute
	// afterForced is how long a person who was thrown out stays out, whatever backends say: so long words may
	// still be under way that are older than the act. Then a backend that goes on knows better.
	afterForced = 30 * time.Second
	// MaxSource bounds what a backend calls itself, in bytes.
	MaxSource = 64
	// maxSources bounds the names that are remembered to show where a session comes from.
	maxSources = 1000

	touchShards = 64
)

// Accounts finds out how accounts stand. The contract is that of presence.AccountReader.
type Accounts interface {
	AccountsByID(ctx context.Context, ids []presence.UserID) ([]presence.Account, error)
}

// Toucher takes the word of backends and proxies that people are active. It decides who may be touched at all, passes
// on one word per person and 5 s, and gives each backend (source) a session of the person to speak for. All methods
// may be called from any goroutine.
type Toucher struct {
	// Static after construction.
	signal   func(context.Context, presence.Signal) (presence.Presence, error)
	accounts Accounts
	began    time.Time

	shards [touchShards]touchShard

	sourcesMu sync.Mutex // guards the following field
	sources   map[string]struct{}

	passed, coalesced, refused atomic.Uint64
}

type touchShard struct {
	mu         sync.Mutex // guards the following fields
	generation uint64     // raised when an account changed
	known      map[presence.UserID]touched
	swept      time.Duration
}

// touched is what is remembered of a person. Moments are since the Toucher began, monotonic.
type touched struct {
	at       time.Duration // when a word was passed on last
	checked  time.Duration // when the account was looked at
	closed   time.Duration // when a word was first refused because the session was thrown out; 0: not
	session  presence.SessionID
	round    uint32 // of sessions: a new one after each time they were thrown out
	standing Standing
}

// Standing is how somebody stands to being touched.
type Standing uint8

// The standings. Only Good ones are touched.
const (
	Unknown   Standing = iota // there is no such account
	Good                      // may be here
	Closed                    // pending, suspended, banned or closed
	LoggedOut                 // thrown out a moment ago
)

var standingNames = [...]string{Unknown: "unknown", Good: "", Closed: "not_active", LoggedOut: "logged_out"}

// String is the word on the wire, empty for Good.
func (s Standing) String() string { return standingNames[s] }

// NewToucher makes a Toucher that passes words on through t.
func NewToucher(t *Tracker, accounts Accounts) *Toucher {
	to := &Toucher{signal: t.Signal, accounts: accounts, began: t.now(), sources: map[string]struct{}{}}
	for i := range to.shards {
		to.shards[i].known = map[presence.UserID]touched{}
	}
	return to
}

// TouchStats are counters since the beginning.
type TouchStats struct {
	// Passed words reached presence, Coalesced ones came within 5 s of another, Refused ones were about people who
	// are not known or may not be here.
	Passed, Coalesced, Refused uint64
}

// Stats returns the counters.
func (t *Toucher) Stats() TouchStats {
	return TouchStats{Passed: t.passed.Load(), Coalesced: t.coalesced.Load(), Refused: t.refused.Load()}
}

// Touch says that these people are active at this moment. It returns how each stands, in the order given. An error
// says that some may not have been heard of; telling it again does no harm.
func (t *Toucher) Touch(ctx context.Context, users []presence.UserID, source string, at time.Time) ([]Standing, error) {
	now := at.Sub(t.began) + 1 // never 0
	t.remember(source)
	standings := make([]Standing, len(users))
	var strange []presence.UserID
	for i, user := range users {
		if s, fresh := t.recall(user, now); fresh {
			standings[i] = s
		} else {
			strange = append(strange, user)
		}
	}
	if len(strange) > 0 {
		met, err := t.meet(ctx, strange, now)
		if err != nil {
			return nil, err
		}
		for i, user := range users {
			if s, ok := met[user]; ok {
				standings[i] = s
			}
		}
	}
	for i, user := range users {
		if standings[i] != Good {
			t.refused.Add(1)
			continue
		}
		var err error
		if standings[i], err = t.pass(ctx, user, source, at, now); err != nil {
			return nil, err
		}
	}
	return standings, nil
}

func (t *Toucher) shard(user presence.UserID) *touchShard {
	return &t.shards[uint64(user)*0x9e3779b97f4a7c15>>58]
}

// recall is how a person stood when last looked at, unless that is too long ago.
func (t *Toucher) recall(user presence.UserID, now time.Duration) (Standing, bool) {
	sh := t.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	one, ok := sh.known[user]
	return one.standing, ok && now-one.checked < standingFor
}

// meet looks at accounts, and remembers how they stand unless one of them changed meanwhile.
func (t *Toucher) meet(ctx context.Context, users []presence.UserID, now time.Duration) (map[presence.UserID]Standing, error) {
	generations := make(map[presence.UserID]uint64, len(users))
	for _, user := range users {
		sh := t.shard(user)
		sh.mu.Lock()
		generations[user] = sh.generation
		sh.mu.Unlock()
	}
	accounts, err := t.accounts.AccountsByID(ctx, users)
	if err != nil {
		return nil, err
	}
	met := make(map[presence.UserID]Standing, len(users))
	for _, user := range users {
		met[user] = Unknown
	}
	for i := range accounts {
		met[accounts[i].ID] = standingOf(&accounts[i])
	}
	for user, standing := range met {
		if standing == Unknown { // they may be made any moment, and would fill the memory
			continue
		}
		sh := t.shard(user)
		sh.mu.Lock()
		if sh.generation == generations[user] {
			one := sh.known[user]
			one.checked, one.standing = now, standing
			sh.known[user] = one
			sh.sweepLocked(now)
		}
		sh.mu.Unlock()
	}
	return met, nil
}

func standingOf(a *presence.Account) Standing {
	switch {
	case !a.DeletedAt.IsZero():
		return Unknown
	case !a.MaySignIn():
		return Closed
	default:
		return Good
	}
}

// sweepLocked forgets, once a minute, who has not been touched for that long.
func (sh *touchShard) sweepLocked(now time.Duration) {
	if now-sh.swept < standingFor {
		return
	}
	sh.swept = now
	for user, one := range sh.known {
		quiet := now - max(one.checked, one.at)
		if quiet >= 2*standingFor && one.closed == 0 || quiet >= time.Hour {
			delete(sh.known, user)
		}
	}
}

// pass gives a word to presence, unless one has just been given.
func (t *Toucher) pass(ctx context.Context, user presence.UserID, source string, at time.Time, now time.Duration) (Standing, error) {
	sh := t.shard(user)
	sh.mu.Lock()
	one, known := sh.known[user]
	if !known { // it changed while it was looked at: the next word is to look again
		one.checked = -standingFor
	}
	switch {
	case one.closed != 0 && now-one.closed < afterForced:
		sh.mu.Unlock()
		t.refused.Add(1)
		return LoggedOut, nil
	case one.closed != 0:
		one.closed, one.at = 0, 0
		one.round++
	case one.at != 0 && now-one.at < touchEvery:
		sh.mu.Unlock()
		t.coalesced.Add(1)
		return Good, nil
	}
	one.at, one.session = now, touchSession(user, source, one.round)
	generation := sh.generation
	sh.known[user] = one
	sh.mu.Unlock()

	_, err := t.signal(ctx, presence.Signal{User: user, Session: one.session, Kind: presence.Touch, At: at})
	switch {
	case errors.Is(err, presence.ErrClosed):
		t.close(user, now)
		t.refused.Add(1)
		return LoggedOut, nil
	case err != nil:
		t.forget(user, now)
		return Good, err
	}
	t.passed.Add(1)
	sh.mu.Lock()
	changed := sh.generation != generation
	sh.mu.Unlock()
	if changed { // the account may have been closed before our word, which then came too late
		return t.takeBack(ctx, user, one.session, at)
	}
	return Good, nil
}

// Activity says that somebody was active in a session of their own, once in 5 s. ErrClosed: the session is over.
func (t *Toucher) Activity(ctx context.Context, user presence.UserID, session presence.SessionID, at time.Time) error {
	now := at.Sub(t.began) + 1
	sh := t.shard(user)
	sh.mu.Lock()
	one, known := sh.known[user]
	if known && one.session == session && one.at != 0 && now-one.at < touchEvery {
		sh.mu.Unlock()
		t.coalesced.Add(1)
		return nil
	}
	if !known {
		one.checked = -standingFor
		sh.sweepLocked(now)
	}
	one.at, one.session = now, session
	sh.known[user] = one
	sh.mu.Unlock()
	_, err := t.signal(ctx, presence.Signal{User: user, Session: session, Kind: presence.Activity, At: at})
	if err != nil {
		t.forget(user, now)
		return err
	}
	t.passed.Add(1)
	return nil
}

func (t *Toucher) close(user presence.UserID, now time.Duration) {
	sh := t.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if one, ok := sh.known[user]; ok && one.closed == 0 {
		one.closed = now
		sh.known[user] = one
	}
}

// forget lets the next word through at once.
func (t *Toucher) forget(user presence.UserID, now time.Duration) {
	sh := t.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if one, ok := sh.known[user]; ok && one.at == now {
		one.at = 0
		sh.known[user] = one
	}
}

// takeBack looks whether the account may still be here, and ends what our word began if not.
func (t *Toucher) takeBack(ctx context.Context, user presence.UserID, session presence.SessionID, at time.Time) (Standing, error) {
	accounts, err := t.accounts.AccountsByID(ctx, []presence.UserID{user})
	if err != nil {
		return Good, err
	}
	standing := Unknown
	if len(accounts) > 0 {
		standing = standingOf(&accounts[0])
	}
	if standing == Good {
		return Good, nil
	}
	_, err = t.signal(ctx, presence.Signal{User: user, Session: session, Kind: presence.Forced, At: at, Sessions: []presence.SessionID{session}})
	if errors.Is(err, presence.ErrClosed) { // somebody else has ended it
		err = nil
	}
	return standing, err
}

// AccountChanged makes the account be looked at again, and ends what a word that came in between may have begun. It has
// the form of auth.Service.OnSessionEnd.
func (t *Toucher) AccountChanged(user presence.UserID, session presence.SessionID) {
	if session != presence.EverySession || user <= 0 {
		return
	}
	sh := t.shard(user)
	sh.mu.Lock()
	sh.generation++
	one, ok := sh.known[user]
	if ok {
		one.checked = -standingFor
		sh.known[user] = one
	}
	sh.mu.Unlock()
	if ok && one.session != 0 {
		_, _ = t.takeBack(context.Background(), user, one.session, t.began.Add(one.at)) // else the lease runs out by itself
	}
}

// remember keeps the name of a source, for SourceOf.
func (t *Toucher) remember(source string) {
	t.sourcesMu.Lock()
	defer t.sourcesMu.Unlock()
	if len(t.sources) < maxSources {
		t.sources[source] = struct{}{}
	}
}

// SourceOf is the source that speaks for a session of a person, where that is what the session is.
func (t *Toucher) SourceOf(user presence.UserID, session presence.SessionID) (string, bool) {
	sh := t.shard(user)
	sh.mu.Lock()
	one, ok := sh.known[user]
	sh.mu.Unlock()
	if !ok {
		return "", false
	}
	t.sourcesMu.Lock()
	defer t.sourcesMu.Unlock()
	for source := range t.sources {
		if touchSession(user, source, one.round) == session {
			return source, true
		}
	}
	return "", false
}

// touchSession names the session that a source speaks for: one for each person, source and round.
func touchSession(user presence.UserID, source string, round uint32) presence.SessionID {
	text := make([]byte, 0, 32+MaxSource)
	text = append(text, "touch "...)
	text = binary.BigEndian.AppendUint64(text, uint64(user))
	text = binary.BigEndian.AppendUint32(text, round)
	text = append(text, source...)
	sum := sha256.Sum256(text)
	id := presence.SessionID(binary.BigEndian.Uint64(sum[:8]) >> 1)
	for i := 8; !id.Drawable(); i += 8 { // one in 2^55 is reserved
		id = presence.SessionID(binary.BigEndian.Uint64(sum[i:i+8]) >> 1)
	}
	return id
}
