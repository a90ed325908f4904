package api

import (
	"context"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

func (h *Handler) registerCreate() {
	add(h, operation{
		id: "create_user", method: post, path: "/users", tag: "Users", need: Admins, errors: []int{400, 409, 413, 415}, summary: "Make an account",
	}, h.createUser)
}

func (h *Handler) createUser(ctx context.Context, c *call, in *struct{ Body wire.NewUser }) (*reply[wire.Account], error) {
	n := &in.Body
	role, _ := presence.ParseRole(n.Role) // one of the enum, or absent: a user
	a, err := h.Auth.Create(ctx, c.id, auth.NewAccount{
		Username: n.Username, Email: n.Email, Password: n.Password, FirstName: n.FirstName, LastName: n.LastName, Role: role,
	}, c.from)
	if err != nil {
		return nil, err
	}
	return answer(accountOf(&a)), nil
}
