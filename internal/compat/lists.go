package compat

import (
	"github.com/offchat/presence"
)

// allUsers tells everybody about everybody, newest account first. Who is an ordinary user gets no e-mail
// addresses and no roles; the old client needs the keys.
func (h *Handler) allUsers(c *call) error {
	accounts, _, err := h.Accounts.Accounts(c.ctx(), presence.AccountFilter{}, presence.NewestCreated, 0, 0)
	if err != nil {
		return err
	}
	everybody, err := h.people(c.ctx(), accounts)
	if err != nil {
		return err
	}
	full, viewer := c.id.MayRead(), c.viewer()
	for i := range everybody {
		h.conceal(&everybody[i], viewer)
	}
	c.out = appendRows(append(c.out, `{"users":[`...), everybody, func(b []byte, p *person) []byte {
		return appendColleague(b, p, full)
	})
	c.out = append(appendInt(c.out, `,"count":`, len(everybody)), '}')
	c.tell()
	return c.ok()
}

func appendColleague(b []byte, p *person, full bool) []byte {
	status := p.status
	if !p.MaySignIn() {
		status = presence.Offline
	}
	b = appendInt(b, `{"id":`, p.ID)
	b = appendText(b, `,"username":`, p.Username)
	b = appendText(b, `,"email":`, emailShown(p, full))
	b = appendText(b, `,"first_name":`, p.FirstName)
	b = appendText(b, `,"last_name":`, p.LastName)
	b = appendWord(b, `,"online_status":`, status.String())
	b = appendDate(append(b, `,"last_seen":`...), p.lastSeen)
	b = appendWord(b, `,"role":`, roleShown(p, full))
	b = appendWord(b, `,"status":`, p.Account.Status.String())
	b = appendBool(b, `,"is_active":`, p.Active)
	return append(appendDate(append(b, `,"created_at":`...), p.CreatedAt), '}')
}

// emailShown and roleShown are what the reader may know: everything, or the same for everybody.
func emailShown(p *person, full bool) string {
	if !full {
		return ""
	}
	return p.Email
}

func roleShown(p *person, full bool) string {
	if !full {
		return presence.RoleUser.String()
	}
	return p.Role.String()
}

// onlineUsers tells who is online, newest sign of life first: everybody, or a page when one is asked for. The
// list moves while it is read, so a page beyond its end is empty rather than an error.
func (h *Handler) onlineUsers(c *call) error {
	viewer := c.viewer()
	query := presence.Query{Online: true, Order: presence.NewestSeen}
	if page := pagingOf(c.r.URL.Query()); page.asked {
		if page.number == lastPage {
			query.Limit = 1
			_, total, err := h.online(c.ctx(), query, viewer)
			if err != nil {
				return err
			}
			page.number, _ = page.resolve(total)
		}
		if page.number == 0 {
			page.number = maxPage // no page has that number: nothing to show
		}
		query.Offset, query.Limit = page.offset(), page.size
	}
	states, total, err := h.online(c.ctx(), query, viewer)
	if err != nil {
		return err
	}
	listed, err := h.accountsOf(c.ctx(), states)
	if err != nil {
		return err
	}
	if query.Limit == 0 {
		total = len(listed)
	}
	for i := range listed {
		h.conceal(&listed[i], viewer)
	}
	full := c.id.MayRead()
	c.out = appendRows(append(c.out, `{"online_users":[`...), listed, func(b []byte, p *person) []byte {
		return appendOnline(b, p, full)
	})
	c.out = append(appendInt(c.out, `,"count":`, total), '}')
	c.tell()
	return c.ok()
}

func appendOnline(b []byte, p *person, full bool) []byte {
	b = appendInt(b, `{"id":`, p.ID)
	b = appendText(b, `,"username":`, p.Username)
	b = appendText(b, `,"email":`, emailShown(p, full))
	b = appendWord(b, `,"online_status":`, p.status.String())
	b = appendDate(append(b, `,"last_seen":`...), p.lastSeen)
	b = appendWord(b, `,"role":`, roleShown(p, full))
	return append(appendWord(b, `,"status":`, p.Account.Status.String()), '}')
}
