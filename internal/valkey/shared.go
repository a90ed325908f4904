package valkey

import (
	"context"
	"iter"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
)

// Once reports whether no node has asked with this name before, in that time. While the store is away every name is
// new: callers that must be sure ask something else.
func (e *Engine) Once(ctx context.Context, name string, life time.Duration) bool {
	if e.away.Load() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, slowCall)
	defer cancel()
	err := e.client.Do(ctx, e.client.B().Set().Key(e.prefix+"once:"+name).Value("").Nx().PxMilliseconds(life.Milliseconds()).Build()).Error()
	return !rueidis.IsRedisNil(err)
}

var _ presence.SharedEngine = (*Engine)(nil)

// Node implements presence.SharedEngine.
func (e *Engine) Node() string { return e.node }

// Stale implements presence.SharedEngine: true while the store is away.
func (e *Engine) Stale() bool { return e.stats.Stale.Load() }

// Heard implements presence.SharedEngine.
func (e *Engine) Heard(since time.Time) iter.Seq[presence.Seen] {
	return func(yield func(presence.Seen) bool) {
		var buffer []presence.Seen
		from, now := e.clock.reading(since), e.clock.present() // whatever this node's own clock shows
		for _, sh := range e.shards {
			buffer = buffer[:0]
			sh.mu.Lock()
			sh.eachLocked(func(id presence.UserID, u *user) {
				if u.known && u.heard >= from && u.seen >= from {
					buffer = append(buffer, presence.Seen{User: id, At: wall(min(u.seen, now))})
				}
			})
			sh.mu.Unlock()
			for _, one := range buffer {
				if !yield(one) {
					return
				}
			}
		}
	}
}

// Holding reports whether the breaker that all nodes share is open.
func (e *Engine) Holding() bool { return e.clock.present() < e.held.Load() }
