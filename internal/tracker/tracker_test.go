package tracker

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

// fakeEngine is an engine that knows only how to be loaded and followed; the real ones are tested with their
// contract, and the real pair of engine and store where the server is put together.
type fakeEngine struct {
	presence.Engine // nil: any other method is a mistake in the test

	mu      sync.Mutex
	loaded  []presence.Record
	changes []presence.Change
	more    chan struct{}
	pages   []presence.Page
	fill    func(*presence.Record)
}

func (e *fakeEngine) Load(_ context.Context, users iter.Seq[presence.Record]) error {
	e.loaded = append(e.loaded, slices.Collect(users)...)
	return nil
}

func (e *fakeEngine) Snapshot(context.Context) (presence.Cursor, iter.Seq[presence.Presence], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	users := map[presence.UserID]presence.Presence{}
	for _, c := range e.changes {
		users[c.User] = presence.Presence{User: c.User, Status: c.To, LastSeen: c.LastSeen, Version: c.Version}
	}
	return presence.Cursor{Epoch: 1, Seq: uint64(len(e.changes))}, maps.Values(users), nil
}

func (e *fakeEngine) Changes(ctx context.Context, after presence.Cursor, _ int) ([]presence.Change, error) {
	for {
		e.mu.Lock()
		found, more := slices.Clone(e.changes[after.Seq:]), e.more
		e.mu.Unlock()
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (e *fakeEngine) tell(user presence.UserID, to presence.Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := presence.Change{Seq: uint64(len(e.changes) + 1), User: user, To: to, At: time.Now(), LastSeen: time.Now()}
	e.changes = append(e.changes, c)
	close(e.more)
	e.more = make(chan struct{})
}

func (e *fakeEngine) Checkpoint(ctx context.Context, kind presence.PageKind, save func(context.Context, []presence.Page) error) error {
	return save(ctx, []presence.Page{{Kind: kind, Number: 1}})
}

func (e *fakeEngine) Restore(pages []presence.Page) (func(*presence.Record), error) {
	e.pages = pages
	return e.fill, errors.New("one page is damaged")
}

// fakeStore keeps what it is told, or fails.
type fakeStore struct {
	mu       sync.Mutex
	broken   bool
	recorded []presence.Change
	seen     map[presence.UserID]time.Time
	saved    map[presence.PageKind]int
	rows     []presence.Presence
	live     map[presence.SessionID]presence.LiveSession
	holds    map[presence.UserID]presence.Hold
}

func (s *fakeStore) fail() error {
	if s.broken {
		return errors.New("the disk is on fire")
	}
	return nil
}

func (s *fakeStore) RecordChanges(_ context.Context, changes []presence.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail(); err != nil {
		return err
	}
	s.recorded = append(s.recorded, changes...)
	return nil
}

func (s *fakeStore) RecordSeen(_ context.Context, seen []presence.Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range seen {
		s.seen[one.User] = one.At
	}
	return s.fail()
}

func (s *fakeStore) SavePages(_ context.Context, pages []presence.Page) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pages {
		s.saved[p.Kind]++
	}
	return s.fail()
}

func (s *fakeStore) Pages(_ context.Context, kind presence.PageKind) ([]presence.Page, error) {
	return []presence.Page{{Kind: kind}}, nil
}

func (s *fakeStore) Records(context.Context) iter.Seq2[presence.Presence, error] {
	return func(yield func(presence.Presence, error) bool) {
		for _, p := range s.rows {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *fakeStore) LiveSessions(context.Context, time.Time) (map[presence.SessionID]presence.LiveSession, error) {
	return s.live, nil
}
func (s *fakeStore) SaveHold(context.Context, presence.UserID, presence.Hold) error { return nil }
func (s *fakeStore) Holds(context.Context) (map[presence.UserID]presence.Hold, error) {
	return s.holds, nil
}

func newFakes() (*fakeEngine, *fakeStore, *Tracker) {
	e := &fakeEngine{more: make(chan struct{}), fill: func(*presence.Record) {}}
	s := &fakeStore{seen: map[presence.UserID]time.Time{}, saved: map[presence.PageKind]int{}}
	return e, s, New(Config{Engine: e, Store: s})
}

// Status within a second, last_seen within ten; a store that is away loses nothing once it is back.
func TestPresenceIsWrittenBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s, tracker := newFakes()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tracker.Run(ctx) }()
		synctest.Wait()

		e.tell(1, presence.Online)
		time.Sleep(recordEvery)
		synctest.Wait()
		if len(s.recorded) != 1 || s.recorded[0].User != 1 {
			t.Fatalf("after a second: %+v", s.recorded)
		}
		time.Sleep(columnEvery)
		synctest.Wait()
		if s.seen[1].IsZero() {
			t.Error("last_seen is not in its column")
		}
		if s.saved[presence.SeenPage] == 0 || s.saved[presence.SessionPage] == 0 {
			t.Errorf("pages saved: %v", s.saved)
		}

		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
		for user := range presence.UserID(2500) {
			e.tell(2+user, presence.Online)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.recorded) != 1 {
			t.Fatal("the store was broken")
		}
		s.mu.Lock()
		s.broken = false
		s.mu.Unlock()
		time.Sleep(recordEvery)
		synctest.Wait()
		if len(s.recorded) != 2501 {
			t.Fatalf("%d changes recorded after the store came back", len(s.recorded))
		}
		for i, c := range s.recorded {
			if c.Seq != uint64(i+1) {
				t.Fatalf("change %d is number %d", c.Seq, i+1)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		e.tell(9999, presence.Online) // told after Run ended: Flush catches up
		if err := tracker.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last := s.recorded[len(s.recorded)-1]; last.User != 9999 || len(s.recorded) != 2502 {
			t.Errorf("after Flush: %d changes, the last %+v", len(s.recorded), last)
		}
	})
}

// What a restart makes of rows, pages, sessions and holds.
func TestRestore(t *testing.T) {
	seen := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	row := func(user presence.UserID, status presence.Status) presence.Presence {
		return presence.Presence{User: user, Status: status, LastSeen: seen, Since: seen.Add(-time.Minute), Version: 4}
	}
	e, s, tracker := newFakes()
	s.rows = []presence.Presence{
		row(1, presence.Online), row(2, presence.Online), row(3, presence.Online), row(4, presence.Online),
		row(5, presence.Offline), row(6, presence.Away), row(7, presence.Offline), row(8, presence.Online),
		row(9, presence.Offline), row(10, presence.Online), row(11, presence.Online),
	}
	s.live = map[presence.SessionID]presence.LiveSession{
		1001: {User: 1}, 1002: {User: 2}, 1006: {User: 6}, 1005: {User: 5}, 2001: {User: 1},
		1009: {User: 9, CreatedAt: seen.Add(time.Second)}, 1010: {User: 10, CreatedAt: seen.Add(time.Second)},
		1011: {User: 11, CreatedAt: seen.Add(-time.Hour)},
	}
	s.holds = map[presence.UserID]presence.Hold{7: {Active: true, Status: presence.Online}}
	known := map[presence.UserID][]presence.Session{
		1: {{ID: 1001}, {ID: 3001}}, 4: {{ID: 1004}}, 5: {{ID: 1005}}, 8: {{ID: presence.StandIn}},
		10: {{ID: 2010}}, 11: {{ID: 2011}},
	}
	e.fill = func(r *presence.Record) { r.Sessions = known[r.User] }
	if err := tracker.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		user     presence.UserID
		status   presence.Status
		sessions int
	}{
		{"a live session comes back, an ended one does not", 1, presence.Online, 1},
		{"no session written down, but signed in: the engine stands in", 2, presence.Online, 0},
		{"not signed in any more: the logout was durable, the change was not", 3, presence.Offline, 0},
		{"the only session has ended", 4, presence.Offline, 0},
		{"offline stays offline", 5, presence.Offline, 0},
		{"away stays away", 6, presence.Away, 0},
		{"a hold comes back", 7, presence.Offline, 0},
		{"an admin's lease comes back", 8, presence.Online, 1},
		{"the session written down has ended, another began since", 10, presence.Online, 1},
		{"the session written down has ended, another is an old login", 11, presence.Offline, 0},
		{"a login of the last moment: the session was durable, the change was not", 9, presence.Online, 1},
	}
	byUser := func(r presence.Record, id presence.UserID) int { return cmp.Compare(r.User, id) }
	for _, c := range cases {
		i, ok := slices.BinarySearchFunc(e.loaded, c.user, byUser)
		if !ok {
			t.Fatalf("%s: not loaded", c.name)
		}
		if r := e.loaded[i]; r.Status != c.status || len(r.Sessions) != c.sessions {
			t.Errorf("%s: %s with %d sessions", c.name, r.Status, len(r.Sessions))
		}
	}
	if !e.loaded[6].Hold.Active {
		t.Error("the hold is lost")
	}
	if len(s.recorded) != 4 || s.recorded[2].User != 9 || s.recorded[2].To != presence.Online || s.recorded[0].User != 3 || s.recorded[1].User != 4 || s.recorded[0].Version != 5 || s.recorded[0].To != presence.Offline {
		t.Errorf("what was missing in the history: %+v", s.recorded)
	}
}
