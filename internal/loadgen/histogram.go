package loadgen

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// Durations up to 2^subBits ns are counted exactly, longer ones in 2^subBits steps per doubling: what a
	// quantile says is at most 3 % too much.
	subBits = 5
	// topBits is the longest duration that is told apart, 2^42 ns or 73 minutes.
	topBits = 42
	buckets = (topBits - subBits + 1) << subBits
)

// Histogram counts durations in buckets of logarithmic width, in 10 KB whatever it counts. All methods may be
// called from any goroutine; the zero value is empty.
type Histogram struct {
	counts [buckets]atomic.Uint64
	total  atomic.Uint64
	max    atomic.Int64
}

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))].Add(1)
	h.total.Add(1)
	for was := h.max.Load(); int64(d) > was && !h.max.CompareAndSwap(was, int64(d)); was = h.max.Load() {
	}
}

// Count is how many durations were counted.
func (h *Histogram) Count() uint64 { return h.total.Load() }

// Max is the longest of them, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Quantile returns what a share q of the durations, 0 to 1, did not exceed; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.total.Load()
	rank := uint64(q * float64(total))
	if float64(rank) < q*float64(total) || rank == 0 {
		rank++
	}
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank {
			return min(time.Duration(upperEnd(i)), h.Max())
		}
	}
	return h.Max()
}

func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min(shift<<subBits+int(v>>shift), buckets-1)
}

// upperEnd is the largest duration of a bucket.
func upperEnd(bucket int) uint64 {
	if bucket < 2<<subBits {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket-shift<<subBits)+1)<<shift - 1
}
