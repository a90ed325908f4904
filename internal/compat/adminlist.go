package compat

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// scanSize is how many accounts or states are held at once while many are looked through.
const scanSize = 4096

// userQuery is what the admin list is asked for. Filters that name nothing that exists match nobody.
type userQuery struct {
	filter presence.AccountFilter
	// active, when it is not nil, chooses by is_active.
	active *bool
	// online, when it is not nil, chooses by status of presence.
	online *presence.Status
	order  presence.AccountOrder
	// bySeen sorts by last_seen instead of order: seen says which way.
	bySeen bool
	seen   presence.Order
	nobody bool
}

func userQueryOf(q url.Values) userQuery {
	u := userQuery{filter: presence.AccountFilter{
		Status: param(q, "status"), Role: param(q, "role"), Search: strings.TrimSpace(param(q, "search")),
	}}
	if word := param(q, "online_status"); word != "" {
		status, known := presence.ParseStatus(word)
		u.online, u.nobody = &status, !known
	}
	if word := param(q, "is_active"); word != "" {
		is, known := value{text: word, form: true}.bool()
		u.active, u.nobody = &is, u.nobody || !known
	}
	// No field is as long as the longest e-mail address may be.
	if utf8.RuneCountInString(u.filter.Search) > presence.MaxEmail || !utf8.ValidString(u.filter.Search) {
		u.nobody = true
	}
	u.sort(param(q, "ordering"))
	return u
}

// sort reads an ordering: the first word of the list counts, and one we do not know means the default.
func (u *userQuery) sort(ordering string) {
	first, _, _ := strings.Cut(ordering, ",")
	switch strings.TrimSpace(first) {
	case "username":
		u.order = presence.UsernameUp
	case "-username":
		u.order = presence.UsernameDown
	case "email":
		u.order = presence.EmailUp
	case "-email":
		u.order = presence.EmailDown
	case "id":
		u.order = presence.IDUp
	case "-id":
		u.order = presence.IDDown
	case "created_at", "join_date":
		u.order = presence.OldestCreated
	case "last_seen":
		u.bySeen, u.seen = true, presence.OldestSeen
	case "-last_seen":
		u.bySeen, u.seen = true, presence.NewestSeen
	default:
		u.order = presence.NewestCreated
	}
}

// adminUsers is the admin list.
func (h *Handler) adminUsers(c *call) error {
	q := c.r.URL.Query()
	page := pagingOf(q)
	rows, total, err := h.findUsers(c.ctx(), userQueryOf(q), &page)
	if err != nil {
		return err
	}
	c.tell()
	c.appendPageHead(total, page.number, page.size)
	return okPage(c, rows, appendListed)
}

// findUsers returns one page of users, and how many match in all. It makes page.number the page's true number.
func (h *Handler) findUsers(ctx context.Context, u userQuery, page *paging) ([]person, int, error) {
	switch {
	case u.nobody:
		return nil, 0, page.find(0)
	case u.bySeen:
		return h.findBySeen(ctx, u, page)
	case u.online != nil || u.active != nil:
		return h.findByState(ctx, u, page)
	default:
		return h.findByAccount(ctx, u, page)
	}
}

// find settles which page is meant once the total is known.
func (p *paging) find(total int) error {
	number, ok := p.resolve(total)
	if !ok {
		return errInvalidPage
	}
	p.number = number
	return nil
}

// findByAccount: filters and order are the store's, which cuts the page too.
func (h *Handler) findByAccount(ctx context.Context, u userQuery, page *paging) ([]person, int, error) {
	if page.number == 0 {
		return nil, 0, errInvalidPage
	}
	if page.number == lastPage {
		_, total, err := h.Accounts.Accounts(ctx, u.filter, u.order, 0, 1)
		if err != nil {
			return nil, 0, err
		}
		if err := page.find(total); err != nil {
			return nil, 0, err
		}
	}
	accounts, total, err := h.Accounts.Accounts(ctx, u.filter, u.order, page.offset(), page.size)
	if err != nil {
		return nil, 0, err
	}
	if err := page.find(total); err != nil {
		return nil, 0, err
	}
	rows, err := h.people(ctx, accounts)
	return rows, total, err
}

// findBySeen: the engine sorts by last_seen and cuts the page; what the store has to say about who matches is
// asked for first.
func (h *Handler) findBySeen(ctx context.Context, u userQuery, page *paging) ([]person, int, error) {
	query := presence.Query{Order: u.seen}
	if u.online != nil {
		query.Online = *u.online == presence.Online
		query.Away = *u.online == presence.Away
		query.Offline = *u.online == presence.Offline
	}
	if !u.filter.Empty() || u.active != nil {
		ids, err := h.matching(ctx, u)
		if err != nil {
			return nil, 0, err
		}
		among := make(map[presence.UserID]struct{}, len(ids))
		for _, id := range ids {
			among[id] = struct{}{}
		}
		query.Only = func(id presence.UserID) bool { _, in := among[id]; return in }
	}
	if page.number == lastPage {
		query.Limit = 1
		_, total, err := h.Presence.Page(ctx, query)
		if err != nil {
			return nil, 0, err
		}
		if err := page.find(total); err != nil {
			return nil, 0, err
		}
	}
	if page.number == 0 {
		return nil, 0, errInvalidPage
	}
	query.Offset, query.Limit = page.offset(), page.size
	states, total, err := h.Presence.Page(ctx, query)
	if err != nil {
		return nil, 0, err
	}
	if err := page.find(total); err != nil {
		return nil, 0, err
	}
	rows, err := h.accountsOf(ctx, states)
	return rows, total, err
}

// findByState: the order is the store's, but who matches is not: all candidates are looked through.
func (h *Handler) findByState(ctx context.Context, u userQuery, page *paging) ([]person, int, error) {
	ids, err := h.matching(ctx, u)
	if err != nil {
		return nil, 0, err
	}
	if u.online != nil {
		if ids, err = h.withStatus(ctx, ids, *u.online); err != nil {
			return nil, 0, err
		}
	}
	if err := page.find(len(ids)); err != nil {
		return nil, 0, err
	}
	from := page.offset()
	accounts, err := h.Accounts.AccountsByID(ctx, ids[from:min(len(ids), from+page.size)])
	if err != nil {
		return nil, 0, err
	}
	rows, err := h.people(ctx, accounts)
	return rows, len(ids), err
}

// matching returns the ids of all accounts that match, in order. The store cannot choose by is_active, so then
// the accounts themselves are looked at.
func (h *Handler) matching(ctx context.Context, u userQuery) ([]presence.UserID, error) {
	if u.active == nil {
		return h.Accounts.AccountIDs(ctx, u.filter, u.order)
	}
	var ids []presence.UserID
	for offset := 0; ; offset += scanSize {
		accounts, _, err := h.Accounts.Accounts(ctx, u.filter, u.order, offset, scanSize)
		if err != nil {
			return nil, err
		}
		for i := range accounts {
			if accounts[i].Active == *u.active {
				ids = append(ids, accounts[i].ID)
			}
		}
		if len(accounts) < scanSize {
			return ids, nil
		}
	}
}

// withStatus keeps those of the ids that have the status.
func (h *Handler) withStatus(ctx context.Context, ids []presence.UserID, status presence.Status) ([]presence.UserID, error) {
	kept := ids[:0]
	for from := 0; from < len(ids); from += scanSize {
		states, err := h.Presence.State(ctx, ids[from:min(len(ids), from+scanSize)])
		if err != nil {
			return nil, err
		}
		for i := range states {
			if states[i].Status == status {
				kept = append(kept, states[i].User)
			}
		}
	}
	return kept, nil
}

// accountsOf finds the accounts of a page of the engine, in its order and with the presence that put them
// there. Accounts that were deleted meanwhile are left out.
func (h *Handler) accountsOf(ctx context.Context, states []presence.Presence) ([]person, error) {
	ids := make([]presence.UserID, len(states))
	for i := range states {
		ids[i] = states[i].User
	}
	accounts, err := h.Accounts.AccountsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]person, 0, len(accounts))
	next := 0
	for i := range accounts {
		for states[next].User != accounts[i].ID {
			next++
		}
		rows = append(rows, newPerson(accounts[i], states[next]))
	}
	return rows, nil
}
