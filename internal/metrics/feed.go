package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Feed are the numbers of the live feed of /api/v1. All functions are called at every scrape, from any goroutine, and
// must answer at once.
type Feed struct {
	Bytes     func() uint64  // presence_feed_bytes_total
	Resumed   func() uint64  // presence_feed_resumed_total: connections that went on from a cursor
	Pictures  func() uint64  // presence_feed_pictures_total: snapshots that were begun
	Coalesced func() uint64  // presence_feed_coalesced_total: changes that were not sent one by one
	Resyncs   func() uint64  // presence_feed_resyncs_total: readers so far behind that they got a new picture
	Lag       func() float64 // presence_feed_lag_seconds: from a change to the queues of all its readers, p99 of the last minute
	// Behind is how many connections are behind what happens, and how many bytes wait for the one with the most:
	// presence_feed_behind, presence_feed_queue_bytes.
	Behind func() (connections, most int)
	Ends   []FeedEnd // presence_feed_closed_total
}

// FeedEnd counts the connections that ended for one reason. Code is 0 where no close frame was sent.
type FeedEnd struct {
	Code   uint16
	Reason string
	Count  func() uint64
}

// WatchFeed tells w from now on. Call it once, while wiring up.
func (m *Metrics) WatchFeed(w Feed) {
	for _, c := range []struct {
		name, help string
		read       func() uint64
	}{
		{"presence_feed_bytes_total", "Bytes sent over the feed.", w.Bytes},
		{"presence_feed_resumed_total", "Connections of the feed that went on from a cursor.", w.Resumed},
		{"presence_feed_pictures_total", "Snapshots that were begun for readers of the feed.", w.Pictures},
		{"presence_feed_coalesced_total", "Changes that were not sent one by one, because their reader was behind.", w.Coalesced},
		{"presence_feed_resyncs_total", "Times a reader was so far behind that it got a new snapshot.", w.Resyncs},
	} {
		m.count(c.name, c.help, c.read)
	}
	for _, end := range w.Ends {
		m.countBy("presence_feed_closed_total", "Connections of the feed that ended, by close code and reason; code 0: without a close frame.",
			prometheus.Labels{"code": strconv.Itoa(int(end.Code)), "reason": end.Reason}, end.Count)
	}
	m.gauge("presence_feed_lag_seconds", "From a change to the queues of all its readers, for 99 of 100 changes of the last minute.", w.Lag)
	m.gauge("presence_feed_behind", "Connections that read slower than things happen.", func() float64 {
		n, _ := w.Behind()
		return float64(n)
	})
	m.gauge("presence_feed_queue_bytes", "Bytes that wait for the connection for which most wait.", func() float64 {
		_, most := w.Behind()
		return float64(most)
	})
}

func (m *Metrics) countBy(name, help string, labels prometheus.Labels, read func() uint64) {
	m.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
		func() float64 { return float64(read()) }))
}
