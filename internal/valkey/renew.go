package valkey

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// renewals at once in one script: about a millisecond of the store's time.
const batchSize = 500

// renewalsAtOnce is one batch of every shard.
const renewalsAtOnce = defaultShards

// batch is what one script renews, all of one shard.
type batch struct {
	sh    *shard
	items []renewed
}

type renewed struct {
	user     presence.UserID
	old, new string
	index    string
	due      int64
	seen     int64
	upTo     uint64
}

// flush writes the renewals whose time has come, or all of them. What the store has otherwise is learned and
// written with the next flush; a sign of life of a session that has ended there is given to the rule.
func (e *Engine) flush(ctx context.Context, all bool) error {
	now := e.clock.present()
	var batches []batch
	var strays []renewal
	for _, sh := range e.shards {
		sh.mu.Lock()
		batches, strays = e.collectLocked(sh, now, all, batches, strays)
		sh.mu.Unlock()
	}
	err := e.renew(ctx, batches)
	for _, r := range strays {
		if r.signal.Kind == 0 {
			continue
		}
		if _, again := e.heard(ctx, r.signal, micros(r.signal.At)); again != nil && !errors.Is(again, presence.ErrClosed) {
			err = errors.Join(err, again)
		}
	}
	return err
}

// collectLocked takes what is to be written of one shard.
func (e *Engine) collectLocked(sh *shard, now int64, all bool, batches []batch, strays []renewal) ([]batch, []renewal) {
	ids := sh.soon
	sh.soon = nil
	old := 0
	for ; old < len(sh.dirty) && (all || now-sh.dirty[old].since >= coalesce); old++ {
		ids = append(ids, sh.dirty[old].user)
	}
	if sh.dirty = sh.dirty[old:]; len(sh.dirty) == 0 {
		sh.dirty = nil
	}
	var items []renewed
	for _, id := range ids {
		u := sh.findLocked(id)
		if u == nil || u.pending == nil || !u.pending.listed {
			continue
		}
		u.pending.listed = false
		if u.waiting() {
			continue // the renewals go with the signals
		}
		item, gone, write := e.renewedLocked(sh, id, u, now)
		strays = append(strays, gone...)
		if !write {
			continue
		}
		if items = append(items, item); len(items) == batchSize {
			batches, items = append(batches, batch{sh, items}), nil
		}
	}
	if len(items) > 0 {
		batches = append(batches, batch{sh, items})
	}
	return batches, strays
}

// renewedLocked makes one user's renewals a write. The index is moved only when it lags half a lease behind:
// an entry may be too early, and whoever finds it so then moves it.
func (e *Engine) renewedLocked(sh *shard, id presence.UserID, u *user, now int64) (item renewed, strays []renewal, write bool) {
	state, strays, err := u.stateLocked(id)
	if err != nil {
		e.notice.Error("a user in the store cannot be read", "user", id, "err", err)
		u.pending = nil
		return item, nil, false
	}
	if len(strays) > 0 {
		kept := u.pending.renewals[:0]
		for _, r := range u.pending.renewals {
			if live(&state, r.signal.Session) != nil {
				kept = append(kept, r)
			}
		}
		u.pending.renewals = kept
	}
	item = renewed{user: id, old: u.blob, new: encode(&state), index: leaveIndex, seen: micros(state.LastSeen), upTo: sh.heard}
	if len(u.pending.renewals) == 0 || item.new == item.old {
		sh.writtenLocked(id, u, u.blob, item.upTo, now)
		return item, strays, false
	}
	if due, ok := nextMoment(&state); ok && (u.armed == 0 || due-u.armed > moment(e.policy.Load().OfflineAfter/2)) {
		item.index, item.due = strconv.FormatInt(due, 10), due
	}
	return item, strays, true
}

// renew writes batches, some at a time: after an outage there are many, and each call has to end in time.
func (e *Engine) renew(ctx context.Context, batches []batch) (failed error) {
	for some := range slices.Chunk(batches, renewalsAtOnce) {
		if err := e.renewSome(ctx, some); failed == nil {
			failed = err
		}
	}
	return failed
}

func (e *Engine) renewSome(ctx context.Context, batches []batch) (failed error) {
	calls := make([]rueidis.LuaExec, len(batches))
	for i := range batches {
		calls[i] = e.renewal(&batches[i])
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowCall)
	defer cancel()
	for i, reply := range renewScript.ExecMulti(ctx, e.client, calls...) {
		others, err := reply.ToArray()
		if failed == nil {
			failed = err
		}
		e.renewed(&batches[i], others, err)
	}
	return failed
}

func (e *Engine) renewal(b *batch) rueidis.LuaExec {
	st := b.sh.stream
	epoch, _, _ := st.place()
	args := make([]string, 3, 3+4*len(b.items))
	seen := make([]byte, 0, 12*len(b.items))
	for i := range b.items {
		item := &b.items[i]
		seen = binary.AppendUvarint(seen, uint64(item.user))
		seen = binary.AppendUvarint(seen, uint64(item.seen))
		args = append(args, strconv.FormatInt(int64(item.user), 10), item.old, item.new, item.index)
	}
	args[0], args[1], args[2] = epoch, strconv.Itoa(beatHistory), string(seen)
	return rueidis.LuaExec{Keys: []string{b.sh.users, b.sh.due, st.meta, st.beats}, Args: args}
}

// renewed takes note of what became of a batch.
func (e *Engine) renewed(b *batch, others []rueidis.RedisMessage, err error) {
	now := e.clock.present()
	var f fields
	current := map[int]string{}
	for i := 0; i+1 < len(others); i += 2 {
		current[int(f.number(&others[i]))] = f.text(&others[i+1])
	}
	b.sh.mu.Lock()
	defer b.sh.mu.Unlock()
	for i := range b.items {
		item := &b.items[i]
		u := b.sh.userLocked(item.user)
		blob, differs := current[i]
		switch {
		case err != nil || f.err != nil:
			b.sh.relistLocked(item.user, u)
		case differs:
			e.stats.Conflicts.Add(1)
			u.blob, u.armed = blob, 0
			b.sh.relistLocked(item.user, u)
		default:
			e.stats.Renewals.Add(1)
			if item.due != 0 {
				u.armed = item.due
			}
			if u.blob != item.old { // somebody wrote after this, and was heard of before
				b.sh.relistLocked(item.user, u)
				continue
			}
			b.sh.writtenLocked(item.user, u, item.new, item.upTo, now)
		}
	}
}

// relistLocked has a user's renewals written with the next flush.
func (sh *shard) relistLocked(id presence.UserID, u *user) {
	if u.pending != nil && len(u.pending.renewals) > 0 {
		sh.soon = append(sh.soon, id)
		u.pending.listed = true
	}
}
