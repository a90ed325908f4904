package valkey

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// scan visits every user of some shards in the store, all shards side by side.
func (e *Engine) scan(ctx context.Context, shards []*shard, visit func(*shard, presence.UserID, string, *presence.State)) error {
	cursors := make([]uint64, len(shards))
	for left := slices.Clone(shards); len(left) > 0; {
		commands := make(rueidis.Commands, len(left))
		for i, sh := range left {
			commands[i] = e.client.B().Hscan().Key(sh.users).Cursor(cursors[i]).Count(entriesAtOnce).Build()
		}
		limited, cancel := context.WithTimeout(ctx, slowCall)
		replies := e.client.DoMulti(limited, commands...)
		cancel()
		more := 0
		for i, reply := range replies {
			found, err := reply.AsScanEntry()
			if err != nil {
				return err
			}
			e.visitEach(left[i], found.Elements, visit)
			if found.Cursor != 0 {
				left[more], cursors[more] = left[i], found.Cursor
				more++
			}
		}
		left = left[:more]
	}
	return nil
}

// visitEach visits users as HSCAN lists them: an id, a blob, and so on.
func (e *Engine) visitEach(sh *shard, listed []string, visit func(*shard, presence.UserID, string, *presence.State)) {
	for i := 0; i+1 < len(listed); i += 2 {
		id, err := strconv.ParseInt(listed[i], 10, 64)
		if err != nil || id <= 0 || int(id%int64(sh.of)) != sh.number {
			continue
		}
		blob := strings.Clone(listed[i+1])
		state, err := decode(blob, presence.UserID(id))
		if err != nil {
			e.notice.Error("a user in the store cannot be read", "user", id, "err", err)
			continue
		}
		visit(sh, presence.UserID(id), blob, &state)
	}
}

// readAll reads everybody in a stream's shards anew and continues from where the log stood before. Readers of
// changes who were behind that, or could not be told what was missed, take a snapshot.
func (e *Engine) readAll(ctx context.Context, st *stream) error {
	st.mu.Lock()
	st.paused = true
	st.mu.Unlock()
	r, err := e.poll(ctx, st, never, slowCall)
	if err != nil {
		return err
	}
	e.stats.Readings.Add(1)
	for some := range slices.Chunk(st.shards, shardsAtOnce) {
		if err := e.readShards(ctx, some); err != nil {
			return err
		}
	}
	changes, err := e.recent(ctx, st, r)
	if err != nil {
		return err
	}
	st.mu.Lock()
	st.epoch, st.server, st.n, st.q, st.b = r.epoch, r.server, r.n, r.q, r.b
	st.paused, st.lost = false, false
	e.restartLog(st, changes)
	st.mu.Unlock()
	return e.reach(ctx, st, r.n)
}

// readShards makes everybody in some shards look as the store has them.
func (e *Engine) readShards(ctx context.Context, shards []*shard) error {
	there := map[presence.UserID]struct{}{}
	err := e.scan(ctx, shards, func(sh *shard, id presence.UserID, blob string, s *presence.State) {
		there[id] = struct{}{}
		sh.mu.Lock()
		defer sh.mu.Unlock()
		e.showLocked(sh, id, blob, s)
	})
	if err != nil {
		return err
	}
	for _, sh := range shards {
		sh.mu.Lock()
		sh.eachLocked(func(id presence.UserID, u *user) {
			if _, ok := there[id]; !ok && u.known {
				e.showLocked(sh, id, "", &presence.State{})
			}
		})
		sh.mu.Unlock()
		sh.lower(0)
	}
	return nil
}

// recent reads the latest changes that led to a report, so that readers who followed another node before can
// go on here.
func (e *Engine) recent(ctx context.Context, st *stream, r report) ([]presence.Change, error) {
	if len(e.streams) > 1 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, slowCall)
	defer cancel()
	found, err := e.client.Do(ctx, e.client.B().Xrevrange().Key(st.log).End(entryID(r.n)).Start("-").Count(preload).Build()).AsXRange()
	if err != nil {
		return nil, err
	}
	var changes []presence.Change
	var f fields
	n, q := r.n, r.q
	for i := range found {
		one := f.entry(&found[i])
		if f.err != nil || one.n != n || one.told && one.change.Seq != q {
			break // something was left out here on purpose: nobody may go on from before
		}
		if n--; one.told {
			changes = append(changes, one.change)
			q--
		}
	}
	slices.Reverse(changes)
	return changes, nil
}

// restartLog begins this node's list of changes at a stream's place. With one stream the places are the same
// on every node; with several every node has its own.
func (e *Engine) restartLog(st *stream, changes []presence.Change) {
	if len(e.streams) > 1 {
		var epoch [8]byte
		rand.Read(epoch[:]) // never fails (crypto/rand)
		e.log.Restart(binary.BigEndian.Uint64(epoch[:]), 0)
		return
	}
	epoch, _ := strconv.ParseUint(st.epoch, 16, 64)
	e.log.Restart(epoch, st.q-uint64(len(changes)))
	for _, c := range changes {
		e.log.Push(c)
	}
}

// Load implements presence.Engine. What the store knows at the same version or a later one it knows better:
// other nodes have been signalling meanwhile. So only strangers, and people whose newer state the store has
// lost, are written. While the store is away, Load puts off what it was given and returns nil.
func (e *Engine) Load(ctx context.Context, users iter.Seq[presence.Record]) error {
	waiting := map[*shard][]presence.Record{}
	for r := range users {
		sh := e.shardOf(r.User)
		if waiting[sh] = append(waiting[sh], r); len(waiting[sh]) == batchSize {
			e.loadSome(ctx, sh, waiting[sh])
			delete(waiting, sh)
		}
	}
	for sh, records := range waiting {
		e.loadSome(ctx, sh, records)
	}
	return nil
}

func (e *Engine) loadSome(ctx context.Context, sh *shard, records []presence.Record) {
	if !e.away.Load() {
		err := e.loadShard(ctx, sh, records)
		if err == nil {
			return
		}
		e.fall(err)
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.owed = append(sh.owed, records...)
}

// loadOwed loads what could not be loaded while the store was away.
func (e *Engine) loadOwed(ctx context.Context) error {
	for _, sh := range e.shards {
		sh.mu.Lock()
		owed := sh.owed
		sh.owed = nil
		sh.mu.Unlock()
		for some := range slices.Chunk(owed, batchSize) {
			if err := e.loadShard(ctx, sh, some); err != nil {
				sh.mu.Lock()
				sh.owed = append(sh.owed, owed...) // loading twice does no harm
				sh.mu.Unlock()
				return err
			}
		}
	}
	return nil
}

func (e *Engine) loadShard(ctx context.Context, sh *shard, records []presence.Record) error {
	for range maxTries {
		due := lease(e.clock.present() + e.policy.Load().OfflineAfter.Microseconds())
		var ops []op
		sh.mu.Lock()
		for _, r := range records {
			u := sh.userLocked(r.User)
			known, err := decode(u.blob, r.User)
			if err != nil || u.blob != "" && known.Version >= r.Version {
				continue
			}
			o := op{user: r.User, old: u.blob, mode: showIt, upTo: sh.heard}
			o.put(r.State(due))
			ops = append(ops, o)
		}
		sh.mu.Unlock()
		if len(ops) == 0 {
			return nil
		}
		results, err := e.write(ctx, sh, ops, slowCall)
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.code == other {
				e.learn(sh, ops[i].user, r.current)
			}
		}
	}
	return nil
}
