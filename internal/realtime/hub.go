package realtime

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// flushEvery is the pace under load. The first change after a pause goes out at once.
	flushEvery = 50 * time.Millisecond
	// changesAtOnce bounds one batch, and so one frame of scope all (some 80 KiB).
	changesAtOnce = 512
	// countsEvery is the pace of scope counts.
	countsEvery = time.Second
	// retryEvery is the pause between tries when the changes cannot be read.
	retryEvery = time.Second
	// maxMarks and maxHidings bound how far back those who are no staff can resume.
	maxMarks, maxHidings = 1 << 14, 1 << 12
	// maxReplay is how many users or changes a resuming connection is sent before a new picture is cheaper.
	// In scope all a picture is everybody, so more changes are.
	maxReplay, maxReplayAll = 2000, 4000
)

// hub follows the engine's changes and hands them out. Its position moves only while mu is held for writing.
// Whoever reads the present state of users for a connection holds mu for reading meanwhile, so that nothing is
// handed out in between and nothing is told twice or never.
type hub struct {
	// Static after construction.
	feed   *Feed
	public string // the epoch of those who are no staff
	began  time.Time

	issued atomic.Uint64 // the newest tick that anybody was told

	mu      sync.RWMutex // guards the following fields; taken before the locks of watched, sets and connections
	at      presence.Cursor
	started bool
	marks   []mark   // where the ticks of handing out lie in the engine's sequence, oldest first
	hidings []hiding // when whose privacy changed, oldest first
	hidFrom uint64   // hidings after this tick are complete

	watched watched

	sets     sync.Mutex         // guards the following fields
	all      map[*conn]struct{} // staff in scope all
	everyone map[*conn]struct{} // those in scope all who are no staff
	counting map[*conn]struct{}

	accounts chan struct{} // holds one when accounts changed and nobody was told yet
}

type mark struct{ tick, seq uint64 }

type hiding struct {
	tick uint64
	user presence.UserID
}

func newHub(f *Feed) *hub {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return &hub{
		feed: f, began: f.cfg.Now(), public: "u" + strconv.FormatUint(binary.BigEndian.Uint64(random[:]), 16),
		all: make(map[*conn]struct{}), everyone: make(map[*conn]struct{}), counting: make(map[*conn]struct{}),
		accounts: make(chan struct{}, 1),
	}
}

func (h *hub) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.follow(ctx) })
	group.Go(func() error { return h.count(ctx) })
	group.Go(func() error { return h.tellLooked(ctx) })
	return group.Wait()
}

// start finds the place in the engine's sequence from which changes are handed out. Again does no harm.
func (h *hub) start(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started {
		return nil
	}
	return h.moveLocked(ctx)
}

// moveLocked puts the position to where the engine is now.
func (h *hub) moveLocked(ctx context.Context) error {
	cursor, _, err := h.feed.cfg.Presence.Snapshot(ctx)
	if err != nil {
		return err
	}
	tick := h.tick(1)
	h.at, h.started = cursor, true
	h.marks = append(h.marks[:0], mark{tick, cursor.Seq})
	h.hidings, h.hidFrom = h.hidings[:0], tick
	return nil
}

// follow hands changes out as they come: the first at once, then at most one batch per flushEvery.
func (h *hub) follow(ctx context.Context) error {
	var last time.Time
	for {
		err := h.start(ctx)
		if err == nil {
			err = h.next(ctx, &last)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, presence.ErrGap):
			h.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed lost changes: every reader gets a new picture")
			err = h.skip(ctx)
		}
		if err != nil && ctx.Err() == nil {
			h.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed cannot read the changes", slog.Any("err", err))
			if err := sleep(ctx, retryEvery); err != nil {
				return err
			}
		}
	}
}

// next waits for changes and hands them out.
func (h *hub) next(ctx context.Context, last *time.Time) error {
	at := h.at // only this goroutine moves it
	changes, err := h.feed.cfg.Presence.Changes(ctx, at, changesAtOnce)
	if err != nil || len(changes) == 0 {
		return err
	}
	if early := flushEvery - h.feed.cfg.Now().Sub(*last); early > 0 && len(changes) < changesAtOnce {
		if err := sleep(ctx, early); err != nil {
			return err
		}
		if changes, err = h.feed.cfg.Presence.Changes(ctx, at, changesAtOnce); err != nil {
			return err
		}
	}
	*last = h.feed.cfg.Now()
	h.publish(ctx, changes)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// skip goes on from now after a gap; everybody gets a new picture.
func (h *hub) skip(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.moveLocked(ctx); err != nil {
		return err
	}
	for _, c := range h.feed.list(nil) {
		c.lose()
	}
	return nil
}

// tick is the clock of those who are no staff: microseconds since the hub began. It depends on nothing that
// happens. With more than 0 it is later than every tick told so far, by at least that.
func (h *hub) tick(more uint64) uint64 {
	now := uint64(max(0, h.feed.cfg.Now().Sub(h.began).Microseconds())) + 1
	for {
		told := h.issued.Load()
		tick := max(now, told+more)
		if tick == told || h.issued.CompareAndSwap(told, tick) {
			return tick
		}
	}
}

// positionLocked is the cursor of somebody who has everything that was handed out so far.
func (h *hub) positionLocked(staff bool) wire.FeedCursor {
	if staff {
		return wire.FeedCursor{Epoch: strconv.FormatUint(h.at.Epoch, 16), Seq: h.at.Seq}
	}
	return wire.FeedCursor{Epoch: h.public, Seq: h.tick(0)}
}

// nextLocked is the same for a delta: for those who are no staff it is later than any cursor they may hold.
func (h *hub) nextLocked(staff bool) wire.FeedCursor {
	at := h.positionLocked(staff)
	if !staff {
		at.Seq = h.tick(1)
	}
	return at
}

// placeLocked finds a reader's cursor in the engine's sequence.
func (h *hub) placeLocked(staff bool, c wire.FeedCursor) (seq uint64, ok bool) {
	now := h.positionLocked(staff)
	if c.Epoch != now.Epoch || c.Seq > now.Seq {
		return 0, false
	}
	if staff {
		return c.Seq, true
	}
	if c.Seq < h.hidFrom {
		return 0, false
	}
	for i := len(h.marks) - 1; i >= 0; i-- {
		if h.marks[i].tick <= c.Seq {
			return h.marks[i].seq, true
		}
	}
	return 0, false
}

// read returns users as they are now, and the place in the engine's sequence up to which every change of them
// is in there, and none beyond. Hold mu for reading.
func (h *hub) read(ctx context.Context, ids []presence.UserID) ([]presence.Presence, uint64, error) {
	port := h.feed.cfg.Presence
	before, _, err := port.Snapshot(ctx)
	if err != nil {
		return nil, 0, err
	}
	states, err := port.State(ctx, ids)
	if err != nil {
		return nil, 0, err
	}
	after, _, err := port.Snapshot(ctx)
	if err != nil || after == before {
		return states, after.Seq, err
	}
	changes, err := port.Changes(ctx, before, 0) // does not wait: there are some
	if err != nil {
		return nil, 0, err
	}
	index := make(map[presence.UserID]int, len(ids))
	for i, id := range ids {
		index[id] = i
	}
	for i := range changes {
		if at, ok := index[changes[i].User]; ok && changes[i].Version > states[at].Version {
			states[at] = changed(&changes[i])
		}
	}
	return states, changes[len(changes)-1].Seq, nil
}

// privacyChanged is what Feed.PrivacyChanged does here: those who watch the user are told what they may know now, and
// the user's own connections see others anew.
func (h *hub) privacyChanged(user presence.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.hidings) == maxHidings {
		h.hidFrom = h.hidings[maxHidings/2-1].tick
		h.hidings = append(h.hidings[:0], h.hidings[maxHidings/2:]...)
	}
	h.hidings = append(h.hidings, hiding{h.tick(1), user})
	now := h.feed.cfg.Privacy(user)
	for _, c := range h.feed.of(user) {
		if !c.viewer.Staff && c.viewer.Privacy != now {
			c.viewer.Privacy = now
			c.lose()
		}
	}
	for _, w := range h.watched.appendTo(nil, user) {
		if !w.by.viewer.Staff && w.by.viewer.User != user {
			w.by.miss(user)
		}
	}
	for _, c := range h.members(h.everyone) {
		c.miss(user)
	}
}

// hidSince returns whose privacy changed after a tick. Hold mu.
func (h *hub) hidSince(tick uint64) map[presence.UserID]bool {
	users := make(map[presence.UserID]bool)
	for _, one := range h.hidings {
		if one.tick > tick {
			users[one.user] = true
		}
	}
	return users
}

// count tells the counts to those whose deltas do not have them.
func (h *hub) count(ctx context.Context) error {
	ticker := time.NewTicker(countsEvery)
	defer ticker.Stop()
	var last [2]presence.Counts
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if h.members(h.counting) == nil {
			continue
		}
		for i, staff := range []bool{false, true} {
			now, err := h.counts(ctx, staff)
			if err != nil || now == last[i] {
				continue
			}
			last[i] = now
			h.tellCounts(staff, now)
		}
	}
}

// counts are how many users have each status; for those who are no staff, a hidden one is offline.
func (h *hub) counts(ctx context.Context, staff bool) (presence.Counts, error) {
	counts, err := h.feed.cfg.Presence.Counts(ctx)
	if err != nil || staff {
		return counts, err
	}
	var hidden []presence.UserID
	h.feed.cfg.Private(func(user presence.UserID, p presence.Privacy) bool {
		if p.HideStatus {
			hidden = append(hidden, user)
		}
		return true
	})
	states, err := h.feed.cfg.Presence.State(ctx, hidden)
	if err != nil {
		return counts, err
	}
	for i := range states {
		switch states[i].Status {
		case presence.Online:
			counts.Online--
			counts.Offline++
		case presence.Away:
			counts.Away--
			counts.Offline++
		}
	}
	return counts, nil
}

// countsFor are the counts as a viewer may know them: who hides does not see.
func countsFor(v presence.Viewer, c presence.Counts) presence.Counts {
	if !v.Staff && v.HideStatus {
		return presence.Counts{Offline: c.Total()}
	}
	return c
}

func (h *hub) tellCounts(staff bool, now presence.Counts) {
	h.mu.Lock() // whoever draws a picture has read the counts, and would not take newer ones
	defer h.mu.Unlock()
	f := h.countsFrame(staff, now)
	for _, c := range h.members(h.counting) {
		if c.viewer.Staff == staff && (staff || !c.viewer.HideStatus) && !c.put(f) {
			c.owe()
		}
	}
}

// countsFrame is the frame with nothing but the counts. For staff a cursor moves with changes alone, and a delta that
// does not move it is an old one: theirs is a part of a picture, which counts wherever it comes. Hold the hub's lock.
func (h *hub) countsFrame(staff bool, now presence.Counts) *frame {
	at := h.nextLocked(staff)
	if staff {
		return snapFrame(at, nil, false, false, &now)
	}
	return newFrame(append(appendCounts(appendDelta(nil, at.Seq), now), '}'), cursorText(at))
}

// members returns who is in a set.
func (h *hub) members(set map[*conn]struct{}) []*conn {
	h.sets.Lock()
	defer h.sets.Unlock()
	if len(set) == 0 {
		return nil
	}
	list := make([]*conn, 0, len(set))
	for c := range set {
		list = append(list, c)
	}
	return list
}

func (h *hub) join(set map[*conn]struct{}, c *conn) {
	h.sets.Lock()
	defer h.sets.Unlock()
	set[c] = struct{}{}
}

func (h *hub) leave(c *conn) {
	h.sets.Lock()
	defer h.sets.Unlock()
	delete(h.all, c)
	delete(h.everyone, c)
	delete(h.counting, c)
}
