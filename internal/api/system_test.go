package api

import (
	"context"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// TestAttention: what it counts is what the list behind it shows.
func TestAttention(t *testing.T) {
	s := newStack(t)
	pending := user(9, "carol")
	pending.Status = presence.AccountPending
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), pending)
	boss := s.login("boss").Access
	if got := want[wire.Attention](s, 200, "GET", "/api/v1/attention", boss, ""); len(got.Items) != 1 || got.Items[0].Text != "1 account waits for approval" {
		t.Errorf("at first: %+v", got.Items)
	}
	for range manyDevices {
		s.again("alice")
	}
	s.signal(presence.Signal{User: 8, Session: 5000, Kind: presence.Logout, At: time.Now().Add(-24 * time.Hour)}) // seen yesterday
	if err := s.auth.SetHold(t.Context(), auth.System, 8, presence.Online, time.Time{}, "", presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	value := 3.0
	s.h.Facts = func(context.Context) []wire.Fact {
		return []wire.Fact{
			{Key: "sockets", Value: &value, Unit: "count", State: "ok", Text: "3 connections are open."},
			{Key: "expiry_lag", Value: &value, Unit: "seconds", State: "warn", Text: "Silence is told 3 s late."},
		}
	}
	found := map[string]wire.Concern{}
	for _, one := range want[wire.Attention](s, 200, "GET", "/api/v1/attention", boss, "").Items {
		found[one.Key] = one
		if one.Page != "users" {
			continue
		}
		list := want[wire.UserPage](s, 200, "GET", "/api/v1/users?"+one.Query, boss, "")
		if len(list.Items) != one.Count {
			t.Errorf("%s counts %d, its list has %d", one.Key, one.Count, len(list.Items))
		}
	}
	for key, count := range map[string]int{"pending": 1, "held": 1, "silent": 1, "many_devices": 1, "expiry_lag": 1} {
		if found[key].Count != count || found[key].Text == "" {
			t.Errorf("%s: %+v, want %d", key, found[key], count)
		}
	}
	if len(found) != 5 {
		t.Errorf("found: %+v", found)
	}
	if sys := want[wire.System](s, 200, "GET", "/api/v1/system", boss, ""); len(sys.Facts) != 2 || sys.Version != "test" || sys.StartedAt.IsZero() {
		t.Errorf("system: %+v", sys)
	}
}
