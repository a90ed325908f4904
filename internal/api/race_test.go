package api

import (
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// TestActsAtOnce: however acts on one person meet, memory ends as the store does.
func TestActsAtOnce(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	s.login("alice")
	for range 30 {
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				var err error
				switch i {
				case 0:
					err = s.auth.LiftHold(t.Context(), auth.System, 7, presence.Origin{})
				case 1, 2:
					err = s.auth.SetHold(t.Context(), auth.System, 7, presence.Status(i-1), time.Time{}, "", presence.Origin{})
				default:
					p := presence.Privacy{HideStatus: i == 3, HideLastSeen: i == 4}
					err = s.auth.SetPrivacy(t.Context(), auth.Identity{User: 7}, p, presence.Origin{})
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		holds, err := s.store.Holds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		state, _, err := s.tracker.Inspect(t.Context(), 7)
		if err != nil || state.Hold != holds[7] {
			t.Fatalf("held %+v, stored %+v, %v", state.Hold, holds[7], err)
		}
		a, err := s.store.Account(t.Context(), 7)
		if err != nil || a.Privacy != s.auth.Privacy(7) {
			t.Fatalf("hides %+v, stored %+v, %v", s.auth.Privacy(7), a.Privacy, err)
		}
	}
}
