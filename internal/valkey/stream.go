package valkey

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// stream is a log in the store and this node's place in it. Every write that changes more than a lease is one
// entry, numbered without gaps; changes of a status have a second number, their seq. A single server has one
// stream for all shards, so that seqs are the same on every node; a cluster cannot append to it from every
// slot, so there each shard has its own.
type stream struct {
	// Static after construction.
	log    string
	meta   string
	beats  string
	shards []*shard

	// polling admits one poll at a time: those who wait mostly find what they wait for when it is their turn.
	polling chan struct{}

	mu     sync.Mutex // guards the following fields
	epoch  string
	server string // which server the place was found on
	n      uint64 // the newest entry that was applied here
	q      uint64 // the seq of the newest change
	b      uint64 // the newest batch of renewals
	paused bool   // everything is being read anew
	lost   bool   // the store lost something that was not restored yet
}

// entry is one entry of the log.
type entry struct {
	n      uint64
	user   presence.UserID
	blob   string
	told   bool
	change presence.Change
	closes string // sessions that were closed, comma after each
}

var (
	errGap  = errors.New("valkey: entries of the log are missing")
	errLost = errors.New("valkey: the store has lost what it knew")
)

func (st *stream) place() (epoch string, n, b uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.epoch, st.n, st.b
}

// apply takes entries in, in order, skipping those it has. It reports a gap when one is missing.
func (e *Engine) apply(st *stream, epoch string, entries []entry) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.paused || epoch != st.epoch {
		return nil // whoever reads everything anew reads these too
	}
	for i := range entries {
		switch one := &entries[i]; {
		case one.n <= st.n:
		case one.n != st.n+1:
			return errGap
		default:
			st.n++
			if one.told {
				st.q = one.change.Seq
			}
			e.applyOne(one)
		}
	}
	return nil
}

// applyOne moves a user on by one entry and tells the change. The stream's lock is held.
func (e *Engine) applyOne(one *entry) {
	sh := e.shardOf(one.user)
	state, err := decode(one.blob, one.user)
	if err != nil {
		e.notice.Error("an entry of the log cannot be read", "user", one.user, "err", err)
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e.showLocked(sh, one.user, one.blob, &state)
	sh.graves.addAll(one.closes, e.clock.present())
	if one.told {
		e.log.Push(one.change)
	}
}

// showLocked makes a user look as the store has it; the empty blob is nobody.
func (e *Engine) showLocked(sh *shard, id presence.UserID, blob string, s *presence.State) {
	u := sh.userLocked(id)
	before := u.shown()
	if blob == "" {
		*u = user{pending: u.pending}
		e.log.Move(before, u.shown())
		return
	}
	u.blob, u.known, u.held = blob, true, s.Held()
	u.status, u.cause, u.version = s.Status, s.Cause, uint32(s.Version)
	u.seen, u.since = max(u.seen, micros(s.LastSeen)), micros(s.Since)
	e.log.Move(before, u.shown())
	if at, ok := nextMoment(s); ok {
		sh.lower(at)
	}
}

// report is what a poll returns.
type report struct {
	epoch   string
	n, q, b uint64
	held    int64
	server  string
	time    int64
	entries []entry
}

const entriesAtOnce = 1000

// poll asks where a stream stands and for the entries after one of them, and sets the clock.
func (e *Engine) poll(ctx context.Context, st *stream, after uint64, limit time.Duration) (report, error) {
	asked := e.clock.now()
	reply, err := e.call(ctx, pollScript, limit, []string{st.log, st.meta}, strconv.FormatUint(after, 10), strconv.Itoa(entriesAtOnce))
	if err != nil {
		return report{}, err
	}
	answered := e.clock.now()
	if len(reply) != 8 {
		return report{}, fmt.Errorf("valkey: a poll with %d answers", len(reply))
	}
	var f fields
	r := report{
		epoch: f.text(&reply[0]), n: f.number(&reply[1]), q: f.number(&reply[2]), b: f.number(&reply[3]),
		held: int64(f.number(&reply[4])), server: f.text(&reply[5]), time: int64(f.number(&reply[6])),
	}
	found, err := reply[7].AsXRange()
	if err != nil {
		return r, err
	}
	for i := range found {
		r.entries = append(r.entries, f.entry(&found[i]))
	}
	if f.err != nil {
		return r, f.err
	}
	if e.serverTime != nil {
		r.time = e.serverTime()
	}
	if st == e.streams[0] {
		e.held.Store(r.held)
		e.noticeJump(e.clock.set(asked, answered, r.time))
	}
	return r, nil
}

// reach makes sure that this node has applied everything up to an entry.
func (e *Engine) reach(ctx context.Context, st *stream, n uint64) error {
	select {
	case st.polling <- struct{}{}:
		defer func() { <-st.polling }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		epoch, at, _ := st.place()
		st.mu.Lock()
		paused := st.paused
		st.mu.Unlock()
		if at >= n || paused {
			return nil
		}
		r, err := e.poll(ctx, st, at, e.timeout)
		if err != nil {
			return err
		}
		if r.epoch != epoch {
			return errLost
		}
		if len(r.entries) == 0 {
			return errGap
		}
		if err := e.apply(st, epoch, r.entries); err != nil {
			return err
		}
	}
}

// follow applies what other nodes write, as it comes, until ctx ends.
func (e *Engine) follow(ctx context.Context, st *stream) error {
	for ctx.Err() == nil {
		if e.away.Load() {
			wait(ctx, retryEvery)
			continue
		}
		if err := e.followOnce(ctx, st, blockFor); err != nil && ctx.Err() == nil {
			e.fall(err)
		}
	}
	return nil
}

// followOnce waits a while for something new in a stream; 0 does not wait.
func (e *Engine) followOnce(ctx context.Context, st *stream, block time.Duration) error {
	epoch, n, b := st.place()
	ctx, cancel := context.WithTimeout(ctx, block+slowCall)
	defer cancel()
	from := e.client.B().Xread().Count(entriesAtOnce).Streams()
	if block > 0 {
		from = e.client.B().Xread().Count(entriesAtOnce).Block(block.Milliseconds()).Streams()
	}
	found, err := e.client.Do(ctx, from.Key(st.log, st.beats).Id(entryID(n), entryID(b)).Build()).AsXRead()
	switch {
	case rueidis.IsRedisNil(err):
		return nil
	case err != nil:
		return err
	}
	var f fields
	var entries []entry
	for i := range found[st.log] {
		entries = append(entries, f.entry(&found[st.log][i]))
	}
	if f.err != nil {
		return f.err
	}
	if err := e.apply(st, epoch, entries); err != nil {
		return err
	}
	for _, batch := range found[st.beats] {
		e.hearOf(batch.FieldValues["s"])
		b = max(b, idNumber(batch.ID))
	}
	st.mu.Lock()
	if st.epoch == epoch {
		st.b = max(st.b, b)
	}
	st.mu.Unlock()
	return nil
}

// hearOf takes in when users were seen by other nodes.
func (e *Engine) hearOf(batch string) {
	r := reader{rest: batch}
	for len(r.rest) > 0 && !r.bad {
		id, seen := presence.UserID(r.uvarint()), int64(r.uvarint())
		if r.bad || id <= 0 {
			return
		}
		sh := e.shardOf(id)
		sh.mu.Lock()
		if u := sh.findLocked(id); u != nil && u.known {
			u.seen = max(u.seen, seen)
		}
		sh.mu.Unlock()
	}
}

func entryID(n uint64) string { return strconv.FormatUint(n, 10) + "-0" }

func idNumber(id string) uint64 {
	number, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(number, 10, 64)
	return n
}

// fields reads answers and remembers the first thing that does not fit.
type fields struct{ err error }

func (f *fields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) text(m *rueidis.RedisMessage) string {
	s, err := m.ToString()
	f.keep(err)
	return strings.Clone(s)
}

func (f *fields) number(m *rueidis.RedisMessage) uint64 {
	if m.IsInt64() {
		n, err := m.AsInt64()
		f.keep(err)
		return uint64(n)
	}
	s, err := m.ToString()
	f.keep(err)
	return f.parse(s)
}

func (f *fields) parse(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	f.keep(err)
	return n
}

func (f *fields) entry(x *rueidis.XRangeEntry) entry {
	one := entry{
		n: idNumber(x.ID), user: presence.UserID(f.parse(x.FieldValues["u"])),
		blob: strings.Clone(x.FieldValues["b"]), closes: strings.Clone(x.FieldValues["x"]),
	}
	if q := x.FieldValues["q"]; q != "" {
		var err error
		one.told = true
		one.change, err = decodeChange(x.FieldValues["c"], one.user, f.parse(q))
		f.keep(err)
	}
	return one
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
