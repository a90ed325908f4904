package tracker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/offchat/presence"
)

// Restore brings everybody back into the engine after a restart, before anything else is signalled: status,
// last_seen and sessions as they were, each lease fresh and full, no change published. Sessions are durable
// at once while changes are written behind, so after a crash sessions know better: one that ended in the last
// moment takes its user offline, one that began brings its user online, and the history gets the change that
// is missing.
//
// An engine that several nodes share keeps what it knows, see restoreShared.
func (t *Tracker) Restore(ctx context.Context) error {
	if t.shared != nil {
		return t.restoreShared(ctx)
	}
	fill, err := t.savedPages(ctx)
	if err != nil {
		return err
	}
	live, newest, err := t.liveSessions(ctx)
	if err != nil {
		return err
	}
	holds, err := t.store.Holds(ctx)
	if err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	var missing []presence.Change
	var failed error
	err = t.Load(ctx, func(yield func(presence.Record) bool) {
		for p, err := range t.store.Records(ctx) {
			if err != nil {
				failed = err
				return
			}
			r := presence.Record{Presence: p, Hold: holds[p.User]}
			fill(&r)
			if change, unknown := settle(&r, live, newest[p.User]); unknown {
				missing = append(missing, change)
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
	for chunk := range slices.Chunk(missing, recordChunk) {
		if err := t.store.RecordChanges(ctx, chunk); err != nil {
			return fmt.Errorf("record what ended before the restart: %w", err)
		}
	}
	return t.begin(ctx)
}

// liveSessions returns the sessions that are still good, and of each user the one of them that began last.
func (t *Tracker) liveSessions(ctx context.Context) (live map[presence.SessionID]presence.LiveSession,
	newest map[presence.UserID]presence.SessionID, err error,
) {
	if live, err = t.store.LiveSessions(ctx, t.now()); err != nil {
		return nil, nil, fmt.Errorf("read live sessions: %w", err)
	}
	newest = make(map[presence.UserID]presence.SessionID, len(live))
	for id, one := range live {
		if known, ok := newest[one.User]; !ok || one.CreatedAt.After(live[known].CreatedAt) {
			newest[one.User] = id
		}
	}
	return live, newest, nil
}

// savedPages returns what fills a record from the engine's saved memory, if it is an engine that has some.
func (t *Tracker) savedPages(ctx context.Context) (func(*presence.Record), error) {
	checkpointer, ok := t.Engine.(presence.Checkpointer)
	if !ok {
		return func(*presence.Record) {}, nil
	}
	var pages []presence.Page
	for _, kind := range []presence.PageKind{presence.SeenPage, presence.SessionPage} {
		some, err := t.store.Pages(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("read saved presence: %w", err)
		}
		pages = append(pages, some...)
	}
	fill, err := checkpointer.Restore(pages)
	if err != nil {
		t.log.WarnContext(ctx, "some saved presence is damaged; the rows are used instead", "err", err)
	}
	return fill, nil
}

// settle makes a record agree with the sessions that are still good; newest is the one of them that began
// last, or 0. It reports the change to write down when that changes the status.
func settle(r *presence.Record, live map[presence.SessionID]presence.LiveSession, newest presence.SessionID) (presence.Change, bool) {
	if r.Hold.Active {
		return presence.Change{}, false
	}
	if r.Status == presence.Offline {
		r.Sessions = nil
		if began := live[newest].CreatedAt; newest != 0 && began.After(r.Since) {
			r.Sessions = []presence.Session{{ID: newest}}
			return move(r, presence.Online, presence.CauseLogin, began), true
		}
		return presence.Change{}, false
	}
	knew := len(r.Sessions)
	r.Sessions = slices.DeleteFunc(r.Sessions, func(s presence.Session) bool {
		return s.ID != presence.StandIn && live[s.ID].User != r.User
	})
	switch {
	case len(r.Sessions) > 0, knew == 0 && newest != 0:
		return presence.Change{}, false
	case newest != 0 && live[newest].CreatedAt.After(r.Since):
		// Those that were written down have ended, but one began since: perhaps after they were.
		r.Sessions = []presence.Session{{ID: newest, Idle: r.Status == presence.Away}}
		return presence.Change{}, false
	}
	return move(r, presence.Offline, presence.CauseLogout, r.LastSeen), true
}

// move changes the status of a record as a signal at that moment would have.
func move(r *presence.Record, to presence.Status, cause presence.Cause, at time.Time) presence.Change {
	from := r.Status
	if at.After(r.LastSeen) {
		r.LastSeen = at
	}
	r.Status, r.Cause, r.Since = to, cause, at
	r.Version++
	return presence.Change{
		User: r.User, From: from, To: to, Cause: cause, At: at, LastSeen: r.LastSeen, Version: r.Version,
	}
}
