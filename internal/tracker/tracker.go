// Package tracker stands between the protocols and the engine. It decides what happens to presence besides
// the rule: when changes and last_seen reach the store, and how an engine comes back after a restart. Whether somebody may send a signal at all was decided at the door (package auth);
// what it means is the rule's business.
package tracker

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/metrics"
)

// Tracker is an engine whose signals and changes are counted, and whose changes are written down. All methods may be
// called from any goroutine.
type Tracker struct {
	presence.Engine

	shared  presence.SharedEngine // the engine, where several nodes share it; else nil
	store   presence.PresenceStore
	metrics *metrics.Metrics
	log     *slog.Logger
	now     func() time.Time
	outbox  Outbox
	record  recorder
	samples sampler
}

// Outbox is who lives on what is written down: webhooks. Its methods may be called from any goroutine; Hurry and
// Recorded must not wait.
type Outbox interface {
	// Hurry reports whether changes should be written down at once rather than every second.
	Hurry() bool
	// Recorded is called when changes were written down.
	Recorded()
	// Gap is called when changes were lost before they could be, how many if that is known, else 0.
	Gap(ctx context.Context, missed int)
}

// nobody lives on it.
type nobody struct{}

func (nobody) Hurry() bool              { return false }
func (nobody) Recorded()                {}
func (nobody) Gap(context.Context, int) {}

// Config is what a Tracker is built from. Outbox, Metrics and Log may be nil.
type Config struct {
	Engine  presence.Engine
	Store   presence.PresenceStore
	Outbox  Outbox
	Metrics *metrics.Metrics
	Log     *slog.Logger
	Now     func() time.Time
}

// New makes a Tracker. Restore and Run follow, in this order.
func New(c Config) *Tracker {
	if c.Metrics == nil {
		c.Metrics = metrics.Discard()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Outbox == nil {
		c.Outbox = nobody{}
	}
	shared, _ := c.Engine.(presence.SharedEngine)
	return &Tracker{
		Engine: c.Engine, shared: shared, store: c.Store, outbox: c.Outbox, metrics: c.Metrics, log: c.Log, now: c.Now,
		record: recorder{hurried: make(chan struct{}, 1)},
	}
}

// Signal passes a signal to the engine and counts it. It shadows the embedded engine's method and has the
// same contract.
func (t *Tracker) Signal(ctx context.Context, s presence.Signal) (presence.Presence, error) {
	p, err := t.Engine.Signal(ctx, s)
	count := &t.metrics.Heartbeats
	switch {
	case s.Kind != presence.Heartbeat:
		count.OtherSignals.Inc()
	case err == nil:
		count.Recorded.Inc()
	case errors.Is(err, presence.ErrClosed):
		count.Closed.Inc()
	default:
		count.Unavailable.Inc()
	}
	return p, err
}

// Devices implements presence.DeviceCounter, also where the engine does not.
func (t *Tracker) Devices(ctx context.Context, users []presence.UserID) ([]int, error) {
	if counter, ok := t.Engine.(presence.DeviceCounter); ok {
		return counter.Devices(ctx, users)
	}
	counts := make([]int, len(users))
	for i, user := range users {
		state, _, err := t.Inspect(ctx, user)
		if err != nil {
			return nil, err
		}
		counts[i] = state.CountDevices()
	}
	return counts, nil
}

// Admit makes a new account known: offline, last seen when it was created, as the recorded system has it. Whoever is
// known already stays as they are.
func (t *Tracker) Admit(ctx context.Context, a presence.Account) error {
	known, err := t.State(ctx, []presence.UserID{a.ID})
	if err != nil || known[0].Version > 0 || !known[0].LastSeen.IsZero() {
		return err
	}
	seen := a.LastSeen
	if seen.IsZero() {
		seen = a.CreatedAt
	}
	return t.Load(ctx, one(presence.Record{Presence: presence.Presence{User: a.ID, LastSeen: seen}}))
}

func one[T any](v T) iter.Seq[T] { return func(yield func(T) bool) { yield(v) } }
