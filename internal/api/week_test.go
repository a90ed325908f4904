package api

import (
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// TestWeek: means stand at the hour of the zone asked for, weighed by the minutes that were recorded; hours in which
// nobody looked are null.
func TestWeek(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	boss := s.login("boss").Access
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday, 16:30 in Kabul
	s.h.Now = func() time.Time { return now }
	for ago, online := range map[time.Duration]int{
		25 * time.Minute:             10, // 16:05 in Kabul
		20 * time.Minute:             20,
		7*24*time.Hour + time.Minute: 60, // a week before, 16:29
		35 * time.Minute:             7,  // 15:55
		29 * 24 * time.Hour:          1000,
	} {
		if err := s.store.RecordCounts(t.Context(), presence.Minute{At: now.Add(-ago).Truncate(time.Minute), Counts: presence.Counts{Online: online}}); err != nil {
			t.Fatal(err)
		}
	}
	told := want[wire.Week](s, 200, "GET", "/api/v1/history/week?tz=Asia/Kabul", boss, "")
	if len(told.Days) != 7 {
		t.Fatalf("%d days", len(told.Days))
	}
	for day, one := range told.Days {
		if len(one.Hours) != 24 || len(one.Minutes) != 24 {
			t.Fatalf("day %d has %d hours", day, len(one.Hours))
		}
		for hour, mean := range one.Hours {
			wanted, minutes := 0., 0
			switch {
			case day == 1 && hour == 16:
				wanted, minutes = 30, 3
			case day == 1 && hour == 15:
				wanted, minutes = 7, 1
			}
			if (mean != nil) != (minutes > 0) || (mean != nil && *mean != wanted) || one.Minutes[hour] != minutes {
				t.Errorf("day %d, %d h: mean %v of %d minutes", day, hour, mean, one.Minutes[hour])
			}
		}
	}
	if p := want[wire.Problem](s, 422, "GET", "/api/v1/history/week?tz=Mars/Base", boss, ""); p.Field != "tz" {
		t.Errorf("a zone that is none: %+v", p)
	}
}

// TestDevicesInCounts: staff are told how many devices there are, also those of somebody whom a hold calls offline.
func TestDevicesInCounts(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss := s.login("boss").Access
	now := time.Now()
	s.h.Now = func() time.Time { now = now.Add(linksFor); return now }
	alice := s.login("alice").Access
	s.login("bob")
	counts := func(token string) wire.Counts { return want[wire.Counts](s, 200, "GET", "/api/v1/counts", token, "") }
	if c := counts(boss); c.Devices == nil || *c.Devices != 3 || c.Connections == nil || *c.Connections != 0 || c.Online != 3 {
		t.Errorf("with one device each: %+v", c)
	}
	if c := counts(alice); c.Devices != nil || c.Connections != nil {
		t.Errorf("alice is told of devices and connections: %+v", c)
	}
	want[wire.UserDetail](s, 200, "POST", "/api/v1/users/7/hold", boss, `{"status":"offline"}`)
	if c := counts(boss); *c.Devices != 3 || c.Online != 2 {
		t.Errorf("with alice held offline: %+v", c)
	}
}
