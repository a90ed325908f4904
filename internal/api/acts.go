package api

import (
	"context"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

func (h *Handler) setHold(ctx context.Context, c *call, in *struct {
	UserPath
	Body wire.NewHold
},
) (*reply[wire.UserDetail], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	status, known := presence.ParseStatus(in.Body.Status)
	if !known {
		return nil, invalid("body", "status", "there is no such status", "online, away, offline")
	}
	var until time.Time
	if in.Body.Until != nil {
		if until, err = ahead(*in.Body.Until, c.now); err != nil {
			return nil, err
		}
	}
	if err := h.Auth.SetHold(ctx, c.id, user, status, until, in.Body.Note, c.from); err != nil {
		return nil, err
	}
	return h.detail(ctx, c, user)
}

func (h *Handler) liftHold(ctx context.Context, c *call, in *UserPath) (*reply[wire.UserDetail], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	if err := h.Auth.LiftHold(ctx, c.id, user, c.from); err != nil {
		return nil, err
	}
	return h.detail(ctx, c, user)
}

func (h *Handler) endUserSessions(ctx context.Context, c *call, in *UserPath) (*nothing, error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	_, err = h.Auth.ForceLogout(ctx, c.id, user, c.from)
	return nil, err
}

func (h *Handler) forceLogout(ctx context.Context, c *call, in *struct {
	UserPath
	Body wire.Reason
},
) (*nothing, error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	_, err = h.Auth.ForceLogoutBecause(ctx, c.id, user, in.Body.Reason, c.from)
	return nil, err
}

func (h *Handler) endUserSession(ctx context.Context, c *call, in *struct {
	UserPath
	SessionPath
},
) (*nothing, error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	session, err := in.session()
	if err != nil {
		return nil, err
	}
	return nil, h.Auth.EndSession(ctx, c.id, user, session, c.from)
}

// ahead is a moment that is still to come and that can be written down.
func ahead(until, now time.Time) (time.Time, error) {
	if !until.After(now) {
		return until, invalid("body", "until", "this moment is past", "after "+stamp(now).Format(time.RFC3339))
	}
	if until.Year() > 9999 {
		return until, invalid("body", "until", "this moment is too far away", "year <= 9999")
	}
	return until, nil
}
