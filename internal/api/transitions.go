package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

func (h *Handler) registerTransitions() {
	add(h, operation{
		id: "list_transitions", method: get, path: "/transitions", tag: "Users", need: Staff, scopes: presence.ScopeAdminRead,
		summary: "Changes of status of everybody, newest first",
		text:    "What the feed's scope all tells as it happens, from what was written down: a second or so behind.",
	}, h.transitions)
	add(h, operation{
		id: "get_my_history", method: get, path: "/me/history", tag: "Me", need: SignedIn,
		summary: "When you were there: day by day, with totals", text: "Computed as for get_user_history.",
	}, h.myHistory)
}

type transitionsInput struct {
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many to a page."`
	Cursor string    `query:"cursor" maxLength:"19" doc:"next_cursor of the page before."`
	User   string    `query:"user" maxLength:"19" doc:"Only changes of this user."`
	Actor  string    `query:"actor" maxLength:"19" doc:"Only changes that this admin brought about."`
	Cause  []string  `query:"cause" enum:"login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin" maxItems:"12" doc:"Only changes with one of these causes."`
	Node   string    `query:"node" maxLength:"255" doc:"Only changes that this node told."`
	From   string    `query:"from" enum:"online,away,offline" doc:"Only changes from this status."`
	To     string    `query:"to" enum:"online,away,offline" doc:"Only changes to this status."`
	After  time.Time `query:"after" doc:"Only changes at this moment or later."`
	Before time.Time `query:"before" doc:"Only changes before this moment."`
}

func (h *Handler) transitions(ctx context.Context, _ *call, in *transitionsInput) (*reply[wire.EventPage], error) {
	f, before, err := in.read()
	if err != nil {
		return nil, err
	}
	changes, err := h.Store.ChangesBefore(ctx, f, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := wire.EventPage{Items: []wire.Event{}}
	if len(changes) > in.Limit {
		changes = changes[:in.Limit]
		cursor := strconv.FormatInt(changes[in.Limit-1].ID, 10)
		page.NextCursor = &cursor
	}
	names, err := h.names(ctx, changes)
	if err != nil {
		return nil, err
	}
	devices := map[presence.SessionID]string{}
	for i := range changes {
		c := &changes[i]
		page.Items = append(page.Items, wire.Event{
			ID: strconv.FormatInt(c.ID, 10), User: formatUser(c.User), Username: names[c.User], Transition: transitionOf(&c.Change),
			Device: h.device(ctx, devices, &c.Change), ActorName: names[c.Actor],
		})
	}
	return answer(page), nil
}

func (in *transitionsInput) read() (f presence.ChangeFilter, before int64, err error) {
	f = presence.ChangeFilter{Node: in.Node, After: in.After, Before: in.Before}
	for _, one := range []struct {
		name, text string
		to         *presence.UserID
	}{{"user", in.User, &f.User}, {"actor", in.Actor, &f.Actor}} {
		if id, ok := parseUser(one.text); ok {
			*one.to = id
		} else if one.text != "" {
			return f, 0, invalid("query", one.name, "this is no id of a user", optionalUserBound)
		}
	}
	for _, word := range in.Cause {
		cause, _ := presence.ParseCause(word) // one of the enum
		f.Causes = append(f.Causes, cause)
	}
	if status, ok := presence.ParseStatus(in.From); ok {
		f.From = &status
	}
	if status, ok := presence.ParseStatus(in.To); ok {
		f.To = &status
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

// names finds the usernames of those who changed, and of the admins behind it.
func (h *Handler) names(ctx context.Context, changes []presence.RecordedChange) (map[presence.UserID]string, error) {
	var ids []presence.UserID
	for i := range changes {
		if ids = append(ids, changes[i].User); changes[i].Actor != 0 {
			ids = append(ids, changes[i].Actor)
		}
	}
	slices.Sort(ids)
	accounts, err := h.Store.AccountsByID(ctx, slices.Compact(ids))
	names := make(map[presence.UserID]string, len(accounts))
	for i := range accounts {
		names[accounts[i].ID] = accounts[i].Username
	}
	return names, err
}

// device is what the client of a change's session calls itself. It is for the eyes: what cannot be found stays empty.
func (h *Handler) device(ctx context.Context, known map[presence.SessionID]string, c *presence.Change) string {
	if !c.Session.Drawable() {
		return ""
	}
	label, ok := known[c.Session]
	if !ok {
		if label = h.Auth.Device(c.User, c.Session); label == "" {
			if row, err := h.Store.Session(ctx, c.Session); err == nil {
				label = presence.DeviceLabel(row.UserAgent)
			}
		}
		known[c.Session] = label
	}
	return label
}

func (h *Handler) myHistory(ctx context.Context, c *call, in *HistoryInput) (*reply[wire.History], error) {
	return h.historyOf(ctx, c, c.id.User, in)
}
