package main

import (
	"io"
	"log/slog"

	"github.com/lmittmann/tint"

	"github.com/offchat/presence/internal/config"
)

// levelOf is the level that the settings ask for.
func levelOf(cfg *config.Config) slog.Level {
	switch cfg.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// newLogger makes the log that the settings ask for, of lines of at least a level that may change while it is
// written. Secrets, tokens and passwords never get as far as here.
func newLogger(cfg *config.Config, out io.Writer, level slog.Leveler) *slog.Logger {
	terminal := isTerminal(out)
	if cfg.LogFormat == "json" || cfg.LogFormat == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	if !terminal {
		return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(out, &tint.Options{Level: level}))
}
