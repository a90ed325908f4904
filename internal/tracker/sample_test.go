package tracker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

// countingStore keeps the minutes it is given; whatever else a report asks for is a mistake in the test.
type countingStore struct {
	presence.PresenceStore
	presence.ReportStore
	minutes []presence.Minute
	away    bool
}

func (s *countingStore) RecordCounts(_ context.Context, m presence.Minute) error {
	if s.away {
		return errors.New("the store is away")
	}
	s.minutes = append(s.minutes, m)
	return nil
}

// countingEngine knows only how many there are.
type countingEngine struct {
	presence.Engine
	online  int
	devices int
	looked  int // how often all sessions were looked at
}

func (e *countingEngine) Links(context.Context) (presence.Links, error) {
	e.looked++
	return presence.Links{Known: true, Devices: e.devices, Connections: 1}, nil
}

func (e *countingEngine) Counts(context.Context) (presence.Counts, error) {
	return presence.Counts{Online: e.online, Offline: 10 - e.online}, nil
}

// TestSample: a row a minute with its last counts, its peak and the devices of its beginning; minutes wait while the store is away, and a
// minute in which nobody counted has no row.
func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, store := &countingEngine{}, &countingStore{}
		tr := New(Config{Engine: engine, Store: store})
		begin := time.Now().Truncate(time.Minute)
		count := func(seconds, online int) {
			t.Helper()
			engine.online, engine.devices = online, 2*online
			for range seconds {
				if err := tr.sample(t.Context()); (err != nil) != (store.away && len(tr.samples.waiting) > 0) {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		count(30, 2)
		count(10, 7)
		count(20, 3)
		store.away = true
		count(60, 4)
		time.Sleep(5 * time.Minute) // the process stood still
		count(20, 5)
		store.away = false
		count(10, 6)
		if err := tr.flushSamples(t.Context()); err != nil {
			t.Fatal(err)
		}
		minute := func(n, online, peak, devices int) presence.Minute {
			return presence.Minute{
				At: begin.Add(time.Duration(n) * time.Minute).UTC(), Counts: presence.Counts{Online: online, Offline: 10 - online}, PeakOnline: peak,
				Links: presence.Links{Known: true, Devices: devices, Connections: 1},
			}
		}
		wanted := []presence.Minute{minute(0, 3, 7, 4), minute(1, 4, 4, 8), minute(7, 6, 6, 10)}
		if !slices.Equal(store.minutes, wanted) {
			t.Errorf("recorded %+v\nwant %+v", store.minutes, wanted)
		}
		if engine.looked != len(wanted) {
			t.Errorf("all sessions were looked at %d times in %d minutes", engine.looked, len(wanted))
		}
	})
}
