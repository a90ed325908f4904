package compat

import (
	"net/http"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// heartbeat stands for users/views/user_management_views.py:user_heartbeat_view at 2218180. It is the path that
// matters: it looks at no body, asks no store and allocates nothing of its own.
func (h *Handler) heartbeat(c *call) error {
	if err := c.drain(); err != nil {
		return err
	}
	if err := c.signal(presence.Heartbeat); err != nil {
		return err
	}
	c.out = append(c.out, `{"message":"Heartbeat recorded","online_status":"`...)
	c.out = append(c.out, c.seen.Status.String()...)
	c.out = appendDateOffset(append(c.out, `","last_seen":`...), c.seen.LastSeen)
	c.out = append(c.out, '}')
	return c.ok()
}

// countBeat counts a heartbeat that was turned away before the engine heard of it; the engine's side counts the
// others.
func (c *call) countBeat(err error) {
	count := &c.h.Metrics.Heartbeats
	switch e := asError(err); {
	case e == nil:
	case e.Code == auth.CodeAccountInactive:
		count.Inactive.Inc()
	case e.Kind == presence.Unauthenticated:
		count.Refused.Inc()
	case e.Kind == presence.Invalid:
		count.Invalid.Inc()
	}
}

// tellInactive answers an account that may not be online in the words recorded for its heartbeat. It reports
// false for every other error.
func (c *call) tellInactive(err error) bool {
	if e := asError(err); e == nil || e.Code != auth.CodeAccountInactive {
		return false
	}
	c.out = append(c.out, `{"message":"Account is not active","online_status":"offline"}`...)
	c.answer(http.StatusForbidden)
	return true
}

// refreshStatus answers what the request itself, counting as activity, has made of the caller.
func (h *Handler) refreshStatus(c *call) error {
	if _, err := c.readBody(); err != nil {
		return err
	}
	c.tell()
	return c.statusAnswer("Status refreshed", c.seen)
}

// statusAnswer is the hand-made answer that tells one user's presence after something was done about it.
func (c *call) statusAnswer(message string, p presence.Presence) error {
	c.out = appendText(c.out, `{"message":`, message)
	c.out = appendInt(c.out, `,"user_id":`, p.User)
	c.out = appendWord(c.out, `,"online_status":`, p.Status.String())
	c.out = append(appendDateOffset(append(c.out, `,"last_seen":`...), p.LastSeen), '}')
	return c.ok()
}
