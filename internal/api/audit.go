package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// optionalUserBound is what the id of a user in a query must keep to.
const optionalUserBound = "the id of a user: 1 to 19 digits"

type auditInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many to a page."`
	Cursor string `query:"cursor" maxLength:"19" doc:"next_cursor of the page before."`
	Actor  string `query:"actor" maxLength:"20" doc:"Only acts of this admin; of an API token with a minus before its id."`
	Target string `query:"target" maxLength:"20" doc:"Only acts on this user; on an API token with a minus before its id."`
	Action string `query:"action" maxLength:"64" doc:"Only this act." example:"ban"`
}

func (h *Handler) audit(ctx context.Context, _ *call, in *auditInput) (*reply[wire.AuditPage], error) {
	f, before, err := in.read()
	if err != nil {
		return nil, err
	}
	entries, err := h.Store.AuditBefore(ctx, f, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := wire.AuditPage{Items: []wire.AuditEntry{}}
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		cursor := strconv.FormatInt(entries[in.Limit-1].ID, 10)
		page.NextCursor = &cursor
	}
	for i := range entries {
		page.Items = append(page.Items, entryOf(&entries[i]))
	}
	return answer(page), nil
}

func (in *auditInput) read() (f presence.AuditFilter, before int64, err error) {
	f.Action = in.Action
	for _, one := range []struct {
		name, text string
		to         *presence.UserID
	}{{"actor", in.Actor, &f.Actor}, {"target", in.Target, &f.Target}} {
		if one.text == "" {
			continue
		}
		id, ok := parseActor(one.text)
		if !ok {
			return f, 0, invalid("query", one.name, "this is no id of a user", optionalUserBound)
		}
		*one.to = id
	}
	if in.Cursor != "" {
		id, ok := parseUser(in.Cursor) // an id like any other
		if !ok {
			return f, 0, badCursor()
		}
		before = int64(id)
	}
	return f, before, nil
}

// parseActor reads the id of a person, or that of an API token with a minus before it.
func parseActor(text string) (presence.UserID, bool) {
	digits, token := strings.CutPrefix(text, "-")
	id, ok := parseUser(digits)
	if token {
		id = presence.APITokenID(id).Actor()
	}
	return id, ok
}

func badCursor() error {
	return invalid("query", "cursor", "this cursor is not one of this list", "next_cursor of an answer to the same question")
}

func entryOf(e *presence.AuditEntry) wire.AuditEntry {
	return wire.AuditEntry{
		ID: strconv.FormatInt(e.ID, 10), At: stamp(e.At), Actor: somebody(e.Actor), Action: e.Action, Target: somebody(e.Target),
		TargetName: e.TargetName, Before: object(e.Before), After: object(e.After), Reason: e.Reason, IP: e.IP,
		UserAgent: e.UserAgent, RequestID: e.RequestID,
	}
}

// object is what an entry keeps as JSON, nil for nothing.
func object(text string) any {
	if text == "" || !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}
