package memory

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/offchat/presence"
)

const million = 1_000_000

// crowded is an engine with a million users, each with one live session.
func crowded(b *testing.B, options ...Option) *Engine {
	b.Helper()
	e := New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second}, options...)
	now := time.Now()
	for id := presence.UserID(1); id <= million; id++ {
		e.Signal(context.Background(), presence.Signal{User: id, Session: sessionFor(id), Kind: presence.Login, At: now})
	}
	return e
}

func sessionFor(id presence.UserID) presence.SessionID { return presence.SessionID(id)<<20 | 1<<19 }

// Budget: at most 200 ns and no allocation, from several goroutines at once.
func BenchmarkBeatAtOneMillion(b *testing.B) {
	e := crowded(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		random := rand.New(rand.NewPCG(rand.Uint64(), 1))
		ctx := context.Background()
		for pb.Next() {
			id := presence.UserID(1 + random.IntN(million))
			if _, err := e.Signal(ctx, presence.Signal{User: id, Session: sessionFor(id), Kind: presence.Heartbeat, At: time.Now()}); err != nil {
				b.Error(err)
			}
		}
	})
}

// Budget: at most 64 bytes a session, besides the change log (15 MB at most).
func BenchmarkMemoryOfOneMillion(b *testing.B) {
	for b.Loop() {
		before := heap()
		e := crowded(b, WithHistory(1))
		used := heap() - before
		b.ReportMetric(float64(used)/million, "bytes/session")
		runtime.KeepAlive(e)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Budget: under 1 ms.
func BenchmarkIdleTickAtOneMillion(b *testing.B) {
	e := crowded(b)
	at := time.Now()
	e.lastTick.Store(int64(at.Sub(e.start)))
	for b.Loop() {
		e.tick(at)
	}
}

// Everybody's bound has come and nobody is due: the worst tick without a change, about once in a lease.
func BenchmarkFullScanTickAtOneMillion(b *testing.B) {
	e := crowded(b)
	at := time.Now()
	e.lastTick.Store(int64(at.Sub(e.start)))
	for b.Loop() {
		for _, p := range e.pages.Load().inOrder {
			p.bound.Store(0)
		}
		e.lastJudge = 0
		e.tick(at)
	}
}

// Budget of the list page, the engine's part: newest 1,000 of those online.
func BenchmarkPageOf1000FromOneMillion(b *testing.B) {
	e := crowded(b)
	random := rand.New(rand.NewPCG(1, 1))
	for range million {
		id := presence.UserID(1 + random.IntN(million))
		e.Signal(context.Background(), presence.Signal{User: id, Session: sessionFor(id), Kind: presence.Heartbeat, At: time.Now()})
	}
	b.ReportAllocs()
	for b.Loop() {
		users, total, _ := e.Page(context.Background(), presence.Query{Online: true, Limit: 1000, Offset: 5000})
		if len(users) != 1000 || total != million {
			b.Fatalf("%d of %d", len(users), total)
		}
	}
}

func BenchmarkCounts(b *testing.B) {
	e := crowded(b)
	for b.Loop() {
		e.Counts(context.Background())
	}
}

func BenchmarkCheckpointOfOneMillion(b *testing.B) {
	for name, kind := range map[string]presence.PageKind{"seen": presence.SeenPage, "sessions": presence.SessionPage} {
		b.Run(name, func(b *testing.B) {
			e := crowded(b)
			total := 0
			for b.Loop() {
				total = 0
				for _, p := range e.pages.Load().inOrder {
					p.markDirty(kind)
				}
				e.Checkpoint(context.Background(), kind, func(_ context.Context, pages []presence.Page) error {
					for _, p := range pages {
						total += len(p.Data)
					}
					return nil
				})
			}
			b.ReportMetric(float64(total)/million, "bytes/user")
		})
	}
}

func BenchmarkLoadOfOneMillion(b *testing.B) {
	for b.Loop() {
		e := New(presence.Policy{OfflineAfter: 2 * time.Minute})
		e.Load(context.Background(), func(yield func(presence.Record) bool) {
			for id := presence.UserID(1); id <= million; id++ {
				r := presence.Record{Presence: presence.Presence{User: id, Status: presence.Online, Version: 1}}
				r.Sessions = []presence.Session{{ID: sessionFor(id)}}
				if !yield(r) {
					return
				}
			}
		})
	}
}
