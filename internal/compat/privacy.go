package compat

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/offchat/presence"
)

// The recorded system knew no privacy, so its answers have no words for it. To everybody but moderators and
// admins, somebody who hides looks offline, and a last_seen that is not given is the account's created_at: old
// clients need a date, and it is the one that somebody shows who was never seen.

func (c *call) viewer() presence.Viewer { return c.h.Auth.Viewer(c.id) }

// conceal leaves of a person what the viewer may know (presence.Presence.For).
func (h *Handler) conceal(p *person, viewer presence.Viewer) {
	if viewer.Staff || viewer.User == p.ID {
		return
	}
	shown := presence.Presence{User: p.ID, Status: p.status, LastSeen: p.lastSeen}.For(viewer, h.Auth.Privacy(p.ID))
	p.status, p.lastSeen = shown.Status, shown.LastSeen
	if p.lastSeen.IsZero() {
		p.lastSeen = p.CreatedAt
	}
}

// online returns a page of who is online to the viewer, and how many are in all. Those whose last_seen the
// viewer is not given come last, by id: their place must not tell it.
func (h *Handler) online(ctx context.Context, q presence.Query, viewer presence.Viewer) ([]presence.Presence, int, error) {
	if viewer.Staff {
		return h.Presence.Page(ctx, q)
	}
	if viewer.HideStatus || viewer.HideLastSeen {
		return h.onlineToPrivate(ctx, q, viewer)
	}
	open := q
	open.Only = func(id presence.UserID) bool {
		return id == viewer.User || h.Auth.Privacy(id) == presence.Privacy{}
	}
	states, total, err := h.Presence.Page(ctx, open)
	if err != nil {
		return nil, 0, err
	}
	shy, err := h.onlineShy(ctx, viewer)
	if err != nil {
		return nil, 0, err
	}
	from, room := min(max(0, q.Offset-total), len(shy)), len(shy)
	if q.Limit > 0 {
		room = q.Limit - len(states)
	}
	return append(states, shy[from:min(len(shy), from+room)]...), total + len(shy), nil
}

// onlineShy returns those who are online and hide their last_seen only, by id.
func (h *Handler) onlineShy(ctx context.Context, viewer presence.Viewer) ([]presence.Presence, error) {
	var ids []presence.UserID
	h.Auth.Private(func(id presence.UserID, p presence.Privacy) bool {
		if !p.HideStatus && id != viewer.User {
			ids = append(ids, id)
		}
		return true
	})
	if len(ids) == 0 {
		return nil, nil
	}
	states, err := h.Presence.State(ctx, ids)
	states = slices.DeleteFunc(states, func(p presence.Presence) bool { return p.Status != presence.Online })
	slices.SortFunc(states, byID)
	return states, err
}

// onlineToPrivate: who hides their status sees nobody else; who hides their last_seen sees no order by it.
func (h *Handler) onlineToPrivate(ctx context.Context, q presence.Query, viewer presence.Viewer) ([]presence.Presence, int, error) {
	all := q
	all.Offset, all.Limit = 0, 0
	all.Only = func(id presence.UserID) bool {
		return id == viewer.User || !viewer.HideStatus && !h.Auth.Privacy(id).HideStatus
	}
	states, total, err := h.Presence.Page(ctx, all)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(states, byID)
	states = states[min(q.Offset, total):]
	if q.Limit > 0 {
		states = states[:min(q.Limit, len(states))]
	}
	return states, total, nil
}

func byID(a, b presence.Presence) int { return cmp.Compare(a.User, b.User) }

// privacyChanged tells the sockets of everybody else what they are to see from now on: who hides goes offline,
// who shows themselves again is as they are. Nothing is told of somebody who is offline, for nothing changed. The
// user's own sockets close, to come back with what they may see.
func (s *sockets) privacyChanged(user presence.UserID, now presence.Privacy) {
	ctx := context.Background() // the act is done, whoever did it
	if s.hides(user, now.HideStatus) {
		s.sending.Lock()
		if err := s.sendPrivacy(ctx, user, now.HideStatus); err != nil {
			s.h.Log.LogAttrs(ctx, slog.LevelWarn, "change of privacy not told to sockets", slog.Int64("user", int64(user)), slog.Any("err", err))
		}
		s.sending.Unlock()
	}
	for _, one := range s.of(user) {
		if !one.id.MayRead() {
			one.end(closeRestart, "privacy changed")
		}
	}
}

// hides notes whether a user hides their status, and reports whether that is new.
func (s *sockets) hides(user presence.UserID, hides bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, did := s.hidden[user]
	if hides {
		s.hidden[user] = struct{}{}
	} else {
		delete(s.hidden, user)
	}
	return did != hides
}

// sendPrivacy is called with sending held: a change of status that was read before is sent before.
func (s *sockets) sendPrivacy(ctx context.Context, user presence.UserID, hides bool) error {
	states, err := s.h.Presence.State(ctx, []presence.UserID{user})
	if err != nil || states[0].Status == presence.Offline || s.empty() {
		return err
	}
	names, err := s.h.namesOf(ctx, []presence.UserID{user})
	if err != nil {
		return err
	}
	shown := presence.Change{User: user, To: states[0].Status}
	if hides {
		shown.To = presence.Offline
	}
	s.feed.add(batch{appendFrame(nil, appendChange(nil, &shown, names[user])), 1})
	for _, one := range s.list(nil) {
		one.wake(nil)
	}
	return nil
}

// frames are some changes as different people see them.
type frames struct {
	everything []byte // to moderators and admins
	shown      []byte // to everybody else; the same bytes where nobody hides
	count      int    // of shown
	hidden     []ownFrame
}

// ownFrame is a change of somebody who hides: theirs alone.
type ownFrame struct {
	user  presence.UserID
	frame []byte
}

// encode encodes changes once for everybody.
func (s *sockets) encode(changes []presence.Change, usernames map[presence.UserID]string) frames {
	var f frames
	var one []byte
	for i := range changes {
		one = appendChange(one[:0], &changes[i], usernames[changes[i].User])
		start := len(f.everything)
		f.everything = appendFrame(f.everything, one)
		if s.h.Auth.Privacy(changes[i].User).HideStatus {
			if len(f.hidden) == 0 { // from here on the two differ
				f.shown = slices.Clone(f.everything[:start])
			}
			f.hidden = append(f.hidden, ownFrame{changes[i].User, slices.Clone(f.everything[start:])})
			continue
		}
		if f.count++; len(f.hidden) > 0 {
			f.shown = append(f.shown, f.everything[start:]...)
		}
	}
	if len(f.hidden) == 0 {
		f.shown = f.everything
	}
	return f
}

// feedFor is what a caller may see: everything, what is shown to all, or nothing but themselves.
func (s *sockets) feedFor(viewer presence.Viewer) *feed {
	switch {
	case viewer.Staff:
		return &s.staffFeed
	case viewer.HideStatus:
		return &s.noFeed
	default:
		return &s.feed
	}
}
