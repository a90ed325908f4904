package valkey

import (
	"context"
	"embed"
	"time"

	"github.com/redis/rueidis"
)

// The scripts decide nothing about presence: they compare, write, append and read, each in one atomic step
// within one slot.
//
//go:embed scripts/*.lua
var scripts embed.FS

var (
	actScript   = load("act")
	renewScript = load("renew")
	dueScript   = load("due")
	pollScript  = load("poll")
	claimScript = load("claim")
	holdScript  = load("hold")
	skipScript  = load("skip")
)

func load(name string) *rueidis.Lua {
	text, err := scripts.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // it is embedded
	}
	return rueidis.NewLuaScript(string(text))
}

// call runs a script once and never waits longer than the given time.
func (e *Engine) call(ctx context.Context, s *rueidis.Lua, limit time.Duration, keys []string, args ...string) ([]rueidis.RedisMessage, error) {
	// A caller that goes away leaves its signal behind: it was heard.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return s.Exec(ctx, e.client, keys, args).ToArray()
}
