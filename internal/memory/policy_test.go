package memory_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/memory"
)

// TestSetPolicy: new leases follow the new policy at once; running ones keep their end, and grow with it.
func TestSetPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory.New(presence.Policy{OfflineAfter: time.Minute, HeartbeatInterval: 20 * time.Second})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = e.Run(ctx) }) // ends with ctx
		defer running.Wait()
		defer stop()
		beat := func(user presence.UserID) {
			if _, err := e.Signal(t.Context(), presence.Signal{User: user, Session: 1000, Kind: presence.Heartbeat, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(when string, user presence.UserID, status presence.Status) {
			t.Helper()
			time.Sleep(2 * memory.Tick)
			synctest.Wait()
			if now, err := e.State(t.Context(), []presence.UserID{user}); err != nil || now[0].Status != status {
				t.Errorf("%s: user %d is %v, want %v (%v)", when, user, now[0].Status, status, err)
			}
		}
		beat(1)
		e.SetPolicy(presence.Policy{OfflineAfter: 30 * time.Second, HeartbeatInterval: 10 * time.Second})
		beat(2)
		time.Sleep(30 * time.Second)
		wants("after 30 s", 2, presence.Offline)
		wants("after 30 s", 1, presence.Online)
		time.Sleep(30 * time.Second)
		wants("after a minute", 1, presence.Offline)

		beat(3)
		e.SetPolicy(presence.Policy{OfflineAfter: 90 * time.Second, HeartbeatInterval: 20 * time.Second})
		time.Sleep(89 * time.Second)
		wants("after 89 s of a lease that grew", 3, presence.Online)
		time.Sleep(time.Second)
		wants("after 90 s", 3, presence.Offline)
	})
}
