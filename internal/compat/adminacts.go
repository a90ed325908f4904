package compat

import (
	"context"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// act is what an admin does to an account. It returns the account as it is afterwards.
type act func(context.Context, auth.Identity, presence.UserID, presence.Origin) (presence.Account, error)

// withReason is an act that writes down why.
type withReason func(context.Context, auth.Identity, presence.UserID, string, presence.Origin) (presence.Account, error)

func (h *Handler) approve(c *call) error     { return c.act(h.Auth.Approve, "approved") }
func (h *Handler) activate(c *call) error    { return c.act(h.Auth.Activate, "activated") }
func (h *Handler) forceLogout(c *call) error { return c.act(h.Auth.ForceLogout, "force logged out") }
func (h *Handler) suspend(c *call) error     { return c.actWithReason(h.Auth.Suspend, "suspended") }
func (h *Handler) ban(c *call) error         { return c.actWithReason(h.Auth.Ban, "banned") }

func (c *call) act(do act, done string) error {
	reasonless := func(ctx context.Context, who auth.Identity, user presence.UserID, _ string, from presence.Origin) (presence.Account, error) {
		return do(ctx, who, user, from)
	}
	return c.actWithReason(reasonless, done)
}

func (c *call) actWithReason(do withReason, done string) error {
	id, err := c.userID()
	if err != nil {
		return err
	}
	reason, err := c.reasonOf()
	if err != nil {
		return err
	}
	a, err := do(c.ctx(), c.id, id, reason, c.origin())
	if err != nil {
		return err
	}
	return c.message("User " + a.Username + " " + done + " successfully")
}
