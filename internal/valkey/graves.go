package valkey

import (
	"strconv"
	"strings"
	"time"

	"github.com/offchat/presence"
)

// buried is how long a closed session is remembered, here and in the store.
const buried = time.Hour + time.Minute

// graves remembers closed sessions on this node, so that most late beats are refused without asking the store
// and so that they stay closed while it is away. The zero value is empty.
type graves struct {
	closed map[presence.SessionID]int64
	oldest []presence.SessionID // in order of closing
}

func (g *graves) has(id presence.SessionID) bool {
	_, ok := g.closed[id]
	return ok
}

func (g *graves) add(id presence.SessionID, now int64) {
	if g.closed == nil {
		g.closed = map[presence.SessionID]int64{}
	}
	for len(g.oldest) > 0 && now-g.closed[g.oldest[0]] > buried.Microseconds() {
		delete(g.closed, g.oldest[0])
		g.oldest = g.oldest[1:]
	}
	if _, ok := g.closed[id]; !ok && id.Drawable() {
		g.closed[id] = now
		g.oldest = append(g.oldest, id)
	}
}

// addAll adds sessions as the log lists them.
func (g *graves) addAll(list string, now int64) {
	for list != "" {
		var word string
		word, list, _ = strings.Cut(list, ",")
		if id, err := strconv.ParseInt(word, 10, 64); err == nil {
			g.add(presence.SessionID(id), now)
		}
	}
}
