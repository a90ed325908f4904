package realtime

import (
	"context"
	"errors"
	"iter"
	"log/slog"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// partUsers is how many users one part of a picture has.
const partUsers = 1000

// picture is a snapshot on its way to a reader, part by part at the reader's pace. While it is open, no delta goes
// out in between. The cursor of all parts is that of the first: what happened later is told afterwards.
type picture struct {
	open bool
	full bool
	at   wire.FeedCursor
	// Scope all: everybody that is still to come. Used by the writing goroutine alone.
	next func() (presence.Presence, bool)
	done func()
}

// errAgain: something came in between; look again what is to be done.
var errAgain = errors.New("realtime: again")

// draw makes the frame that the reader is to get next. It reports false when presence cannot be read now; look
// tries again later. A nil frame means that there is something else to do.
func (c *conn) draw() (*frame, bool) {
	ctx := context.Background() // a connection outlives its request
	f, err := c.drawPart(ctx)
	switch {
	case errors.Is(err, errAgain):
		return nil, true
	case err != nil:
		c.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed cannot read presence", slog.Int64("user", int64(c.caller.User)),
			slog.Any("err", err))
		c.mu.Lock()
		c.flush, c.stuck = false, true
		c.mu.Unlock()
		return nil, false
	}
	return f, true
}

func (c *conn) drawPart(ctx context.Context) (*frame, error) {
	if next := c.everybody(); next != nil {
		return c.drawEverybody(next)
	}
	h := c.feed.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	c.subs.Lock()
	defer c.subs.Unlock()
	c.mu.Lock()
	switch {
	case c.gone || len(c.control) > 0:
		c.mu.Unlock()
		return nil, errAgain
	case c.gap:
		c.gap = false
		c.mu.Unlock()
		return plain(wire.FeedGap{T: "gap"}), nil
	case c.lost && c.scope != wire.FeedScopeUsers:
		c.mu.Unlock()
		return c.begin(ctx)
	case c.missed != nil && !c.picture.open && len(c.queue) == 0: // before pictures: their cursor says that nothing is missed
		c.mu.Unlock()
		return c.drawMissed(ctx)
	case c.owed && !c.lost && !c.picture.open && len(c.queue) == 0:
		c.mu.Unlock()
		return c.drawCounts(ctx)
	case c.picture.open || c.lost || len(c.queue) == 0 && len(c.pending) > 0:
		ids := c.pending[:min(partUsers, len(c.pending))]
		at := h.positionLocked(c.viewer.Staff)
		if !c.picture.open {
			c.picture = picture{open: true, full: c.lost, at: at}
			c.feed.stats.snapshots.Add(1)
		}
		full, first := c.picture.full, c.lost
		c.mu.Unlock()
		var counts *presence.Counts
		if first && c.counts {
			now, err := h.counts(ctx, c.viewer.Staff)
			if err != nil {
				return nil, err
			}
			now = countsFor(c.viewer, now)
			counts = &now
		}
		return c.drawWatched(ctx, ids, full, counts)
	}
	c.mu.Unlock()
	return nil, errAgain
}

// begin begins a picture of everybody, or draws the counts. Hold the hub's lock for reading.
func (c *conn) begin(ctx context.Context) (*frame, error) {
	h := c.feed.hub
	counts, err := h.counts(ctx, c.viewer.Staff)
	if err != nil {
		return nil, err
	}
	counts = countsFor(c.viewer, counts)
	at := h.positionLocked(c.viewer.Staff)
	var users iter.Seq[presence.Presence]
	if c.scope == wire.FeedScopeAll && c.roster {
		c.place = h.at.Seq
	} else if c.scope == wire.FeedScopeAll {
		cursor, seq, err := c.feed.cfg.Presence.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if c.viewer.Staff && cursor.Epoch == h.at.Epoch {
			at.Seq = max(at.Seq, cursor.Seq)
		}
		users, c.place = seq, h.at.Seq
	}
	c.feed.stats.snapshots.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		return nil, errAgain
	}
	c.lost, c.owed = false, false
	if users == nil {
		return snapFrame(at, nil, !c.roster, false, &counts), nil
	}
	c.picture = picture{open: true, at: at}
	c.picture.next, c.picture.done = iter.Pull(users)
	return snapFrame(at, nil, true, true, &counts), nil
}

func (c *conn) everybody() func() (presence.Presence, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.picture.next
}

// drawEverybody draws the next users of a picture of everybody. Staff see everything, backends what anybody may see.
func (c *conn) drawEverybody(next func() (presence.Presence, bool)) (*frame, error) {
	users, more := make([]byte, 0, 96*partUsers), true
	for n := 0; n < partUsers && more; n++ {
		var p presence.Presence
		if p, more = next(); more {
			p = p.For(c.viewer, c.feed.cfg.Privacy(p.User))
			users = appendTo(users, &p)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.picture.next == nil {
		return nil, errAgain // lost or ended meanwhile
	}
	f := snapFrame(c.picture.at, users, false, more, nil)
	if !more {
		c.dropLocked()
	}
	return f, nil
}

func appendTo(users []byte, p *presence.Presence) []byte {
	if len(users) > 0 {
		users = append(users, ',')
	}
	return appendUser(users, p)
}

// drawWatched draws users from the front of pending and watches them from then on. Hold the hub's lock for
// reading; nothing is handed out meanwhile. The counts go with the first part of a whole picture, if they are told.
func (c *conn) drawWatched(ctx context.Context, ids []presence.UserID, full bool, counts *presence.Counts) (*frame, error) {
	h := c.feed.hub
	fresh := ids
	if !full { // who is watched already stays as it is
		fresh = make([]presence.UserID, 0, len(ids))
		for _, id := range ids {
			if !h.watched.has(id, c) {
				fresh = append(fresh, id)
			}
		}
	}
	states, fence, err := h.read(ctx, fresh)
	if err != nil {
		return nil, err
	}
	users := c.encode(states)
	for _, id := range fresh {
		h.watched.set(id, c, fence)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		for _, id := range fresh {
			h.watched.remove(id, c)
		}
		return nil, errAgain
	}
	c.pending = c.pending[len(ids):]
	more := len(c.pending) > 0
	if c.lost { // the first part of a whole picture: ids are what is watched from now on
		c.lost, c.ids, c.owed = false, nil, false
	} else {
		full, counts = false, nil
	}
	c.ids = append(c.ids, fresh...)
	f := snapFrame(c.picture.at, users, full, more, counts)
	if !more {
		c.picture, c.pending = picture{}, nil
	}
	return f, nil
}

// drawCounts draws the counts that the reader is owed. Hold the hub's lock for reading.
func (c *conn) drawCounts(ctx context.Context) (*frame, error) {
	h := c.feed.hub
	now, err := h.counts(ctx, c.viewer.Staff)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.owed = false
	c.mu.Unlock()
	return h.countsFrame(c.viewer.Staff, countsFor(c.viewer, now)), nil
}

// drawMissed draws the newest state of the users that were missed. Hold the hub's lock for reading.
func (c *conn) drawMissed(ctx context.Context) (*frame, error) {
	h := c.feed.hub
	c.mu.Lock()
	ids := make([]presence.UserID, 0, len(c.missed))
	for id := range c.missed {
		ids = append(ids, id)
	}
	if len(ids) == 0 { // let go meanwhile
		c.missed = nil
		c.mu.Unlock()
		return nil, errAgain
	}
	c.mu.Unlock()
	states, fence, err := h.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	at := h.nextLocked(c.viewer.Staff)
	b := appendDelta(nil, at.Seq)
	if c.scope == wire.FeedScopeAll && c.viewer.Staff {
		b = appendUsersAfter(b[:0], at.Seq, c.place)
		c.place = at.Seq
	} else {
		b = append(b, `,"users":[`...)
		for _, id := range ids {
			if h.watched.has(id, c) {
				h.watched.set(id, c, fence)
			}
		}
	}
	b = append(append(b, c.encode(states)...), "]}"...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		delete(c.missed, id)
	}
	if len(c.missed) == 0 {
		c.missed = nil
	}
	return newFrame(b, cursorText(at)), nil
}

// encode encodes users as the viewer may know them, with commas between. Hold the hub's lock.
func (c *conn) encode(states []presence.Presence) []byte {
	users := make([]byte, 0, 80*len(states))
	for i := range states {
		p := states[i].For(c.viewer, c.feed.cfg.Privacy(states[i].User))
		users = appendTo(users, &p)
	}
	return users
}
