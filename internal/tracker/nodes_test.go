package tracker

import (
	"context"
	"iter"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

// sharedEngine is an engine that this node, a, shares with others.
type sharedEngine struct {
	*fakeEngine
	heard []presence.Seen
	known map[presence.UserID]presence.Presence
}

func (e *sharedEngine) Node() string { return "a" }
func (e *sharedEngine) Stale() bool  { return false }
func (e *sharedEngine) Heard(since time.Time) iter.Seq[presence.Seen] {
	return slices.Values(slices.DeleteFunc(slices.Clone(e.heard), func(s presence.Seen) bool { return s.At.Before(since) }))
}

func (e *sharedEngine) Snapshot(ctx context.Context) (presence.Cursor, iter.Seq[presence.Presence], error) {
	cursor, told, err := e.fakeEngine.Snapshot(ctx)
	if e.known != nil {
		told = maps.Values(e.known)
	}
	return cursor, told, err
}

// State knows who was loaded, and who was known before.
func (e *sharedEngine) State(_ context.Context, users []presence.UserID) ([]presence.Presence, error) {
	out := make([]presence.Presence, len(users))
	for i, id := range users {
		out[i] = e.known[id]
		for _, r := range e.loaded {
			if r.User == id {
				out[i] = r.Presence
			}
		}
	}
	return out, nil
}

// sharedStore is a store whose history other nodes write, too.
type sharedStore struct{ *fakeStore }

func (s sharedStore) Unrecorded(_ context.Context, changes []presence.Change) (missing []presence.Change, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if !slices.ContainsFunc(s.recorded, func(r presence.Change) bool { return r.User == c.User && r.Version == c.Version }) {
			missing = append(missing, c)
		}
	}
	return missing, s.fail()
}

func (s sharedStore) users() (users []presence.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.recorded {
		users = append(users, c.User)
	}
	return users
}

func newSharedFakes() (*sharedEngine, sharedStore, *Tracker) {
	engine, store, _ := newFakes()
	e, s := &sharedEngine{fakeEngine: engine}, sharedStore{store}
	return e, s, New(Config{Engine: e, Store: s})
}

func (e *sharedEngine) tellFrom(node string, user presence.UserID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes = append(e.changes, presence.Change{
		Seq: uint64(len(e.changes) + 1), User: user, To: presence.Online, At: time.Now(), LastSeen: time.Now(), Version: 1, Node: node,
	})
	close(e.more)
	e.more = make(chan struct{})
}

func TestEachNodeRecordsItsOwnAndLooksAfterTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s, tracker := newSharedFakes()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tracker.Run(ctx) }()
		synctest.Wait()
		e.tellFrom("a", 1)
		e.tellFrom("b", 2) // and b dies
		e.tellFrom("c", 3) // which c records
		e.heard = []presence.Seen{{User: 1, At: time.Now()}}
		time.Sleep(2 * time.Second)
		if got := s.users(); !slices.Equal(got, []presence.UserID{1}) {
			t.Errorf("after two seconds: %v, want this node's alone", got)
		}
		s.mu.Lock()
		s.recorded = append(s.recorded, presence.Change{User: 3, Version: 1})
		s.mu.Unlock()
		time.Sleep(lookAfter + lookEvery)
		synctest.Wait()
		if got := s.users(); !slices.Equal(got, []presence.UserID{1, 3, 2}) {
			t.Errorf("in the end: %v, want what b left, once, and nothing twice", got)
		}
		s.mu.Lock()
		if len(s.seen) != 1 || s.seen[1].IsZero() {
			t.Errorf("last_seen of %v, want of those heard here", s.seen)
		}
		s.mu.Unlock()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRestoreLeavesAloneWhomASharedEngineKnows(t *testing.T) {
	e, s, tracker := newSharedFakes()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s.live = map[presence.SessionID]presence.LiveSession{} // nobody's session is good: an engine of our own would settle all
	s.rows = []presence.Presence{
		{User: 1, Status: presence.Online, Version: 3, LastSeen: noon, Since: noon},
		{User: 2, Status: presence.Online, Version: 3, LastSeen: noon, Since: noon},
		{User: 3, Status: presence.Offline, Version: 8, LastSeen: noon, Since: noon},
	}
	e.known = map[presence.UserID]presence.Presence{
		1: {User: 1, Status: presence.Online, Version: 3, Since: noon},
		2: {User: 2, Status: presence.Away, Version: 4, Since: noon.Add(time.Second)}, // the store is behind
	}
	if err := tracker.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	var loaded []presence.UserID
	for _, r := range e.loaded {
		loaded = append(loaded, r.User)
	}
	if !slices.Equal(loaded, []presence.UserID{3}) {
		t.Errorf("introduced %v, want the one it does not know", loaded)
	}
	if err := tracker.lookAfterOthers(true)(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.recorded) != 1 || s.recorded[0].User != 2 || s.recorded[0].To != presence.Away || s.recorded[0].Version != 4 {
		t.Errorf("recorded %+v, want the change that the store had missed", s.recorded)
	}
}
