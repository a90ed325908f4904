package tracker

import (
	"context"
	"fmt"
	"slices"

	"github.com/offchat/presence"
)

// Restore brings everybody back into the engine after a restart, before anything else is signalled: status,
// last_seen and sessions as they were, each lease fresh and full, no change published. A session that ended
// durably in the last moment, before its change was written behind, is not brought back: its user is
// offline, and the history gets the change that is missing.
func (t *Tracker) Restore(ctx context.Context) error {
	fill, err := t.savedPages(ctx)
	if err != nil {
		return err
	}
	live, err := t.store.LiveSessions(ctx, t.now())
	if err != nil {
		return fmt.Errorf("read live sessions: %w", err)
	}
	holds, err := t.store.Holds(ctx)
	if err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	signedIn := make(map[presence.UserID]bool, len(live))
	for _, user := range live {
		signedIn[user] = true
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
			if change, gone := settle(&r, live, signedIn[p.User]); gone {
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

// settle leaves only sessions that are still good. It reports the change to write down when that takes the
// user offline: online without any session left means that the last one ended and was not recorded yet.
func settle(r *presence.Record, live map[presence.SessionID]presence.UserID, signedIn bool) (presence.Change, bool) {
	if r.Status == presence.Offline && !r.Hold.Active {
		r.Sessions = nil
		return presence.Change{}, false
	}
	knew := len(r.Sessions)
	r.Sessions = slices.DeleteFunc(r.Sessions, func(s presence.Session) bool {
		return s.ID != presence.StandIn && live[s.ID] != r.User
	})
	if r.Hold.Active || len(r.Sessions) > 0 || knew == 0 && signedIn {
		return presence.Change{}, false
	}
	from := r.Status
	r.Status, r.Cause, r.Since = presence.Offline, presence.CauseLogout, r.LastSeen
	r.Version++
	return presence.Change{
		User: r.User, From: from, To: presence.Offline, Cause: r.Cause, At: r.Since, LastSeen: r.LastSeen, Version: r.Version,
	}, true
}
