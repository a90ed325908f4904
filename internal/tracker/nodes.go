package tracker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/offchat/presence"
)

// With an engine that several nodes share, every node hears every change. Each records its own at once; those of
// the others it looks after: a change that is not in the history when it should long be there, because its node
// died or cannot reach the store, is recorded by whoever finds that out first.

const (
	// lookEvery is how often changes of other nodes are looked after, and lookAfter how old they are then: long
	// enough for a node to have recorded them itself.
	lookEvery = 5 * time.Second
	lookAfter = 20 * time.Second
)

// sharedHistory is what a store must be able to say for that; every presence.SharedStore is.
type sharedHistory interface {
	Unrecorded(ctx context.Context, changes []presence.Change) ([]presence.Change, error)
}

// entrusted is a change that another node should be recording.
type entrusted struct {
	change presence.Change
	since  time.Time
}

// entrust keeps changes of other nodes, to be looked after. The recorder's lock is held.
func (r *recorder) entrustLocked(now time.Time, changes ...presence.Change) {
	for _, c := range changes {
		r.entrusted = append(r.entrusted, entrusted{c, now})
	}
	if over := len(r.entrusted) - maxPending; over > 0 {
		r.entrusted = slices.Delete(r.entrusted, 0, over) // their own node has them still
	}
}

// lookAfterOthers records changes that their nodes have left unrecorded for too long, or for everybody when all is
// true: at the end of this node nobody may be left to do it.
func (t *Tracker) lookAfterOthers(all bool) func(context.Context) error {
	return func(ctx context.Context) error {
		store, ok := t.store.(sharedHistory)
		if ok && t.record.compare.Swap(false) {
			if err := t.compareAll(ctx); err != nil {
				t.record.compare.Store(true)
				return err
			}
		}
		for ok {
			r := &t.record
			r.mu.Lock()
			n := 0
			for n < len(r.entrusted) && n < recordChunk && (all || t.now().Sub(r.entrusted[n].since) >= lookAfter) {
				n++
			}
			chunk := make([]presence.Change, n)
			for i := range chunk {
				chunk[i] = r.entrusted[i].change
			}
			r.mu.Unlock()
			if n == 0 {
				return nil
			}
			missing, err := store.Unrecorded(ctx, chunk)
			if err == nil && len(missing) > 0 {
				err = t.store.RecordChanges(ctx, missing)
			}
			if err != nil {
				return err
			}
			r.mu.Lock()
			r.entrusted = r.entrusted[min(n, len(r.entrusted)):]
			r.mu.Unlock()
		}
		return nil
	}
}

// restoreShared introduces to a shared engine whom it does not know: everybody when it is empty, else mostly
// nobody. Whom it knows it knows better than the store, because the other nodes went on meanwhile; what of that
// is missing in the store is put to what has to be looked after.
func (t *Tracker) restoreShared(ctx context.Context) error {
	_, everybody, err := t.Snapshot(ctx)
	if err != nil {
		return err
	}
	known := map[presence.UserID]presence.Presence{}
	for p := range everybody {
		known[p.User] = p
	}
	live, newest, err := t.liveSessions(ctx)
	if err != nil {
		return err
	}
	holds, err := t.store.Holds(ctx)
	if err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	var settled, unrecorded []presence.Change
	var failed error
	err = t.Load(ctx, func(yield func(presence.Record) bool) {
		for p, err := range t.store.Records(ctx) {
			if err != nil {
				failed = err
				return
			}
			if there, ok := known[p.User]; ok && there.Version >= p.Version {
				if c, behind := catchingUp(p, there); behind {
					unrecorded = append(unrecorded, c)
				}
				continue
			}
			r := presence.Record{Presence: p, Hold: holds[p.User]}
			if change, unknown := settle(&r, live, newest[p.User]); unknown {
				settled = append(settled, change)
			}
			if !yield(r) {
				return
			}
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("restore presence: %w", err)
	}
	if settled, err = t.inForce(ctx, settled); err != nil {
		return err
	}
	t.record.mu.Lock()
	t.record.pending = append(t.record.pending, settled...)
	t.record.entrustLocked(t.now(), unrecorded...)
	t.record.mu.Unlock()
	return t.begin(ctx)
}

// catchingUp is the change that leads from what a store knows of a user to what the engine knows, if the store is
// behind. It carries the moment and the version of the user's latest change, so that it is the same entry of the
// history as that one.
func catchingUp(stored, there presence.Presence) (presence.Change, bool) {
	return presence.Change{
		User: there.User, From: stored.Status, To: there.Status, Cause: there.Cause, At: there.Since,
		LastSeen: there.LastSeen, Version: there.Version,
	}, there.Version > stored.Version && there.Status != stored.Status && !there.Since.IsZero()
}

// compareAll finds everybody of whom the store knows less than the engine, after changes went by unread.
func (t *Tracker) compareAll(ctx context.Context) error {
	_, everybody, err := t.Snapshot(ctx)
	if err != nil {
		return err
	}
	known := map[presence.UserID]presence.Presence{}
	for p := range everybody {
		known[p.User] = p
	}
	var unrecorded []presence.Change
	for p, err := range t.store.Records(ctx) {
		if err != nil {
			return err
		}
		if c, behind := catchingUp(p, known[p.User]); behind {
			unrecorded = append(unrecorded, c)
		}
	}
	t.record.mu.Lock()
	defer t.record.mu.Unlock()
	t.record.entrustLocked(t.now(), unrecorded...)
	return nil
}

// inForce returns the changes that came about: while this node was restoring, another one may have known better.
func (t *Tracker) inForce(ctx context.Context, changes []presence.Change) ([]presence.Change, error) {
	users := make([]presence.UserID, len(changes))
	for i, c := range changes {
		users[i] = c.User
	}
	now, err := t.State(ctx, users)
	if err != nil {
		return nil, err
	}
	kept := changes[:0]
	for i, c := range changes {
		if now[i].Version == c.Version && now[i].Since.Equal(c.At) {
			kept = append(kept, c)
		}
	}
	return kept, nil
}
