package tracker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
)

// How presence follows to the store: status within a second, last_seen within ten of the truth after any
// crash. Pages carry last_seen to the next start; the column follows at a pace that leaves the store to
// others.
const (
	recordEvery  = time.Second
	sessionEvery = 2 * time.Second
	seenEvery    = 5 * time.Second
	columnEvery  = 10 * time.Second
	columnPause  = 100 * time.Millisecond // between chunks of the column

	recordChunk = 1000
	// promptly is how long changes wait for others to be written down with them when somebody waits for that.
	promptly = 50 * time.Millisecond
	// maxPending bounds the changes that wait while the store is away: half an hour at 500 a second.
	maxPending = 1 << 20
)

// recorder is what Run owns, but for the pending changes.
type recorder struct {
	cursor       presence.Cursor // of follow, and of Flush after it
	columnsSince time.Time       // last_seen before this is in the column

	compare atomic.Bool // changes of a shared engine went by unread

	hurried chan struct{} // somebody waits for what is pending
	writing sync.Mutex    // held while changes are written down: they go in order

	mu        sync.Mutex // guards the following fields
	pending   []presence.Change
	lost      int         // changes that were dropped because too many waited, ever
	told      int         // of them, how many the log was told about
	entrusted []entrusted // changes that other nodes record, oldest first
}

// Run writes presence down behind the engine until ctx ends, and then once more what is left.
func (t *Tracker) Run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.follow(ctx) })
	group.Go(func() error { return t.every(ctx, recordEvery, t.recordChanges) })
	group.Go(func() error { return t.recordPromptly(ctx) })
	group.Go(func() error { return t.every(ctx, sessionEvery, t.checkpoint(presence.SessionPage)) })
	group.Go(func() error { return t.every(ctx, seenEvery, t.checkpoint(presence.SeenPage)) })
	group.Go(func() error {
		return t.every(ctx, columnEvery, func(ctx context.Context) error { return t.recordSeen(ctx, columnPause) })
	})
	if t.shared != nil {
		group.Go(func() error { return t.every(ctx, lookEvery, t.lookAfterOthers(false)) })
	}
	if _, ok := t.store.(presence.ReportStore); ok {
		group.Go(func() error { return t.every(ctx, sampleEvery, t.sample) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// begin decides which changes are to be recorded: those from now on, unless it was decided before.
func (t *Tracker) begin(ctx context.Context) error {
	if t.record.cursor != (presence.Cursor{}) {
		return nil
	}
	cursor, _, err := t.Snapshot(ctx)
	t.record.cursor, t.record.columnsSince = cursor, t.now()
	return err
}

// Flush writes down everything that is behind, at once. Call it after Run has returned and nothing signals
// any more. What the time allowed by ctx does not suffice for is still in the saved pages.
func (t *Tracker) Flush(ctx context.Context) error {
	return errors.Join(
		t.checkpoint(presence.SessionPage)(ctx),
		t.checkpoint(presence.SeenPage)(ctx),
		t.catchUp(ctx),
		t.recordChanges(ctx),
		t.lookAfterOthers(true)(ctx),
		t.recordSeen(ctx, 0),
		t.flushSamples(ctx),
	)
}

// every runs what again and again. A failure is logged and tried again: the store may come back.
func (t *Tracker) every(ctx context.Context, pause time.Duration, what func(context.Context) error) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		err := what(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			t.metrics.Store.Errors.Inc()
			if !failing {
				t.log.ErrorContext(ctx, "presence is not written down; trying again", "err", err)
			}
			failing = true
		case failing && err == nil:
			t.log.InfoContext(ctx, "presence is written down again")
			failing = false
		}
	}
}

// follow reads the engine's changes as they come.
func (t *Tracker) follow(ctx context.Context) error {
	for {
		changes, err := t.Changes(ctx, t.record.cursor, 0)
		switch {
		case errors.Is(err, presence.ErrGap):
			t.log.ErrorContext(ctx, "the history has a gap: changes came faster than they could be read")
			t.outbox.Gap(ctx, 0)
			if t.record.cursor, _, err = t.Snapshot(ctx); err != nil {
				return err
			}
			if t.shared != nil {
				t.record.compare.Store(true)
			}
		case err != nil:
			return err
		default:
			t.keep(changes)
			t.record.cursor.Seq = changes[len(changes)-1].Seq
			t.hurry()
		}
	}
}

// hurry has the changes written down sooner than at the next tick, when somebody waits for them.
func (t *Tracker) hurry() {
	if !t.outbox.Hurry() {
		return
	}
	select {
	case t.record.hurried <- struct{}{}:
	default: // somebody said so already
	}
}

// recordPromptly writes changes down soon after they came, while somebody waits for them. What fails is tried again
// at the next tick.
func (t *Tracker) recordPromptly(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.record.hurried:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(promptly):
		}
		_ = t.recordChanges(ctx)
	}
}

// catchUp reads what follow had not read when it ended, without waiting for more.
func (t *Tracker) catchUp(ctx context.Context) error {
	last, _, err := t.Snapshot(ctx)
	if err != nil || t.record.cursor == last || t.record.cursor == (presence.Cursor{}) {
		return err
	}
	changes, err := t.Changes(ctx, t.record.cursor, 0)
	if errors.Is(err, presence.ErrGap) && t.shared != nil {
		return nil // the other nodes have read them, or whoever starts next compares
	}
	if err != nil {
		return err
	}
	t.keep(changes)
	t.record.cursor = last
	return nil
}

func (t *Tracker) keep(changes []presence.Change) {
	r, now := &t.record, t.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if t.shared != nil && c.Node != t.shared.Node() {
			r.entrustLocked(now, c)
			continue
		}
		t.metrics.Changed(c)
		r.pending = append(r.pending, c)
	}
	if over := len(r.pending) - maxPending; over > 0 {
		r.pending = slices.Delete(r.pending, 0, over)
		r.lost += over
	}
	t.metrics.Store.Backlog.Set(float64(len(r.pending)))
}

// recordChanges writes the pending changes, oldest first, a chunk at a time.
func (t *Tracker) recordChanges(ctx context.Context) error {
	r := &t.record
	r.writing.Lock()
	defer r.writing.Unlock()
	for {
		r.mu.Lock()
		chunk := slices.Clone(r.pending[:min(recordChunk, len(r.pending))])
		lost, untold := r.lost, r.lost-r.told
		r.told = r.lost
		r.mu.Unlock()
		if untold > 0 {
			t.log.ErrorContext(ctx, "the history has a gap: the store was away too long", "changes", untold)
			t.outbox.Gap(ctx, untold)
		}
		if len(chunk) == 0 {
			return nil
		}
		if err := t.store.RecordChanges(ctx, chunk); err != nil {
			return err
		}
		r.mu.Lock()
		// Changes that were dropped meanwhile were the oldest: some of this chunk.
		r.pending = r.pending[max(0, len(chunk)-(r.lost-lost)):]
		if len(r.pending) == 0 {
			r.pending = nil
		}
		t.metrics.Store.Backlog.Set(float64(len(r.pending)))
		r.mu.Unlock()
		t.outbox.Recorded()
	}
}

func (t *Tracker) checkpoint(kind presence.PageKind) func(context.Context) error {
	checkpointer, ok := t.Engine.(presence.Checkpointer)
	if !ok {
		return func(context.Context) error { return nil }
	}
	return func(ctx context.Context) error { return checkpointer.Checkpoint(ctx, kind, t.store.SavePages) }
}

// recordSeen moves the last_seen column of everybody who was seen since the last time, resting between chunks.
func (t *Tracker) recordSeen(ctx context.Context, pause time.Duration) error {
	since, now := t.record.columnsSince, t.now()
	seen, err := t.seen(ctx, since)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(seen, recordChunk) {
		if err := t.store.RecordSeen(ctx, chunk); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	t.record.columnsSince = now.Add(-time.Second) // stamps are taken before signals arrive
	return nil
}

// seen is everybody who was seen since a moment: on this node, where others see to those who were seen on them.
func (t *Tracker) seen(ctx context.Context, since time.Time) (seen []presence.Seen, err error) {
	if t.shared != nil {
		return slices.Collect(t.shared.Heard(since)), nil
	}
	_, everybody, err := t.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for p := range everybody {
		if !p.LastSeen.Before(since) {
			seen = append(seen, presence.Seen{User: p.User, At: p.LastSeen})
		}
	}
	return seen, nil
}
