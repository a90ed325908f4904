// Package changes is the list of recent changes that an engine keeps in memory: every reader follows it with a
// cursor of its own, and the counts of statuses go with it.
package changes

import (
	"context"
	"sync"

	"github.com/offchat/presence"
)

// DefaultHistory is how many changes a log keeps unless it is told otherwise.
const DefaultHistory = 1 << 17

// Nobody is, for a Log's counts, the status of a user who is not there: not known yet, or no longer.
const Nobody presence.Status = 255

const firstRing = 1024

// Log is an ordered list of the newest changes. A slow reader costs nobody anything: it meets presence.ErrGap
// and takes a snapshot. All methods may be called at once by many goroutines.
type Log struct {
	limit int // static after construction

	mu          sync.Mutex // guards the following fields
	ring        []presence.Change
	epoch       uint64
	first, last uint64 // Seq of the oldest change that is still here, and of the newest; first = last+1: none
	counts      presence.Counts
	waiting     chan struct{} // closed at the next change; nil when nobody waits
}

// New makes an empty log of a sequence; it keeps the newest limit changes (at least 1).
func New(epoch uint64, limit int) *Log {
	return &Log{limit: max(limit, 1), epoch: epoch, first: 1}
}

// Restart begins at a place in a sequence: whoever reads elsewhere, or before it, takes a snapshot. The counts
// stay.
func (l *Log) Restart(epoch, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.first, l.last = epoch, last+1, last
	l.ring = nil
	l.wakeLocked()
}

// Push tells the next change; its Seq is given here.
func (l *Log) Push(c presence.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushLocked(c)
}

// Move keeps the counts when a user is shown otherwise than before, without telling anybody.
func (l *Log) Move(from, to presence.Status) {
	if from == to {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moveLocked(from, to)
}

// Tell moves the counts and tells the change at one moment, so that no reader sees the one without the other.
func (l *Log) Tell(from, to presence.Status, c presence.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moveLocked(from, to)
	l.pushLocked(c)
}

// Counts is how many users are shown with each status.
func (l *Log) Counts() presence.Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Cursor is the place after the newest change.
func (l *Log) Cursor() presence.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return presence.Cursor{Epoch: l.epoch, Seq: l.last}
}

// Oldest is the first place that After can go on from.
func (l *Log) Oldest() presence.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return presence.Cursor{Epoch: l.epoch, Seq: l.first - 1}
}

// After returns at most limit changes (0: all) after a cursor, waiting for the first one until ctx ends. It
// returns presence.ErrGap when what follows the cursor is not here.
func (l *Log) After(ctx context.Context, cursor presence.Cursor, limit int) ([]presence.Change, error) {
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

func (l *Log) sinceLocked(cursor presence.Cursor, limit int) ([]presence.Change, error) {
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

func (l *Log) pushLocked(c presence.Change) {
	l.last++
	c.Seq = l.last
	if n := len(l.ring); n < l.limit && int(l.last-l.first)+1 > n {
		l.growLocked(min(l.limit, max(firstRing, 2*n)))
	}
	l.ring[l.last%uint64(len(l.ring))] = c
	l.first = max(l.first, l.last+1-min(l.last, uint64(len(l.ring))))
	l.wakeLocked()
}

// growLocked makes the ring larger while it is not full sized yet, keeping what it holds in place.
func (l *Log) growLocked(size int) {
	grown := make([]presence.Change, size)
	for seq := l.first; seq < l.last; seq++ {
		grown[seq%uint64(size)] = l.ring[seq%uint64(len(l.ring))]
	}
	l.ring = grown
}

func (l *Log) wakeLocked() {
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

func (l *Log) moveLocked(from, to presence.Status) {
	l.addLocked(from, -1)
	l.addLocked(to, 1)
}

func (l *Log) addLocked(s presence.Status, n int) {
	switch s {
	case presence.Online:
		l.counts.Online += n
	case presence.Away:
		l.counts.Away += n
	case presence.Offline:
		l.counts.Offline += n
	}
}
