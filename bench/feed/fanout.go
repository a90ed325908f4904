package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/wire"
)

// fanoutRounds is how many changes are followed, one after the other.
const fanoutRounds = 60

// fanout changes one person by HTTP, again and again, and measures from before the request is sent until each of the
// people who watch has the frame.
func fanout(ctx context.Context, s *stage, feeds int) error {
	defer s.close()
	err := s.open(ctx, []string{"PRESENCE_OFFLINE_AFTER=10m"}, group{"admin", 1, presence.RoleAdmin}, group{"moving", 1, presence.RoleUser},
		group{"watching", (feeds + feedsEach - 1) / feedsEach, presence.RoleUser})
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer leave()
	moving := s.groups["moving"][0].id
	var sent atomic.Int64 // Unix nanoseconds
	var ready, got atomic.Int64
	var took loadgen.Histogram
	for i := range feeds {
		a := ask{token: s.groups["watching"][i/feedsEach].token, scope: wire.FeedScopeUsers, users: []string{idText(moving)}, observe: true}
		running.Go(func() {
			_ = overWebSocket(ctx, s.address, a, func(func()) {}, func(payload []byte) {
				switch kindOf(payload) {
				case "snap":
					ready.Add(1)
				case "delta":
					took.Add(time.Duration(time.Now().UnixNano() - sent.Load()))
					got.Add(1)
				}
			})
		})
	}
	if !until(ctx, patience, func() bool { return ready.Load() == int64(feeds) }) {
		return fmt.Errorf("%d of %d feeds are ready", ready.Load(), feeds)
	}
	for n := range fanoutRounds {
		wait(ctx, 100*time.Millisecond) // a change after a pause goes out at once
		got.Store(0)
		sent.Store(time.Now().UnixNano())
		if err := s.set(ctx, s.groups["admin"][0], moving, n%2 == 0); err != nil {
			return err
		}
		if !until(ctx, patience, func() bool { return got.Load() == int64(feeds) }) {
			return fmt.Errorf("change %d: %d of %d feeds were told", n+1, got.Load(), feeds)
		}
	}
	fmt.Fprintf(s.out, "fanout: feeds=%d changes=%d from the request to a reader p50=%v p99=%v max=%v\n", feeds, fanoutRounds,
		round(took.Quantile(0.5)), round(took.Quantile(0.99)), round(took.Max()))
	return nil
}

// kindOf is the t of a frame, which the server writes first.
func kindOf(payload []byte) string {
	const before = len(`{"t":"`)
	for i := before; i < len(payload); i++ {
		if payload[i] == '"' {
			return string(payload[before:i])
		}
	}
	return ""
}
