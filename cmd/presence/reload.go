package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/offchat/presence/internal/config"
)

// reloader reads the configuration again at SIGHUP. What may change in a running server changes, all of it or
// nothing; what needs a restart is named; a configuration that is wrong changes nothing.
type reloader struct {
	hangup     <-chan os.Signal
	load       func() (*config.Config, error)
	apply      func(*config.Config)
	log        *slog.Logger
	supervisor supervisor

	running *config.Config // what the server goes on with
}

// run reloads at every signal until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hangup:
			r.reload(ctx)
		}
	}
}

func (r *reloader) reload(ctx context.Context) {
	defer r.supervisor.reloading()()
	next, err := r.load()
	if err != nil {
		r.log.LogAttrs(ctx, slog.LevelError, "the configuration is wrong; the server goes on with the one before", slog.Any("err", err))
		return
	}
	merged, changes := r.running.Reload(next)
	r.apply(merged)
	r.running = merged
	for _, c := range changes {
		what, level := "a setting has changed", slog.LevelInfo
		if !c.Applied {
			what, level = "a setting has changed that needs a restart; the server goes on with the old value", slog.LevelWarn
		}
		r.log.LogAttrs(ctx, level, what, slog.String("setting", c.Key), slog.String("from", c.From), slog.String("to", c.To))
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "the configuration was read again", slog.Int("changes", len(changes)))
}
