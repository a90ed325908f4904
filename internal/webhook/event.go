package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// groups of events, as a webhook may name them.
const (
	groupUser    = "user.*"
	groupSession = "session.*"
	groupAccount = "account.*"
	everything   = "*"
)

// eventTypes is every kind of event there is. The store knows when each happens.
var eventTypes = []wire.WebhookEventType{
	{Name: "user.online", Group: groupUser, Text: "Somebody is online now."},
	{Name: "user.away", Group: groupUser, Text: "Somebody is away now."},
	{Name: "user.offline", Group: groupUser, Text: "Somebody is offline now."},
	{Name: "session.started", Group: groupSession, Text: "Somebody signed in."},
	{Name: "session.ended", Group: groupSession, Text: "A session was ended, by its owner or by an admin. One whose tokens ran out is not told of."},
	{Name: "account.created", Group: groupAccount, Text: "An account was made."},
	{Name: "account.updated", Group: groupAccount, Text: "An account's name, e-mail, role or profile changed, or it was closed."},
	{Name: "account.activated", Group: groupAccount, Text: "An account that could not sign in can now."},
	{Name: "account.suspended", Group: groupAccount, Text: "An account was suspended."},
	{Name: "account.banned", Group: groupAccount, Text: "An account was banned."},
	{Name: "account.deleted", Group: groupAccount, Text: "An account was put into the trash, or removed for good."},
	{Name: "account.restored", Group: groupAccount, Text: "An account came back from the trash."},
	{Name: presence.WebhookGap, Group: everything, Text: "Events before this one were lost to this webhook. Ask for the presence of those you care about. Every webhook is told."},
}

func init() {
	at := time.Date(2026, 11, 23, 10, 31, 22, 418123000, time.UTC)
	for i := range eventTypes {
		t := &eventTypes[i]
		e := presence.WebhookEvent{Type: t.Name, At: at, User: 7, Username: "zahra.noori", Role: "user"}
		switch t.Group {
		case groupUser:
			e.From, e.To, e.Cause, e.Role = "online", t.Name[len("user."):], "timeout", ""
			if t.Name == "user.online" {
				e.From, e.Cause = "offline", "login"
			}
			e.Session, e.Node, e.Version, e.LastSeen = 0x5f0c_9c41_22ab_03de, "a", 42, at.Add(-2*time.Minute)
		case groupSession:
			e.Session, e.Role = 0x5f0c_9c41_22ab_03de, ""
			if t.Name == "session.ended" {
				e.Cause = "logout"
			}
		case groupAccount:
			e.From, e.To = "active", "active"
		case everything:
			e = presence.WebhookEvent{Type: t.Name, At: at, Missed: 1200}
		}
		t.Example = eventOf(&e)
	}
}

// names are all words that a webhook may list under events.
func names() []string {
	list := []string{everything, groupUser, groupSession, groupAccount}
	for _, t := range eventTypes {
		if t.Group != everything {
			list = append(list, t.Name)
		}
	}
	return list
}

// EventTypes returns every kind of event there is.
func EventTypes() wire.WebhookEventTypes {
	return wire.WebhookEventTypes{Items: slices.Clone(eventTypes)}
}

// pack makes a delivery of events.
func (s *Service) pack(hook *presence.Webhook, events []presence.WebhookEvent) (presence.WebhookDelivery, error) {
	told := make([]wire.WebhookEvent, len(events))
	for i := range events {
		told[i] = eventOf(&events[i])
	}
	return s.message(hook.ID, presence.WebhookEvents, wire.WebhookMessageEvents, told)
}

func (s *Service) message(hook int64, kind presence.WebhookDeliveryKind, name string, events []wire.WebhookEvent) (presence.WebhookDelivery, error) {
	now := stamp(s.Now())
	body, err := json.Marshal(wire.WebhookMessage{
		Type: name, Timestamp: now, Data: wire.WebhookMessageData{Webhook: strconv.FormatInt(hook, 10), Events: events},
	})
	return presence.WebhookDelivery{
		Webhook: hook, MessageID: "msg_" + randomWord(), Kind: kind, Events: len(events), CreatedAt: now, Body: body,
	}, err
}

// eventOf is an event as it is told.
func eventOf(e *presence.WebhookEvent) wire.WebhookEvent {
	told := wire.WebhookEvent{
		ID: eventID(e), Type: e.Type, At: stamp(e.At), Username: e.Username, From: e.From, To: e.To, Cause: e.Cause, Node: e.Node,
		Version: e.Version, Role: e.Role, Missed: e.Missed,
	}
	if e.User != 0 {
		told.User = strconv.FormatInt(int64(e.User), 10)
	}
	if e.Actor != 0 {
		told.Actor = strconv.FormatInt(int64(e.Actor), 10)
	}
	if e.Session != presence.EverySession {
		told.Session = e.Session.String()
	}
	if !e.LastSeen.IsZero() {
		seen := stamp(e.LastSeen)
		told.LastSeen = &seen
	}
	return told
}

// eventID follows from what happened, so that every webhook knows an event by the same id, and it is the same again
// where a power cut put the event back into the queue.
func eventID(e *presence.WebhookEvent) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d %d %s %s", e.Type, e.User, e.At.UnixMicro(), e.Session, e.Version, e.From, e.To))
	if e.Type == presence.WebhookGap {
		return "evt_" + randomWord() // each is one of a kind
	}
	return "evt_" + hex.EncodeToString(sum[:13])
}

// stamp is a time as it is told: UTC, microseconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
