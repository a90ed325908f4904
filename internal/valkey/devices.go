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

// Links implements presence.LinkCounter: every node knows of the sessions of all. A shard is locked for as long as it takes
// to copy what is known; it is read afterwards.
func (e *Engine) Links(context.Context) (presence.Links, error) {
	links := presence.Links{Known: true}
	count := func(state presence.State) {
		for _, one := range state.Sessions {
			links.Add(one)
		}
	}
	blobs := map[presence.UserID]string{}
	for _, sh := range e.shards {
		clear(blobs)
		sh.mu.Lock()
		sh.eachLocked(func(id presence.UserID, u *user) {
			if u.waiting() {
				count(u.pending.state)
			} else if u.blob != "" {
				blobs[id] = u.blob
			}
		})
		sh.mu.Unlock()
		for id, blob := range blobs {
			state, _ := decode(blob, id) // what cannot be read has no sessions
			count(state)
		}
	}
	return links, nil
}
