package api

import (
	"context"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// SessionPath is the id of a session in a path.
type SessionPath struct {
	Session string `path:"session" pattern:"^[0-9a-f]{16}$" patternDescription:"the id of a session: 16 hexadecimal digits" doc:"The session's id."`
}

func (p SessionPath) session() (presence.SessionID, error) {
	id, ok := presence.ParseSessionID(p.Session)
	if !ok {
		return 0, invalid("path", "session", "this is no id of a session", "16 hexadecimal digits")
	}
	return id, nil
}

func accountOf(a *presence.Account) wire.Account {
	return wire.Account{
		ID: formatUser(a.ID), Username: a.Username, Email: a.Email, FirstName: a.FirstName, LastName: a.LastName, Avatar: a.Avatar,
		Role: a.Role.String(), AccountStatus: a.Status.String(), Active: a.Active, JoinedAt: stamp(a.JoinedAt), CreatedAt: stamp(a.CreatedAt),
	}
}

func privacyOf(p presence.Privacy) wire.Privacy {
	return wire.Privacy{HideStatus: p.HideStatus, HideLastSeen: p.HideLastSeen}
}

func (h *Handler) me(ctx context.Context, c *call, _ *nothing) (*reply[wire.Me], error) {
	p, err := h.look(ctx, c, c.id.User)
	if err != nil {
		return nil, err
	}
	return answer(wire.Me{
		Account: accountOf(&p.account), Presence: presenceOf(p.presence), Privacy: privacyOf(p.account.Privacy),
		Sessions: p.sessions(c, h), AsOf: stamp(c.now),
	}), nil
}

func (h *Handler) privacy(_ context.Context, c *call, _ *nothing) (*reply[wire.Privacy], error) {
	return answer(privacyOf(c.viewer.Privacy)), nil
}

func (h *Handler) setPrivacy(ctx context.Context, c *call, in *struct{ Body wire.Privacy }) (*reply[wire.Privacy], error) {
	p := presence.Privacy{HideStatus: in.Body.HideStatus, HideLastSeen: in.Body.HideLastSeen}
	if err := h.Auth.SetPrivacy(ctx, c.id, p, c.from); err != nil {
		return nil, err
	}
	return answer(in.Body), nil
}

func (h *Handler) endMySessions(ctx context.Context, c *call, in *struct {
	Except string `query:"except" enum:"current" doc:"current: the session of this request lives on."`
},
) (*reply[wire.Ended], error) {
	n, err := h.Auth.EndOwnSessions(ctx, c.id, in.Except == "current", c.from)
	if err != nil {
		return nil, err
	}
	return answer(wire.Ended{Ended: n}), nil
}

func (h *Handler) endMySession(ctx context.Context, c *call, in *SessionPath) (*nothing, error) {
	session, err := in.session()
	if err != nil {
		return nil, err
	}
	return nil, h.Auth.EndSession(ctx, c.id, c.id.User, session, c.from)
}
