package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// UserPath is the id of a user in a path.
type UserPath struct {
	ID string `path:"id" minLength:"1" maxLength:"19" pattern:"^[1-9][0-9]*$" patternDescription:"the id of a user: 1 to 19 digits" doc:"The user's id." example:"7"`
}

// user reads the id. One that is too large for any user is an id that nobody has.
func (p UserPath) user() (presence.UserID, error) {
	id, ok := parseUser(p.ID)
	if !ok {
		return 0, invalid("path", "id", "this is no id of a user", idBound)
	}
	return id, nil
}

const idBound = "1 to 9223372036854775807"

// parseUser reads an id that is written the one plain way.
func parseUser(text string) (presence.UserID, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return presence.UserID(n), err == nil && n > 0 && strconv.FormatInt(n, 10) == text
}

func formatUser(id presence.UserID) string { return strconv.FormatInt(int64(id), 10) }

// presenceOf is a presence as it looks on the wire. It is to be one that went through For.
func presenceOf(p presence.Presence) wire.Presence {
	return wire.Presence{
		ID: formatUser(p.User), Status: p.Status.String(), LastSeen: moment(p.LastSeen), Since: moment(p.Since),
		Cause: p.Cause.String(), Held: p.Held,
	}
}

// moment is a time as it is shown, null for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

// stamp is a time as it is shown: UTC, microseconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// queryPresence answers for many at once. It asks nobody but the engine: who is not known is offline, which is
// also what a stranger learns about people there are.
func (h *Handler) queryPresence(ctx context.Context, c *call, in *struct{ Body wire.PresenceQuery }) (*reply[wire.PresenceList], error) {
	ids, err := usersIn("ids", in.Body.IDs)
	if err != nil {
		return nil, err
	}
	viewer, err := h.viewerOf(c, in.Body.Viewer)
	if err != nil {
		return nil, err
	}
	states, err := h.Presence.State(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := wire.PresenceList{Items: make([]wire.Presence, len(states)), AsOf: stamp(c.now)}
	for i, p := range states {
		list.Items[i] = presenceOf(p.For(viewer, h.Auth.Privacy(p.User)))
	}
	return answer(list), nil
}

// viewerOf is who is to be answered. A backend may ask for somebody it shows the answer to.
func (h *Handler) viewerOf(c *call, asked string) (presence.Viewer, error) {
	if asked == "" {
		return c.viewer, nil
	}
	if _, backend := c.id.Backend(); !backend {
		return c.viewer, invalid("body", "viewer", "only an API token asks for somebody else", "absent")
	}
	id, ok := parseUser(asked)
	if !ok {
		return c.viewer, invalid("body", "viewer", "this is no id of a user", idBound)
	}
	return presence.Viewer{User: id, Privacy: h.Auth.Privacy(id)}, nil
}

func (h *Handler) onePresence(ctx context.Context, c *call, in *UserPath) (*reply[wire.PresenceNow], error) {
	id, err := in.user()
	if err != nil {
		return nil, err
	}
	if _, err := h.Store.Account(ctx, id); err != nil {
		return nil, err
	}
	states, err := h.Presence.State(ctx, []presence.UserID{id})
	if err != nil {
		return nil, err
	}
	p := states[0].For(c.viewer, h.Auth.Privacy(id))
	return answer(wire.PresenceNow{Presence: presenceOf(p), AsOf: stamp(c.now)}), nil
}

// counts counts for the caller what the caller would see: adding up what everybody looks like to them gives the
// same numbers, so nothing can be inferred from a difference.
func (h *Handler) counts(ctx context.Context, c *call, _ *nothing) (*reply[wire.Counts], error) {
	counts, err := h.Presence.Counts(ctx)
	if err != nil {
		return nil, err
	}
	if !c.viewer.Staff {
		if counts, err = h.countsFor(ctx, c.viewer, counts); err != nil {
			return nil, err
		}
	}
	shown := wire.Counts{Online: counts.Online, Away: counts.Away, Offline: counts.Offline, Total: counts.Total(), AsOf: stamp(c.now)}
	if c.viewer.Staff {
		links, err := h.allLinks(ctx)
		if err != nil {
			return nil, err
		}
		if links.Known {
			shown.Devices, shown.Connections = &links.Devices, &links.Connections
		}
	}
	return answer(shown), nil
}

func (h *Handler) countsFor(ctx context.Context, viewer presence.Viewer, all presence.Counts) (presence.Counts, error) {
	whose := []presence.UserID{viewer.User}
	if !viewer.HideStatus {
		whose = whose[:0]
		h.Auth.Private(func(user presence.UserID, p presence.Privacy) bool {
			if p.HideStatus && user != viewer.User {
				whose = append(whose, user)
			}
			return true
		})
	}
	states, err := h.Presence.State(ctx, whose)
	if err != nil {
		return presence.Counts{}, err
	}
	var some presence.Counts
	for _, p := range states {
		switch p.Status {
		case presence.Online:
			some.Online++
		case presence.Away:
			some.Away++
		}
	}
	shown := presence.Counts{Online: all.Online - some.Online, Away: all.Away - some.Away}
	if viewer.HideStatus { // who hides sees nobody but themselves
		shown = some
	}
	// The numbers are read one after the other while people come and go.
	shown.Online, shown.Away = max(0, shown.Online), max(0, shown.Away)
	shown.Offline = max(0, all.Total()-shown.Online-shown.Away)
	return shown, nil
}

func (h *Handler) settings(_ context.Context, c *call, _ *nothing) (*reply[wire.Settings], error) {
	told := h.Settings
	if now, byDashboard := h.goesBy(); byDashboard {
		t := wireTimeouts(now)
		told.HeartbeatInterval, told.IdleAfter, told.OfflineAfter, told.RefreshInterval = t.HeartbeatInterval, t.IdleAfter, t.OfflineAfter, t.RefreshInterval
		told.Server = overruled(told.Server, now)
	}
	if !c.id.IsAdmin() {
		told.Server = nil
	}
	return answer(told), nil
}

// overruled are the settings with the timeouts that were set while running.
func overruled(list []wire.Setting, t presence.Timeouts) []wire.Setting {
	list = slices.Clone(list)
	for i := range list {
		value, known := map[string]time.Duration{
			"heartbeat_interval": t.HeartbeatInterval, "idle_after": t.IdleAfter, "offline_after": t.OfflineAfter, "leave_grace": t.LeaveGrace,
			"refresh_interval": t.RefreshInterval,
		}[list[i].Key]
		if known {
			list[i].Value, list[i].Source = value.String(), "dashboard"
		}
	}
	return list
}
