package realtime

import (
	"sync"

	"github.com/offchat/presence"
)

const (
	watchShards = 64
	// fewWatchers is how many watchers of one user are kept in a list; with more it is a map, so that thousands
	// who leave at once do not search through each other.
	fewWatchers = 32
)

// watched says which connections watch which users.
type watched [watchShards]struct {
	mu    sync.Mutex // guards the following field
	users map[presence.UserID]*watchers
}

// watch is one connection's interest in one user. Changes up to fence are in what it was sent already.
type watch struct {
	by    *conn
	fence uint64
}

// watchers are those of one user: few, or when there were more once, many.
type watchers struct {
	few  []watch
	many map[*conn]uint64
}

func (w *watched) shard(user presence.UserID) int { return int(uint64(user) % watchShards) }

// set notes that a connection watches a user, or a new fence if it did already.
func (w *watched) set(user presence.UserID, by *conn, fence uint64) {
	s := &w[w.shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users = make(map[presence.UserID]*watchers)
	}
	of := s.users[user]
	if of == nil {
		of = &watchers{}
		s.users[user] = of
	}
	of.set(by, fence)
}

// has reports whether a connection watches a user.
func (w *watched) has(user presence.UserID, by *conn) bool {
	s := &w[w.shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.users[user]
	if of == nil {
		return false
	}
	_, many := of.many[by]
	return many || of.find(by) >= 0
}

// remove ends a connection's interest in a user.
func (w *watched) remove(user presence.UserID, by *conn) {
	s := &w[w.shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.users[user]; of != nil && of.remove(by) {
		delete(s.users, user)
	}
}

// appendTo appends who watches a user.
func (w *watched) appendTo(into []watch, user presence.UserID) []watch {
	s := &w[w.shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.users[user]
	if of == nil {
		return into
	}
	into = append(into, of.few...)
	for by, fence := range of.many {
		into = append(into, watch{by, fence})
	}
	return into
}

func (of *watchers) find(by *conn) int {
	for i := range of.few {
		if of.few[i].by == by {
			return i
		}
	}
	return -1
}

func (of *watchers) set(by *conn, fence uint64) {
	i := of.find(by)
	switch {
	case of.many != nil:
		of.many[by] = fence
	case i >= 0:
		of.few[i].fence = fence
	case len(of.few) < fewWatchers:
		of.few = append(of.few, watch{by, fence})
	default:
		of.many = make(map[*conn]uint64, 2*fewWatchers)
		for _, one := range of.few {
			of.many[one.by] = one.fence
		}
		of.few, of.many[by] = nil, fence
	}
}

// remove reports whether nobody is left.
func (of *watchers) remove(by *conn) (empty bool) {
	if of.many != nil {
		delete(of.many, by)
		return len(of.many) == 0
	}
	if i := of.find(by); i >= 0 {
		end := len(of.few) - 1
		of.few[i], of.few[end] = of.few[end], watch{}
		of.few = of.few[:end]
	}
	return len(of.few) == 0
}
