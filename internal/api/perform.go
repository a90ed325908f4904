package api

import (
	"context"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// check holds an act against what it needs, before anything is done.
func checkAct(a *wire.Act, now time.Time) error {
	needsStatus := a.Act == "set_status" || a.Act == "hold"
	switch {
	case needsStatus && a.Status == "":
		return invalid("body", "status", "this act needs a status", "online, away, offline")
	case !needsStatus && a.Status != "":
		return invalid("body", "status", "this act takes no status", "")
	case a.Until != nil && a.Act != "hold" && a.Act != "suspend":
		return invalid("body", "until", "this act takes no until", "")
	case a.Until != nil && !a.Until.After(now):
		return invalid("body", "until", "this moment is past", "after "+stamp(now).Format(time.RFC3339))
	case a.Until != nil && a.Until.Year() > 9999:
		return invalid("body", "until", "this moment is too far away", "year <= 9999")
	case a.Note != "" && a.Act != "hold":
		return invalid("body", "note", "this act takes no note", "")
	}
	return nil
}

// perform does an act on one account, with the rights that the admin has at this moment. Every refusal of a single act
// is one here.
func (h *Handler) perform(ctx context.Context, by auth.Identity, user presence.UserID, a *wire.Act, from presence.Origin) (err error) {
	status, _ := presence.ParseStatus(a.Status) // checked before
	until := time.Time{}
	if a.Until != nil {
		until = *a.Until
	}
	switch a.Act {
	case "force_logout":
		_, err = h.Auth.ForceLogoutBecause(ctx, by, user, a.Reason, from)
	case "set_status":
		_, _, err = h.Auth.SetOnlineStatus(ctx, by, user, status, from)
	case "hold":
		err = h.Auth.SetHold(ctx, by, user, status, until, a.Note, from)
	case "lift":
		err = h.Auth.LiftHoldFor(ctx, by, user, a.Reason, from)
	case "approve":
		_, err = h.Auth.ApproveFor(ctx, by, user, a.Reason, from)
	case "reject":
		_, err = h.Auth.Reject(ctx, by, user, from)
	case "suspend":
		if until.IsZero() {
			_, err = h.Auth.Suspend(ctx, by, user, a.Reason, from)
		} else {
			_, err = h.Auth.SuspendUntil(ctx, by, user, a.Reason, until, from)
		}
	case "ban":
		_, err = h.Auth.Ban(ctx, by, user, a.Reason, from)
	case "activate":
		_, err = h.Auth.ActivateFor(ctx, by, user, a.Reason, from)
	case "trash":
		_, err = h.Auth.DeleteFor(ctx, by, user, false, a.Reason, from)
	case "restore":
		_, err = h.Auth.Restore(ctx, by, user, from)
	case "delete":
		_, err = h.Auth.DeleteFor(ctx, by, user, true, a.Reason, from)
	case "forget_history":
		_, err = h.Auth.ForgetHistory(ctx, by, user, a.Reason, from)
	default:
		err = invalid("body", "act", "there is no such act", "")
	}
	return err
}

// before is what an act is about to change, as far as it can be put back.
type before struct {
	Status   string         `json:"status,omitempty"` // of the account
	Active   bool           `json:"active,omitempty"`
	Verified bool           `json:"verified,omitempty"`
	Hold     *presence.Hold `json:"hold,omitempty"`
}

// reversible are the acts that leave something to put back. Who was signed out has to sign in again.
var reversible = map[string]bool{
	"hold": true, "lift": true, "approve": true, "suspend": true, "ban": true, "activate": true, "trash": true, "restore": true,
}

// remember looks at what an act is about to change.
func (h *Handler) remember(ctx context.Context, user presence.UserID, act string) (b before) {
	switch act {
	case "hold", "lift":
		if s, _, err := h.Presence.Inspect(ctx, user); err == nil && s.Hold.Active {
			b.Hold = &s.Hold
		}
	case "approve", "suspend", "ban", "activate":
		if a, err := h.Store.Account(ctx, user); err == nil {
			b.Status, b.Active, b.Verified = a.Status.String(), a.Active, a.EmailVerified
		}
	}
	return b
}

// undo puts back what an act changed, unless something else was done since: then that counts.
func (h *Handler) undo(ctx context.Context, by auth.Identity, user presence.UserID, done *wire.Act, b before, from presence.Origin) error {
	moved := &presence.Error{Kind: presence.Conflict, Op: "undo", Code: codeConflict, Tell: "Something else was done with this account since."}
	switch done.Act {
	case "trash":
		_, err := h.Auth.Restore(ctx, by, user, from)
		return err
	case "restore":
		_, err := h.Auth.Delete(ctx, by, user, false, from)
		return err
	case "hold", "lift":
		s, _, err := h.Presence.Inspect(ctx, user)
		switch {
		case err != nil:
			return err
		case s.Hold.Active != (done.Act == "hold") || s.Hold.Active && (s.Hold.Status.String() != done.Status || s.Hold.Note != done.Note):
			return moved
		case b.Hold == nil || !b.Hold.Until.IsZero() && !b.Hold.Until.After(h.Now()):
			return h.Auth.LiftHold(ctx, by, user, from)
		}
		return h.Auth.SetHold(ctx, by, user, b.Hold.Status, b.Hold.Until, b.Hold.Note, from)
	}
	a, err := h.Store.Account(ctx, user)
	if err != nil {
		return err
	}
	left := map[string]presence.AccountStatus{
		"approve": presence.AccountActive, "suspend": presence.AccountSuspended, "ban": presence.AccountBanned, "activate": presence.AccountActive,
	}
	status, known := presence.ParseAccountStatus(b.Status)
	if at, can := left[done.Act]; !can || !known || a.Status != at {
		return moved
	}
	_, err = h.Auth.Update(ctx, by, user, auth.Patch{Status: &status, Active: &b.Active, EmailVerified: &b.Verified}, from)
	return err
}
