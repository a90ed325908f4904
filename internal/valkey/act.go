package valkey

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// op is one user to be written, if they are still what they were.
type op struct {
	user     presence.UserID
	old, new string
	index    string // the place in the index; leaveIndex, or "" for none
	asks     presence.SessionID
	closes   string // sessions to close, comma after each
	mode     string
	after    presence.State
	change   presence.Change
	upTo     uint64 // renewals up to this number are in it
}

const (
	leaveIndex = "="

	quiet   = ""
	tellIt  = "c"
	showIt  = "s"
	written = 0
	other   = 1
	closed  = 2

	maxTries = 64
)

// plan asks the rule what a signal does to a user and makes a write of it.
func (e *Engine) plan(u *user, s presence.Signal, now int64, heard uint64) (op, error) {
	before, _, err := u.stateLocked(s.User)
	if err != nil {
		return op{}, err
	}
	o := op{user: s.User, old: u.blob, upTo: heard, closes: commas(s.Closes(before))}
	if s.Kind != presence.Silence {
		o.asks = s.Session
	}
	after, change, changed := e.policy.Load().Next(before, s, lease(now))
	if change.LastSeen.After(s.At) {
		change.LastSeen = s.At
	}
	change.Node = e.node
	o.change = change
	o.put(after)
	switch {
	case s.Kind == presence.Deleted:
		o.new, o.index, o.after = "", "", presence.State{User: s.User}
		if o.mode = showIt; changed {
			o.mode = tellIt
		}
	case changed:
		o.mode = tellIt
	case o.new != o.old, len(o.closes) > 0:
		o.mode = showIt
	}
	return o, nil
}

func commas(ids []presence.SessionID) string {
	var text []byte
	for _, id := range ids {
		text = append(strconv.AppendInt(text, int64(id), 10), ',')
	}
	return string(text)
}

// put sets what is to be written, and where it goes in the index.
func (o *op) put(after presence.State) {
	o.after, o.new, o.index = after, encode(&after), ""
	if at, ok := nextMoment(&after); ok {
		o.index = strconv.FormatInt(at, 10)
	}
}

func (o *op) args(to []string, node string) []string {
	asks, change := "", ""
	if o.asks.Drawable() {
		asks = strconv.FormatInt(int64(o.asks), 10)
	}
	if o.mode == tellIt {
		change = encodeChange(&o.change, node)
	}
	return append(to, strconv.FormatInt(int64(o.user), 10), o.old, o.new, o.index, asks, o.closes, o.mode, change)
}

// act applies a signal at once: ask the rule, write if the user is still what they were, or ask again.
// tried is what an earlier attempt at this signal was writing when the store went away; limit bounds each attempt.
func (e *Engine) act(ctx context.Context, s presence.Signal, now int64, tried string, limit time.Duration) (presence.Presence, error) {
	sh := e.shardOf(s.User)
	for range maxTries {
		sh.mu.Lock()
		u := sh.userLocked(s.User)
		if tried != "" && u.blob == tried { // it was written, only the answer was lost
			defer sh.mu.Unlock()
			return u.view(s.User, now), nil
		}
		o, err := e.plan(u, s, now, sh.heard)
		sh.mu.Unlock()
		if err != nil {
			return presence.Presence{}, err
		}
		results, err := e.write(ctx, sh, []op{o}, limit)
		if err != nil {
			return presence.Presence{}, &awayError{err, o.new}
		}
		switch r := results[0]; {
		case r.code == closed:
			return e.refuse(sh, &s, r.current, now), presence.ErrClosed
		case r.code == written:
			sh.mu.Lock()
			u.heard = max(u.heard, now)
			sh.mu.Unlock()
			return viewOf(&o.after), nil
		default:
			e.stats.Conflicts.Add(1)
			e.learn(sh, s.User, r.current)
		}
	}
	return presence.Presence{}, fmt.Errorf("valkey: user %d changes faster than can be written", s.User)
}

// awayError says that the store did not answer a write, which may have happened all the same.
type awayError struct {
	err   error
	tried string
}

func (a *awayError) Error() string { return a.err.Error() }
func (a *awayError) Unwrap() error { return a.err }

// learn takes a user's blob from the store as what to compare with next time.
func (e *Engine) learn(sh *shard, id presence.UserID, blob string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.userLocked(id).blob = blob
}

// refuse remembers that a session is closed.
func (e *Engine) refuse(sh *shard, s *presence.Signal, current string, now int64) presence.Presence {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.userLocked(s.User)
	u.blob = current
	sh.graves.add(s.Session, now)
	return u.view(s.User, now)
}

// result is what became of one op.
type result struct {
	code    uint64
	current string
}

// write writes users of one shard in one step each, and shows and tells what came of it here.
func (e *Engine) write(ctx context.Context, sh *shard, ops []op, limit time.Duration) ([]result, error) {
	epoch, _, _ := sh.stream.place()
	asked := e.asking(sh, epoch, ops)
	reply, err := e.call(ctx, actScript, limit, asked.Keys, asked.Args...)
	if err != nil {
		return nil, err
	}
	return e.answered(ctx, sh, epoch, ops, reply)
}

// share is what is to be written of one shard.
type share struct {
	sh  *shard
	ops []op
}

// writeAll is write for several shares, all of them on their way at once. It goes on after an error, and returns the
// first; what was written counts either way.
func (e *Engine) writeAll(ctx context.Context, shares []share) (wrote int, failed error) {
	calls, epochs := make([]rueidis.LuaExec, len(shares)), make([]string, len(shares))
	for i, one := range shares {
		epochs[i], _, _ = one.sh.stream.place()
		calls[i] = e.asking(one.sh, epochs[i], one.ops)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowCall)
	defer cancel()
	for i, reply := range actScript.ExecMulti(limited, e.client, calls...) {
		answers, err := reply.ToArray()
		var results []result
		if err == nil {
			results, err = e.answered(ctx, shares[i].sh, epochs[i], shares[i].ops, answers)
		}
		if err != nil && failed == nil {
			failed = err
		}
		for _, r := range results { // who was not written has been written by another node meanwhile
			if r.code == written {
				wrote++
			}
		}
	}
	return wrote, failed
}

func (e *Engine) asking(sh *shard, epoch string, ops []op) rueidis.LuaExec {
	args := []string{epoch, strconv.FormatInt(e.clock.present(), 10), strconv.FormatInt(buried.Microseconds(), 10), strconv.Itoa(e.history)}
	args = slices.Grow(args, 8*len(ops))
	for i := range ops {
		args = ops[i].args(args, e.node)
	}
	return rueidis.LuaExec{Keys: []string{sh.users, sh.due, sh.closed, sh.stream.log, sh.stream.meta}, Args: args}
}

func (e *Engine) answered(ctx context.Context, sh *shard, epoch string, ops []op, reply []rueidis.RedisMessage) ([]result, error) {
	if len(reply) != 2+2*len(ops) {
		return nil, fmt.Errorf("valkey: %d answers to %d writes", len(reply), len(ops))
	}
	var f fields
	n, q := f.number(&reply[0]), f.number(&reply[1])
	results := make([]result, len(ops))
	for i := range results {
		results[i] = result{f.number(&reply[2+2*i]), f.text(&reply[3+2*i])}
	}
	if f.err != nil {
		return nil, f.err
	}
	return results, e.settle(ctx, sh, epoch, ops, results, n, q)
}

// settle takes note of what was written. When nobody else wrote in between, the entries of the log are known
// here already; otherwise they are fetched, so that everything is told in the order of the log.
func (e *Engine) settle(ctx context.Context, sh *shard, epoch string, ops []op, results []result, n, q uint64) error {
	var own []entry
	now := e.clock.present()
	sh.mu.Lock()
	for i := range ops {
		o := &ops[i]
		if results[i].code != written {
			continue
		}
		u := sh.userLocked(o.user)
		sh.writtenLocked(o.user, u, o.new, o.upTo, now)
		if o.index != leaveIndex {
			u.armed, _ = strconv.ParseInt(o.index, 10, 64)
			if o.index != "" {
				sh.lower(u.armed)
			}
		}
		if o.mode != quiet {
			own = append(own, entry{user: o.user, blob: o.new, told: o.mode == tellIt, change: o.change, closes: o.closes})
		}
	}
	sh.mu.Unlock()
	if len(own) == 0 {
		return nil
	}
	for i := len(own) - 1; i >= 0; i-- {
		own[i].n = n
		n--
		if own[i].told {
			own[i].change.User = own[i].user
			own[i].change.Seq = q
			q--
		}
	}
	if err := e.apply(sh.stream, epoch, own); err != errGap {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowCall)
	defer cancel()
	if err := e.reach(ctx, sh.stream, own[len(own)-1].n); err != nil {
		e.fall(err) // it is written; only telling it has to wait
	}
	return nil
}

// fetch reads a user from the store, where leases that others renewed are as long as they are. What this node
// wrote while the answer was on its way is newer than the answer.
func (e *Engine) fetch(ctx context.Context, sh *shard, id presence.UserID) {
	if e.away.Load() {
		return
	}
	known := sh.blobOf(id)
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	blob, err := e.client.Do(ctx, e.client.B().Hget().Key(sh.users).Field(strconv.FormatInt(int64(id), 10)).Build()).ToString()
	if err == nil || rueidis.IsRedisNil(err) {
		sh.replaceBlob(id, known, strings.Clone(blob))
	}
}

func (sh *shard) blobOf(id presence.UserID) string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.userLocked(id).blob
}

// replaceBlob changes what a user is compared with, if it still is what it was.
func (sh *shard) replaceBlob(id presence.UserID, old, blob string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if u := sh.userLocked(id); u.blob == old {
		u.blob = blob
	}
}
