package loadgen

import (
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	var h Histogram
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Millisecond)
	}
	cases := []struct {
		name string
		q    float64
		want time.Duration
	}{
		{"the least", 0, time.Millisecond},
		{"the median", 0.5, 500 * time.Millisecond},
		{"nine of ten", 0.9, 900 * time.Millisecond},
		{"ninety-nine of a hundred", 0.99, 990 * time.Millisecond},
		{"all", 1, time.Second},
	}
	for _, c := range cases {
		got := h.Quantile(c.q)
		if got < c.want || got > c.want+c.want/32+1 {
			t.Errorf("%s: %v, want %v and at most 1/32 more", c.name, got, c.want)
		}
	}
	if h.Count() != 1000 || h.Max() != time.Second {
		t.Errorf("count %d, max %v", h.Count(), h.Max())
	}
}

func TestHistogramBucketsCoverEverythingInOrder(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<50; v += v/7 + 1 {
		b := bucketOf(v)
		if b < last || b >= buckets {
			t.Fatalf("%d falls into bucket %d after %d", v, b, last)
		}
		if b < buckets-1 && upperEnd(b) < v {
			t.Fatalf("%d is beyond the end %d of its bucket %d", v, upperEnd(b), b)
		}
		last = b
	}
}

func TestHistogramOfNothing(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Errorf("%v %v, want zeroes", h.Quantile(0.5), h.Max())
	}
	h.Add(-time.Second)
	if h.Count() != 1 || h.Max() != 0 {
		t.Errorf("a negative duration: count %d, max %v", h.Count(), h.Max())
	}
}
