package tracker

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

// outbox counts what it is told.
type outbox struct {
	mu       sync.Mutex
	waits    bool
	recorded int
	gaps     []int
}

func (o *outbox) Hurry() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waits
}

func (o *outbox) Recorded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recorded++
}

func (o *outbox) Gap(_ context.Context, missed int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gaps = append(o.gaps, missed)
}

// written counts the changes that are written down.
func written(s *fakeStore) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.recorded)
}

// Whoever lives on what is written down does not wait a second for it.
func TestChangesAreWrittenDownSoonWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s, _ := newFakes()
		o := &outbox{}
		tracker := New(Config{Engine: e, Store: s, Outbox: o})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tracker.Run(ctx) }()
		synctest.Wait()
		time.Sleep(recordEvery / 2) // away from the tick
		e.tell(1, presence.Online)
		time.Sleep(promptly)
		synctest.Wait()
		if written(s) != 0 {
			t.Error("nobody waits, and it is written down at once")
		}
		time.Sleep(recordEvery)
		synctest.Wait()
		o.mu.Lock()
		o.waits = true
		o.mu.Unlock()
		e.tell(2, presence.Online)
		e.tell(3, presence.Online)
		time.Sleep(promptly)
		synctest.Wait()
		cancel()
		<-ended
		if len(s.recorded) != 3 || o.recorded != 2 {
			t.Errorf("%d changes are written down and %d times it was said so, want 3 and 2", len(s.recorded), o.recorded)
		}
	})
}
