package metrics

import (
	"slices"
	"sync"
	"time"
)

// Recent keeps the latest of some durations, so that somebody can be told how things are now and not how they were on
// average since the start. It is safe for concurrent use.
type Recent struct {
	mu    sync.Mutex // guards the following fields
	ring  [1024]moment
	next  int
	total int
}

type moment struct {
	at   time.Time
	took time.Duration
}

// Add notes a duration that ended at a moment.
func (r *Recent) Add(at time.Time, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = moment{at, took}
	r.next = (r.next + 1) % len(r.ring)
	r.total = min(r.total+1, len(r.ring))
}

// Quantile is the duration that share (0 to 1) of those noted after a moment did not exceed, and how many those are.
func (r *Recent) Quantile(share float64, after time.Time) (took time.Duration, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]time.Duration, 0, r.total)
	for _, one := range r.ring[:r.total] {
		if one.at.After(after) {
			list = append(list, one.took)
		}
	}
	if len(list) == 0 {
		return 0, 0
	}
	slices.Sort(list)
	return list[min(int(share*float64(len(list))), len(list)-1)], len(list)
}
