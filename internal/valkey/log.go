package valkey

import (
	"context"
	"sync"

	"github.com/offchat/presence"
)

// changeLog is the ordered list of recent changes that every reader on this node follows with a cursor of its
// own, and the counts that go with it.
type changeLog struct {
	// Static after construction.
	limit int

	mu      sync.Mutex // guards the following fields
	epoch   uint64
	first   uint64 // the oldest change that is still here; last+1 when there is none
	last    uint64 // Seq of the newest change
	ring    []presence.Change
	counts  presence.Counts
	waiting chan struct{} // closed at the next change; nil when nobody waits
}

// restart begins at a place in a sequence: whoever was reading elsewhere, or before it, takes a snapshot.
func (l *changeLog) restart(epoch, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.first, l.last = epoch, last+1, last
	l.ring = nil
	l.wakeLocked()
}

// push tells the next change.
func (l *changeLog) push(c presence.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	c.Seq = l.last
	if n := len(l.ring); n < l.limit && int(l.last-l.first)+1 > n {
		l.growLocked(min(l.limit, max(1024, 2*n)))
	}
	l.ring[l.last%uint64(len(l.ring))] = c
	l.first = max(l.first, l.last+1-min(l.last, uint64(len(l.ring))))
	l.wakeLocked()
}

// growLocked makes the ring larger while it is not full sized yet, keeping what it holds in place.
func (l *changeLog) growLocked(size int) {
	grown := make([]presence.Change, size)
	for seq := l.first; seq < l.last; seq++ {
		grown[seq%uint64(size)] = l.ring[seq%uint64(len(l.ring))]
	}
	l.ring = grown
}

func (l *changeLog) wakeLocked() {
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

// move keeps the counts when a user is shown otherwise than before; a status above Online is no user.
func (l *changeLog) move(from, to presence.Status) {
	if from == to {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addLocked(from, -1)
	l.addLocked(to, 1)
}

const nobody presence.Status = 255

func (l *changeLog) addLocked(s presence.Status, n int) {
	switch s {
	case presence.Online:
		l.counts.Online += n
	case presence.Away:
		l.counts.Away += n
	case presence.Offline:
		l.counts.Offline += n
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
	if cursor.Epoch != l.epoch || cursor.Seq > l.last || cursor.Seq+1 < l.first {
		return nil, presence.ErrGap
	}
	behind := l.last - cursor.Seq
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
