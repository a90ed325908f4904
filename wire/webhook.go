package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of a webhook's delivery (Standard Webhooks v1.0.0).
const (
	WebhookIDHeader        = "Webhook-Id"
	WebhookTimestampHeader = "Webhook-Timestamp"
	WebhookSignatureHeader = "Webhook-Signature"
)

// Types of messages.
const (
	WebhookMessageEvents = "events"
	WebhookMessageTest   = "test"
)

// WebhookMessage is the body of a delivery. Its id is in the header webhook-id and the same at every attempt.
type WebhookMessage struct {
	Type string `json:"type" enum:"events,test"`
	// Timestamp is when the message was made; what happened has times of its own.
	Timestamp time.Time          `json:"timestamp"`
	Data      WebhookMessageData `json:"data"`
}

// WebhookMessageData is what a message tells.
type WebhookMessageData struct {
	Webhook string         `json:"webhook" doc:"The id of the webhook."`
	Events  []WebhookEvent `json:"events" nullable:"false" doc:"What happened, oldest first."`
}

// WebhookEvent is one thing that happened. Fields that mean nothing for its type are absent.
type WebhookEvent struct {
	ID       string    `json:"id" doc:"The same at every attempt and for every webhook: what to remember, to do nothing twice."`
	Type     string    `json:"type" example:"user.offline"`
	At       time.Time `json:"at"`
	User     string    `json:"user,omitempty" doc:"The id of the person."`
	Username string    `json:"username,omitempty" doc:"What they were called then."`

	From    string `json:"from,omitempty" doc:"user.*: the status before. account.*: the status of the account before."`
	To      string `json:"to,omitempty" doc:"user.*: the status since. account.*: the status of the account since."`
	Cause   string `json:"cause,omitempty" doc:"user.* and session.ended: why."`
	Session string `json:"session,omitempty" doc:"The session that made the difference, began or ended."`
	Actor   string `json:"actor,omitempty" doc:"user.*: the id of the admin behind it."`
	Node    string `json:"node,omitempty" doc:"user.*: the server that noticed."`
	Version uint64 `json:"version,omitempty" doc:"user.*: counts the person's changes; a higher one is newer."`
	// LastSeen is absent for somebody who was never seen.
	LastSeen *time.Time `json:"last_seen,omitempty" doc:"user.*: the person's last sign of life."`
	Role     string     `json:"role,omitempty" doc:"account.*: the role of the account."`
	Missed   int        `json:"missed,omitempty" doc:"gap: how many events are missing, where that is known."`
}

// Bounds of a webhook.
const (
	MaxWebhooks     = 100
	MaxWebhookURL   = 2048
	MaxWebhookBatch = 1000
	MaxWebhookUsers = 1000
)

// Webhook is an address that is told what happens.
type Webhook struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Events      []string `json:"events" nullable:"false" doc:"Names of events and groups of them."`
	Causes      []string `json:"causes" nullable:"false" doc:"Events about somebody's status are told for these causes only. Empty: all."`
	Users       []string `json:"users" nullable:"false" doc:"Only what is about these people. Empty: everybody."`
	BatchSize   int      `json:"batch_size" doc:"How many events one delivery carries at most."`

	State      string    `json:"state" enum:"active,paused,gone,failing" doc:"paused: by an admin. gone: the receiver answered 410. failing: it failed for too long. Nothing is kept for a webhook that is not active."`
	StateSince time.Time `json:"state_since"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	CreatedBy  string    `json:"created_by" doc:"The id of the admin; empty: the command line."`

	// OldSecretUntil is null when only one secret signs.
	OldSecretUntil *time.Time `json:"old_secret_until" doc:"Until then the secret before the present one signs, too. Null: it does not."`

	Queued        int        `json:"queued" doc:"Events that wait, those on their way among them."`
	OldestQueued  *time.Time `json:"oldest_queued_at" doc:"When the first of them happened."`
	Failures      int        `json:"failures" doc:"Attempts that failed in a row."`
	FailingSince  *time.Time `json:"failing_since" doc:"When the first of them was. Null: the last attempt succeeded, or there was none."`
	NextAttemptAt *time.Time `json:"next_attempt_at" doc:"When the pending delivery is tried again."`
	DisableAt     *time.Time `json:"disable_at" doc:"When it will be taken out of service if it goes on failing."`
	LastSuccessAt *time.Time `json:"last_success_at"`
	LastFailureAt *time.Time `json:"last_failure_at"`
	LastError     string     `json:"last_error,omitempty" doc:"Of the last attempt that failed."`
}

// WebhookList is all webhooks; there are 100 at most.
type WebhookList struct {
	Items []Webhook `json:"items" nullable:"false"`
	AsOf  time.Time `json:"as_of"`
}

// NewWebhook asks for a webhook.
type NewWebhook struct {
	URL         string   `json:"url" maxLength:"2048" doc:"An https address that takes POST requests. http only into networks that the operator allows."`
	Description string   `json:"description,omitempty" maxLength:"200"`
	Events      []string `json:"events,omitempty" maxItems:"50" doc:"Names of events, groups (user.*, session.*, account.*) or *. Default: user.*"`
	Causes      []string `json:"causes,omitempty" maxItems:"12" doc:"Tell of somebody's status for these causes only. Default: all."`
	Users       []string `json:"users,omitempty" maxItems:"1000" doc:"Only what is about these people, by id. Default: everybody."`
	BatchSize   int      `json:"batch_size,omitempty" minimum:"1" maximum:"1000" doc:"How many events one delivery carries at most. Default: 100."`
}

// WebhookPatch changes a webhook; what is absent stays.
type WebhookPatch struct {
	URL         *string   `json:"url,omitempty" maxLength:"2048"`
	Description *string   `json:"description,omitempty" maxLength:"200"`
	Events      *[]string `json:"events,omitempty" maxItems:"50"`
	Causes      *[]string `json:"causes,omitempty" maxItems:"12"`
	Users       *[]string `json:"users,omitempty" maxItems:"1000"`
	BatchSize   *int      `json:"batch_size,omitempty" minimum:"1" maximum:"1000"`
	State       *string   `json:"state,omitempty" enum:"active,paused" doc:"active also brings back one that is gone or failing; it is told of a gap first."`
}

// WebhookWithSecret is a webhook together with its secret, which is shown this once.
type WebhookWithSecret struct {
	Webhook
	Secret string `json:"secret" doc:"Signs every delivery. It is shown this once." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

// WebhookRotation asks for a new secret.
type WebhookRotation struct {
	KeepOld int `json:"keep_old_seconds,omitempty" minimum:"0" maximum:"604800" doc:"For how long the old secret signs beside the new one, in seconds. Default: it stops at once."`
}

// WebhookDelivery is one message to a webhook.
type WebhookDelivery struct {
	ID         string     `json:"id"`
	MessageID  string     `json:"message_id" doc:"The header webhook-id."`
	Kind       string     `json:"kind" enum:"events,test"`
	State      string     `json:"state" enum:"pending,succeeded,failed" doc:"A pending one will be tried again by itself, a failed one will not."`
	Events     int        `json:"events" doc:"How many it carries."`
	CreatedAt  time.Time  `json:"created_at"`
	Attempts   int        `json:"attempts"`
	AttemptAt  *time.Time `json:"attempt_at" doc:"When it was last tried."`
	DurationMS float64    `json:"duration_ms" doc:"How long the last attempt took."`
	HTTPStatus int        `json:"http_status" doc:"Of the answer to the last attempt. 0: there was none."`
	Error      string     `json:"error,omitempty" doc:"What was wrong with the last attempt."`
}

// WebhookDeliveryPage is a page of deliveries, newest first.
type WebhookDeliveryPage struct {
	Items      []WebhookDelivery `json:"items" nullable:"false"`
	NextCursor *string           `json:"next_cursor" doc:"Hand it in as cursor for the next page. Null: there is none."`
}

// WebhookAttempt is one try to deliver.
type WebhookAttempt struct {
	At         time.Time `json:"at"`
	DurationMS float64   `json:"duration_ms"`
	HTTPStatus int       `json:"http_status" doc:"0: there was no answer."`
	Error      string    `json:"error,omitempty"`
	Response   string    `json:"response,omitempty" doc:"The beginning of the answer's body."`
	Manual     bool      `json:"manual" doc:"An admin asked for it."`
}

// WebhookDeliveryDetail is a delivery with its body and every attempt.
type WebhookDeliveryDetail struct {
	WebhookDelivery
	Body string           `json:"body" doc:"As it is sent, byte for byte."`
	Log  []WebhookAttempt `json:"log" nullable:"false" doc:"Every attempt, oldest first."`
}

// WebhookEventType is a kind of event that webhooks can be told of.
type WebhookEventType struct {
	Name    string       `json:"name" example:"user.offline"`
	Group   string       `json:"group" example:"user.*"`
	Text    string       `json:"text"`
	Example WebhookEvent `json:"example"`
}

// WebhookEventTypes are all of them.
type WebhookEventTypes struct {
	Items []WebhookEventType `json:"items" nullable:"false"`
}

// webhookSecretPrefix is how the text of a secret begins.
const webhookSecretPrefix = "whsec_"

// FormatWebhookSecret is the text of a secret's bytes.
func FormatWebhookSecret(key []byte) string {
	return webhookSecretPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseWebhookSecret reads the text of a secret. The error does not show it.
func ParseWebhookSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, webhookSecretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) == 0 {
		return nil, errors.New("a webhook's secret is whsec_ and base64")
	}
	return key, nil
}

// SignWebhook is the signature of a message: one word of the header webhook-signature. at is what the header
// webhook-timestamp says, in whole seconds.
func SignWebhook(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
