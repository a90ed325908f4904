package client

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence/wire"
)

const (
	// touchEvery is how often one person is told of at most: the server makes nothing of more.
	touchEvery = 5 * time.Second
	// gather is how long the first touch waits for others to go with it.
	gather = 200 * time.Millisecond
	// perTouch is how many people one request tells of, and maxTouches how many wait while the server is away.
	perTouch   = 1000
	maxTouches = 100_000
	// lastTouches is how long Close may take.
	lastTouches = 5 * time.Second
	// slowest is the longest pause between tries while the server is away.
	slowest = 30 * time.Second
)

// touches are those that wait to be told.
type touches struct {
	wake    chan struct{}
	dropped atomic.Uint64

	mu      sync.Mutex           // guards the following fields
	waiting map[string]struct{}  // to be told
	told    map[string]time.Time // when, within touchEvery
}

func (t *touches) init() {
	t.wake, t.waiting, t.told = make(chan struct{}, 1), map[string]struct{}{}, map[string]time.Time{}
}

// Touch says that people are active just now. It never waits and never fails: what it was told goes to the server in
// the background, each person once in five seconds. While the server is away 100,000 people are remembered; Dropped
// counts those beyond. It needs the scope touch.
func (c *Client) Touch(ids ...string) {
	t, now := &c.touch, time.Now()
	t.mu.Lock()
	for _, id := range ids {
		if id == "" || now.Sub(t.told[id]) < touchEvery {
			continue
		}
		if _, waits := t.waiting[id]; !waits && len(t.waiting) >= maxTouches {
			t.dropped.Add(1)
			continue
		}
		t.waiting[id] = struct{}{}
	}
	some := len(t.waiting) > 0
	t.mu.Unlock()
	if !some {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default: // it is awake
	}
}

// Dropped counts the touches that could not be kept because too many waited.
func (c *Client) Dropped() uint64 { return c.touch.dropped.Load() }

// tell sends touches until ctx ends, and then what is left.
func (c *Client) tell(ctx context.Context) {
	pause := gather
	for {
		select {
		case <-c.touch.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTouches)
			defer cancel()
			if err := c.flush(last); err != nil {
				c.onError(err)
			}
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			continue
		}
		if err := c.flush(ctx); err != nil && ctx.Err() == nil {
			c.onError(err)
			pause = min(slowest, 2*pause)
			pause = pause/2 + rand.N(pause/2+1)
			c.Touch() // wakes itself while something waits
			continue
		}
		pause = gather
	}
}

// flush sends all that waits. What was not taken waits again, unless the server will never take it.
func (c *Client) flush(ctx context.Context) error {
	for {
		batch := c.touch.take()
		if len(batch) == 0 {
			return nil
		}
		err := c.call(ctx, http.MethodPost, "/touch", wire.Touch{IDs: batch, Source: c.source}, nil)
		refused := (*Error)(nil)
		if err == nil || errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity {
			continue // an id that is none is not worth another try
		}
		c.touch.putBack(batch)
		return err
	}
}

// take takes some of those that wait.
func (t *touches) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(t.told, func(_ string, at time.Time) bool { return now.Sub(at) >= touchEvery })
	batch := make([]string, 0, min(perTouch, len(t.waiting)))
	for id := range t.waiting {
		if len(batch) == perTouch {
			break
		}
		batch = append(batch, id)
		delete(t.waiting, id)
		t.told[id] = now
	}
	slices.Sort(batch)
	return batch
}

func (t *touches) putBack(batch []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range batch {
		delete(t.told, id)
		if len(t.waiting) < maxTouches {
			t.waiting[id] = struct{}{}
		} else {
			t.dropped.Add(1)
		}
	}
}

// Middleware touches whoever makes a request and then lets it through, at once and whatever the server says. userID
// finds out who it is, from the request's context or a header; empty: nobody.
func (c *Client) Middleware(userID func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id := userID(r); id != "" {
				c.Touch(id)
			}
			next.ServeHTTP(w, r)
		})
	}
}
