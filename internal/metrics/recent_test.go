package metrics

import (
	"testing"
	"time"
)

func TestRecent(t *testing.T) {
	var r Recent
	start := time.Unix(1000, 0)
	if took, n := r.Quantile(0.99, start); took != 0 || n != 0 {
		t.Errorf("of nothing: %v of %d", took, n)
	}
	for i := range 2000 { // more than fit: the oldest are forgotten
		r.Add(start.Add(time.Duration(i)*time.Second), time.Duration(i)*time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0: 1900 * time.Millisecond, 0.5: 1950 * time.Millisecond, 1: 1999 * time.Millisecond} {
		if took, n := r.Quantile(share, start.Add(1899*time.Second)); took != want || n != 100 {
			t.Errorf("%v: %v of %d, want %v of 100", share, took, n, want)
		}
	}
	if _, n := r.Quantile(1, start.Add(-time.Second)); n != len(r.ring) {
		t.Errorf("%d kept", n)
	}
}
