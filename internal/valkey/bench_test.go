package valkey

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

const benchUsers = 200_000

// crowded is a node and a server of its own with many users signed in, one session each.
func crowded(b *testing.B, n int) *Engine {
	b.Helper()
	e, _ := crowdedAt(b, n)
	return e
}

func crowdedAt(b *testing.B, n int) (*Engine, string) {
	b.Helper()
	s := ownServer(b)
	e, err := New(b.Context(), Config{URL: s.URL, Policy: enginetest.DefaultPolicy, Node: "bench", Timeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Close)
	now := time.Now()
	err = e.Load(b.Context(), func(yield func(presence.Record) bool) {
		for id := presence.UserID(1); id <= presence.UserID(n); id++ {
			r := presence.Record{Presence: presence.Presence{User: id, Status: presence.Online, Cause: presence.CauseLogin, LastSeen: now, Since: now, Version: 1}}
			r.Sessions = []presence.Session{{ID: benchSession(id)}}
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return e, s.URL
}

func benchSession(id presence.UserID) presence.SessionID {
	return presence.SessionID(uint64(id)*0x9E3779B97F4A7C15>>1 | 1<<20)
}

func info(b *testing.B, e *Engine, section, key string) float64 {
	b.Helper()
	text, err := e.client.Do(b.Context(), e.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(text, "\n"+key+":")
	word, _, _ := strings.Cut(after, "\r")
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		b.Fatal(key, err)
	}
	return v
}

func cpu(b *testing.B, e *Engine) float64 {
	return info(b, e, "cpu", "used_cpu_user") + info(b, e, "cpu", "used_cpu_sys")
}

// Budget: at least 200,000 batched heartbeats a second into one server. Every user beats once a round, and
// every beat is written: nothing is saved by coalescing.
func BenchmarkBatchedBeats(b *testing.B) {
	e := crowded(b, benchUsers)
	ctx := context.Background()
	before, writing := cpu(b, e), time.Duration(0)
	for b.Loop() {
		now := time.Now()
		for id := presence.UserID(1); id <= benchUsers; id++ {
			if _, err := e.Signal(ctx, presence.Signal{User: id, Session: benchSession(id), Kind: presence.Heartbeat, At: now}); err != nil {
				b.Fatal(err)
			}
		}
		begin := time.Now()
		if err := e.flush(ctx, true); err != nil {
			b.Fatal(err)
		}
		writing += time.Since(begin)
	}
	beats := float64(b.N) * benchUsers
	if written := float64(e.stats.Renewals.Load()); written != beats || e.away.Load() {
		b.Fatalf("%.0f of %.0f beats were written", written, beats)
	}
	b.ReportMetric(beats/b.Elapsed().Seconds(), "beats/s")
	b.ReportMetric(beats/writing.Seconds(), "written/s")
	b.ReportMetric((cpu(b, e)-before)*1e6/beats, "server-µs/beat")
	b.ReportMetric(0, "ns/op")
}

// The beat as its caller sees it: taken in here, written later.
func BenchmarkBeat(b *testing.B) {
	e := crowded(b, benchUsers)
	ctx := context.Background()
	b.ReportAllocs()
	id := presence.UserID(0)
	for b.Loop() {
		id = id%benchUsers + 1
		if _, err := e.Signal(ctx, presence.Signal{User: id, Session: benchSession(id), Kind: presence.Heartbeat, At: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
}

// A transition is one round trip; from several callers at once they share the way.
func BenchmarkTransition(b *testing.B) {
	e := crowded(b, 1000)
	ctx := context.Background()
	before := cpu(b, e)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		id := presence.UserID(runtime.NumGoroutine()*7919 + time.Now().Nanosecond())
		for n := 0; pb.Next(); n++ {
			kind := presence.Idle
			if n%2 == 0 {
				kind = presence.Active
			}
			if _, err := e.Signal(ctx, presence.Signal{User: id, Session: benchSession(id), Kind: kind, At: time.Now()}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
	b.ReportMetric((cpu(b, e)-before)*1e6/float64(b.N), "server-µs/op")
}

// What a user costs in the server and in a node, and a further session in the server.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		heap := heapInUse()
		e := crowded(b, 0)
		empty := info(b, e, "memory", "used_memory")
		e.Close()
		e = crowded(b, benchUsers)
		one := info(b, e, "memory", "used_memory")
		log := float64(must(e.client.Do(b.Context(), e.client.B().MemoryUsage().Key(e.streams[0].log).Samples(0).Build()).AsInt64()))
		b.ReportMetric((one-log-empty)/benchUsers, "server-B/user")
		b.ReportMetric((heapInUse()-heap)/benchUsers, "node-B/user")
		now := time.Now()
		for id := presence.UserID(1); id <= benchUsers/10; id++ {
			e.Signal(b.Context(), presence.Signal{User: id, Session: benchSession(id) + 1, Kind: presence.Login, At: now})
		}
		logThen := float64(must(e.client.Do(b.Context(), e.client.B().MemoryUsage().Key(e.streams[0].log).Samples(0).Build()).AsInt64()))
		two := info(b, e, "memory", "used_memory")
		b.ReportMetric((two-logThen-one+log)/(benchUsers/10), "server-B/further-session")
		b.ReportMetric(log/1e6, "log-MB")
		runtime.KeepAlive(e)
	}
	b.ReportMetric(0, "ns/op")
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// Everybody's lease ends at once (the breaker has been through it before).
func BenchmarkExpiry(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := crowded(b, benchUsers)
		ahead := e.clock.present() + (3 * time.Minute).Microseconds()
		e.held.Store(ahead)
		b.StartTimer()
		for _, sh := range e.shards {
			for sh.next.Load() <= ahead {
				if err := e.expire(b.Context(), sh, ahead); err != nil {
					b.Fatal(err)
				}
			}
		}
		if c := e.log.Counts(); c.Offline != benchUsers {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(benchUsers*float64(b.N)/b.Elapsed().Seconds(), "expired/s")
	b.ReportMetric(0, "ns/op")
}

// A node starts and reads everybody.
func BenchmarkStart(b *testing.B) {
	e := crowded(b, benchUsers)
	for b.Loop() {
		if err := e.readAll(b.Context(), e.streams[0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchUsers*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkPageOf1000(b *testing.B) {
	e := crowded(b, benchUsers)
	for b.Loop() {
		if found, total, err := e.Page(b.Context(), presence.Query{Online: true, Limit: 1000}); err != nil || len(found) != 1000 || total != benchUsers {
			b.Fatal(len(found), total, err)
		}
	}
}

// The store lost everything and a node writes everybody back: until it is in step again.
func BenchmarkRebuild(b *testing.B) {
	e := crowded(b, benchUsers)
	for b.Loop() {
		if err := e.client.Do(b.Context(), e.client.B().Flushall().Build()).Error(); err != nil {
			b.Fatal(err)
		}
		e.probe(b.Context())
		if err := e.rejoin(b.Context()); err != nil {
			b.Fatal(err)
		}
		if c := e.log.Counts(); c.Online != benchUsers {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(benchUsers*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

// From a signal at one node to the change at a reader of another.
func BenchmarkPropagation(b *testing.B) {
	a, url := crowdedAt(b, 1000)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	other, err := New(ctx, Config{URL: url, Policy: *a.policy.Load(), Node: "other"})
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	go other.Run(ctx)
	cursor, _, _ := other.Snapshot(ctx)
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		kind := presence.Idle
		if n%2 == 1 {
			kind = presence.Active
		}
		begin := time.Now()
		if _, err := a.Signal(ctx, presence.Signal{User: 1, Session: benchSession(1), Kind: kind, At: begin}); err != nil {
			b.Fatal(err)
		}
		changes, err := other.Changes(ctx, cursor, 0)
		if err != nil {
			b.Fatal(err)
		}
		cursor.Seq = changes[len(changes)-1].Seq
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
