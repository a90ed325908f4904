package auth

import (
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/offchat/presence"
)

// cache is the part of the list of live sessions that is in memory, with their accounts. What is not there
// is read from the store, so leaving something out is always right and keeping something stale never is:
//
//   - Whoever changes a session or an account first makes that durable, then calls end or changed.
//   - Both raise the shard's generation. What was read from the store before the generation rose is not kept
//     (keep reports false, and the reader reads again), so that a slow reader cannot put back what was ended.
//
// A user's account and sessions are in one shard.
type cache struct {
	shards [cacheShards]shard
	limit  int // sessions a shard
}

const cacheShards = 256

type shard struct {
	mu         sync.RWMutex // guards the following fields
	generation uint64
	accounts   map[presence.UserID]*account
	sessions   map[presence.SessionID]*session

	_ [64]byte // a cache line between neighbours
}

// account is kept while one of its sessions is.
type account struct {
	id   presence.UserID
	refs int                  // sessions in the shard; guarded by its lock
	view atomic.Pointer[view] // nil: to be read from the store
}

type session struct {
	// Static after construction.
	id      presence.SessionID
	account *account
	foreign bool
	created int64                 // Unix microseconds
	device  unique.Handle[string] // what the client calls itself, for the eyes

	ended   atomic.Bool // never false again
	expires atomic.Int64
	renewed atomic.Int64 // when the newest access token that a refresh has given it ends, Unix seconds
	used    atomic.Int64 // Unix seconds, to within usedStep: for eviction
}

// usedStep keeps readers from writing to an entry at every check.
const usedStep = 30

func newCache(limit int) *cache {
	c := &cache{limit: max(1, limit/cacheShards)}
	for i := range c.shards {
		c.shards[i].accounts = map[presence.UserID]*account{}
		c.shards[i].sessions = map[presence.SessionID]*session{}
	}
	return c
}

func (c *cache) shard(user presence.UserID) *shard {
	return &c.shards[uint64(user)*0x9e3779b97f4a7c15>>56]
}

// over reports whether the session's tokens are refused: it was ended, it ran out, or it stands for a
// foreign token and all of those of the account were refused after it began.
func (one *session) over(v *view, now time.Time) bool {
	return one.ended.Load() || now.UnixMicro() >= one.expires.Load() || one.foreign && one.created <= v.tokensAfter
}

// get finds a session with its account. Either is nil when it has to be read from the store. One of another
// user is not found.
func (c *cache) get(user presence.UserID, id presence.SessionID, now time.Time) (*session, *view) {
	sh := c.shard(user)
	sh.mu.RLock()
	one := sh.sessions[id]
	sh.mu.RUnlock()
	if one == nil || one.account.id != user {
		return nil, nil
	}
	if t := now.Unix(); t-one.used.Load() >= usedStep {
		one.used.Store(t)
	}
	return one, one.account.view.Load()
}

// device is what the client of a session calls itself, where the session is in memory.
func (c *cache) device(user presence.UserID, id presence.SessionID) string {
	sh := c.shard(user)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if one := sh.sessions[id]; one != nil && one.account.id == user {
		return one.device.Value()
	}
	return ""
}

// generation is to be read before the store is.
func (c *cache) generation(user presence.UserID) uint64 {
	sh := c.shard(user)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.generation
}

// keep puts what was read from the store into memory. It reports false, and keeps nothing, when something
// of the shard was ended or changed since the generation was read.
func (c *cache) keep(generation uint64, v *view, row *presence.LoginSession, now time.Time) bool {
	sh := c.shard(row.User)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.generation != generation {
		return false
	}
	if one := sh.sessions[row.ID]; one != nil && one.account.id == row.User {
		one.extend(row.ExpiresAt)
		one.account.view.Store(v)
		return true
	}
	sh.makeRoomLocked(c.limit, now)
	owner := sh.accounts[row.User]
	if owner == nil {
		owner = &account{id: row.User}
		sh.accounts[row.User] = owner
	}
	owner.refs++
	owner.view.Store(v)
	one := &session{id: row.ID, account: owner, foreign: row.Foreign, created: row.CreatedAt.UnixMicro(), device: unique.Make(presence.DeviceLabel(row.UserAgent))}
	one.expires.Store(row.ExpiresAt.UnixMicro())
	one.ended.Store(!row.EndedAt.IsZero())
	one.used.Store(now.Unix())
	sh.sessions[row.ID] = one
	return true
}

// end takes sessions off the list. They stay in memory, as ended, until they are swept: a client that goes
// on asking with a dead token then costs no disk.
func (c *cache) end(user presence.UserID, sessions ...presence.SessionID) {
	sh := c.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.generation++
	for _, id := range sessions {
		if one := sh.sessions[id]; one != nil && one.account.id == user {
			one.ended.Store(true)
		}
	}
}

// changed makes the account be read again.
func (c *cache) changed(user presence.UserID) {
	sh := c.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.generation++
	if owner := sh.accounts[user]; owner != nil {
		owner.view.Store(nil)
	}
}

// extend moves a session's end forward where it is in memory.
func (c *cache) extend(user presence.UserID, id presence.SessionID, expires time.Time) {
	sh := c.shard(user)
	sh.mu.RLock()
	one := sh.sessions[id]
	sh.mu.RUnlock()
	if one != nil && one.account.id == user {
		one.extend(expires)
	}
}

func (one *session) extend(expires time.Time) {
	for next := expires.UnixMicro(); ; {
		old := one.expires.Load()
		if next <= old || one.expires.CompareAndSwap(old, next) {
			return
		}
	}
}

// foreignOf returns the user's live foreign sessions that are in memory.
func (c *cache) foreignOf(user presence.UserID) []presence.SessionID {
	sh := c.shard(user)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	var ids []presence.SessionID
	for id, one := range sh.sessions {
		if one.account.id == user && one.foreign && !one.ended.Load() {
			ids = append(ids, id)
		}
	}
	return ids
}

// evictionSample is how many sessions, met at random, compete for staying when a shard is full.
const evictionSample = 8

func (sh *shard) makeRoomLocked(limit int, now time.Time) {
	for len(sh.sessions) >= limit {
		var oldest *session
		seen := 0
		for _, one := range sh.sessions {
			if one.ended.Load() || now.UnixMicro() >= one.expires.Load() {
				oldest = one
				break
			}
			if oldest == nil || one.used.Load() < oldest.used.Load() {
				oldest = one
			}
			if seen++; seen == evictionSample {
				break
			}
		}
		sh.dropLocked(oldest)
	}
}

func (sh *shard) dropLocked(one *session) {
	delete(sh.sessions, one.id)
	if one.account.refs--; one.account.refs == 0 {
		delete(sh.accounts, one.account.id)
	}
}

// idleAfter is how long a session stays in memory without being used.
const idleAfter = time.Hour

// sweep drops sessions that are over or were not used for long. Both are found in the store if they are
// asked for again.
func (c *cache) sweep(now time.Time) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for _, one := range sh.sessions {
			idle := now.Unix()-one.used.Load() >= int64(idleAfter/time.Second)
			if idle || one.ended.Load() || now.UnixMicro() >= one.expires.Load() {
				sh.dropLocked(one)
			}
		}
		sh.mu.Unlock()
	}
}

func (c *cache) size() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].sessions)
		c.shards[i].mu.RUnlock()
	}
	return n
}

// clear forgets everything and returns whose it was. Nothing that is being read from the store is kept.
func (c *cache) clear() (users []presence.UserID) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		sh.generation++
		for id := range sh.accounts {
			users = append(users, id)
		}
		for _, one := range sh.sessions {
			one.account.view.Store(nil)
		}
		clear(sh.accounts)
		clear(sh.sessions)
		sh.mu.Unlock()
	}
	return users
}
