package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/offchat/presence/internal/webhook"
	"github.com/offchat/presence/wire"
)

// Webhooks are the acts on webhooks; webhook.Service has them.
type Webhooks interface {
	List(ctx context.Context) (wire.WebhookList, error)
	Create(ctx context.Context, by webhook.Actor, n wire.NewWebhook) (wire.WebhookWithSecret, error)
	Update(ctx context.Context, by webhook.Actor, id int64, p wire.WebhookPatch) (wire.Webhook, error)
	Delete(ctx context.Context, by webhook.Actor, id int64) error
	Test(ctx context.Context, by webhook.Actor, id int64) (wire.WebhookDeliveryDetail, error)
	Deliveries(ctx context.Context, id int64, state string, before int64, limit int) (wire.WebhookDeliveryPage, error)
	Retry(ctx context.Context, by webhook.Actor, id, delivery int64) (wire.WebhookDeliveryDetail, error)
}

// ServeWebhooks adds the acts on webhooks to what the handler answers. Call it before the first request.
func (h *Handler) ServeWebhooks(hooks Webhooks) {
	by := webhook.Actor{Origin: from}
	h.mux.HandleFunc("GET /webhooks", handle(func(r *http.Request) (wire.WebhookList, error) { return hooks.List(r.Context()) }))
	h.mux.HandleFunc("POST /webhooks", handle(func(r *http.Request) (wire.WebhookWithSecret, error) {
		var n wire.NewWebhook
		if err := decode(r, &n); err != nil {
			return wire.WebhookWithSecret{}, err
		}
		return hooks.Create(r.Context(), by, n)
	}))
	h.mux.HandleFunc("PATCH /webhooks/{webhook}", handle(func(r *http.Request) (wire.Webhook, error) {
		var p wire.WebhookPatch
		if err := decode(r, &p); err != nil {
			return wire.Webhook{}, err
		}
		return hooks.Update(r.Context(), by, number(r, "webhook"), p)
	}))
	h.mux.HandleFunc("DELETE /webhooks/{webhook}", handle(func(r *http.Request) (struct{}, error) {
		return struct{}{}, hooks.Delete(r.Context(), by, number(r, "webhook"))
	}))
	h.mux.HandleFunc("POST /webhooks/{webhook}/test", handle(func(r *http.Request) (wire.WebhookDeliveryDetail, error) {
		return hooks.Test(r.Context(), by, number(r, "webhook"))
	}))
	h.mux.HandleFunc("GET /webhooks/{webhook}/deliveries", handle(func(r *http.Request) (wire.WebhookDeliveryPage, error) {
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit < 1 || limit > 1000 {
			limit = 50
		}
		return hooks.Deliveries(r.Context(), number(r, "webhook"), r.URL.Query().Get("state"), 0, limit)
	}))
	h.mux.HandleFunc("POST /webhooks/{webhook}/deliveries/{delivery}/retry", handle(func(r *http.Request) (wire.WebhookDeliveryDetail, error) {
		return hooks.Retry(r.Context(), by, number(r, "webhook"), number(r, "delivery"))
	}))
}

// number reads an id of the path. One that cannot be is 0, which nothing has.
func number(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Webhooks lists them all.
func (c *Client) Webhooks(ctx context.Context) (list wire.WebhookList, err error) {
	err = c.ask(ctx, http.MethodGet, "/webhooks", nil, &list)
	return list, err
}

// CreateWebhook makes one. Its secret is not told again.
func (c *Client) CreateWebhook(ctx context.Context, n wire.NewWebhook) (made wire.WebhookWithSecret, err error) {
	err = c.ask(ctx, http.MethodPost, "/webhooks", n, &made)
	return made, err
}

// UpdateWebhook changes one.
func (c *Client) UpdateWebhook(ctx context.Context, id string, p wire.WebhookPatch) (hook wire.Webhook, err error) {
	err = c.ask(ctx, http.MethodPatch, "/webhooks/"+url.PathEscape(id), p, &hook)
	return hook, err
}

// DeleteWebhook removes one with everything that was its.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodDelete, "/webhooks/"+url.PathEscape(id), nil, &struct{}{})
}

// TestWebhook sends a test and tells what came of it.
func (c *Client) TestWebhook(ctx context.Context, id string) (d wire.WebhookDeliveryDetail, err error) {
	err = c.ask(ctx, http.MethodPost, "/webhooks/"+url.PathEscape(id)+"/test", nil, &d)
	return d, err
}

// WebhookDeliveries lists the newest deliveries of one, at most limit; state is one of their states, or empty.
func (c *Client) WebhookDeliveries(ctx context.Context, id, state string, limit int) (page wire.WebhookDeliveryPage, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}, "state": {state}}
	err = c.ask(ctx, http.MethodGet, "/webhooks/"+url.PathEscape(id)+"/deliveries?"+query.Encode(), nil, &page)
	return page, err
}

// RetryWebhookDelivery sends a delivery again and tells what came of it.
func (c *Client) RetryWebhookDelivery(ctx context.Context, id, delivery string) (d wire.WebhookDeliveryDetail, err error) {
	err = c.ask(ctx, http.MethodPost, "/webhooks/"+url.PathEscape(id)+"/deliveries/"+url.PathEscape(delivery)+"/retry", nil, &d)
	return d, err
}
