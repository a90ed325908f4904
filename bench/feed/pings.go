package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// idleLease is short, so that the sockets are quiet for longer than it takes to be forgotten.
	idleLease = time.Minute
	// idleFor is how long nothing but pings happens.
	idleFor = idleLease + 20*time.Second
)

// pings opens thousands of sockets that make their people present and on which nothing happens: nobody sends
// heartbeats, so the answers to the server's pings are all that keeps them online. Then the server is restarted as
// planned, and all come back in the window it gave them.
func pings(ctx context.Context, s *stage, feeds int) error {
	defer s.close()
	err := s.open(ctx, []string{"PRESENCE_OFFLINE_AFTER=" + idleLease.String()}, group{"admin", 1, presence.RoleAdmin},
		group{"idle", feeds, presence.RoleUser})
	if err != nil {
		return err
	}
	before, err := s.server.Usage()
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer leave()
	p := &pinged{tally: &tally{reasons: map[string]int{}, false: map[presence.UserID]wire.FeedUser{}}}
	var readers []*reader
	began := time.Now()
	for i, one := range s.groups["idle"] {
		r := &reader{
			tally: p.tally, scope: wire.FeedScopeUsers, token: func(context.Context) (string, error) { return one.token, nil },
			listen: p.listen, back: 3 * time.Second,
		}
		readers = append(readers, r)
		running.Go(func() {
			wait(ctx, time.Duration(i)*time.Second/2000)
			r.run(ctx, s.address)
		})
	}
	whole := func() bool {
		for _, r := range readers {
			if !r.isWhole() {
				return false
			}
		}
		return true
	}
	if !until(ctx, patience, whole) {
		return errors.New("not everybody came in")
	}
	opened := time.Since(began)
	wait(ctx, 5*time.Second)
	start, err := s.server.Usage()
	if err != nil {
		return err
	}
	p.count()
	wait(ctx, idleFor)
	end, err := s.server.Usage()
	if err != nil {
		return err
	}
	sent, herd := p.count()
	online, err := s.online(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "pings: sockets=%d opened-in=%v idle-for=%v lease=%v online=%d pings=%d most-in-100ms=%d mean-in-100ms=%.0f server-cpu=%.1fms a second rss-a-socket=%dB goodbyes=%v\n",
		feeds, opened.Round(time.Millisecond), idleFor, idleLease, online, sent, herd, float64(sent)/float64(idleFor/(100*time.Millisecond)),
		float64((end.CPU-start.CPU).Milliseconds())/idleFor.Seconds(), (end.RSS-before.RSS)/int64(feeds), p.tally.reasons)
	if online != feeds || len(p.tally.reasons) > 0 {
		return fmt.Errorf("%d of %d people are online after a quiet time", online, feeds)
	}
	return p.comeBack(ctx, s, feeds, whole)
}

// comeBack restarts the server and measures how everybody's return is spread.
func (p *pinged) comeBack(ctx context.Context, s *stage, feeds int, whole func() bool) error {
	t := p.tally
	t.mu.Lock()
	t.opened = nil
	t.mu.Unlock()
	resynced := t.resynced.Load()
	began := time.Now()
	if err := s.server.Stop(); err != nil {
		return err
	}
	stopped := time.Since(began)
	if err := s.start(ctx); err != nil {
		return err
	}
	ready := time.Since(began)
	if !until(ctx, patience, func() bool { return t.resynced.Load()-resynced >= int64(feeds) && whole() }) {
		return errors.New("not everybody came back")
	}
	online, err := s.online(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	most100, most1s := most(t.opened, 100*time.Millisecond), most(t.opened, time.Second)
	over := t.opened[len(t.opened)-1].Sub(t.opened[0])
	mean := float64(len(t.opened)) / max(over.Seconds(), 1)
	fmt.Fprintf(s.out, "pings: planned restart: sockets=%d goodbyes=%v stopped-after=%v ready-after=%v last-back-after=%v over=%v most-in-100ms=%d most-in-1s=%d mean-in-1s=%.0f online=%d\n",
		feeds, t.reasons, stopped.Round(time.Millisecond), ready.Round(time.Millisecond), t.back.Sub(began).Round(time.Millisecond),
		over.Round(time.Millisecond), most100, most1s, mean, online)
	switch {
	case online != feeds:
		return fmt.Errorf("%d of %d people are online after the restart", online, feeds)
	case float64(most1s) > 2*mean:
		return fmt.Errorf("in one second %d came back, more than twice the mean of %.0f", most1s, mean)
	}
	return nil
}

// online asks the server how many people are online.
func (s *stage) online(ctx context.Context) (int, error) {
	const name = `presence_users{status="online"}`
	told, err := s.metrics(ctx, name)
	return int(told[name]), err
}

// pinged notes when pings came.
type pinged struct {
	tally *tally

	mu    sync.Mutex // guards the following field
	times []time.Time
}

// count returns how many pings came since the last time, and how many at most within 100 ms.
func (p *pinged) count() (n, herd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, herd = len(p.times), most(p.times, 100*time.Millisecond)
	p.times = nil
	return n, herd
}

func (p *pinged) listen(ctx context.Context, server string, a ask, opened func(func()), heard func([]byte)) error {
	return overWebSocket(ctx, server, a, opened, func(payload []byte) {
		if kindOf(payload) == "ping" {
			now := time.Now()
			p.mu.Lock()
			p.times = append(p.times, now)
			p.mu.Unlock()
		}
		heard(payload)
	})
}
