package api

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// manyDevices is how many devices of one person are worth a look.
const manyDevices = 4

func (h *Handler) registerSystem() {
	add(h, operation{
		id: "get_system", method: get, path: "/system", tag: "System", need: Admins, summary: "How the server is: numbers, their limits, and what they mean",
	}, h.system)
	add(h, operation{
		id: "get_attention", method: get, path: "/attention", tag: "System", need: Staff, summary: "What may need attention, with the list that shows it",
	}, h.attention)
}

func (h *Handler) system(ctx context.Context, c *call, _ *nothing) (*reply[wire.System], error) {
	told := wire.System{
		Version: h.Version, Node: h.Node, StartedAt: stamp(h.began), UptimeSeconds: int64(c.now.Sub(h.began) / time.Second), Facts: []wire.Fact{},
		AsOf: stamp(c.now),
	}
	if h.Facts != nil {
		told.Facts = append(told.Facts, h.Facts(ctx)...)
	}
	return answer(told), nil
}

func (h *Handler) attention(ctx context.Context, c *call, in *struct {
	Hours int `query:"silent_hours" minimum:"1" maximum:"720" default:"4" doc:"How long somebody may be present without a sign of life."`
},
) (*reply[wire.Attention], error) {
	told := wire.Attention{Items: []wire.Concern{}, AsOf: stamp(c.now)}
	add := func(key, state string, count int, text, page string, query url.Values) {
		if count == 1 { // one thing is, two are
			text = strings.NewReplacer("people have", "person has", "people are", "person is", "accounts wait", "account waits").Replace(text)
		}
		if count > 0 {
			told.Items = append(told.Items, wire.Concern{
				Key: key, State: state, Count: count, Text: fmt.Sprintf("%d %s", count, text), Page: page, Query: query.Encode(),
			})
		}
	}
	silentBefore := c.now.Add(-time.Duration(in.Hours) * time.Hour).UTC().Truncate(time.Minute)
	held, silent, many, err := h.lookAround(ctx, silentBefore)
	if err != nil {
		return nil, err
	}
	byStatus, _, err := h.Store.AccountCounts(ctx)
	if err != nil {
		return nil, err
	}
	add("pending", "info", byStatus[presence.AccountPending], "accounts wait for approval", "users", url.Values{"account_status": {"pending"}})
	add("held", "info", held, "people have a status that an admin holds", "users", url.Values{"hold": {"true"}})
	add("silent", "warn", silent, fmt.Sprintf("people are shown present and were not heard for %d hours", in.Hours), "users", url.Values{
		"presence": {"online,away"}, "seen_before": {silentBefore.Format(time.RFC3339)},
	})
	add("many_devices", "info", many, fmt.Sprintf("people are signed in on %d devices or more", manyDevices), "users", url.Values{
		"min_devices": {fmt.Sprint(manyDevices)},
	})
	if h.Facts != nil {
		for _, fact := range h.Facts(ctx) {
			if fact.State == "ok" {
				continue
			}
			key := map[string]string{"expiry_lag": "expiry_lag", "webhooks_failing": "webhooks"}[fact.Key]
			if key == "" {
				key = "system"
			}
			told.Items = append(told.Items, wire.Concern{Key: key, State: fact.State, Count: 1, Text: fact.Text, Page: "system", Query: url.Values{"fact": {fact.Key}}.Encode()})
		}
	}
	return answer(told), nil
}

// lookAround counts what is to be seen of everybody: holds, people present who are silent, and those with many devices.
func (h *Handler) lookAround(ctx context.Context, silentBefore time.Time) (held, silent, many int, err error) {
	_, everybody, err := h.Presence.Snapshot(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	var some []presence.UserID
	count := func() error {
		devices, err := h.Presence.Devices(ctx, some)
		for _, n := range devices {
			if n >= manyDevices {
				many++
			}
		}
		some = some[:0]
		return err
	}
	for p := range everybody {
		if p.Held {
			held++
		}
		if p.Status == presence.Offline && !p.Held {
			continue // a device that is live is one of somebody present
		}
		if p.Status != presence.Offline && p.LastSeen.Before(silentBefore) && !p.LastSeen.IsZero() {
			silent++
		}
		if some = append(some, p.User); len(some) == devicesBatch {
			if err := count(); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	return held, silent, many, count()
}
