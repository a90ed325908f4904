package webhook

import (
	"context"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// show is a webhook as admins see it: everything but its secrets.
func (s *Service) show(w *presence.Webhook, q presence.WebhookQueue) wire.Webhook {
	shown := wire.Webhook{
		ID: strconv.FormatInt(w.ID, 10), URL: w.URL, Description: w.Description, Events: w.Events, Causes: []string{}, Users: []string{},
		BatchSize: w.Batch, State: w.State.String(), StateSince: stamp(w.StateSince), CreatedAt: stamp(w.CreatedAt),
		UpdatedAt: stamp(w.UpdatedAt), Queued: q.Events, OldestQueued: moment(q.Oldest), Failures: w.Progress.Failures,
		FailingSince: moment(w.Progress.FailingSince), LastSuccessAt: moment(w.Progress.LastSuccessAt),
		LastFailureAt: moment(w.Progress.LastFailureAt), LastError: w.Progress.LastError,
	}
	for _, cause := range w.Causes {
		shown.Causes = append(shown.Causes, cause.String())
	}
	for _, id := range w.Users {
		shown.Users = append(shown.Users, strconv.FormatInt(int64(id), 10))
	}
	if w.CreatedBy != 0 {
		shown.CreatedBy = strconv.FormatInt(int64(w.CreatedBy), 10)
	}
	if w.OldSecret != "" && s.Now().Before(w.OldSecretUntil) {
		shown.OldSecretUntil = moment(w.OldSecretUntil)
	}
	if w.State == presence.WebhookActive {
		shown.NextAttemptAt = moment(w.Progress.NextAt)
		if !w.Progress.FailingSince.IsZero() {
			shown.DisableAt = moment(w.Progress.FailingSince.Add(s.DisableAfter))
		}
	}
	return shown
}

// moment is a time as it is told, nil for never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

// Deliveries returns a page of the deliveries of a webhook, newest first. state is one of their states, or empty;
// before is the id of the last one of the page before, or 0. Errors: NotFound; Invalid with Field.
func (s *Service) Deliveries(ctx context.Context, id int64, state string, before int64, limit int) (wire.WebhookDeliveryPage, error) {
	page := wire.WebhookDeliveryPage{Items: []wire.WebhookDelivery{}}
	f := presence.WebhookDeliveryFilter{Webhook: id, OnlyState: state != ""}
	if f.OnlyState {
		var ok bool
		if f.State, ok = presence.ParseWebhookDeliveryState(state); !ok {
			return page, invalid("state", "state is pending, succeeded or failed")
		}
	}
	if _, err := s.Store.Webhook(ctx, id); err != nil {
		return page, err
	}
	found, err := s.Store.WebhookDeliveries(ctx, f, before, limit+1)
	if err != nil {
		return page, err
	}
	if len(found) > limit {
		found = found[:limit]
		cursor := strconv.FormatInt(found[limit-1].ID, 10)
		page.NextCursor = &cursor
	}
	for i := range found {
		page.Items = append(page.Items, deliveryOf(&found[i]))
	}
	return page, nil
}

// Delivery returns one with its body and every attempt. Errors: NotFound.
func (s *Service) Delivery(ctx context.Context, id, delivery int64) (wire.WebhookDeliveryDetail, error) {
	d, attempts, err := s.Store.WebhookDelivery(ctx, id, delivery)
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	detail := wire.WebhookDeliveryDetail{WebhookDelivery: deliveryOf(&d), Body: string(d.Body), Log: make([]wire.WebhookAttempt, len(attempts))}
	for i, a := range attempts {
		detail.Log[i] = wire.WebhookAttempt{
			At: stamp(a.At), DurationMS: milliseconds(a.Duration), HTTPStatus: a.HTTPStatus, Error: a.Error, Response: a.Response, Manual: a.Manual,
		}
	}
	return detail, nil
}

func deliveryOf(d *presence.WebhookDelivery) wire.WebhookDelivery {
	return wire.WebhookDelivery{
		ID: strconv.FormatInt(d.ID, 10), MessageID: d.MessageID, Kind: d.Kind.String(), State: d.State.String(), Events: d.Events,
		CreatedAt: stamp(d.CreatedAt), Attempts: d.Attempts, AttemptAt: moment(d.AttemptAt), DurationMS: milliseconds(d.Duration),
		HTTPStatus: d.HTTPStatus, Error: d.Error,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
