package valkey

import (
	"context"

	"github.com/offchat/presence"
)

// Devices implements presence.DeviceCounter from what this node knows: a lease that only another node heard of
// lately counts as it was last written down.
func (e *Engine) Devices(_ context.Context, users []presence.UserID) ([]int, error) {
	out := make([]int, len(users))
	for i, id := range users {
		sh := e.shardOf(id)
		sh.mu.Lock()
		if u := sh.findLocked(id); u != nil {
			state := presence.State{}
			if u.waiting() {
				state = u.pending.state
			} else {
				state, _, _ = u.stateLocked(id) // what cannot be read has no sessions
			}
			out[i] = state.CountDevices()
		}
		sh.mu.Unlock()
	}
	return out, nil
}
