package api

import (
	"context"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

func (h *Handler) registerEdit() {
	add(h, operation{
		id: "edit_user", method: patch, path: "/users/{id}", tag: "Users", need: Admins, errors: []int{400, 404, 409, 413, 415},
		summary: "Change an account, or give it a new password",
		text:    "What is absent stays. A new password, and a role or state that takes the right to sign in away, end every session.",
	}, h.editUser)
}

func (h *Handler) editUser(ctx context.Context, c *call, in *struct {
	UserPath
	Body wire.EditUser
},
) (*reply[wire.UserDetail], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	change := auth.Patch{
		Username: in.Body.Username, Email: in.Body.Email, FirstName: in.Body.FirstName, LastName: in.Body.LastName,
		Password: in.Body.Password, Active: in.Body.Active,
	}
	if in.Body.Role != nil {
		role, known := presence.ParseRole(*in.Body.Role)
		if !known {
			return nil, invalid("body", "role", "there is no such role", "user, moderator, admin")
		}
		change.Role = &role
	}
	if change == (auth.Patch{}) {
		return nil, invalid("body", "", "nothing is to be changed", "at least one field")
	}
	if _, err := h.Auth.Update(ctx, c.id, user, change, c.from); err != nil {
		return nil, err
	}
	return h.detail(ctx, c, user)
}
