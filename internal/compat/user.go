package compat

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

// person is an account with its presence: what every user object is made of. Presence always comes from the
// engine, never from the account's columns, so every answer agrees with every other.
type person struct {
	presence.Account
	status   presence.Status
	lastSeen time.Time
}

// newPerson puts an account and its presence together. Somebody never seen was last seen when the account was
// made: the field is always a date.
func newPerson(a presence.Account, p presence.Presence) person {
	seen := p.LastSeen
	if seen.IsZero() {
		seen = a.LastSeen
	}
	if seen.IsZero() {
		seen = a.CreatedAt
	}
	return person{Account: a, status: p.Status, lastSeen: seen}
}

// person finds the presence of one account.
func (h *Handler) person(ctx context.Context, a presence.Account) (person, error) {
	states, err := h.Presence.State(ctx, []presence.UserID{a.ID})
	if err != nil {
		return person{}, err
	}
	return newPerson(a, states[0]), nil
}

// people finds the presence of many accounts.
func (h *Handler) people(ctx context.Context, accounts []presence.Account) ([]person, error) {
	ids := make([]presence.UserID, len(accounts))
	for i := range accounts {
		ids[i] = accounts[i].ID
	}
	states, err := h.Presence.State(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]person, len(accounts))
	for i := range accounts {
		all[i] = newPerson(accounts[i], states[i])
	}
	return all, nil
}

// account finds the account of the id in the path.
func (c *call) account() (presence.Account, error) {
	id, err := c.userID()
	if err != nil {
		return presence.Account{}, err
	}
	return c.h.Accounts.Account(c.ctx(), id)
}

// displayStatus is what the old dashboard shows beside a name.
func displayStatus(a *presence.Account) string {
	if !a.Active {
		return "inactive"
	}
	return a.Status.String()
}

// appendNames appends the fields that the full object and the list object begin with.
func appendNames(b []byte, p *person) []byte {
	b = appendInt(b, `{"id":`, p.ID)
	b = appendText(b, `,"username":`, p.Username)
	b = appendText(b, `,"email":`, p.Email)
	b = appendText(b, `,"first_name":`, p.FirstName)
	b = appendText(b, `,"last_name":`, p.LastName)
	b = appendText(b, `,"full_name":`, p.FullName())
	return appendTextOrNull(b, `,"avatar":`, p.Avatar)
}

// appendStanding appends the fields that both objects have in the middle.
func appendStanding(b []byte, p *person) []byte {
	b = appendWord(b, `,"role":`, p.Role.String())
	b = appendWord(b, `,"status":`, p.Account.Status.String())
	b = appendWord(b, `,"display_status":`, displayStatus(&p.Account))
	b = appendBool(b, `,"is_active":`, p.Active)
	b = appendWord(b, `,"online_status":`, p.status.String())
	b = appendDate(append(b, `,"last_seen":`...), p.lastSeen)
	b = appendDate(append(b, `,"join_date":`...), p.JoinedAt)
	return append(b, `,"message_count":0`...)
}

// appendUser appends the full user object: the recorded 22 fields.
func appendUser(b []byte, p *person) []byte {
	b = appendNames(b, p)
	b = appendText(b, `,"bio":`, p.Bio)
	b = appendStanding(b, p)
	b = appendBool(b, `,"report_count":0,"email_verified":`, p.EmailVerified)
	b = appendBool(b, `,"is_approved":`, p.Account.Status == presence.AccountActive)
	b = appendBool(b, `,"is_online":`, p.status == presence.Online)
	b = appendDate(append(b, `,"created_at":`...), p.CreatedAt)
	b = appendDate(append(b, `,"updated_at":`...), p.UpdatedAt)
	return append(b, '}')
}

// appendListed appends the user object of the admin list: the recorded 17 fields.
func appendListed(b []byte, p *person) []byte {
	b = appendNames(b, p)
	b = appendStanding(b, p)
	b = appendBool(b, `,"email_verified":`, p.EmailVerified)
	b = appendDate(append(b, `,"created_at":`...), p.CreatedAt)
	return append(b, '}')
}
