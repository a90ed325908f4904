package api

import (
	"context"
	"slices"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

func (h *Handler) registerTrash() {
	add(h, operation{
		id: "list_trash", method: get, path: "/trash", tag: "Users", need: Admins,
		summary: "The accounts that were deleted and can be restored",
		text:    "To restore one: act_on_user with the act restore. Where trash_retention is set, erased_at says when one is erased by itself.",
	}, h.trash)
	add(h, operation{
		id: "erase_user", method: del, path: "/trash/{id}", tag: "Users", need: Admins, errors: []int{404},
		summary: "Erase somebody in the trash for good",
		text: "The account, its sessions, history and activity, and what the audit says about the person. The audit keeps that something was " +
			"done, when, and by which number to which number. This cannot be undone.",
	}, h.eraseUser)
}

func (h *Handler) trash(ctx context.Context, c *call, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"How many to list. There are no further pages: total says how many there are."`
},
) (*reply[wire.Trash], error) {
	list, err := h.Store.Trash(ctx, 0)
	if err != nil {
		return nil, err
	}
	var keep time.Duration
	if h.TrashRetention != nil {
		keep = h.TrashRetention()
	}
	told := wire.Trash{Items: []wire.TrashedUser{}, Total: len(list), RetentionSeconds: int64(keep / time.Second), AsOf: stamp(c.now)}
	for i := range list[:min(len(list), in.Limit)] {
		a := &list[i]
		one := wire.TrashedUser{Account: accountOf(a), DeletedAt: stamp(a.DeletedAt)}
		if keep > 0 {
			one.ErasedAt = moment(a.DeletedAt.Add(keep))
		}
		if one.DeletedBy, one.Reason, err = h.whoDeleted(ctx, a); err != nil {
			return nil, err
		}
		told.Items = append(told.Items, one)
	}
	return answer(told), h.nameDeleters(ctx, told.Items)
}

// nameDeleters adds the names of the admins.
func (h *Handler) nameDeleters(ctx context.Context, items []wire.TrashedUser) error {
	var admins []presence.UserID
	for i := range items {
		if id, ok := parseUser(items[i].DeletedBy); ok && !slices.Contains(admins, id) {
			admins = append(admins, id)
		}
	}
	accounts, err := h.Store.AccountsByID(ctx, admins)
	for i := range items {
		for j := range accounts {
			if formatUser(accounts[j].ID) == items[i].DeletedBy {
				items[i].DeletedByName = accounts[j].Username
			}
		}
	}
	return err
}

// whoDeleted asks the audit who put an account into the trash. What is tried with it there is refused and leaves no
// line, so it is among the last; imports leave none.
func (h *Handler) whoDeleted(ctx context.Context, a *presence.Account) (by, reason string, err error) {
	lines, err := h.Store.AuditBefore(ctx, presence.AuditFilter{Target: a.ID}, 0, 5)
	for _, line := range lines {
		if line.Action == "delete" || line.Action == "reject" {
			return somebody(line.Actor), line.Reason, err
		}
	}
	return "", "", err
}

func (h *Handler) eraseUser(ctx context.Context, c *call, in *UserPath) (*nothing, error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	return nil, h.Auth.EraseTrashed(ctx, c.id, user, c.from)
}
