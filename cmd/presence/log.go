package main

import (
	"io"
	"log/slog"

	"github.com/lmittmann/tint"

	"github.com/offchat/presence/internal/config"
)

// newLogger makes the log that the settings ask for, of lines of at least the level least. Secrets, tokens and
// passwords never get as far as here.
func newLogger(cfg *config.Config, out io.Writer, least slog.Level) *slog.Logger {
	level := slog.LevelInfo
	switch cfg.LogLevel {
	case "debug":
		level = slog.LevelDebug
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	}
	level = max(level, least)
	terminal := isTerminal(out)
	if cfg.LogFormat == "json" || cfg.LogFormat == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	if !terminal {
		return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(out, &tint.Options{Level: level}))
}
