package realtime

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// batch is the changes that are handed out together. It belongs to the one who holds the hub's lock.
type batch struct {
	changes []presence.Change
	users   []presence.UserID // of the changes, one for one
	staff   wire.FeedCursor   // after them
	public  wire.FeedCursor
	items   [][variants][]byte // what was encoded so far, by change
	frames  [][variants]*frame // deltas of one user, by change
	holds   map[int]presence.Hold
	device  func(presence.UserID, presence.SessionID) string
}

// variant is how much a reader may know of a user.
type variant uint8

const (
	nothing    variant = iota
	unseen             // the status
	seen               // and last_seen, and since when
	own                // everything, but in the sequence of those who are no staff
	everything         // for staff
	variants
)

// variantFor says which part of presence.Presence.For is left of somebody's change. Where For shows somebody as if they
// were not there, there is nothing to tell: not even that nothing changed.
func variantFor(v presence.Viewer, user presence.UserID, hidden presence.Privacy) variant {
	switch {
	case v.Staff:
		return everything
	case v.User == user:
		return own
	case hidden.HideStatus || v.HideStatus:
		return nothing
	case hidden.HideLastSeen || v.HideLastSeen:
		return unseen
	default:
		return seen
	}
}

// hit is one change that a connection is told of.
type hit struct {
	change int32
	as     variant
}

// publish hands changes out.
func (h *hub) publish(ctx context.Context, changes []presence.Change) {
	counts, err := h.feed.cfg.Presence.Counts(ctx)
	holds := h.holds(ctx, changes)
	defer func() {
		now := h.feed.cfg.Now()
		h.feed.late.Add(now, max(0, now.Sub(changes[0].At)))
	}()
	h.mu.Lock()
	defer h.mu.Unlock()
	after := h.at.Seq
	h.at.Seq = changes[len(changes)-1].Seq
	tick := h.tick(1)
	if len(h.marks) == maxMarks {
		h.marks = append(h.marks[:0], h.marks[maxMarks/2:]...)
	}
	h.marks = append(h.marks, mark{tick, h.at.Seq})
	b := &batch{
		changes: changes, users: make([]presence.UserID, len(changes)), staff: h.positionLocked(true),
		public: wire.FeedCursor{Epoch: h.public, Seq: tick},
		items:  make([][variants][]byte, len(changes)), frames: make([][variants]*frame, len(changes)),
	}
	for i := range changes {
		b.users[i] = changes[i].User
	}
	if all := h.members(h.all); all != nil {
		var known *presence.Counts
		if err == nil {
			known = &counts
		}
		b.holds, b.device = holds, h.feed.cfg.Device
		f := b.whole(after, known)
		for _, c := range all {
			if c.put(f) {
				c.place = b.staff.Seq
			} else {
				c.miss(b.users...)
			}
		}
	}
	h.tellWatchers(b)
}

// maxHolds bounds the holds that are looked up for one batch. A network may lie before them.
const maxHolds = 64

// holds finds the holds behind changes that an admin, or a person about themselves, brought about, by change.
func (h *hub) holds(ctx context.Context, changes []presence.Change) map[int]presence.Hold {
	if h.members(h.all) == nil {
		return nil
	}
	found := map[int]presence.Hold{}
	for i := range changes {
		c := &changes[i]
		if c.Actor == 0 || len(found) == maxHolds {
			continue
		}
		if s, _, err := h.feed.cfg.Presence.Inspect(ctx, c.User); err == nil && s.Hold.Active && s.Version == c.Version {
			found[i] = s.Hold
		}
	}
	return found
}

// whole is the frame of scope all.
func (b *batch) whole(after uint64, counts *presence.Counts) *frame {
	out := appendUsersAfter(make([]byte, 0, 160*len(b.changes)+128), b.staff.Seq, after)
	var node []byte
	var named string
	for i := range b.changes {
		if c := &b.changes[i]; c.Node != named {
			named = c.Node
			node, _ = json.Marshal(named) // a string always can be
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = b.appendTransition(out, i, node)
	}
	out = append(out, ']')
	if counts != nil {
		out = appendCounts(out, *counts)
	}
	return newFrame(append(out, '}'), cursorText(b.staff))
}

// appendTransition appends a change with everything that staff may know of it.
func (b *batch) appendTransition(out []byte, i int, node []byte) []byte {
	c := &b.changes[i]
	hold := b.holds[i]
	p := changed(c)
	p.Held = hold.Active
	out = appendUser(out, &p)
	out = append(append(append(out[:len(out)-1], `,"from":"`...), c.From.String()...), '"')
	if c.Actor != 0 {
		out = append(strconv.AppendInt(append(out, `,"by":"`...), int64(c.Actor), 10), '"')
	}
	if len(node) > 0 {
		out = append(append(out, `,"node":`...), node...)
	}
	if c.Session != presence.EverySession {
		out = append(append(append(out, `,"sid":"`...), c.Session.String()...), '"')
		if b.device != nil {
			out = appendWords(out, `,"dev":`, b.device(c.User, c.Session))
		}
	}
	out = appendMoment(out, `,"until":`, hold.Until)
	return append(appendWords(out, `,"note":`, hold.Note), '}')
}

// tellWatchers hands each user's last change to those who watch the user, one frame per connection.
func (h *hub) tellWatchers(b *batch) {
	last := make(map[presence.UserID]int, len(b.users))
	for i, user := range b.users {
		last[user] = i
	}
	var told []*conn
	var watching []watch
	everyone := h.members(h.everyone)
	for i, user := range b.users {
		if last[user] != i {
			continue
		}
		if watching = h.watched.appendTo(watching[:0], user); len(watching) == 0 && everyone == nil {
			continue
		}
		hidden := h.feed.cfg.Privacy(user)
		for _, c := range everyone {
			if as := variantFor(c.viewer, user, hidden); as != nothing {
				if len(c.hits) == 0 {
					told = append(told, c)
				}
				c.hits = append(c.hits, hit{int32(i), as})
			}
		}
		for _, w := range watching {
			as := variantFor(w.by.viewer, user, hidden)
			if as == nothing || b.changes[i].Seq <= w.fence {
				continue
			}
			if len(w.by.hits) == 0 {
				told = append(told, w.by)
			}
			w.by.hits = append(w.by.hits, hit{int32(i), as})
		}
	}
	for _, c := range told {
		if !c.put(b.delta(c.hits)) {
			for _, one := range c.hits {
				c.miss(b.users[one.change])
			}
		}
		if c.hits = c.hits[:0]; cap(c.hits) > 8 {
			c.hits = nil
		}
	}
}

// delta is the frame with these changes; the usual one, of one user, is shared.
func (b *batch) delta(hits []hit) *frame {
	first := hits[0]
	if len(hits) > 1 {
		return b.compose(hits)
	}
	f := &b.frames[first.change][first.as]
	if *f == nil {
		*f = b.compose(hits)
	}
	return *f
}

func (b *batch) compose(hits []hit) *frame {
	at, size := b.public, 64
	for _, one := range hits {
		size += len(b.item(one)) + 1
		if one.as == everything {
			at = b.staff
		}
	}
	out := append(appendDelta(make([]byte, 0, size), at.Seq), `,"users":[`...)
	for i, one := range hits {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b.item(one)...)
	}
	return newFrame(append(out, "]}"...), cursorText(at))
}

// item is a changed user as somebody may know it.
func (b *batch) item(one hit) []byte {
	item := &b.items[one.change][one.as]
	if *item == nil {
		p := changed(&b.changes[one.change])
		switch one.as {
		case seen:
			p = p.For(presence.Viewer{}, presence.Privacy{})
		case unseen:
			p = p.For(presence.Viewer{}, presence.Privacy{HideLastSeen: true})
		}
		*item = appendUser(nil, &p)
	}
	return *item
}

// appendUsersAfter begins a delta of scope all, up to the first user.
func appendUsersAfter(out []byte, seq, after uint64) []byte {
	out = append(appendDelta(out, seq), `,"after":`...)
	return append(strconv.AppendUint(out, after, 10), `,"users":[`...)
}
