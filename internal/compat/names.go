package compat

import (
	"context"
	"sync"

	"github.com/offchat/presence"
)

// maxNames bounds the cache of usernames; a full one starts over.
const maxNames = 10_000

// names is a cache of usernames, for frames that are made for every change. Names change seldom; the cache is
// emptied every minute for the cases nobody tells it about.
type names struct {
	mu    sync.Mutex // guards the following field
	known map[presence.UserID]string
}

func (n *names) forget(id presence.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, id)
}

func (n *names) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// lookUp fills found with what is known, and returns whom it does not know.
func (n *names) lookUp(ids []presence.UserID, found map[presence.UserID]string) (unknown []presence.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if _, done := found[id]; done {
			continue
		}
		name, ok := n.known[id]
		found[id] = name
		if !ok {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

func (n *names) keep(accounts []presence.Account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known)+len(accounts) > maxNames {
		n.known = make(map[presence.UserID]string)
	}
	for i := range accounts {
		n.known[accounts[i].ID] = accounts[i].Username
	}
}

// namesOf returns the usernames of users; nobody's is "".
func (h *Handler) namesOf(ctx context.Context, ids []presence.UserID) (map[presence.UserID]string, error) {
	found := make(map[presence.UserID]string, len(ids))
	unknown := h.sockets.names.lookUp(ids, found)
	if len(unknown) == 0 {
		return found, nil
	}
	accounts, err := h.Accounts.AccountsByID(ctx, unknown)
	if err != nil {
		return found, err
	}
	h.sockets.names.keep(accounts)
	for i := range accounts {
		found[accounts[i].ID] = accounts[i].Username
	}
	return found, nil
}
