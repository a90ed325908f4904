package realtime

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// enter is how a connection begins once it is known who it is and what it wants: it is counted, its session is told,
// and what it wants to know begins to come.
func (c *conn) enter(ctx context.Context, p proof, caller Caller, want wish) error {
	f := c.feed
	if err := want.check(caller); err != nil {
		return err
	}
	c.caller, c.scope, c.observe = caller, want.scope, want.observe || c.sse || caller.Backend
	c.roster = want.roster && want.scope == wire.FeedScopeAll
	switch want.scope {
	case wire.FeedScopeUsers:
		c.counts = want.counts
	case wire.FeedScopeAll:
		c.counts = !caller.Staff // whose deltas have them
	case wire.FeedScopeCounts:
		c.counts = true
	}
	c.expires.Store(caller.Expires.UnixNano())
	c.via.Store(int64(caller.via))
	if err := f.own(c, caller.User); err != nil {
		return err
	}
	if !f.still(ctx, p) { // it ended before those who end sessions could find us
		c.end(byeSessionOver, nil)
		return nil
	}
	if !c.observe {
		c.told.Store(true)
		c.connect(want.idle)
	}
	c.start(ctx, want)
	return nil
}

// start says hello and begins with what the reader wants.
func (c *conn) start(ctx context.Context, want wish) {
	f, h := c.feed, c.feed.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	c.viewer = presence.Viewer{User: c.caller.User, Staff: c.caller.Staff}
	if !c.caller.Staff {
		c.viewer.Privacy = f.cfg.Privacy(c.caller.User)
	}
	c.ready.Store(true)
	replay, resumed := c.resume(ctx, want)
	c.say(c.hello(resumed))
	if c.scope == wire.FeedScopeAll {
		if c.place = h.at.Seq; c.viewer.Staff {
			h.join(h.all, c)
		} else {
			h.join(h.everyone, c)
		}
	}
	if c.counts {
		h.join(h.counting, c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		h.leave(c)
		for _, id := range want.users {
			h.watched.remove(id, c)
		}
		return
	}
	switch {
	case resumed:
		f.stats.resumed.Add(1)
		c.ids, c.owed = want.users, c.counts
		if replay != nil {
			c.queue, c.queued = append(c.queue, replay), c.queued+len(replay.ws)
		}
	default:
		c.lost, c.pending = true, want.users
	}
	c.wakeLocked()
}

func (c *conn) hello(resumed bool) *frame {
	f := c.feed
	at := f.hub.positionLocked(c.viewer.Staff)
	accounts, told := "", f.told.Load()
	if c.scope == wire.FeedScopeAll && c.viewer.Staff {
		accounts = f.cfg.Accounts()
	}
	user, session := idText(c.caller.User), c.caller.Session.String()
	if c.caller.Backend {
		session = "" // it has none, and user is the token's number with a minus before it
	}
	return plain(wire.FeedHello{
		T: "hello", User: user, Session: session, Staff: c.caller.Staff,
		Scope: c.scope, Epoch: at.Epoch, Seq: at.Seq, Resumed: resumed, Now: f.cfg.Now().UnixMilli(),
		Expires: c.caller.Expires.UnixMilli(), PingMS: f.times.ping.Milliseconds(), PongMS: f.times.pong.Milliseconds(),
		HeartbeatMS: told.HeartbeatInterval.Milliseconds(), IdleAfterMS: told.IdleAfter.Milliseconds(),
		OfflineAfterMS: told.OfflineAfter.Milliseconds(), MaxUsers: maxUsers, Accounts: accounts,
	})
}

// resume makes the delta that leads from the reader's cursor to now, which is nil when nothing happened, and watches
// its users from now on. It reports false when a new picture is needed. Hold the hub's lock for reading.
func (c *conn) resume(ctx context.Context, want wish) (*frame, bool) {
	if want.resume == nil {
		return nil, false
	}
	h := c.feed.hub
	place, ok := h.placeLocked(c.viewer.Staff, *want.resume)
	if !ok && c.viewer.Staff && want.resume.Epoch == h.positionLocked(true).Epoch {
		// A cursor of the roster may be a moment ahead of what was handed out.
		now, _, err := c.feed.cfg.Presence.Snapshot(ctx)
		place, ok = h.at.Seq, err == nil && now.Epoch == h.at.Epoch && want.resume.Seq <= now.Seq
	}
	if !ok {
		return nil, false
	}
	var changes []presence.Change
	if place < h.at.Seq {
		var err error
		changes, err = c.feed.cfg.Presence.Changes(ctx, presence.Cursor{Epoch: h.at.Epoch, Seq: place}, int(min(h.at.Seq-place, maxLook)))
		if err != nil || len(changes) == 0 || changes[len(changes)-1].Seq < h.at.Seq {
			return nil, false
		}
	}
	if c.scope == wire.FeedScopeAll && c.viewer.Staff {
		return c.replayAll(place, changes)
	}
	var hid map[presence.UserID]bool
	if !c.viewer.Staff {
		if hid = h.hidSince(want.resume.Seq); hid[c.viewer.User] {
			return nil, false
		}
	}
	if c.scope == wire.FeedScopeAll {
		return c.replayEverybody(ctx, changes, hid)
	}
	return c.replayWatched(ctx, changes, hid, want.users)
}

// replayEverybody tells the present state of all who changed, or changed what they hide, as anybody may see them.
func (c *conn) replayEverybody(ctx context.Context, changes []presence.Change, hid map[presence.UserID]bool) (*frame, bool) {
	told := make([]presence.UserID, 0, len(hid))
	for id := range hid {
		told = append(told, id)
	}
	for i := range changes {
		if id := changes[i].User; !hid[id] && variantFor(c.viewer, id, c.feed.cfg.Privacy(id)) != nothing {
			told = append(told, id)
		}
	}
	slices.Sort(told)
	if told = slices.Compact(told); len(told) > maxReplay {
		return nil, false
	}
	if len(told) == 0 {
		return nil, true
	}
	h := c.feed.hub
	states, _, err := h.read(ctx, told)
	if err != nil {
		return nil, false
	}
	at := h.nextLocked(false)
	b := append(appendDelta(nil, at.Seq), `,"users":[`...)
	b = append(append(b, c.encode(states)...), "]}"...)
	return newFrame(b, cursorText(at)), true
}

// maxLook is how many changes are looked through for a resuming reader.
const maxLook = 1 << 17

// replayAll tells every change since a place to somebody who watches everybody.
func (c *conn) replayAll(place uint64, changes []presence.Change) (*frame, bool) {
	if len(changes) > maxReplayAll {
		return nil, false
	}
	if len(changes) == 0 {
		return nil, true
	}
	b := &batch{changes: changes, staff: c.feed.hub.positionLocked(true), device: c.feed.cfg.Device}
	return b.whole(place, nil), true
}

// replayWatched tells the present state of those users who changed, or changed what they hide.
func (c *conn) replayWatched(ctx context.Context, changes []presence.Change, hid map[presence.UserID]bool, users []presence.UserID) (*frame, bool) {
	h := c.feed.hub
	moved := make(map[presence.UserID]bool, len(changes))
	for i := range changes {
		moved[changes[i].User] = true
	}
	var told []presence.UserID
	for _, id := range users {
		if hid[id] || moved[id] && variantFor(c.viewer, id, c.feed.cfg.Privacy(id)) != nothing {
			told = append(told, id)
		}
	}
	if len(told) > maxReplay {
		return nil, false
	}
	states, fence, err := h.read(ctx, told)
	if err != nil {
		return nil, false
	}
	for _, id := range users {
		h.watched.set(id, c, 0)
	}
	for _, id := range told {
		h.watched.set(id, c, fence)
	}
	if len(told) == 0 {
		return nil, true
	}
	at := h.nextLocked(c.viewer.Staff)
	b := append(appendDelta(nil, at.Seq), `,"users":[`...)
	b = append(append(b, c.encode(states)...), "]}"...)
	return newFrame(b, cursorText(at)), true
}

// sub watches more users. It reports false when they would be too many.
func (c *conn) sub(ids []presence.UserID) bool {
	c.subs.Lock()
	defer c.subs.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids)+len(c.pending)+len(ids) > maxUsers {
		fresh := ids[:0]
		for _, id := range ids {
			if !c.feed.hub.watched.has(id, c) {
				fresh = append(fresh, id)
			}
		}
		if ids = fresh; len(c.ids)+len(c.pending)+len(ids) > maxUsers {
			return false
		}
	}
	c.pending = append(c.pending, ids...)
	c.wakeLocked()
	return true
}

// unsub lets users go.
func (c *conn) unsub(ids []presence.UserID) {
	c.subs.Lock()
	defer c.subs.Unlock()
	out := make(map[presence.UserID]struct{}, len(ids))
	for _, id := range ids {
		out[id] = struct{}{}
		c.feed.hub.watched.remove(id, c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids, c.pending = without(c.ids, out), without(c.pending, out)
	for id := range out {
		delete(c.missed, id)
	}
}

func without(ids []presence.UserID, out map[presence.UserID]struct{}) []presence.UserID {
	var rest []presence.UserID
	for _, id := range ids {
		if _, gone := out[id]; !gone {
			rest = append(rest, id)
		}
	}
	return rest
}

// closed is the last thing that happens to a connection. The reader calls it at its end, once.
func (c *conn) closed() {
	f := c.feed
	c.forget()
	_ = c.net.Close()
	tell := f.remove(c)
	f.hub.leave(c)
	c.subs.Lock() // whoever draws users is done, and sees that we are gone
	c.mu.Lock()
	ids := c.ids
	c.ids = nil
	c.mu.Unlock()
	for _, id := range ids {
		f.hub.watched.remove(id, c)
	}
	c.subs.Unlock()
	if tell && c.told.Swap(false) {
		c.signal(presence.Disconnect)
	}
	f.gone(c)
	f.open.Done()
}

// connect tells presence of the connection itself, and whether somebody is in front of it.
func (c *conn) connect(idle bool) { c.pass(presence.Signal{Kind: presence.Connect, Idle: idle}) }

// signal tells presence what the connection says of its session.
func (c *conn) signal(kind presence.Kind) { c.pass(presence.Signal{Kind: kind}) }

func (c *conn) pass(s presence.Signal) {
	ctx, kind := context.Background(), s.Kind // a connection outlives its request
	s.User, s.Session, s.At = c.caller.User, c.caller.Session, c.feed.cfg.Now()
	_, err := c.feed.cfg.Presence.Signal(ctx, s)
	switch {
	case err == nil || kind == presence.Disconnect && errors.Is(err, presence.ErrClosed):
	case errors.Is(err, presence.ErrClosed):
		c.end(byeSessionOver, nil)
	default:
		c.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed signal not taken", slog.Int64("user", int64(c.caller.User)),
			slog.String("signal", kind.String()), slog.Any("err", err))
	}
}
