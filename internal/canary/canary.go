// Package canary watches the server from where people stand: three accounts of its own that come through the front
// door and measure what everybody gets.
//
// The steady one beats and must never be shown as gone while its beats are answered: each time it is, that is a flap.
// The ghost beats once, falls silent, and must be shown offline when its lease ends: how much later it is, is a delay,
// and much later is a ghost. The watcher asks for both, and nothing else.
//
// It decides what is measured and what counts as wrong. How accounts are made, and where the door is, it is told.
package canary

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence/internal/metrics"
)

const (
	// tolerance is how much later than its lease's end somebody may be shown offline before they are a ghost.
	// The embedded engine looks every 100 ms, shared ones every second at most.
	tolerance = 3 * time.Second
	// lookEvery is how often the watcher looks, sharp how often while the ghost's end is near.
	lookEvery = 2 * time.Second
	sharp     = 100 * time.Millisecond
	// failedPause follows a request that failed.
	failedPause = 5 * time.Second
)

// Seen is what the watcher was told of somebody.
type Seen struct {
	Status string
	Since  time.Time // when the status began
}

// Timing is what the server tells its clients to keep to.
type Timing struct {
	HeartbeatInterval, OfflineAfter time.Duration
}

// Door is the server as its clients have it. Its methods may be called concurrently.
type Door interface {
	// SignIn returns an access token and the account's id.
	SignIn(ctx context.Context, name, password string) (token, id string, err error)
	// Beat sends a heartbeat. ErrSignedOut says that the token is no longer good.
	Beat(ctx context.Context, token string) error
	// Look asks for the presence of one account. ErrSignedOut says that the token is no longer good.
	Look(ctx context.Context, token, id string) (Seen, error)
}

// ErrSignedOut says that a token is no longer good.
var ErrSignedOut = errors.New("signed out")

// Config is what Canaries are made of. Everything but Log is needed.
type Config struct {
	Door Door
	// Prepare makes an account, or gives one that is there a new password.
	Prepare func(ctx context.Context, name, password string) error
	// Timing returns what is in force now.
	Timing func() Timing
	// Name begins the names of the accounts; nodes that share a database need different ones.
	Name    string
	Metrics *metrics.Canary
	Log     *slog.Logger // nil: nothing is logged
}

// Canaries are the three accounts.
type Canaries struct {
	Config

	steady, ghost, watcher bird
}

// bird is one account. Each belongs to the goroutine that speaks for it, but for id, which is set before those start.
type bird struct {
	name, password string
	id, token      string
}

// New makes Canaries.
func New(cfg Config) *Canaries {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	named := func(role string) bird {
		return bird{name: cfg.Name + "-" + role, password: rand.Text() + rand.Text()[:6]} // kept nowhere
	}
	return &Canaries{Config: cfg, steady: named("steady"), ghost: named("ghost"), watcher: named("watcher")}
}

// Run watches until ctx ends. Failures are counted, logged and tried again.
func (c *Canaries) Run(ctx context.Context) error {
	for _, b := range []*bird{&c.steady, &c.ghost, &c.watcher} {
		for !c.try(ctx, "begin", func() error { return c.begin(ctx, b) }) {
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { c.beatSteadily(ctx); return nil })
	watcher := c.watcher // one copy for each who looks, so that each signs in for itself
	group.Go(func() error { c.watchSteady(ctx, &watcher); return nil })
	group.Go(func() error { c.haunt(ctx); return nil })
	return group.Wait()
}

func (c *Canaries) begin(ctx context.Context, b *bird) error {
	if err := c.Prepare(ctx, b.name, b.password); err != nil {
		return err
	}
	token, id, err := c.Door.SignIn(ctx, b.name, b.password)
	b.token, b.id = token, id
	return err
}

func (c *Canaries) signInAgain(ctx context.Context, b *bird) (err error) {
	b.token, _, err = c.Door.SignIn(ctx, b.name, b.password)
	return err
}

// try does something, and waits a while when it fails.
func (c *Canaries) try(ctx context.Context, what string, do func() error) bool {
	err := do()
	if err == nil {
		return true
	}
	if ctx.Err() == nil {
		c.Metrics.Failures.Inc()
		c.Log.LogAttrs(ctx, slog.LevelWarn, "a canary is not served", slog.String("step", what), slog.Any("err", err))
		pause(ctx, failedPause)
	}
	return false
}

func (c *Canaries) beat(ctx context.Context, b *bird) error {
	err := c.Door.Beat(ctx, b.token)
	if errors.Is(err, ErrSignedOut) {
		if err = c.signInAgain(ctx, b); err == nil {
			err = c.Door.Beat(ctx, b.token)
		}
	}
	return err
}

func (c *Canaries) look(ctx context.Context, watcher *bird, id string) (seen Seen, err error) {
	if seen, err = c.Door.Look(ctx, watcher.token, id); errors.Is(err, ErrSignedOut) {
		if err = c.signInAgain(ctx, watcher); err == nil {
			seen, err = c.Door.Look(ctx, watcher.token, id)
		}
	}
	return seen, err
}

// beatSteadily beats as every client does.
func (c *Canaries) beatSteadily(ctx context.Context) {
	for ctx.Err() == nil {
		if c.try(ctx, "heartbeat", func() error { return c.beat(ctx, &c.steady) }) {
			c.Metrics.Beats.Inc()
			pause(ctx, c.Timing().HeartbeatInterval)
		}
	}
}

// watchSteady looks after the steady one: it is online, and has been since it was first seen so. What happened
// between two looks shows in when the status began.
func (c *Canaries) watchSteady(ctx context.Context, watcher *bird) {
	var before Seen
	for ; ctx.Err() == nil; pause(ctx, lookEvery) {
		var seen Seen
		if !c.try(ctx, "look", func() (err error) { seen, err = c.look(ctx, watcher, c.steady.id); return err }) {
			before = Seen{} // beats may have failed as well, and being offline is right then
			continue
		}
		if before.Status == "online" && seen != before {
			c.Metrics.Flaps.Inc()
			c.Log.LogAttrs(ctx, slog.LevelError, "a flap: the steady canary beats and was shown as gone",
				slog.String("status", seen.Status), slog.Time("since", seen.Since))
		}
		before = seen
	}
}

// haunt comes online, falls silent, and measures when that is seen, again and again.
func (c *Canaries) haunt(ctx context.Context) {
	for ctx.Err() == nil {
		_ = c.try(ctx, "ghost", func() error { return c.hauntOnce(ctx) })
	}
}

func (c *Canaries) hauntOnce(ctx context.Context) error {
	asked, timing := time.Now(), c.Timing()
	if err := c.beat(ctx, &c.ghost); err != nil {
		return err
	}
	answered := time.Now()
	if _, err := c.await(ctx, "online", answered.Add(timing.OfflineAfter/2)); err != nil {
		return err
	}
	c.Metrics.OnlineDelay.Observe(time.Since(answered).Seconds())

	// Silence. The lease began somewhere between asking and answering.
	pause(ctx, time.Until(asked.Add(timing.OfflineAfter-lookEvery)))
	for end := answered.Add(timing.OfflineAfter); ; {
		at, err := c.await(ctx, "offline", end.Add(tolerance))
		switch late := at.Sub(end); {
		case errors.Is(err, errNotSeen):
			c.Metrics.Ghosts.Inc()
			c.Log.LogAttrs(ctx, slog.LevelError, "a ghost: somebody who fell silent is still shown online", slog.Duration("late", time.Since(end)))
			end = time.Now().Add(timing.OfflineAfter) // until then it is one ghost
		case err != nil:
			return err
		case at.Before(asked.Add(timing.OfflineAfter)):
			c.Metrics.Flaps.Inc()
			c.Log.LogAttrs(ctx, slog.LevelError, "a flap: somebody was shown offline before their lease ended", slog.Duration("early", end.Sub(at)))
			return nil
		default:
			c.Metrics.OfflineDelay.Observe(max(late, 0).Seconds())
			return nil
		}
	}
}

var errNotSeen = errors.New("was not seen in time")

// await looks until the ghost is seen with a status, and returns when it was. errNotSeen: it was not until then.
func (c *Canaries) await(ctx context.Context, status string, until time.Time) (time.Time, error) {
	for {
		seen, err := c.look(ctx, &c.watcher, c.ghost.id)
		at := time.Now()
		switch {
		case err != nil:
			return at, err
		case seen.Status == status:
			return at, nil
		case at.After(until):
			return at, fmt.Errorf("the ghost, %s for %s: %w", seen.Status, status, errNotSeen)
		case ctx.Err() != nil:
			return at, ctx.Err()
		}
		pause(ctx, sharp)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
