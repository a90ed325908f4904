package compat

import (
	"fmt"
	"net/http"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// self is the caller's own account.
func (c *call) self() (person, error) {
	a, err := c.h.Accounts.Account(c.ctx(), c.id.User)
	if err != nil {
		return person{}, err
	}
	return newPerson(a, c.seen), nil
}

// profile shows the caller their own account.
func (h *Handler) profile(c *call) error {
	p, err := c.self()
	if err != nil {
		return err
	}
	c.out = appendUser(c.out, &p)
	return c.ok()
}

// updateProfile changes what people may change about themselves: names, bio and, with the old one, the
// password.
func (h *Handler) updateProfile(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	f := form{body: in}
	patch := auth.Patch{
		FirstName: f.text("first_name", nameRule),
		LastName:  f.text("last_name", nameRule),
		Bio:       f.text("bio", bioRule),
		Password:  f.text("new_password", passwordRule),
	}
	current := f.text("current_password", rule{mayBeBlank: true, max: presence.MaxPassword})
	if err := f.err(); err != nil {
		return err
	}
	if current == nil {
		current = new(string)
	}
	if patch.Password != nil && *current == "" {
		return problems{{"non_field_errors", "Current password is required to set a new password."}}
	}
	a, err := h.Auth.UpdateProfile(c.ctx(), c.id, patch, *current, c.origin())
	if e := asError(err); e != nil && e.Kind == presence.Invalid && e.Field == "current_password" {
		return problems{{"non_field_errors", "Current password is incorrect."}}
	}
	if err != nil {
		return fieldProblem(err)
	}
	c.out = appendText(c.out, `{"first_name":`, a.FirstName)
	c.out = appendText(c.out, `,"last_name":`, a.LastName)
	c.out = append(appendText(c.out, `,"bio":`, a.Bio), '}')
	return c.ok()
}

// activity shows the caller what is written down about them, newest first. Every line repeats the user, as
// recorded.
func (h *Handler) activity(c *call) error {
	page := pagingOf(c.r.URL.Query())
	entries, total, err := pageOf(&page, func(offset, limit int) ([]presence.ActivityEntry, int, error) {
		return h.Logs.Activity(c.ctx(), c.id.User, offset, limit)
	})
	if err != nil {
		return err
	}
	me, err := c.self()
	if err != nil {
		return err
	}
	user := appendUser(nil, &me)
	c.appendPageHead(total, page.number, page.size)
	return okPage(c, entries, func(b []byte, e *presence.ActivityEntry) []byte {
		b = appendInt(b, `{"id":`, e.ID)
		b = append(append(b, `,"user":`...), user...)
		b = appendText(b, `,"action":`, e.Action)
		b = appendText(b, `,"description":`, e.Description)
		b = appendTextOrNull(b, `,"ip_address":`, e.IP)
		b = appendText(b, `,"user_agent":`, e.UserAgent)
		return append(appendDate(append(b, `,"timestamp":`...), e.At), '}')
	})
}

// pageOf reads one page from something that counts while it reads.
func pageOf[T any](page *paging, read func(offset, limit int) ([]T, int, error)) ([]T, int, error) {
	switch page.number {
	case 0:
		return nil, 0, errInvalidPage
	case lastPage:
		_, total, err := read(0, 1)
		if err != nil {
			return nil, 0, err
		}
		if err := page.find(total); err != nil {
			return nil, 0, err
		}
	}
	rows, total, err := read(page.offset(), page.size)
	if err != nil {
		return nil, 0, err
	}
	return rows, total, page.find(total)
}

// statistics has the recorded shape. What it counted were messages, and this server has none.
func (h *Handler) statistics(c *call) error {
	me, err := c.self()
	if err != nil {
		return err
	}
	c.out = append(c.out, `{"total_messages":0,"total_conversations":0,"total_groups":0`...)
	c.out = appendDate(append(c.out, `,"member_since":`...), me.JoinedAt)
	c.out = appendDate(append(c.out, `,"last_activity":`...), me.lastSeen)
	c.out = appendWord(c.out, `,"online_status":`, me.status.String())
	c.out = append(c.out, `,"daily_message_average":0.0,"weekly_activity":{`...)
	today := c.now.UTC()
	for i := range 7 {
		c.out = appendZero(c.out, i, today.AddDate(0, 0, -i).Weekday().String())
	}
	c.out = append(c.out, `},"monthly_activity":{`...)
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := range 12 {
		one := month.AddDate(0, -i, 0)
		c.out = appendZero(c.out, i, fmt.Sprintf("%s %d", one.Month(), one.Year()))
	}
	c.out = append(c.out, "}}"...)
	c.answer(http.StatusOK)
	return nil
}

func appendZero(b []byte, i int, key string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return append(appendString(b, key), ":0"...)
}
