package canary

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/offchat/presence/internal/metrics"
)

const (
	interval = 30 * time.Second
	lease    = 2 * time.Minute
)

// house is a server as canaries see it, with mistakes to order.
type house struct {
	mu        sync.Mutex
	heard     map[string]time.Time
	since     map[string]time.Time
	signedIn  map[string]int
	late      time.Duration // offline is told so much later
	refuse    bool          // nobody is served
	forgetful bool          // tokens are good once
	used      map[string]bool
}

func newHouse() *house {
	return &house{heard: map[string]time.Time{}, since: map[string]time.Time{}, signedIn: map[string]int{}, used: map[string]bool{}}
}

func (h *house) status(id string) string {
	if at, ok := h.heard[id]; ok && time.Since(at) < lease+h.late {
		return "online"
	}
	return "offline"
}

func (h *house) Prepare(context.Context, string, string) error { return nil }

func (h *house) SignIn(_ context.Context, name, _ string) (token, id string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signedIn[name]++
	return name, name, nil
}

func (h *house) Beat(_ context.Context, token string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse {
		return errors.New("no")
	}
	if h.forgetful && !h.used[token] {
		h.used[token] = true
		return ErrSignedOut
	}
	if h.status(token) == "offline" {
		h.since[token] = time.Now()
	}
	h.heard[token] = time.Now()
	return nil
}

func (h *house) Look(_ context.Context, _, id string) (Seen, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse {
		return Seen{}, errors.New("no")
	}
	return Seen{h.status(id), h.since[id]}, nil
}

// fly lets canaries fly around a house for some time and returns what they measured.
func fly(t *testing.T, h *house, how func()) *metrics.Canary {
	t.Helper()
	m := metrics.New(prometheus.NewRegistry(), metrics.Build{}).Canary()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- New(Config{Door: h, Prepare: h.Prepare, Timing: func() Timing { return Timing{interval, lease} }, Name: "canary", Metrics: m}).Run(ctx)
		}()
		how()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return m
}

func count(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	if h := m.GetHistogram(); h != nil {
		return float64(h.GetSampleCount())
	}
	return m.GetCounter().GetValue()
}

func TestAGoodHouse(t *testing.T) {
	h := newHouse()
	m := fly(t, h, func() { time.Sleep(time.Hour) })
	if n := count(t, m.Flaps) + count(t, m.Ghosts) + count(t, m.Failures); n != 0 {
		t.Errorf("%v complaints about a server that does everything right", n)
	}
	if n := count(t, m.Beats); n < 119 || n > 121 {
		t.Errorf("%v heartbeats in an hour, want one every %s", n, interval)
	}
	if n := count(t, m.OfflineDelay.(prometheus.Metric)); n < 28 || n > 30 {
		t.Errorf("the ghost was measured %v times in an hour, want about every %s", n, lease)
	}
}

// A person who is there and is shown as gone for a moment, between two looks, is a flap.
func TestAFlapIsSeenThoughItWasShort(t *testing.T) {
	h := newHouse()
	m := fly(t, h, func() {
		time.Sleep(10*time.Minute + time.Second)
		h.mu.Lock()
		h.since["canary-steady"] = time.Now()
		h.mu.Unlock()
		time.Sleep(time.Minute)
	})
	if n := count(t, m.Flaps); n != 1 {
		t.Errorf("%v flaps, want 1", n)
	}
}

func TestAGhostIsCountedOnceAndMeasured(t *testing.T) {
	h := newHouse()
	h.late = 20 * time.Second
	m := fly(t, h, func() { time.Sleep(lease + 25*time.Second) })
	if n := count(t, m.Ghosts); n != 1 {
		t.Errorf("%v ghosts, want 1", n)
	}
	if n := count(t, m.OfflineDelay.(prometheus.Metric)); n != 1 {
		t.Errorf("%v delays, want 1", n)
	}
}

// Somebody shown offline before their lease ended is a flap, too.
func TestAnEarlyEnd(t *testing.T) {
	h := newHouse()
	h.late = -time.Second
	if m := fly(t, h, func() { time.Sleep(lease) }); count(t, m.Flaps) != 1 {
		t.Errorf("%v flaps, want 1", count(t, m.Flaps))
	}
}

// A server that is away is counted as that: its canaries are not there, so it is right to show them gone.
func TestAwayIsNoFlap(t *testing.T) {
	h := newHouse()
	m := fly(t, h, func() {
		time.Sleep(time.Minute)
		h.mu.Lock()
		h.refuse = true
		h.mu.Unlock()
		time.Sleep(10 * time.Minute)
		h.mu.Lock()
		h.refuse = false
		h.mu.Unlock()
		time.Sleep(10 * time.Minute)
	})
	if count(t, m.Failures) == 0 || count(t, m.Flaps) != 0 {
		t.Errorf("%v failures and %v flaps, want some and none", count(t, m.Failures), count(t, m.Flaps))
	}
}

func TestATokenThatEndsIsRenewed(t *testing.T) {
	h := newHouse()
	h.forgetful = true
	m := fly(t, h, func() { time.Sleep(time.Minute) })
	if h.signedIn["canary-steady"] != 2 || count(t, m.Failures) != 0 {
		t.Errorf("signed in %d times with %v failures, want 2 and none", h.signedIn["canary-steady"], count(t, m.Failures))
	}
}
