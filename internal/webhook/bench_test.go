package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/memory"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/tracker"
	"github.com/offchat/presence/wire"
)

// stand is a server's parts that have to do with webhooks, and a receiver beside it.
type stand struct {
	*Service
	tracker  *tracker.Tracker
	store    *sqlite.Store
	arrived  chan struct{}
	requests atomic.Int64
	refuse   atomic.Bool
}

func newStand(b *testing.B, batch int) *stand {
	b.Helper()
	s := &stand{arrived: make(chan struct{}, 1)}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if s.refuse.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.requests.Add(1)
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}))
	b.Cleanup(receiver.Close)
	var err error
	if s.store, err = sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "presence.db"), sqlite.Options{Patience: patience}); err != nil {
		b.Fatal(err)
	}
	s.Service = New(Config{Store: s.store, AllowNetworks: loopback})
	engine := memory.New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second})
	s.tracker = tracker.New(tracker.Config{Engine: engine, Store: s.store, Outbox: s})
	if err := s.store.Durable(context.Background(), func(tx presence.Tx) error {
		return tx.InsertAccount(&presence.Account{Username: "ann", Email: "ann@example.org", Active: true, CreatedAt: time.Now()})
	}); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Create(context.Background(), Actor{}, wire.NewWebhook{URL: receiver.URL, BatchSize: batch}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	for _, run := range []func(context.Context) error{engine.Run, s.tracker.Run, s.Run} {
		go func() { ended <- run(ctx) }()
	}
	b.Cleanup(func() {
		cancel()
		for range 3 {
			<-ended
		}
		_ = s.store.Close()
	})
	for !s.Hurry() {
		time.Sleep(time.Millisecond)
	}
	return s
}

// queue puts events into the queue as the tracker would.
func (s *stand) queue(b *testing.B, n int) {
	b.Helper()
	changes := make([]presence.Change, n)
	for i := range changes {
		changes[i] = presence.Change{
			User: 1, From: presence.Offline, To: presence.Online, Cause: presence.CauseHeartbeat, At: time.Now().Add(time.Duration(i) * time.Microsecond),
			Version: uint64(i + 1),
		}
	}
	for chunk := range slices.Chunk(changes, 1000) {
		if err := s.store.RecordChanges(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeliveries sends events that wait to a receiver in the same process.
func BenchmarkDeliveries(b *testing.B) {
	for _, batch := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			s := newStand(b, batch)
			b.ResetTimer()
			s.queue(b, b.N)
			s.Recorded()
			for {
				q, err := s.Store.WebhookQueues(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if len(q) == 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(s.requests.Load())/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkChangeToDelivery is from a signal to its arrival at the receiver, one at a time.
func BenchmarkChangeToDelivery(b *testing.B) {
	s := newStand(b, 100)
	var took []time.Duration
	for i := range b.N {
		kind := presence.Active
		switch {
		case i == 0:
			kind = presence.Heartbeat
		case i%2 == 1:
			kind = presence.Idle
		}
		begun := time.Now()
		if _, err := s.tracker.Signal(b.Context(), presence.Signal{User: 1, Session: 4711, Kind: kind, At: begun}); err != nil {
			b.Fatal(err)
		}
		<-s.arrived
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

// BenchmarkQueued is the memory of a process whose receiver takes nothing while 100,000 events wait.
func BenchmarkQueued(b *testing.B) {
	for b.Loop() {
		s := newStand(b, 100)
		s.refuse.Store(true)
		heap := func() float64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return float64(m.HeapAlloc) / (1 << 20)
		}
		before := heap()
		s.queue(b, 100_000)
		s.Recorded()
		time.Sleep(time.Second)
		b.ReportMetric(heap()-before, "MB-100k-queued")
	}
}
