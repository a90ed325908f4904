package compat

import (
	"math"
	"net/http"
	"time"

	"github.com/offchat/presence"
)

// beatingWithin is how recently somebody was heard whom the debug route says to be sending heartbeats.
const beatingWithin = 60 * time.Second

// onlineStatus tells one user's presence to anybody who is signed in.
func (h *Handler) onlineStatus(c *call) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	p, err := h.person(c.ctx(), a)
	if err != nil {
		return err
	}
	h.conceal(&p, c.viewer())
	c.out = appendInt(c.out, `{"user_id":`, p.ID)
	c.out = appendText(c.out, `,"username":`, p.Username)
	c.out = appendWord(c.out, `,"online_status":`, p.status.String())
	c.out = appendDateOffset(append(c.out, `,"last_seen":`...), p.lastSeen)
	c.out = append(appendBool(c.out, `,"is_online":`, p.status == presence.Online), '}')
	return c.ok()
}

// setOnlineStatus is an admin's word about somebody, good until the next sign of life. A missing status means
// offline. An account that may not sign in cannot be put online.
func (h *Handler) setOnlineStatus(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	status := presence.Offline
	if v, given := in["status"]; given {
		word, _ := v.string()
		known := false
		if status, known = presence.ParseStatus(word); !known {
			return invalid("Invalid online status: " + v.shown())
		}
	}
	user, err := c.userID()
	if err != nil {
		return err
	}
	a, p, err := h.Auth.SetOnlineStatus(c.ctx(), c.id, user, status, c.origin())
	if err != nil {
		return err
	}
	p.User, p.LastSeen = a.ID, newPerson(a, p).lastSeen
	return c.statusAnswer("User online status updated to "+status.String(), p)
}

// debugHeartbeat tells an admin why somebody is shown as they are.
func (h *Handler) debugHeartbeat(c *call) error {
	name := c.r.PathValue("name")
	a, err := h.Accounts.AccountByName(c.ctx(), name)
	if presence.KindOf(err) == presence.NotFound && err != nil {
		c.say(http.StatusNotFound, styleError, "User "+name+" not found", "")
		return nil
	}
	if err != nil {
		return err
	}
	p, err := h.person(c.ctx(), a)
	if err != nil {
		return err
	}
	state, lease, err := h.Presence.Inspect(c.ctx(), a.ID)
	if err != nil {
		return err
	}
	silent := max(0, c.now.Sub(p.lastSeen))
	c.out = appendText(c.out, `{"username":`, p.Username)
	c.out = appendWord(c.out, `,"online_status":`, p.status.String())
	c.out = appendDateOffset(append(c.out, `,"last_seen":`...), p.lastSeen)
	c.out = appendSeconds(append(c.out, `,"time_since_last_seen_seconds":`...), silent)
	c.out = appendBool(c.out, `,"is_sending_heartbeats":`, silent < beatingWithin)
	c.out = append(c.out, `,"will_go_offline_in_seconds":`...)
	if left := leaseLeft(&state, lease); left > 0 {
		c.out = appendSeconds(c.out, left)
	} else {
		c.out = append(c.out, '0') // an integer, as recorded
	}
	c.out = appendDateOffset(append(c.out, `,"debug_info":{"current_time":`...), c.now)
	c.out = appendDateOffset(append(c.out, `,"last_seen":`...), p.lastSeen)
	c.out = appendWord(c.out, `,"status":`, p.Account.Status.String())
	c.out = append(appendBool(c.out, `,"is_active":`, p.Active), "}}"...)
	return c.ok()
}

// leaseLeft is how long silence may go on before the last lease ends.
func leaseLeft(s *presence.State, now time.Duration) time.Duration {
	last := time.Duration(math.MinInt64)
	for _, one := range s.Sessions {
		if one.Live && one.Due > last {
			last = one.Due
		}
	}
	if last <= now {
		return 0
	}
	return last - now
}
