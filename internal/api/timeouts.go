package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	timeoutsKind = "timeouts"
	// timeoutsKept is how many of those that were set are remembered, timeoutsEvery how often a node looks what
	// another one set.
	timeoutsKept, timeoutsEvery = 50, 10 * time.Second
)

// timeouts are those that this node goes by.
type timeouts struct {
	setting sync.Mutex // held while they are carried from the store into the parts

	mu   sync.Mutex // guards the following fields
	now  presence.Timeouts
	kept string // the id of their document; empty: the configuration's
}

func (h *Handler) registerTimeouts() {
	add(h, operation{
		id: "get_timeouts", method: get, path: "/settings/timeouts", tag: "Settings", need: Admins, summary: "When somebody is away or offline, and since when that holds",
	}, h.getTimeouts)
	add(h, operation{
		id: "preview_timeouts", method: post, path: "/settings/timeouts/preview", tag: "Settings", need: Admins, errors: []int{400, 413, 415},
		summary: "What other timeouts would do to those who are present",
	}, h.previewTimeouts)
	add(h, operation{
		id: "set_timeouts", method: put, path: "/settings/timeouts", tag: "Settings", need: Admins, errors: []int{400, 413, 415},
		summary: "Change when somebody is away or offline",
		text:    "At once, without a restart, for every node within ten seconds, and until it is changed or taken back: it outranks the configuration. Clients are told.",
	}, h.setTimeouts)
	add(h, operation{
		id: "reset_timeouts", method: del, path: "/settings/timeouts", tag: "Settings", need: Admins, summary: "Go by the configuration again",
	}, h.resetTimeouts)
}

func wireTimeouts(t presence.Timeouts) wire.Timeouts {
	return wire.Timeouts{
		HeartbeatInterval: t.HeartbeatInterval.Seconds(), IdleAfter: t.IdleAfter.Seconds(), OfflineAfter: t.OfflineAfter.Seconds(),
		LeaveGrace: t.LeaveGrace.Seconds(), RefreshInterval: t.RefreshInterval.Seconds(),
	}
}

func readTimeouts(t wire.Timeouts) (presence.Timeouts, error) {
	d := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)).Round(time.Millisecond) }
	read := presence.Timeouts{
		HeartbeatInterval: d(t.HeartbeatInterval), IdleAfter: d(t.IdleAfter), OfflineAfter: d(t.OfflineAfter),
		LeaveGrace: d(t.LeaveGrace), RefreshInterval: d(t.RefreshInterval),
	}
	return read, read.Check()
}

// keptTimeouts is the body of a document: what was set, or nothing.
type keptTimeouts struct {
	Timeouts *wire.Timeouts `json:"timeouts"`
	Reason   string         `json:"reason,omitempty"`
}

// FollowTimeouts goes by the timeouts that are kept, whoever set them. Call it before presence is restored: leases begin
// with them.
func (h *Handler) FollowTimeouts(ctx context.Context) error {
	h.timeouts.setting.Lock()
	defer h.timeouts.setting.Unlock()
	docs, err := h.Store.Documents(ctx, timeoutsKind)
	if err != nil {
		return err
	}
	id := ""
	next := h.Configured
	if len(docs) > 0 {
		var kept keptTimeouts
		if err := json.Unmarshal([]byte(docs[0].Body), &kept); err != nil {
			return fmt.Errorf("the kept timeouts: %w", err)
		}
		if kept.Timeouts != nil {
			if next, err = readTimeouts(*kept.Timeouts); err != nil {
				return fmt.Errorf("the kept timeouts: %w", err)
			}
			id = docs[0].ID
		}
	}
	h.timeouts.mu.Lock()
	moved := h.timeouts.now != next
	h.timeouts.now, h.timeouts.kept = next, id
	h.timeouts.mu.Unlock()
	if moved && h.OnTimeouts != nil {
		h.OnTimeouts(next)
		h.Log.LogAttrs(ctx, slog.LevelInfo, "the timeouts have changed", slog.Duration("offline_after", next.OfflineAfter),
			slog.Duration("heartbeat_interval", next.HeartbeatInterval), slog.Duration("idle_after", next.IdleAfter), slog.Duration("leave_grace", next.LeaveGrace))
	}
	return nil
}

// runTimeouts follows what other nodes set, until ctx ends.
func (h *Handler) runTimeouts(ctx context.Context) error {
	tick := time.NewTicker(timeoutsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := h.FollowTimeouts(ctx); err != nil && ctx.Err() == nil {
			h.Log.LogAttrs(ctx, slog.LevelWarn, "the timeouts could not be read", slog.Any("err", err))
		}
	}
}

// goesBy are the timeouts of this node now.
func (h *Handler) goesBy() (t presence.Timeouts, byDashboard bool) {
	h.timeouts.mu.Lock()
	defer h.timeouts.mu.Unlock()
	return h.timeouts.now, h.timeouts.kept != ""
}

func (h *Handler) getTimeouts(ctx context.Context, _ *call, _ *nothing) (*reply[wire.TimeoutsNow], error) {
	docs, err := h.Store.Documents(ctx, timeoutsKind)
	if err != nil {
		return nil, err
	}
	now, byDashboard := h.goesBy()
	told := wire.TimeoutsNow{
		Timeouts: wireTimeouts(now), Source: "configuration", Configured: wireTimeouts(h.Configured), Warnings: notNil(now.Warnings()),
		History: []wire.TimeoutsSet{},
	}
	if byDashboard {
		told.Source = "dashboard"
	}
	names := map[presence.UserID]string{}
	for _, d := range docs {
		var kept keptTimeouts
		if json.Unmarshal([]byte(d.Body), &kept) != nil {
			continue
		}
		name, known := names[d.Owner]
		if !known {
			if a, err := h.Store.Account(ctx, d.Owner); err == nil {
				name = a.Username
			}
			names[d.Owner] = name
		}
		told.History = append(told.History, wire.TimeoutsSet{At: stamp(d.At), By: somebody(d.Owner), ByName: name, Timeouts: kept.Timeouts, Reason: kept.Reason})
	}
	return answer(told), nil
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (h *Handler) previewTimeouts(ctx context.Context, c *call, in *struct{ Body wire.Timeouts }) (*reply[wire.TimeoutsPreview], error) {
	t, err := readTimeouts(in.Body)
	if err != nil {
		return nil, err
	}
	told := wire.TimeoutsPreview{Warnings: notNil(t.Warnings())}
	_, everybody, err := h.Presence.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for p := range everybody {
		if p.Status == presence.Offline || p.Held {
			continue
		}
		told.Present++
		if c.now.Sub(p.LastSeen) > t.OfflineAfter {
			told.Offline++
		}
	}
	return answer(told), nil
}

func (h *Handler) setTimeouts(ctx context.Context, c *call, in *struct{ Body wire.NewTimeouts }) (*reply[wire.TimeoutsNow], error) {
	t, err := readTimeouts(in.Body.Timeouts)
	if err != nil {
		return nil, err
	}
	shown := wireTimeouts(t)
	return h.keepTimeouts(ctx, c, keptTimeouts{&shown, in.Body.Reason})
}

func (h *Handler) resetTimeouts(ctx context.Context, c *call, _ *nothing) (*reply[wire.TimeoutsNow], error) {
	return h.keepTimeouts(ctx, c, keptTimeouts{})
}

// keepTimeouts writes down what is to hold, and has the parts follow.
func (h *Handler) keepTimeouts(ctx context.Context, c *call, next keptTimeouts) (*reply[wire.TimeoutsNow], error) {
	body, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	was, _ := h.goesBy()
	old, err := json.Marshal(wireTimeouts(was))
	if err != nil {
		return nil, err
	}
	after := wireTimeouts(h.Configured)
	if next.Timeouts != nil {
		after = *next.Timeouts
	}
	is, err := json.Marshal(after)
	if err != nil {
		return nil, err
	}
	docs, err := h.Store.Documents(ctx, timeoutsKind)
	if err != nil {
		return nil, err
	}
	at := stamp(c.now)
	if len(docs) > 0 && !at.After(docs[0].At) { // another node's clock is ahead, and the last word is the newest one
		at = docs[0].At.Add(time.Microsecond)
	}
	err = h.Store.Durable(ctx, func(tx presence.Tx) error {
		desk := tx.(presence.DeskTx)
		for _, d := range docs[min(len(docs), timeoutsKept-1):] {
			if err := desk.RemoveDocument(d.Kind, d.ID); err != nil && presence.KindOf(err) != presence.NotFound {
				return err
			}
		}
		err := desk.SaveDocument(presence.Document{
			Kind: timeoutsKind, ID: strconv.FormatInt(at.UnixMicro(), 10), Owner: c.id.User, At: at, Body: string(body),
		})
		if err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: c.id.User, Action: "set_timeouts", Before: string(old), After: string(is), Reason: next.Reason, Origin: c.from, At: stamp(c.now),
		})
	})
	if err != nil {
		return nil, err
	}
	if err := h.FollowTimeouts(ctx); err != nil {
		return nil, err
	}
	return h.getTimeouts(ctx, c, nil)
}
