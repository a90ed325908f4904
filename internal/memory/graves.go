package memory

import (
	"time"

	"github.com/offchat/presence"
)

// buried is how long a closed session is remembered here. Any request that was under way when the session
// closed is over long before; whoever comes later is refused at the door.
const buried = time.Hour

// graves remembers closed sessions, so that a beat that was already past the door when its session was
// closed cannot bring it back. The zero value is empty.
type graves struct {
	closed map[presence.SessionID]time.Duration
	oldest []presence.SessionID // in order of closing
}

func (g *graves) has(id presence.SessionID) bool {
	_, ok := g.closed[id]
	return ok
}

func (g *graves) add(id presence.SessionID, now time.Duration) {
	if g.closed == nil {
		g.closed = map[presence.SessionID]time.Duration{}
	}
	for len(g.oldest) > 0 && now-g.closed[g.oldest[0]] > buried {
		delete(g.closed, g.oldest[0])
		g.oldest = g.oldest[1:]
	}
	if _, ok := g.closed[id]; !ok {
		g.closed[id] = now
		g.oldest = append(g.oldest, id)
	}
}
