package api

import (
	"context"
	"encoding/json"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/personal"
	"github.com/offchat/presence/wire"
)

func (h *Handler) registerPersons() {
	add(h, operation{
		id: "export_person", method: get, path: "/users/{id}/export", tag: "Users", need: Admins, errors: []int{404},
		summary: "Everything that is kept about one person",
		text: "For a person who asks what is known about them; also of one in the trash. The hash of their password and what would let somebody in " +
			"are left out. It leaves a line in the audit.",
	}, h.exportPerson)
	add(h, operation{
		id: "erase_person", method: post, path: "/users/{id}/erase", tag: "Users", need: Admins, errors: []int{400, 404, 409, 413, 415},
		summary: "Remove a person for good",
		text: "Account, sessions, activity and history go, and the number is never given again. The audit keeps that something was done, when, by which " +
			"number to which number, and its chain still proves the rest. confirm is their username: nothing of it can be undone.",
	}, h.erasePerson)
}

func (h *Handler) exportPerson(ctx context.Context, c *call, in *UserPath) (*reply[wire.Person], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	account, err := personal.Find(ctx, h.Store, user)
	if err != nil {
		return nil, err
	}
	facts, err := json.Marshal(map[string]string{"what": "person"})
	if err != nil {
		return nil, err
	}
	err = h.Store.Durable(ctx, func(tx presence.Tx) error {
		return tx.AppendAudit(presence.AuditEntry{
			Actor: c.id.User, Action: "export", Target: user, TargetName: account.Username, After: string(facts), Origin: c.from, At: stamp(c.now),
		})
	})
	if err != nil {
		return nil, err
	}
	everything, err := personal.Read(ctx, h.Store, h.Presence, account)
	if err != nil {
		return nil, err
	}
	return answer(everything), nil
}

func (h *Handler) erasePerson(ctx context.Context, c *call, in *struct {
	UserPath
	Body wire.ErasePerson
},
) (*reply[wire.ErasedPerson], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	account, err := personal.Find(ctx, h.Store, user)
	if err != nil {
		return nil, err
	}
	if in.Body.Confirm != account.Username {
		return nil, invalid("body", "confirm", "this is not the username of that person; nothing was done", "the username, as it is written")
	}
	lines, err := h.Auth.Erase(ctx, c.id, user, c.from)
	if err != nil {
		return nil, err
	}
	return answer(wire.ErasedPerson{ID: formatUser(user), AuditLines: lines}), nil
}
