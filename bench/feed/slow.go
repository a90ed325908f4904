package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/wire"
)

const (
	// floodUsers is how many people change in the flood, floodFor how long it lasts at least. With somebody who takes
	// nothing it lasts until they are sent away.
	floodUsers = 2000
	floodFor   = 20 * time.Second
	// smallWindow is what the kernel keeps on the side of the reader who takes nothing: with the usual window it
	// swallows megabytes before anybody notices.
	smallWindow = 4096
	// queueBound is what a reader who is behind may cost, docs/protocol.md 5.
	queueBound = 256 << 10
)

// slow has people change as fast as a backend can say so, while readers of everybody listen, of whom one takes nothing.
// It compares what the others see with the same flood without the slow one.
func slow(ctx context.Context, s *stage, feeds int) error { return slowFor(ctx, s, feeds, floodFor) }

func slowFor(ctx context.Context, s *stage, feeds int, flood time.Duration) error {
	defer s.close()
	if err := s.open(ctx, []string{"PRESENCE_OFFLINE_AFTER=10m"}, group{"admin", 1, presence.RoleAdmin}, group{"staff", feeds/feedsEach + 1, presence.RoleModerator}, group{"moving", floodUsers, presence.RoleUser}); err != nil {
		return err
	}
	f := &flooded{stage: s}
	alone, err := f.measure(ctx, feeds-1, false, flood)
	if err != nil {
		return err
	}
	beside, err := f.measure(ctx, feeds-1, true, flood)
	if err != nil {
		return err
	}
	ratio := float64(beside.seen.Quantile(0.99)) / float64(alone.seen.Quantile(0.99))
	fmt.Fprintf(s.out, "slow: readers=%d changes=%d and %d MB=%.1f without-slow p50=%v p99=%v; with-slow p50=%v p99=%v ratio-p99=%.2f; slow: waits-at-most=%.0f coalesced=%.0f resyncs=%.0f ended-after=%v reason=%q rss-without=%dMB rss-with=%dMB\n",
		feeds-1, alone.changes, beside.changes, float64(beside.bytes.Load())/float64(feeds-1)/1e6,
		round(alone.seen.Quantile(0.5)), round(alone.seen.Quantile(0.99)), round(beside.seen.Quantile(0.5)), round(beside.seen.Quantile(0.99)), ratio,
		beside.queued, beside.coalesced, beside.resyncs, beside.ended.Round(time.Millisecond), beside.reason, alone.rss>>20, beside.rss>>20)
	switch {
	case alone.lost.Load()+beside.lost.Load() > 0:
		return fmt.Errorf("%d readers who read were cut off", alone.lost.Load()+beside.lost.Load())
	case beside.ended == 0:
		return errors.New("the reader who takes nothing was not sent away")
	case beside.queued > queueBound:
		return fmt.Errorf("%.0f bytes waited for one reader, more than %d", beside.queued, queueBound)
	}
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// flooded is a stage on which people change all the time.
type flooded struct{ *stage }

// seen is what one flood showed.
type seen struct {
	seen        loadgen.Histogram // from a change to a reader who reads
	bytes, lost atomic.Int64
	changes     int64
	rss         int64
	// Of the reader who takes nothing: how many bytes waited for it at most, what was held back, after what time it was
	// sent away, and why.
	queued, coalesced, resyncs float64
	ended                      time.Duration
	reason                     string
}

// measure opens readers, and one that takes nothing, and lets the flood come.
func (f *flooded) measure(ctx context.Context, readers int, withSlow bool, flood time.Duration) (*seen, error) {
	ctx, leave := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer leave()
	m := &seen{}
	var ready atomic.Int64
	for i := range readers {
		a := ask{token: f.groups["staff"][i/feedsEach].token, scope: wire.FeedScopeAll, observe: true}
		running.Go(func() {
			err := overWebSocket(ctx, f.address, a, func(func()) {}, m.reader(&ready))
			if ctx.Err() == nil {
				m.lost.Add(1)
				fmt.Fprintln(f.out, "   a reader who reads ended:", err)
			}
		})
	}
	if !until(ctx, patience, func() bool { return ready.Load() == int64(readers) }) {
		return nil, fmt.Errorf("%d of %d readers are ready", ready.Load(), readers)
	}
	if withSlow {
		away, err := f.takeNothing(ctx)
		if err != nil {
			return nil, err
		}
		defer away()
	}
	flooding, stop := context.WithCancel(ctx)
	defer stop()
	running.Go(func() { m.changes = f.flood(flooding) })
	began := time.Now()
	err := m.watch(ctx, f.stage, func() bool {
		past := time.Since(began)
		return past >= flood && (!withSlow || m.reason != "") || past > patience
	})
	stop()
	usage, failed := f.server.Usage()
	m.rss = usage.RSS
	leave()
	running.Wait()
	return m, errors.Join(err, failed)
}

// reader is what a reader who reads does with its frames: it looks how old the newest change is.
func (m *seen) reader(ready *atomic.Int64) func([]byte) {
	first := true
	return func(payload []byte) {
		m.bytes.Add(int64(len(payload)))
		switch {
		case first && bytes.HasPrefix(payload, []byte(`{"t":"snap"`)) && !bytes.HasSuffix(payload, []byte(`"more":true}`)):
			first = false
			ready.Add(1)
		case bytes.HasPrefix(payload, []byte(`{"t":"delta"`)):
			var f frame
			if json.Unmarshal(payload, &f) == nil && len(f.Users) > 0 {
				m.seen.Add(time.Since(time.UnixMilli(f.Users[0].Since)))
			}
		}
	}
}

// takeNothing opens the feed and never reads.
func (f *flooded) takeNothing(ctx context.Context) (away func(), err error) {
	staff := f.groups["staff"]
	small := &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		failed := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallWindow)
		})
		return errors.Join(failed, err)
	}}
	conn, err := openSocket(ctx, small, f.address, ask{token: staff[len(staff)-1].token, scope: wire.FeedScopeAll, observe: true}, func([]byte) {})
	if err != nil {
		return nil, err
	}
	return func() { _ = conn.NetConn().Close() }, nil
}

// flood changes people's statuses, as an admin and as quickly as the server takes it, until ctx ends.
func (f *flooded) flood(ctx context.Context) int64 {
	const callers = 8
	moving, admin := f.groups["moving"], f.groups["admin"][0]
	var group sync.WaitGroup
	var changes atomic.Int64
	for n := range callers {
		group.Go(func() {
			for online := true; ctx.Err() == nil; online = !online {
				for i := n; i < len(moving) && ctx.Err() == nil; i += callers {
					if f.set(ctx, admin, moving[i].id, online) == nil {
						changes.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	return changes.Load()
}

// The numbers that the server tells of readers who are slow, and why such connections end.
const (
	queueBytes = "presence_feed_queue_bytes"
	coalesced  = "presence_feed_coalesced_total"
	resyncs    = "presence_feed_resyncs_total"
	stuck      = `presence_feed_closed_total{code="0",reason="stuck"}`
	tooSlow    = `presence_feed_closed_total{code="4008",reason="too_slow"}`
)

// watch looks at what waits in the server until enough says that it has seen enough, or ctx ends.
func (m *seen) watch(ctx context.Context, s *stage, enough func() bool) error {
	began := time.Now()
	before, err := s.metrics(ctx, queueBytes, coalesced, resyncs, stuck, tooSlow)
	for err == nil && !enough() {
		wait(ctx, 200*time.Millisecond)
		var now map[string]float64
		if now, err = s.metrics(ctx, queueBytes, coalesced, resyncs, stuck, tooSlow); err != nil {
			break
		}
		m.queued = max(m.queued, now[queueBytes])
		m.coalesced, m.resyncs = now[coalesced]-before[coalesced], now[resyncs]-before[resyncs]
		for reason, name := range map[string]string{"stuck": stuck, "too_slow": tooSlow} {
			if m.reason == "" && now[name] > before[name] {
				m.ended, m.reason = time.Since(began), reason
			}
		}
	}
	return err
}
