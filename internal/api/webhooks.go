package api

import (
	"context"
	"strconv"

	"github.com/offchat/presence/internal/webhook"
	"github.com/offchat/presence/wire"
)

// Webhooks are the acts on webhooks; webhook.Service has them. The contracts are those of its methods.
type Webhooks interface {
	List(ctx context.Context) (wire.WebhookList, error)
	Get(ctx context.Context, id int64) (wire.Webhook, error)
	Create(ctx context.Context, by webhook.Actor, n wire.NewWebhook) (wire.WebhookWithSecret, error)
	Update(ctx context.Context, by webhook.Actor, id int64, p wire.WebhookPatch) (wire.Webhook, error)
	Delete(ctx context.Context, by webhook.Actor, id int64) error
	Rotate(ctx context.Context, by webhook.Actor, id int64, r wire.WebhookRotation) (wire.WebhookWithSecret, error)
	Test(ctx context.Context, by webhook.Actor, id int64) (wire.WebhookDeliveryDetail, error)
	Deliveries(ctx context.Context, id int64, state string, before int64, limit int) (wire.WebhookDeliveryPage, error)
	Delivery(ctx context.Context, id, delivery int64) (wire.WebhookDeliveryDetail, error)
	Retry(ctx context.Context, by webhook.Actor, id, delivery int64) (wire.WebhookDeliveryDetail, error)
}

// registerWebhooks is nothing on a server that has none.
func (h *Handler) registerWebhooks() {
	if h.Webhooks == nil {
		return
	}
	const tag = "Webhooks"
	add(h, operation{
		id: "list_webhooks", method: get, path: "/webhooks", tag: tag, need: Admins, summary: "Webhooks, and how sending to them goes",
		text: "Webhooks tell another server what happens, in signed deliveries (docs/webhooks.md). They see everybody: privacy settings do not hold for them.",
	}, h.webhooks)
	add(h, operation{
		id: "create_webhook", method: post, path: "/webhooks", tag: tag, need: Admins, errors: []int{400, 409, 413, 415},
		summary: "Make a webhook", text: "The answer has its secret, which is shown this once.",
	}, h.createWebhook)
	add(h, operation{
		id: "list_webhook_events", method: get, path: "/webhooks/events", tag: tag, need: Admins, summary: "What webhooks can be told of",
	}, func(context.Context, *call, *nothing) (*reply[wire.WebhookEventTypes], error) {
		return answer(webhook.EventTypes()), nil
	})
	add(h, operation{
		id: "get_webhook", method: get, path: "/webhooks/{webhook}", tag: tag, need: Admins, errors: []int{404}, summary: "One webhook",
	}, h.webhook)
	add(h, operation{
		id: "update_webhook", method: patch, path: "/webhooks/{webhook}", tag: tag, need: Admins, errors: []int{400, 404, 413, 415},
		summary: "Change a webhook, pause it or bring it back",
	}, h.updateWebhook)
	add(h, operation{
		id: "delete_webhook", method: del, path: "/webhooks/{webhook}", tag: tag, need: Admins, errors: []int{404},
		summary: "Remove a webhook with its queue and its deliveries",
	}, h.deleteWebhook)
	add(h, operation{
		id: "rotate_webhook_secret", method: post, path: "/webhooks/{webhook}/secret", tag: tag, need: Admins, errors: []int{400, 404, 413, 415},
		summary: "Give a webhook a new secret", text: "The old one can sign beside it for a while, so that the receiver loses nothing.",
	}, h.rotateWebhook)
	add(h, operation{
		id: "test_webhook", method: post, path: "/webhooks/{webhook}/test", tag: tag, need: Admins, errors: []int{404},
		summary: "Send a test now, and see what came of it", text: "Works in every state of the webhook. It takes up to 15 seconds.",
	}, h.testWebhook)
	add(h, operation{
		id: "list_webhook_deliveries", method: get, path: "/webhooks/{webhook}/deliveries", tag: tag, need: Admins, errors: []int{404},
		summary: "What was sent to a webhook, newest first",
	}, h.deliveries)
	add(h, operation{
		id: "get_webhook_delivery", method: get, path: "/webhooks/{webhook}/deliveries/{delivery}", tag: tag, need: Admins, errors: []int{404},
		summary: "One delivery with its body and every attempt",
	}, h.delivery)
	add(h, operation{
		id: "retry_webhook_delivery", method: post, path: "/webhooks/{webhook}/deliveries/{delivery}/retry", tag: tag, need: Admins,
		errors: []int{404}, summary: "Send a delivery again now, and see what came of it",
		text: "It is the same message with the same webhook-id. It takes up to 15 seconds.",
	}, h.retryDelivery)
}

// WebhookPath is a webhook in the path.
type WebhookPath struct {
	Webhook string `path:"webhook" maxLength:"19" doc:"The id of a webhook." example:"3"`
}

// DeliveryPath is one of its deliveries.
type DeliveryPath struct {
	WebhookPath
	Delivery string `path:"delivery" maxLength:"19" doc:"The id of a delivery." example:"1207"`
}

// number reads an id. One that cannot be is 0, which no webhook and no delivery has.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0
	}
	return n
}

func (p *WebhookPath) id() int64        { return number(p.Webhook) }
func (p *DeliveryPath) delivery() int64 { return number(p.Delivery) }

// actor is the caller as package webhook asks for them.
func (c *call) actor() webhook.Actor { return webhook.Actor{User: c.id.User, Origin: c.from} }

// replied is an answer that came with an error or without.
func replied[T any](body T, err error) (*reply[T], error) {
	if err != nil {
		return nil, err
	}
	return answer(body), nil
}

func (h *Handler) webhooks(ctx context.Context, _ *call, _ *nothing) (*reply[wire.WebhookList], error) {
	return replied(h.Webhooks.List(ctx))
}

func (h *Handler) createWebhook(ctx context.Context, c *call, in *struct{ Body wire.NewWebhook }) (*reply[wire.WebhookWithSecret], error) {
	return replied(h.Webhooks.Create(ctx, c.actor(), in.Body))
}

func (h *Handler) webhook(ctx context.Context, _ *call, in *WebhookPath) (*reply[wire.Webhook], error) {
	return replied(h.Webhooks.Get(ctx, in.id()))
}

func (h *Handler) updateWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	Body wire.WebhookPatch
},
) (*reply[wire.Webhook], error) {
	return replied(h.Webhooks.Update(ctx, c.actor(), in.id(), in.Body))
}

func (h *Handler) deleteWebhook(ctx context.Context, c *call, in *WebhookPath) (*nothing, error) {
	return nil, h.Webhooks.Delete(ctx, c.actor(), in.id())
}

func (h *Handler) rotateWebhook(ctx context.Context, c *call, in *struct {
	WebhookPath
	Body wire.WebhookRotation
},
) (*reply[wire.WebhookWithSecret], error) {
	return replied(h.Webhooks.Rotate(ctx, c.actor(), in.id(), in.Body))
}

func (h *Handler) testWebhook(ctx context.Context, c *call, in *WebhookPath) (*reply[wire.WebhookDeliveryDetail], error) {
	return replied(h.Webhooks.Test(ctx, c.actor(), in.id()))
}

type deliveriesInput struct {
	WebhookPath
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many to a page."`
	Cursor string `query:"cursor" maxLength:"19" doc:"next_cursor of the page before."`
	State  string `query:"state" enum:"pending,succeeded,failed" doc:"Only these."`
}

func (h *Handler) deliveries(ctx context.Context, _ *call, in *deliveriesInput) (*reply[wire.WebhookDeliveryPage], error) {
	before := number(in.Cursor)
	if in.Cursor != "" && before == 0 {
		return nil, badCursor()
	}
	return replied(h.Webhooks.Deliveries(ctx, in.id(), in.State, before, in.Limit))
}

func (h *Handler) delivery(ctx context.Context, _ *call, in *DeliveryPath) (*reply[wire.WebhookDeliveryDetail], error) {
	return replied(h.Webhooks.Delivery(ctx, in.id(), in.delivery()))
}

func (h *Handler) retryDelivery(ctx context.Context, c *call, in *DeliveryPath) (*reply[wire.WebhookDeliveryDetail], error) {
	return replied(h.Webhooks.Retry(ctx, c.actor(), in.id(), in.delivery()))
}
