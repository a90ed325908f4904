package api

import (
	"context"
	"sync"
	"time"

	"github.com/offchat/presence"
)

const (
	// linksFor is how long a count of everybody's devices and connections is good enough.
	linksFor = 2 * time.Second
	// devicesBatch is how many users are asked for at a time.
	devicesBatch = 1024
)

// linkTotal counts everybody's devices and connections, for however many ask, once in a while.
type linkTotal struct {
	mu    sync.Mutex // guards the following fields, and makes those who ask at the same time share one count
	links presence.Links
	at    time.Time
}

// allLinks is how many devices and connections there are in all.
func (h *Handler) allLinks(ctx context.Context) (presence.Links, error) {
	t := &h.live
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := h.Now(); t.at.IsZero() || now.Sub(t.at) >= linksFor || now.Before(t.at) {
		links, err := h.Presence.Links(ctx)
		if err != nil {
			return presence.Links{}, err
		}
		t.links, t.at = links, now
	}
	return t.links, nil
}
