package api

import (
	"context"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

func (h *Handler) ownStatus(ctx context.Context, c *call, _ *nothing) (*reply[wire.OwnStatus], error) {
	state, _, err := h.Presence.Inspect(ctx, c.id.User)
	if err != nil {
		return nil, err
	}
	if !state.Hold.Own(c.id.User) {
		return answer(wire.OwnStatus{Status: "auto"}), nil
	}
	return answer(ownStatusOf(state.Hold)), nil
}

func ownStatusOf(h presence.Hold) wire.OwnStatus {
	return wire.OwnStatus{Status: "away", Until: moment(h.Until), Text: h.Note}
}

func (h *Handler) setOwnStatus(ctx context.Context, c *call, in *struct{ Body wire.OwnStatus }) (*reply[wire.OwnStatus], error) {
	if in.Body.Status == "auto" {
		if in.Body.Until != nil || in.Body.Text != "" {
			return nil, invalid("body", "status", "until and text belong to away", "away")
		}
		if err := h.Auth.ClearOwnStatus(ctx, c.id); err != nil {
			return nil, err
		}
		return h.ownStatus(ctx, c, nil)
	}
	var until time.Time
	if in.Body.Until != nil {
		var err error
		if until, err = ahead(*in.Body.Until, c.now); err != nil {
			return nil, err
		}
	}
	if err := h.Auth.SetOwnAway(ctx, c.id, until, in.Body.Text); err != nil {
		return nil, err
	}
	return h.ownStatus(ctx, c, nil)
}
