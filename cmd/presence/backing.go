package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/memory"
	"github.com/offchat/presence/internal/metrics"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/valkey"
)

// database is what every store can do that a server runs on.
type database interface {
	presence.Store
	presence.ReportStore
	presence.DeskStore
	presence.ImportStore
	presence.AuditChain
	presence.PersonStore
	presence.WebhookStore
	presence.EmailReader
}

// engine is what every engine can do that a server runs on.
type engine interface {
	presence.Engine
	Run(ctx context.Context) error
	SetPolicy(policy presence.Policy)
}

// backing is where accounts and presence are: in this process and its data directory, or in servers that several
// nodes share. Everything else of the app is the same either way.
type backing struct {
	store  database
	engine engine

	failed  <-chan struct{} // the store is beyond repair; nil: that cannot be
	checks  []httpd.Check
	late    *metrics.Recent // from the end of leases to what says so; nil: that is not known here
	watched metrics.Watched // what this kind of store and engine count
	shared  metrics.Shared
	runs    []func(ctx context.Context) error // what works in the background besides the engine
	closers []func() error
}

// close gives back what was opened, last first.
func (b *backing) close() (err error) {
	for i := len(b.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closers[i]())
	}
	b.closers = nil
	return err
}

// openBacking opens the configured store and engine.
func openBacking(ctx context.Context, cfg *config.Config, dir dataDir, m *metrics.Metrics, log *slog.Logger) (b backing, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if cfg.Database == "" {
		err = b.openSQLite(ctx, cfg, dir, m, log)
	} else {
		err = b.openPostgres(ctx, cfg, log)
	}
	if err != nil {
		return b, err
	}
	policy := presence.Policy{OfflineAfter: cfg.OfflineAfter, LeaveGrace: cfg.LeaveGrace, HeartbeatInterval: cfg.HeartbeatInterval}
	if cfg.Engine == "" {
		b.openMemory(policy, cfg, m, log)
		return b, nil
	}
	return b, b.openValkey(ctx, policy, cfg, log)
}

func (b *backing) openSQLite(ctx context.Context, cfg *config.Config, dir dataDir, m *metrics.Metrics, log *slog.Logger) error {
	store, err := sqlite.Open(ctx, dir.database(), sqlite.Options{Log: log, BeforeUpgrade: backupBefore(cfg, log)})
	if err != nil {
		return err
	}
	b.store, b.failed, b.closers = store, store.Failed(), append(b.closers, store.Close)
	b.checks = append(b.checks, httpd.Check{Name: "store", Run: store.Ping}, diskCheck(store))
	b.runs = append(b.runs, func(ctx context.Context) error { return probeDisk(ctx, store) })
	schedule := newSchedule(cfg, log)
	b.runs = append(b.runs, schedule.Run)
	watchDisk(m, store, string(dir), schedule)
	b.watched.StoreActs = func() uint64 { return store.Stats().Acts }
	b.watched.StoreCommits = func() uint64 { return store.Stats().Commits }
	return nil
}

func (b *backing) openPostgres(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	store, err := postgres.Open(ctx, string(cfg.Database), postgres.Options{Log: log})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	b.store, b.closers = store, append(b.closers, store.Close)
	if cfg.Engine == "" {
		alone, err := store.Alone(ctx)
		if err != nil {
			return fmt.Errorf("database: %w", err)
		}
		b.closers = append(b.closers, alone)
	}
	// What nodes share is never a reason to send requests to another node, which lacks it too.
	b.checks = append(b.checks, httpd.Check{Name: "store", Run: func(ctx context.Context) error { return httpd.Degraded(store.Ping(ctx)) }})
	b.watched.StoreActs = func() uint64 { return store.Stats().Acts }
	b.shared.StoreAway = func() bool { return store.Stats().Away }
	b.shared.StoreConns = func() int { return store.Stats().Conns }
	b.shared.StoreReruns = func() uint64 { return store.Stats().Reruns }
	return nil
}

func (b *backing) openMemory(policy presence.Policy, cfg *config.Config, m *metrics.Metrics, log *slog.Logger) {
	b.late = &metrics.Recent{}
	e := memory.New(policy, memory.WithNode(nodeName(cfg)), memory.WithLog(log),
		memory.WithLateness(func(late time.Duration) {
			m.DetectionDelay.Observe(late.Seconds())
			b.late.Add(now(), late)
		}))
	b.engine = e
	count := e.Stats()
	b.watched.Stalls, b.watched.BreakerTrips, b.watched.BreakerOpen = count.Stalls.Load, count.BreakerTrips.Load, count.BreakerOpen.Load
}

// errStale is what the readiness check says of an engine whose server is away.
var errStale = errors.New("the server that nodes share presence in is away; what other nodes hear is not known here")

func (b *backing) openValkey(ctx context.Context, policy presence.Policy, cfg *config.Config, log *slog.Logger) error {
	e, err := valkey.New(ctx, valkey.Config{
		URL: string(cfg.Engine), Policy: policy, Node: nodeName(cfg), Log: log,
	})
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	b.engine = e
	b.closers = append(b.closers, func() error { e.Close(); return nil })
	b.checks = append(b.checks, httpd.Check{Name: "engine", Run: func(context.Context) error {
		if e.Stale() {
			return httpd.Degraded(errStale)
		}
		return nil
	}})
	count := e.Stats()
	b.watched.Stalls, b.watched.BreakerTrips, b.watched.BreakerOpen = count.Stalls.Load, count.BreakerTrips.Load, e.Holding
	b.shared.EngineStale, b.shared.EngineOutages, b.shared.EngineReadings = e.Stale, count.Outages.Load, count.Readings.Load
	b.shared.EngineRestored, b.shared.EngineRenewals, b.shared.EngineConflicts = count.Restored.Load, count.Renewals.Load, count.Conflicts.Load
	return nil
}
