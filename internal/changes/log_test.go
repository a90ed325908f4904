package changes

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/offchat/presence"
)

const epoch = 7

func at(seq uint64) presence.Cursor { return presence.Cursor{Epoch: epoch, Seq: seq} }

// told is a log of so many changes; the change with Seq n is about user n.
func told(limit, n int) *Log {
	l := New(epoch, limit)
	for i := range n {
		l.Push(presence.Change{User: presence.UserID(i + 1)})
	}
	return l
}

// However large the ring has grown, a reader gets the changes after its cursor, in order and each once.
func TestAfter(t *testing.T) {
	for _, n := range []int{1, firstRing - 1, firstRing, firstRing + 1, 5*firstRing + 3, 20 * firstRing} {
		l := told(8*firstRing, n)
		cursor := l.Oldest()
		if want := uint64(max(0, n-8*firstRing)); cursor.Seq != want {
			t.Fatalf("%d changes: the oldest place is %d, want %d", n, cursor.Seq, want)
		}
		for cursor != l.Cursor() {
			found, err := l.After(t.Context(), cursor, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range found {
				if cursor.Seq++; c.Seq != cursor.Seq || uint64(c.User) != cursor.Seq {
					t.Fatalf("%d changes: change %d of user %d where %d is due", n, c.Seq, c.User, cursor.Seq)
				}
			}
		}
	}
}

func TestGap(t *testing.T) {
	l := told(firstRing, 2*firstRing)
	for name, cursor := range map[string]presence.Cursor{
		"what followed is gone": at(firstRing - 1),
		"never was":             at(2*firstRing + 1),
		"another sequence":      {Epoch: epoch + 1, Seq: 2 * firstRing},
	} {
		if _, err := l.After(t.Context(), cursor, 0); !errors.Is(err, presence.ErrGap) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Restart(epoch+1, 5)
	if _, err := l.After(t.Context(), at(2*firstRing), 0); !errors.Is(err, presence.ErrGap) {
		t.Errorf("from before a restart: %v", err)
	}
	l.Push(presence.Change{})
	if found, err := l.After(t.Context(), presence.Cursor{Epoch: epoch + 1, Seq: 5}, 0); err != nil || len(found) != 1 || found[0].Seq != 6 {
		t.Errorf("after a restart: %v, %v", found, err)
	}
}

// A reader at the end waits: for the next change, for a restart, or until it gives up.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := told(firstRing, 3)
		type answer struct {
			found []presence.Change
			err   error
		}
		wait := func(ctx context.Context) <-chan answer {
			got := make(chan answer, 1)
			go func() {
				found, err := l.After(ctx, l.Cursor(), 0)
				got <- answer{found, err}
			}()
			synctest.Wait()
			if len(got) > 0 {
				t.Fatalf("did not wait: %+v", <-got)
			}
			return got
		}
		next := wait(t.Context())
		l.Move(Nobody, presence.Online) // tells nobody
		synctest.Wait()
		if len(next) > 0 {
			t.Error("woken by counts")
		}
		l.Tell(presence.Online, presence.Away, presence.Change{})
		if got := <-next; got.err != nil || len(got.found) != 1 || got.found[0].Seq != 4 {
			t.Errorf("the next change: %+v", got)
		}
		next = wait(t.Context())
		l.Restart(epoch+1, 0)
		if got := <-next; !errors.Is(got.err, presence.ErrGap) {
			t.Errorf("a restart: %+v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		next = wait(ctx)
		cancel()
		if got := <-next; !errors.Is(got.err, context.Canceled) {
			t.Errorf("given up: %+v", got)
		}
	})
}

func TestCounts(t *testing.T) {
	l := told(firstRing, 0)
	l.Move(Nobody, presence.Offline)
	l.Move(Nobody, presence.Online)
	l.Move(presence.Offline, presence.Offline)
	l.Tell(presence.Offline, presence.Away, presence.Change{})
	l.Tell(presence.Online, Nobody, presence.Change{})
	if c := l.Counts(); c != (presence.Counts{Away: 1}) {
		t.Errorf("%+v", c)
	}
}
