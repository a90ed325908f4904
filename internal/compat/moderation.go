package compat

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

// pendingUsers lists the accounts that wait for an admin.
func (h *Handler) pendingUsers(c *call) error {
	page := pagingOf(c.r.URL.Query())
	query := userQuery{filter: presence.AccountFilter{Status: presence.AccountPending.String()}}
	rows, total, err := h.findUsers(c.ctx(), query, &page)
	if err != nil {
		return err
	}
	c.appendPageHead(total, page.number, page.size)
	return okPage(c, rows, appendUser)
}

// pendingStats counts them.
func (h *Handler) pendingStats(c *call) error {
	counts, _, err := h.Accounts.AccountCounts(c.ctx())
	if err != nil {
		return err
	}
	c.out = append(appendInt(c.out, `{"total":`, counts[presence.AccountPending]), '}')
	return c.ok()
}

func (h *Handler) approvePending(c *call) error { return c.settle(h.Auth.Approve, "user approved") }
func (h *Handler) rejectPending(c *call) error  { return c.settle(h.Auth.Reject, "user rejected") }

// settle decides about an account that waits; one that does not wait is not found here.
func (c *call) settle(do act, done string) error {
	if _, err := c.readBody(); err != nil {
		return err
	}
	a, err := c.account()
	if err != nil {
		return err
	}
	if a.Status != presence.AccountPending {
		return errNoPage
	}
	if _, err := do(c.ctx(), c.id, a.ID, c.origin()); err != nil {
		return err
	}
	c.out = append(appendText(c.out, `{"status":`, done), '}')
	return c.ok()
}

// auditLogs lists what admins did, newest first.
func (h *Handler) auditLogs(c *call) error {
	page := pagingOf(c.r.URL.Query())
	entries, total, err := pageOf(&page, func(offset, limit int) ([]presence.AuditEntry, int, error) {
		return h.Logs.Audit(c.ctx(), offset, limit)
	})
	if err != nil {
		return err
	}
	actors := make([]presence.UserID, 0, len(entries))
	for i := range entries {
		actors = append(actors, entries[i].Actor)
	}
	names, err := h.namesOf(c.ctx(), actors)
	if err != nil {
		return err
	}
	c.appendPageHead(total, page.number, page.size)
	return okPage(c, entries, func(b []byte, e *presence.AuditEntry) []byte {
		return appendAudit(b, e, names[e.Actor])
	})
}

func appendAudit(b []byte, e *presence.AuditEntry, actor string) []byte {
	b = appendInt(b, `{"id":`, e.ID)
	b = appendInt(b, `,"actor_id":`, e.Actor)
	b = appendTextOrNull(b, `,"actor":`, actor)
	b = appendText(b, `,"action":`, e.Action)
	b = appendInt(b, `,"target_id":`, e.Target)
	b = appendText(b, `,"target":`, e.TargetName)
	b = appendObject(b, `,"before":`, e.Before)
	b = appendObject(b, `,"after":`, e.After)
	b = appendText(b, `,"reason":`, e.Reason)
	b = appendTextOrNull(b, `,"ip_address":`, e.IP)
	b = appendText(b, `,"user_agent":`, e.UserAgent)
	b = appendText(b, `,"request_id":`, e.RequestID)
	return append(appendDate(append(b, `,"timestamp":`...), e.At), '}')
}

// appendObject appends a JSON object that the store kept as text; null when there is none.
func appendObject(b []byte, key, object string) []byte {
	b = append(b, key...)
	if object == "" || !json.Valid([]byte(object)) {
		return append(b, "null"...)
	}
	return append(b, object...)
}

// analytics has the recorded shape. Accounts and presence are true; what would count messages is zero.
func (h *Handler) analytics(c *call) error {
	accounts, total, err := h.Accounts.AccountCounts(c.ctx())
	if err != nil {
		return err
	}
	_, activities, err := h.Logs.Activity(c.ctx(), presence.Everybody, 0, 1)
	if err != nil {
		return err
	}
	online, err := h.Presence.Counts(c.ctx())
	if err != nil {
		return err
	}
	b := appendInt(c.out, `{"userStats":{"total":`, total)
	b = appendInt(b, `,"active":`, accounts[presence.AccountActive])
	b = appendInt(b, `,"pending":`, accounts[presence.AccountPending])
	b = appendInt(b, `,"suspended":`, accounts[presence.AccountSuspended])
	b = appendInt(b, `,"banned":`, accounts[presence.AccountBanned])
	b = append(b, `},"activityStats":{"totalMessages":0,"averageMessages":0,"totalReports":0,"totalActivities":`...)
	b = append(strconv.AppendInt(b, int64(activities), 10), '}')
	b = appendInt(b, `,"onlineStats":{"online":`, online.Online)
	b = appendInt(b, `,"away":`, online.Away)
	b = appendInt(b, `,"offline":`, online.Offline)
	b = append(b, `},"securityStats":{"totalIPs":0,"threatIPs":0,"suspiciousActivities":0,"unresolvedThreats":0}`...)
	b = append(b, `,"messageData":[`...)
	for back := 6; back > 0; back-- {
		at := c.now.UTC().Add(-time.Duration(back) * time.Hour)
		b = append(at.AppendFormat(append(b, `{"time":"`...), "15:04"), `","messages":0},`...)
	}
	b[len(b)-1] = ']'
	c.out = append(b, noMessages...)
	c.answer(http.StatusOK)
	return nil
}

// noMessages ends the analytics.
const noMessages = `,"messageTypeData":[{"type":"Text","count":0,"color":"#3b82f6"},` +
	`{"type":"Image","count":0,"color":"#10b981"},` +
	`{"type":"File","count":0,"color":"#f59e0b"},{"type":"Voice","count":0,"color":"#ef4444"}],"dailyStats":[` +
	`{"day":"Mon","sent":0,"delivered":0,"read":0},{"day":"Tue","sent":0,"delivered":0,"read":0},` +
	`{"day":"Wed","sent":0,"delivered":0,"read":0},{"day":"Thu","sent":0,"delivered":0,"read":0},` +
	`{"day":"Fri","sent":0,"delivered":0,"read":0},{"day":"Sat","sent":0,"delivered":0,"read":0},` +
	`{"day":"Sun","sent":0,"delivered":0,"read":0}]}`

// nothing is a page of what this server does not have: always one, always empty.
func (h *Handler) nothing(c *call) error {
	page := pagingOf(c.r.URL.Query())
	if err := page.find(0); err != nil {
		return err
	}
	c.appendPageHead(0, page.number, page.size)
	c.out = append(c.out, "]}"...)
	return c.ok()
}
