package memory

import (
	"context"
	"sync"

	"github.com/offchat/presence"
)

const defaultHistory = 1 << 17

// changeLog is the ordered list of recent changes that every reader follows with a cursor of its own, and
// the counts that go with it. A slow reader costs nobody anything: it meets ErrGap and takes a snapshot.
type changeLog struct {
	// Static after construction.
	epoch uint64
	limit int

	mu      sync.Mutex // guards the following fields
	ring    []presence.Change
	last    uint64 // Seq of the newest change; the first ever is 1
	counts  presence.Counts
	waiting chan struct{} // closed at the next change; nil when nobody waits
}

func newChangeLog(epoch uint64) *changeLog { return &changeLog{epoch: epoch, limit: defaultHistory} }

// append tells a change. known is false when the user was never heard of before.
func (l *changeLog) append(known bool, c presence.Change, node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known {
		*l.count(c.From)--
	}
	*l.count(c.To)++
	l.pushLocked(c, node)
}

// forget takes a user out of the counts and tells the change with which they went, if there was one.
func (l *changeLog) forget(known, changed bool, c presence.Change, node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known {
		*l.count(c.From)--
	}
	if changed {
		l.pushLocked(c, node)
	}
}

// introduce counts a user in without telling anybody; withdraw is its opposite.
func (l *changeLog) introduce(s presence.Status) {
	l.mu.Lock()
	*l.count(s)++
	l.mu.Unlock()
}

func (l *changeLog) withdraw(s presence.Status) {
	l.mu.Lock()
	*l.count(s)--
	l.mu.Unlock()
}

func (l *changeLog) pushLocked(c presence.Change, node string) {
	l.last++
	c.Seq, c.Node = l.last, node
	if n := len(l.ring); n < l.limit && int(l.last) > n {
		l.growLocked(min(l.limit, max(1024, 2*n)))
	}
	l.ring[l.last%uint64(len(l.ring))] = c
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

// growLocked makes the ring larger while it is not full sized yet, keeping what it holds in place.
func (l *changeLog) growLocked(size int) {
	grown := make([]presence.Change, size)
	for _, c := range l.ring {
		if c.Seq != 0 {
			grown[c.Seq%uint64(size)] = c
		}
	}
	l.ring = grown
}

func (l *changeLog) count(s presence.Status) *int {
	switch s {
	case presence.Online:
		return &l.counts.Online
	case presence.Away:
		return &l.counts.Away
	default:
		return &l.counts.Offline
	}
}

func (l *changeLog) counted() presence.Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

func (l *changeLog) cursor() presence.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return presence.Cursor{Epoch: l.epoch, Seq: l.last}
}

// after returns the changes after a cursor, waiting for the first one.
func (l *changeLog) after(ctx context.Context, cursor presence.Cursor, limit int) ([]presence.Change, error) {
	for {
		l.mu.Lock()
		found, err := l.sinceLocked(cursor, limit)
		if err != nil || len(found) > 0 {
			l.mu.Unlock()
			return found, err
		}
		if l.waiting == nil {
			l.waiting = make(chan struct{})
		}
		waiting := l.waiting
		l.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *changeLog) sinceLocked(cursor presence.Cursor, limit int) ([]presence.Change, error) {
	if cursor.Epoch != l.epoch || cursor.Seq > l.last {
		return nil, presence.ErrGap
	}
	behind := l.last - cursor.Seq
	if behind > uint64(len(l.ring)) {
		return nil, presence.ErrGap
	}
	if limit > 0 {
		behind = min(behind, uint64(limit))
	}
	if behind == 0 {
		return nil, nil
	}
	found := make([]presence.Change, behind)
	for i := range found {
		found[i] = l.ring[(cursor.Seq+1+uint64(i))%uint64(len(l.ring))]
	}
	return found, nil
}
