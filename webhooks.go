package presence

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Webhook is an address that is told what happens.
type Webhook struct {
	// ID is given by the store and never used a second time.
	ID          int64
	URL         string
	Description string

	// Events are names of events and of groups of them: "user.offline", "session.*", "*".
	Events []string
	// Causes restrict the events about somebody's status to these causes; empty: all.
	Causes []Cause
	// Users restrict all events to these people; empty: everybody.
	Users []UserID
	// Batch is how many events one delivery carries at most.
	Batch int

	// Secret signs deliveries, and so does OldSecret until OldSecretUntil.
	Secret         string
	OldSecret      string
	OldSecretUntil time.Time

	State WebhookState
	// StateSince is when it got this state.
	StateSince time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	CreatedBy  UserID // 0: the command line on the server's machine

	// Progress is kept by whoever sends.
	Progress WebhookProgress
}

// Filter writes Events, Causes and Users as stores keep them: words between commas, ",user.online,session.*,", so that
// a word is in the list if it is in the text with its commas. The empty text lets everything through.
func (w *Webhook) Filter() (events, causes, users string) {
	names, ids := make([]string, len(w.Causes)), make([]string, len(w.Users))
	for i, cause := range w.Causes {
		names[i] = cause.String()
	}
	for i, id := range w.Users {
		ids[i] = strconv.FormatInt(int64(id), 10)
	}
	return betweenCommas(w.Events), betweenCommas(names), betweenCommas(ids)
}

func betweenCommas(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "," + strings.Join(words, ",") + ","
}

// SetFilter reads what Filter wrote. Words that mean nothing are passed over.
func (w *Webhook) SetFilter(events, causes, users string) {
	words := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
	}
	w.Events = words(events)
	for _, name := range words(causes) {
		if cause, ok := ParseCause(name); ok {
			w.Causes = append(w.Causes, cause)
		}
	}
	for _, id := range words(users) {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			w.Users = append(w.Users, UserID(n))
		}
	}
}

// WebhookProgress is how sending to a webhook goes.
type WebhookProgress struct {
	// Failures counts attempts that failed in a row, since FailingSince; the next one is due at NextAt.
	Failures      int
	FailingSince  time.Time
	NextAt        time.Time
	LastSuccessAt time.Time
	LastFailureAt time.Time
	LastError     string
}

// WebhookState says whether a webhook is told anything. Events happen to active webhooks only: what happens while
// a webhook is in another state is not kept for it.
type WebhookState uint8

// The states. All but the first were reached by somebody's or the sender's decision, and only an admin's leads back.
const (
	WebhookActive  WebhookState = iota
	WebhookPaused               // an admin said so
	WebhookGone                 // the receiver answered 410
	WebhookFailing              // it failed for too long
)

var webhookStateNames = [...]string{
	WebhookActive: "active", WebhookPaused: "paused", WebhookGone: "gone", WebhookFailing: "failing",
}

// String is the word on the wire and in the database.
func (s WebhookState) String() string { return nameOf(webhookStateNames[:], s) }

// ParseWebhookState reads a state, exactly as String writes it.
func ParseWebhookState(word string) (WebhookState, bool) {
	return parseName[WebhookState](webhookStateNames[:], word)
}

// WebhookEvent is something that happened, waiting to be told to one webhook. Which fields mean something depends
// on Type; docs/webhooks.md has the list.
type WebhookEvent struct {
	// ID orders the events of one webhook.
	ID       int64
	Type     string
	At       time.Time
	User     UserID
	Username string
	// From and To are statuses of the person, or of the account.
	From, To string
	Cause    string
	Session  SessionID
	Actor    UserID
	Node     string
	Version  uint64
	LastSeen time.Time
	Role     string
	// Missed is how many events a gap stands for; 0: nobody knows.
	Missed int
}

// WebhookGap is the Type of the event that says that others before it were lost. Every webhook is told.
const WebhookGap = "gap"

// WebhookDelivery is one message to a webhook: the same bytes at every attempt.
type WebhookDelivery struct {
	ID      int64
	Webhook int64
	// MessageID is what receivers know it by.
	MessageID string
	Kind      WebhookDeliveryKind
	State     WebhookDeliveryState
	Events    int
	CreatedAt time.Time
	Body      []byte // empty in lists

	// Attempts counts; the rest is of the last one.
	Attempts   int
	AttemptAt  time.Time
	Duration   time.Duration
	HTTPStatus int // 0: no answer
	Error      string
}

// WebhookDeliveryKind tells deliveries of events from those that an admin asked for to see whether they arrive.
type WebhookDeliveryKind uint8

// The kinds.
const (
	WebhookEvents WebhookDeliveryKind = iota
	WebhookTest
)

var webhookDeliveryKindNames = [...]string{WebhookEvents: "events", WebhookTest: "test"}

// String is the word on the wire and in the database.
func (k WebhookDeliveryKind) String() string { return nameOf(webhookDeliveryKindNames[:], k) }

// ParseWebhookDeliveryKind reads a kind, exactly as String writes it.
func ParseWebhookDeliveryKind(word string) (WebhookDeliveryKind, bool) {
	return parseName[WebhookDeliveryKind](webhookDeliveryKindNames[:], word)
}

// WebhookDeliveryState is what has become of a delivery.
type WebhookDeliveryState uint8

// The states. A pending delivery will be tried again; a failed one only when an admin says so.
const (
	WebhookPending WebhookDeliveryState = iota
	WebhookSucceeded
	WebhookFailed
)

var webhookDeliveryStateNames = [...]string{
	WebhookPending: "pending", WebhookSucceeded: "succeeded", WebhookFailed: "failed",
}

// String is the word on the wire and in the database.
func (s WebhookDeliveryState) String() string { return nameOf(webhookDeliveryStateNames[:], s) }

// ParseWebhookDeliveryState reads a state, exactly as String writes it.
func ParseWebhookDeliveryState(word string) (WebhookDeliveryState, bool) {
	return parseName[WebhookDeliveryState](webhookDeliveryStateNames[:], word)
}

// WebhookAttempt is one try to deliver.
type WebhookAttempt struct {
	At       time.Time
	Duration time.Duration
	// HTTPStatus is 0 when there was no answer; Error then says why.
	HTTPStatus int
	Error      string
	// Response is the beginning of the answer's body.
	Response string
	// Manual: an admin asked for it.
	Manual bool
}

// WebhookOutcome is what an attempt leads to.
type WebhookOutcome struct {
	State WebhookDeliveryState
	// Progress replaces the webhook's; nil leaves it.
	Progress *WebhookProgress
	// Disable takes an active webhook out of service, with this state; WebhookActive leaves it.
	Disable WebhookState
	// Lost says that the events of a failed delivery are told as a gap.
	Lost bool
}

// WebhookLease lets one node at a time send to a webhook, from Now for Length.
type WebhookLease struct {
	Webhook int64
	Holder  string
	Now     time.Time
	Length  time.Duration
}

// WebhookQueue is what waits for a webhook.
type WebhookQueue struct {
	// Events counts those that wait, in a pending delivery or for one; Oldest is when the first of them happened.
	Events int
	Oldest time.Time
}

// WebhookStore keeps webhooks and what they are to be told. A Store may be one; the Tx of its Durable is then a
// WebhookTx. Every method may be called from any goroutine. The behaviour is pinned by internal/storetest.
//
// The store itself notices what happens and puts it into the queues of the active webhooks that want it, in the
// very transaction in which it happens: changes of status when they are recorded (RecordChanges), sessions that
// begin or end, accounts that are made, changed or removed. So what was acknowledged is in the queue, what was
// undone is not, and what several nodes record is there once. Events about one person are in the queue in the
// order in which they were recorded.
type WebhookStore interface {
	// Webhooks returns all of them, oldest first.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// Webhook finds one.
	Webhook(ctx context.Context, id int64) (Webhook, error)
	// WebhookQueues returns what waits, for all webhooks for which something does.
	WebhookQueues(ctx context.Context) (map[int64]WebhookQueue, error)

	// DueWebhooks returns the active webhooks for which something is to be sent now, and which no other holder
	// has a lease of.
	DueWebhooks(ctx context.Context, holder string, now time.Time) ([]int64, error)
	// NextWebhookDelivery takes or renews the lease and returns what to send: the pending delivery, or one that
	// pack makes from the events that wait, at most Batch of them, which it takes out of the queue. It returns nil
	// when another holder has the lease, or nothing is due; the lease is then not held. pack must be quick and may
	// be called more than once. It belongs to the batched-behind class: a power cut may put events back.
	NextWebhookDelivery(ctx context.Context, lease WebhookLease, pack func(*Webhook, []WebhookEvent) (WebhookDelivery, error)) (
		*Webhook, *WebhookDelivery, error)
	// RecordWebhookAttempt writes down what came of a delivery. One that has succeeded stays so. It belongs to the
	// batched-behind class. NotFound when there is no such delivery any more.
	RecordWebhookAttempt(ctx context.Context, delivery int64, a WebhookAttempt, then WebhookOutcome) error
	// ReleaseWebhook gives a lease back.
	ReleaseWebhook(ctx context.Context, id int64, holder string) error

	// WebhookDeliveries returns the deliveries of a webhook that match, newest first, at most limit, with an ID
	// below before (0: from the newest).
	WebhookDeliveries(ctx context.Context, f WebhookDeliveryFilter, before int64, limit int) ([]WebhookDelivery, error)
	// WebhookDelivery finds one, with its body and its attempts, oldest first.
	WebhookDelivery(ctx context.Context, webhook, id int64) (WebhookDelivery, []WebhookAttempt, error)

	// TellWebhooksOfGap puts a gap into the queues of all active webhooks.
	TellWebhooksOfGap(ctx context.Context, at time.Time, missed int) error
	// PurgeWebhooks deletes deliveries that are not pending and older than the given moment or not among the
	// newest keep of their webhook, and from each queue the oldest events beyond maxQueued, which are told as a
	// gap. It returns how many rows of each went.
	PurgeWebhooks(ctx context.Context, now, before time.Time, keep, maxQueued int) (deliveries, events int, err error)
}

// WebhookDeliveryFilter chooses deliveries of a webhook.
type WebhookDeliveryFilter struct {
	Webhook int64
	// State is one of the states, where OnlyState says so.
	OnlyState bool
	State     WebhookDeliveryState
}

// WebhookTx is what an act of a WebhookStore may do besides.
type WebhookTx interface {
	// CountWebhooks counts all of them.
	CountWebhooks() (int, error)
	// Webhook finds one, and keeps it as it is until the act is over.
	Webhook(id int64) (Webhook, error)
	// InsertWebhook stores a new one and gives it an ID.
	InsertWebhook(w *Webhook) error
	// UpdateWebhook stores every field but CreatedAt, CreatedBy and Progress. A webhook that becomes active again
	// has no failures any more, and is told of a gap.
	UpdateWebhook(w *Webhook) error
	// RemoveWebhook deletes one with its queue and its deliveries.
	RemoveWebhook(id int64) error
	// InsertWebhookDelivery stores a delivery and gives it an ID.
	InsertWebhookDelivery(d *WebhookDelivery) error
}
