// Package webhook tells other people's servers what happens: signed deliveries as Standard Webhooks v1.0.0 has them,
// from the queues that the store fills, at least once and in order.
//
// It decides what a delivery looks like and who signs it, where deliveries may go, when a failed one is tried again
// and when a webhook is taken out of service, and every act of an admin on webhooks. What happens and who is told is
// noticed by the store, in the transaction in which it happens (presence.WebhookStore).
//
// One goroutine a webhook sends, one delivery at a time: so what one receiver is told is in order, and a receiver that
// is slow or dead delays nobody else. Of several nodes the one with the lease sends.
package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/metrics"
)

const (
	// usualLook is how often the queues are looked at when nobody says that something is in them.
	usualLook = time.Second
	// leaseLength is how long a node may send before it asks again. It does at every delivery, and a delivery takes
	// a quarter of it at most: clocks of two nodes may differ by the rest.
	leaseLength = time.Minute
	// sendTimeout bounds one attempt, from the look-up of the name to the last byte of the answer that is read.
	sendTimeout = 15 * time.Second
	// sendGrace is how long an attempt may still take once the server stops.
	sendGrace = 3 * time.Second
	// manualSends is how many attempts that admins ask for run at a time.
	manualSends = 8

	// giveUpAfter is how long a delivery is tried; then those behind it have their turn.
	giveUpAfter = 24 * time.Hour
	// keepDeliveries and maxQueued bound what is kept for one webhook.
	keepDeliveries = 5_000
	maxQueued      = 1_000_000
	tidyEvery      = 10 * time.Minute
	// measureEvery is how often the queues are counted for the metrics.
	measureEvery = 10 * time.Second
)

// Store is what webhooks need of a store.
type Store interface {
	presence.WebhookStore
	// Durable is presence.Store's. The Tx it hands out is a presence.WebhookTx.
	Durable(ctx context.Context, act func(tx presence.Tx) error) error
}

// Config is what a Service is built from. Store is needed; the rest has defaults.
type Config struct {
	Store Store
	// AllowNetworks are networks that deliveries may go to although they are not public ones, and without TLS.
	AllowNetworks []netip.Prefix
	// DisableAfter is how long a webhook may fail without a break before it is taken out of service. Default 5 days.
	DisableAfter time.Duration
	// Retention is how long deliveries are kept that are not pending. Default 7 days.
	Retention time.Duration
	// Node names this server among those that share the store.
	Node string
	// Version is the version of the program, for the User-Agent.
	Version string
	Metrics *metrics.Webhooks
	Log     *slog.Logger
	Now     func() time.Time
	// Transport carries deliveries instead of the guarded one, in tests.
	Transport http.RoundTripper
}

// Service is every act on webhooks, and the sender. All methods may be called from any goroutine.
type Service struct {
	Config // static after New

	client    *http.Client
	lookEvery time.Duration // longer in tests that last for days
	guard     *guard
	holder    string
	wake      chan struct{}
	manual    chan struct{} // a slot for every attempt that an admin asked for
	active    atomic.Bool   // whether any webhook is, as of the last look

	mu      sync.Mutex // guards the following field
	sending map[int64]bool
}

// New makes a Service. Run sends.
func New(c Config) *Service {
	if c.DisableAfter == 0 {
		c.DisableAfter = 5 * 24 * time.Hour
	}
	if c.Retention == 0 {
		c.Retention = 7 * 24 * time.Hour
	}
	if c.Metrics == nil {
		c.Metrics = metrics.Discard().Webhooks
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{
		Config: c, guard: &guard{allowed: c.AllowNetworks}, lookEvery: usualLook, holder: c.Node + "/" + randomWord(),
		wake: make(chan struct{}, 1), manual: make(chan struct{}, manualSends), sending: map[int64]bool{},
	}
	if s.Transport == nil {
		s.Transport = s.guard
	}
	s.client = &http.Client{
		Transport: s.Transport,
		// A redirect is an answer like any other that is no success: it could lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// randomWord is what nobody else draws: 26 letters and digits, 128 bits.
func randomWord() string {
	var b [16]byte
	_, _ = io.ReadFull(rand.Reader, b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Hurry reports whether anybody waits for changes to be recorded.
func (s *Service) Hurry() bool { return s.active.Load() }

// Recorded says that something may be in the queues. It never waits.
func (s *Service) Recorded() {
	select {
	case s.wake <- struct{}{}:
	default: // somebody said so already
	}
}

// Gap says that changes were lost before they could be recorded, how many if that is known, else 0.
func (s *Service) Gap(ctx context.Context, missed int) {
	if err := s.Store.TellWebhooksOfGap(ctx, s.Now(), missed); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "webhooks are not told of a gap", slog.Any("err", err))
	}
	s.Recorded()
}

// Run sends until ctx ends. Attempts that are under way then have a moment to come to an end.
func (s *Service) Run(ctx context.Context) error {
	var senders sync.WaitGroup
	defer senders.Wait()
	look, tidy, measure := time.NewTicker(s.lookEvery), time.NewTicker(tidyEvery), time.NewTicker(measureEvery)
	defer look.Stop()
	defer tidy.Stop()
	defer measure.Stop()
	failing := false
	for {
		err := s.look(ctx, &senders)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			s.Log.LogAttrs(ctx, slog.LevelError, "webhooks are not sent; trying again", slog.Any("err", err))
		case err == nil && failing:
			s.Log.LogAttrs(ctx, slog.LevelInfo, "webhooks are sent again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-look.C:
		case <-measure.C:
			s.measure(ctx)
		case <-tidy.C:
			s.tidy(ctx)
		}
	}
}

// look starts a sender for every webhook that has something to send and no sender yet.
func (s *Service) look(ctx context.Context, senders *sync.WaitGroup) error {
	hooks, err := s.Store.Webhooks(ctx)
	if err != nil {
		return err
	}
	active := false
	for i := range hooks {
		active = active || hooks[i].State == presence.WebhookActive
	}
	s.active.Store(active)
	if !active {
		return nil
	}
	due, err := s.Store.DueWebhooks(ctx, s.holder, s.Now())
	if err != nil {
		return err
	}
	for _, id := range due {
		if !s.begin(id) {
			continue
		}
		senders.Go(func() {
			defer s.end(id)
			s.drain(ctx, id)
		})
	}
	return nil
}

func (s *Service) begin(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := !s.sending[id]
	s.sending[id] = true
	return begun
}

// end looks again: what came while the sender was about to end found one still there.
func (s *Service) end(id int64) {
	s.mu.Lock()
	delete(s.sending, id)
	s.mu.Unlock()
	s.Recorded()
}

// drain sends until nothing is due.
func (s *Service) drain(ctx context.Context, id int64) {
	for ctx.Err() == nil {
		lease := presence.WebhookLease{Webhook: id, Holder: s.holder, Now: s.Now(), Length: leaseLength}
		hook, delivery, err := s.Store.NextWebhookDelivery(ctx, lease, s.pack)
		if err == nil && delivery == nil {
			return
		}
		if err == nil {
			err = s.deliver(ctx, hook, delivery)
		}
		if err != nil {
			if !errors.Is(err, errNotNow) && ctx.Err() == nil {
				s.Log.LogAttrs(ctx, slog.LevelError, "a webhook is not sent; trying again", slog.Int64("webhook", id), slog.Any("err", err))
				pause(ctx, usualLook) // the store may come back
			}
			break
		}
	}
	if err := s.Store.ReleaseWebhook(context.WithoutCancel(ctx), id, s.holder); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "the lease of a webhook is not given back; it ends by itself", slog.Int64("webhook", id),
			slog.Any("err", err))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// tidy deletes what is out of its time.
func (s *Service) tidy(ctx context.Context) {
	now := s.Now()
	_, dropped, err := s.Store.PurgeWebhooks(ctx, now, now.Add(-s.Retention), keepDeliveries, maxQueued)
	s.Metrics.Dropped.Add(float64(dropped))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.Log.LogAttrs(ctx, slog.LevelError, "old deliveries of webhooks could not be purged", slog.Any("err", err))
	case dropped > 0:
		s.Log.LogAttrs(ctx, slog.LevelWarn, "events for webhooks were dropped: too many wait", slog.Int("events", dropped),
			slog.Int("limit", maxQueued))
	}
}

// measure tells the metrics how much waits.
func (s *Service) measure(ctx context.Context) {
	queues, err := s.Store.WebhookQueues(ctx)
	if err != nil {
		return // look says so
	}
	events, oldest := 0, time.Time{}
	for _, q := range queues {
		if events += q.Events; oldest.IsZero() || q.Oldest.Before(oldest) {
			oldest = q.Oldest
		}
	}
	lag := time.Duration(0)
	if !oldest.IsZero() {
		lag = max(0, s.Now().Sub(oldest))
	}
	s.Metrics.Queue.Set(float64(events))
	s.Metrics.Lag.Set(lag.Seconds())
}
