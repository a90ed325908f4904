package api

import (
	"context"
	"sync"
	"time"

	"github.com/offchat/presence"
)

const (
	// devicesFor is how long a count of everybody's devices is good enough.
	devicesFor = 2 * time.Second
	// devicesBatch is how many users are asked for at a time.
	devicesBatch = 1024
)

// deviceTotal counts everybody's devices, for however many ask, once in a while.
type deviceTotal struct {
	mu sync.Mutex // guards the following fields, and makes those who ask at the same time share one count
	n  int
	at time.Time
}

// allDevices is how many live sessions there are in all. It looks at those who may have one: the people present, and
// those of whom a hold says something else.
func (h *Handler) allDevices(ctx context.Context) (int, error) {
	t := &h.live
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := h.Now(); t.at.IsZero() || now.Sub(t.at) >= devicesFor || now.Before(t.at) {
		n, err := h.countDevices(ctx)
		if err != nil {
			return 0, err
		}
		t.n, t.at = n, now
	}
	return t.n, nil
}

func (h *Handler) countDevices(ctx context.Context) (n int, err error) {
	_, everybody, err := h.Presence.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	batch := make([]presence.UserID, 0, devicesBatch)
	count := func() error {
		devices, err := h.Presence.Devices(ctx, batch)
		for _, of := range devices {
			n += of
		}
		batch = batch[:0]
		return err
	}
	for p := range everybody {
		if p.Status == presence.Offline && !p.Held {
			continue
		}
		if batch = append(batch, p.User); len(batch) == devicesBatch {
			if err := count(); err != nil {
				return 0, err
			}
		}
	}
	return n, count()
}
