package api

import (
	"context"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// ProxySeen is what proxies asked of this node lately; see forwardauth.Seen.
type ProxySeen struct {
	AskedAt time.Time
	Status  int
	KnownAt time.Time
	User    presence.UserID
}

func (h *Handler) registerProxies() {
	add(h, operation{
		id: "get_proxies", method: get, path: "/identity/proxies", tag: "API tokens", need: Admins,
		summary: "When a proxy asked last who somebody is",
		text:    "For setting a proxy up: what /api/v1/forward-auth was asked since this node started, and of this node alone.",
	}, h.proxies)
}

func (h *Handler) proxies(_ context.Context, c *call, _ *nothing) (*reply[wire.ProxiesSeen], error) {
	told := wire.ProxiesSeen{AsOf: stamp(c.now)}
	if h.Proxies != nil {
		seen := h.Proxies()
		told.AskedAt, told.Status = moment(seen.AskedAt), seen.Status
		told.KnownAt, told.User = moment(seen.KnownAt), somebody(seen.User)
	}
	return answer(told), nil
}
