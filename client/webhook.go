package client

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/offchat/presence/wire"
)

// WebhookMessage is what a webhook was sent; see docs/webhooks.md.
type WebhookMessage = wire.WebhookMessage

// WebhookEvent is one thing that happened.
type WebhookEvent = wire.WebhookEvent

// webhookTolerance is how far the clocks may differ, and how long a message may be under way.
const webhookTolerance = 5 * time.Minute

// ErrWebhook: a delivery is not from our server, or an old one sent once more by somebody. Answer 401.
var ErrWebhook = errors.New("presence: this is no delivery of ours")

// VerifyWebhook checks the signature of a delivery against the secrets of WithWebhookSecret and reads it. body must be
// the bytes as they came. The error is ErrWebhook, or one of JSON.
func (c *Client) VerifyWebhook(body []byte, header http.Header) (WebhookMessage, error) {
	var m WebhookMessage
	seconds, err := strconv.ParseInt(header.Get(wire.WebhookTimestampHeader), 10, 64)
	at := time.Unix(seconds, 0)
	if err != nil || time.Since(at).Abs() > webhookTolerance {
		return m, ErrWebhook
	}
	for _, key := range c.secrets {
		want := wire.SignWebhook(key, header.Get(wire.WebhookIDHeader), at, body)
		for _, got := range strings.Fields(header.Get(wire.WebhookSignatureHeader)) {
			if hmac.Equal([]byte(got), []byte(want)) {
				err := json.Unmarshal(body, &m)
				return m, err
			}
		}
	}
	return m, ErrWebhook
}
