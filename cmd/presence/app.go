package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/metrics"
	"github.com/offchat/presence/internal/tracker"
	"github.com/offchat/presence/internal/webhook"
)

const (
	purgeEvery = time.Hour
	// flushTime is how long the end may take to write down what is behind. What it does not suffice for is
	// restored from the last checkpoint.
	flushTime = 10 * time.Second
)

// app is everything of a server but its doors to the network. `serve` opens those; the other commands use an
// app of their own when no server runs, so that an act is the same code either way.
type app struct {
	cfg      *config.Config
	settings atomic.Pointer[config.Config]     // cfg, with what has changed since the start
	timeouts atomic.Pointer[presence.Timeouts] // what is in force, once something else than cfg's is
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *metrics.Metrics
	ready    httpd.Readiness

	unlock func()
	backing
	tracker  *tracker.Tracker
	auth     *auth.Service
	toucher  *tracker.Toucher
	webhooks *webhook.Service
	control  net.Listener
	probes   control.Probes
}

// openApp takes the data directory, waiting for it for at most patience, and puts the parts together, in the order in which they need each other.
// Nothing runs yet. Close the app, or run it, which closes it.
func openApp(ctx context.Context, cfg *config.Config, log *slog.Logger, patience time.Duration) (_ *app, err error) {
	a := &app{cfg: cfg, log: log, registry: prometheus.NewRegistry()}
	a.settings.Store(cfg)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	a.metrics = metrics.New(a.registry, build())

	dir := dataDir(cfg.Data)
	if err := dir.make(); err != nil {
		return nil, err
	}
	if a.unlock, err = dir.lockWithin(ctx, patience); err != nil {
		return nil, err
	}
	if err := backup.HalfRestored(cfg.Data); err != nil {
		return nil, err
	}
	keys, err := signingKeys(cfg, dir, log)
	if err != nil {
		return nil, err
	}
	if a.backing, err = openBacking(ctx, cfg, dir, a.metrics, log); err != nil {
		return nil, withCure(cfg, err)
	}
	a.webhooks = webhook.New(webhook.Config{
		Store: a.store, AllowNetworks: cfg.WebhookAllowNetworks, DisableAfter: cfg.WebhookDisableAfter, Retention: cfg.WebhookRetention,
		Node: nodeName(cfg), Version: build().Version, Metrics: a.metrics.Webhooks, Log: log,
	})
	a.tracker = tracker.New(tracker.Config{Engine: a.engine, Store: a.store, Outbox: a.webhooks, Metrics: a.metrics, Log: log})
	a.auth, err = auth.New(auth.Config{
		Store: a.store, Presence: a.tracker, Keys: keys, Log: log,
		AccessLifetime: cfg.AccessTokenLifetime, RefreshLifetime: cfg.RefreshTokenLifetime,
		Issuers: issuers(cfg), FetchKeys: newKeyFetcher(),
	})
	if err != nil {
		return nil, err
	}
	if err := a.auth.LoadPrivacy(ctx); err != nil {
		return nil, err
	}
	if err := a.auth.LoadAPITokens(ctx); err != nil {
		return nil, err
	}
	a.toucher = tracker.NewToucher(a.tracker, a.store)
	a.auth.OnSessionEnd(a.toucher.AccountChanged)
	if a.control, err = dir.listenControl(); err != nil {
		return nil, err
	}
	a.watch()
	return a, nil
}

// signingKeys are the configured ones, or the one that the first start made.
func signingKeys(cfg *config.Config, dir dataDir, log *slog.Logger) (auth.Keys, error) {
	key := []byte(cfg.SigningKey)
	if len(key) == 0 && cfg.Database != "" {
		return auth.Keys{}, errNoSharedKey
	}
	if len(key) == 0 {
		if _, err := os.Stat(dir.key()); errors.Is(err, os.ErrNotExist) && dir.exists() {
			log.Warn("the signing key is missing and is made anew: everybody has to sign in again", "file", dir.key())
		}
		var err error
		if key, err = auth.LoadOrCreateKey(dir.key()); err != nil {
			return auth.Keys{}, err
		}
	}
	var old [][]byte
	for _, k := range cfg.SigningKeysOld {
		old = append(old, []byte(k))
	}
	return auth.NewKeys(key, old...)
}

// errNoSharedKey: the key is not kept in the database, where every backup and every reader of it would have it.
var errNoSharedKey = errors.New("with a shared database, give all nodes the same signing_key: make one with \"openssl rand -base64 48 > signing.key\", " +
	"copy it to every node and start each with --signing-key-file signing.key (or PRESENCE_SIGNING_KEY_FILE)")

// watch tells Prometheus the numbers that the parts keep themselves.
func (a *app) watch() {
	count := a.auth.Counters()
	a.metrics.Watch(metrics.Watched{
		Users: func() presence.Counts {
			counts, _ := a.engine.Counts(context.Background()) // what is in memory here: it always knows
			return counts
		},
		LoginsAccepted: count.Logins.Load, LoginsRefused: count.LoginsFailed.Load, LoginsThrottled: count.LoginsThrottled.Load,
		Registrations: count.Registrations.Load, TokensRefused: count.TokensRefused.Load,
		HashRuns: count.HashRuns.Load, HashesRefused: count.HashesRefused.Load,
		SessionLoads: count.SessionLoads.Load, CachedSessions: a.auth.CachedSessions,
	})
	a.metrics.Watch(a.backing.watched)
	a.metrics.WatchShared(a.backing.shared)
}

// door is a part through which requests come in. It returns when ctx ends and its last request is answered.
type door func(ctx context.Context) error

// run restores presence, starts everything, calls opened, and works until ctx ends or a part fails. Then it
// goes back the way it came: doors first, so that nothing comes in; then what they stand on; then what is
// still to be written; then the store and the lock. It closes the app.
func (a *app) run(ctx context.Context, opened func(context.Context) error, doors ...door) error {
	// The parts outlive the doors: their context does not end with ctx.
	partsCtx, stopParts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopParts()
	parts, partsCtx := errgroup.WithContext(partsCtx)
	front, frontCtx := errgroup.WithContext(ctx)

	for _, open := range doors {
		front.Go(func() error { return open(frontCtx) })
	}
	front.Go(func() error {
		if err := a.tracker.Restore(frontCtx); err != nil {
			return err
		}
		a.startParts(parts, partsCtx)
		a.ready.Start(a.checks...)
		front.Go(func() error { return a.serveControl(frontCtx) })
		return opened(frontCtx)
	})
	front.Go(func() error { // a part that fails takes the doors with it
		select {
		case <-partsCtx.Done():
			return errPartFailed
		case <-frontCtx.Done():
			return nil
		}
	})
	err := stopped(front.Wait())

	a.log.LogAttrs(ctx, slog.LevelInfo, "stopping: requests under way are answered, what is behind is written down")
	a.auth.Close()
	stopParts()
	err = errors.Join(err, stopped(parts.Wait()))
	if a.ready.Started() { // else the engine is empty, and must not be written down
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		err = errors.Join(err, a.tracker.Flush(flush))
	}
	return errors.Join(err, a.close())
}

// alive returns while the engine answers. It waits for no disk and no other machine: those are no reason to start
// the process anew.
func (a *app) alive(ctx context.Context) {
	_, _ = a.engine.State(ctx, []presence.UserID{1})
}

// startParts starts what works in the background.
func (a *app) startParts(parts *errgroup.Group, ctx context.Context) {
	parts.Go(func() error { return a.engine.Run(ctx) })
	parts.Go(func() error { return a.tracker.Run(ctx) })
	parts.Go(func() error { return a.auth.Run(ctx) })
	parts.Go(func() error { return a.webhooks.Run(ctx) })
	parts.Go(func() error { return a.purge(ctx) })
	for _, run := range a.backing.runs {
		parts.Go(func() error { return run(ctx) })
	}
	parts.Go(func() error {
		select {
		case <-a.failed:
			return fmt.Errorf("the disk failed: %w", a.store.Ping(ctx))
		case <-ctx.Done():
			return nil
		}
	})
}

// purge deletes what is out of its time, now and every hour.
func (a *app) purge(ctx context.Context) error {
	ticker := time.NewTicker(purgeEvery)
	defer ticker.Stop()
	for {
		at := now()
		switch gone, err := a.store.Purge(ctx, at, at.Add(-a.settings.Load().HistoryRetention)); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.log.LogAttrs(ctx, slog.LevelError, "old rows could not be purged", slog.Any("err", err))
		case gone > 0:
			a.log.LogAttrs(ctx, slog.LevelInfo, "old rows were purged", slog.Int("rows", gone))
		}
		a.emptyTrash(ctx, at)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// trashRetention is how long accounts lie in the trash; 0: until somebody erases them.
func (a *app) trashRetention() time.Duration { return a.settings.Load().TrashRetention }

// emptyTrash erases who lay in the trash for as long as is configured.
func (a *app) emptyTrash(ctx context.Context, at time.Time) {
	keep := a.trashRetention()
	if keep == 0 {
		return
	}
	switch gone, err := a.auth.EmptyTrash(ctx, at.Add(-keep)); {
	case err != nil && ctx.Err() == nil:
		a.log.LogAttrs(ctx, slog.LevelError, "the trash could not be emptied", slog.Any("err", err))
	case gone > 0:
		a.log.LogAttrs(ctx, slog.LevelInfo, "accounts that lay long enough in the trash were erased", slog.Int("accounts", gone))
	}
}

// serveControl answers the command line until ctx ends.
func (a *app) serveControl(ctx context.Context) error {
	handler := control.New(a.auth, a.store, a.tracker)
	handler.ServeTokens(a.auth)
	handler.ServeRecords(a.store, a.auth)
	handler.ServeInside(&a.probes, promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	handler.ServeWebhooks(a.webhooks)
	handler.ServeTimeouts(a.overruled)
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(a.control) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // a list that nobody reads
	}
	<-ended
	return nil
}

// close gives back what openApp took, last first. Parts must not run any more.
func (a *app) close() error {
	var err error
	if a.control != nil {
		_ = a.control.Close() // once more after serveControl is fine
		_ = os.Remove(dataDir(a.cfg.Data).socket())
	}
	err = a.backing.close()
	if a.unlock != nil {
		a.unlock()
	}
	return err
}

// errPartFailed ends the doors when a part has failed; the part's own error is told instead.
var errPartFailed = errors.New("a part failed")

// stopped takes the error away that only says that the end was asked for.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, errPartFailed) {
		return nil
	}
	return err
}

// nodeName is what changes say they come from: the configured name, or the machine's.
func nodeName(cfg *config.Config) string {
	if cfg.Node != "" {
		return cfg.Node
	}
	name, err := os.Hostname()
	if err != nil {
		return "presence"
	}
	return name
}

func now() time.Time { return time.Now() }
