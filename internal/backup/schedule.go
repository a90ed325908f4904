package backup

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Schedule makes backups again and again.
type Schedule struct {
	// Every is how long from one backup to the next; 0: none are made.
	Every time.Duration
	// Keep is how many good backups stay.
	Keep int
	// Dir is where they lie.
	Dir    string
	Source Source
	Log    *slog.Logger

	failures atomic.Uint64
	last     atomic.Int64 // Unix seconds of the newest good backup; 0: none
}

// settle is how long a server has after its start before a backup that is due is made; again is how soon one
// that failed is tried again.
const (
	settle = 10 * time.Minute
	again  = 15 * time.Minute
)

// Failures counts backups that failed.
func (s *Schedule) Failures() uint64 { return s.failures.Load() }

// Last is when the newest good backup was made, as Unix time; 0: never.
func (s *Schedule) Last() float64 { return float64(s.last.Load()) }

// Run makes backups until ctx ends. One that fails is logged and tried again: a server does not end for it.
func (s *Schedule) Run(ctx context.Context) error {
	if newest, ok := Newest(s.Dir); ok {
		s.last.Store(newest.MadeAt.Unix())
	}
	if s.Every <= 0 {
		<-ctx.Done()
		return nil
	}
	wait := max(time.Until(time.Unix(s.last.Load(), 0).Add(s.Every)), min(settle, s.Every))
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if wait = s.Every; !s.make(ctx) {
			wait = min(again, s.Every)
		}
	}
}

func (s *Schedule) make(ctx context.Context) bool {
	began := time.Now()
	made, err := Create(ctx, s.Source, s.Dir, began)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		s.failures.Add(1)
		s.Log.LogAttrs(ctx, slog.LevelError, "the backup failed", slog.String("dir", s.Dir), slog.Any("err", err))
		return false
	}
	s.last.Store(made.MadeAt.Unix())
	s.Log.LogAttrs(ctx, slog.LevelInfo, "a backup was made", slog.String("path", made.Path), slog.Int64("bytes", made.Size()),
		slog.Int64("users", made.Rows["users"]), slog.Duration("took", time.Since(began)))
	removed, err := Prune(s.Dir, s.Keep, began)
	for _, path := range removed {
		s.Log.LogAttrs(ctx, slog.LevelInfo, "an old backup was removed", slog.String("path", path))
	}
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "old backups could not be removed", slog.String("dir", s.Dir), slog.Any("err", err))
	}
	return true
}
