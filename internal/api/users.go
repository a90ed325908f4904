package api

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

type usersInput struct {
	Limit    int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many to a page."`
	Cursor   string    `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before, which asked the same."`
	Sort     string    `query:"sort" enum:"created_at,-created_at,username,-username,email,-email,id,-id,last_seen,-last_seen,since,-since" default:"-created_at" doc:"The order; a minus sign turns it round. Ties go by id."`
	Search   string    `query:"search" maxLength:"254" doc:"In username, e-mail, first or last name, any case, anywhere."`
	Presence []string  `query:"presence" enum:"online,away,offline" maxItems:"3" doc:"Only these statuses, comma-separated."`
	Account  string    `query:"account_status" enum:"active,pending,suspended,banned" doc:"Only this account_status."`
	Role     string    `query:"role" enum:"user,moderator,admin" doc:"Only this role."`
	Cause    []string  `query:"cause" enum:"login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin" maxItems:"12" doc:"Only those whose present status has one of these causes."`
	After    time.Time `query:"seen_after" doc:"Only those whose last_seen is this or later."`
	Before   time.Time `query:"seen_before" doc:"Only those whose last_seen is before this."`
	Hold     string    `query:"hold" enum:"true,false" doc:"Only those with an admin's hold, or only those without."`
	Devices  int       `query:"min_devices" minimum:"0" maximum:"1000" doc:"Only those with at least so many live sessions."`
	Total    bool      `query:"total" doc:"Count all that match, too. Needless on later pages."`
}

// userQuery is what a list is asked for.
type userQuery struct {
	accounts presence.AccountFilter
	presenceFilter
	sort   sorting
	limit  int
	after  *cursor
	digest string
}

// presenceFilter is what the engine knows the answer to; its zero value lets everybody through.
type presenceFilter struct {
	statuses, causes []string
	after, before    time.Time
	hold             string
	devices          int
}

func (f *presenceFilter) empty() bool {
	return len(f.statuses) == 0 && len(f.causes) == 0 && f.after.IsZero() && f.before.IsZero() && f.hold == "" && f.devices == 0
}

// lets reports whether somebody is let through, devices aside.
func (f *presenceFilter) lets(p *presence.Presence) bool {
	switch {
	case len(f.statuses) > 0 && !slices.Contains(f.statuses, p.Status.String()),
		len(f.causes) > 0 && !slices.Contains(f.causes, p.Cause.String()),
		!f.after.IsZero() && (p.LastSeen.IsZero() || p.LastSeen.Before(f.after)),
		!f.before.IsZero() && (p.LastSeen.IsZero() || !p.LastSeen.Before(f.before)),
		f.hold != "" && (f.hold == "true") != p.Held:
		return false
	}
	return true
}

func (in *usersInput) query() (*userQuery, error) {
	q := &userQuery{
		accounts: presence.AccountFilter{Status: in.Account, Role: in.Role, Search: strings.TrimSpace(in.Search)},
		presenceFilter: presenceFilter{
			statuses: in.Presence, causes: in.Cause, after: in.After, before: in.Before, hold: in.Hold, devices: in.Devices,
		},
		sort: sortings[in.Sort], limit: in.Limit,
	}
	if !utf8.ValidString(in.Search) {
		return nil, invalid("query", "search", "this is no text", "UTF-8")
	}
	if !in.After.IsZero() && !in.Before.IsZero() && !in.After.Before(in.Before) {
		return nil, invalid("query", "seen_after", "seen_after must be before seen_before", "before seen_before")
	}
	q.digest = digestOf(in)
	if in.Cursor != "" {
		var ok bool
		if q.after, ok = readCursor(in.Cursor, q.digest); !ok {
			return nil, badCursor()
		}
	}
	return q, nil
}

// users answers a page of the list of users.
func (h *Handler) users(ctx context.Context, c *call, in *usersInput) (*reply[wire.UserPage], error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	found, err := h.find(ctx, q)
	if err != nil {
		return nil, err
	}
	page := wire.UserPage{AsOf: stamp(c.now)}
	more := len(found) > q.limit
	found = found[:min(len(found), q.limit)]
	accounts, err := h.accountsOf(ctx, found)
	if err != nil {
		return nil, err
	}
	if more {
		next := q.cursorAfter(found[len(found)-1], accounts)
		if next == "" { // the last one was deleted while we looked: the one before has been told of
			return h.users(ctx, c, in)
		}
		page.NextCursor = &next
	}
	if page.Items, err = h.rows(ctx, found, accounts); err != nil {
		return nil, err
	}
	if in.Total {
		total, err := h.total(ctx, q)
		if err != nil {
			return nil, err
		}
		page.Total = &total
	}
	return answer(page), nil
}

// accountsOf finds the accounts of a page, by id. Some may have been deleted meanwhile.
func (h *Handler) accountsOf(ctx context.Context, found []presence.Presence) (map[presence.UserID]*presence.Account, error) {
	ids := make([]presence.UserID, len(found))
	for i := range found {
		ids[i] = found[i].User
	}
	accounts, err := h.Store.AccountsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[presence.UserID]*presence.Account, len(accounts))
	for i := range accounts {
		byID[accounts[i].ID] = &accounts[i]
	}
	return byID, nil
}

func (h *Handler) rows(ctx context.Context, found []presence.Presence, accounts map[presence.UserID]*presence.Account) ([]wire.UserRow, error) {
	rows := make([]wire.UserRow, 0, len(found))
	for _, p := range found {
		a := accounts[p.User]
		if a == nil {
			continue
		}
		n, err := h.devices(ctx, p.User)
		if err != nil {
			return nil, err
		}
		rows = append(rows, wire.UserRow{Account: accountOf(a), Presence: presenceOf(p), Devices: n})
	}
	return rows, nil
}

// devices counts somebody's live sessions.
func (h *Handler) devices(ctx context.Context, user presence.UserID) (int, error) {
	n, err := h.Presence.Devices(ctx, []presence.UserID{user})
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// total counts all that match.
func (h *Handler) total(ctx context.Context, q *userQuery) (int, error) {
	if q.empty() {
		_, n, err := h.Store.Accounts(ctx, q.accounts, presence.IDUp, 0, 1)
		return n, err
	}
	n := 0
	err := h.eachMatch(ctx, q, func(presence.Presence) bool { n++; return true })
	return n, err
}
