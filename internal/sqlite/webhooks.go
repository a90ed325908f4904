package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/offchat/presence"
)

var (
	_ presence.WebhookStore = (*Store)(nil)
	_ presence.WebhookTx    = (*tx)(nil)
)

const webhookColumns = `id, url, description, events, causes, users, batch, secret, old_secret, old_secret_until, state,
	state_since, created_at, updated_at, created_by, failures, failing_since, next_at, last_success_at, last_failure_at,
	last_error`

func scanWebhook(row scanner) (presence.Webhook, error) {
	var w presence.Webhook
	var events, causes, users string
	p := &w.Progress
	err := row.Scan(&w.ID, &w.URL, &w.Description, &events, &causes, &users, &w.Batch, &w.Secret, &w.OldSecret,
		(*moment)(&w.OldSecretUntil), word[presence.WebhookState]{&w.State, presence.ParseWebhookState},
		(*moment)(&w.StateSince), (*moment)(&w.CreatedAt), (*moment)(&w.UpdatedAt), &w.CreatedBy, &p.Failures,
		(*moment)(&p.FailingSince), (*moment)(&p.NextAt), (*moment)(&p.LastSuccessAt), (*moment)(&p.LastFailureAt),
		&p.LastError)
	if errors.Is(err, sql.ErrNoRows) {
		return w, notFound("find webhook", "There is no such webhook.")
	}
	w.SetFilter(events, causes, users)
	return w, err
}

// Webhooks implements presence.WebhookStore.
func (s *Store) Webhooks(ctx context.Context) ([]presence.Webhook, error) {
	hooks := []presence.Webhook{}
	err := s.read.each(ctx, "list webhooks", `SELECT `+webhookColumns+` FROM webhooks ORDER BY id`, nil, func(row scanner) error {
		w, err := scanWebhook(row)
		hooks = append(hooks, w)
		return err
	})
	return hooks, err
}

// Webhook implements presence.WebhookStore.
func (s *Store) Webhook(ctx context.Context, id int64) (w presence.Webhook, err error) {
	err = s.read.row(ctx, "find webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = ?1`, []any{id},
		func(row scanner) (err error) {
			w, err = scanWebhook(row)
			return err
		})
	return w, err
}

// WebhookQueues implements presence.WebhookStore.
func (s *Store) WebhookQueues(ctx context.Context) (map[int64]presence.WebhookQueue, error) {
	queues := map[int64]presence.WebhookQueue{}
	err := s.read.each(ctx, "count webhook queues", `
		SELECT webhook_id, sum(n), min(oldest) FROM (
			SELECT w.id AS webhook_id, (SELECT count(*) FROM webhook_queue WHERE webhook_id = w.id) AS n,
				(SELECT at FROM webhook_queue WHERE webhook_id = w.id ORDER BY id LIMIT 1) AS oldest FROM webhooks w
			UNION ALL
			SELECT webhook_id, events, oldest_at FROM webhook_deliveries WHERE state = 'pending' AND kind = 'events'
		) GROUP BY webhook_id HAVING sum(n) > 0`, nil, func(row scanner) error {
		var id int64
		var q presence.WebhookQueue
		err := row.Scan(&id, &q.Events, (*moment)(&q.Oldest))
		queues[id] = q
		return err
	})
	return queues, err
}

// DueWebhooks implements presence.WebhookStore.
func (s *Store) DueWebhooks(ctx context.Context, holder string, now time.Time) ([]int64, error) {
	due := []int64{}
	err := s.read.each(ctx, "find due webhooks", `
		SELECT id FROM webhooks w WHERE state = 'active' AND next_at <= ?2 AND (holder IN ('', ?1) OR held_until <= ?2)
			AND (EXISTS (SELECT 1 FROM webhook_queue WHERE webhook_id = w.id)
				OR EXISTS (SELECT 1 FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'pending' AND kind = 'events'))`,
		[]any{holder, micros(now)}, func(row scanner) error {
			var id int64
			err := row.Scan(&id)
			due = append(due, id)
			return err
		})
	return due, err
}

// NextWebhookDelivery implements presence.WebhookStore.
func (s *Store) NextWebhookDelivery(ctx context.Context, lease presence.WebhookLease,
	pack func(*presence.Webhook, []presence.WebhookEvent) (presence.WebhookDelivery, error),
) (hook *presence.Webhook, next *presence.WebhookDelivery, err error) {
	err = s.write.behind(ctx, func(t *tx) (err error) {
		hook, next, err = t.nextWebhookDelivery(lease, pack)
		return err
	})
	return hook, next, err
}

func (t *tx) nextWebhookDelivery(lease presence.WebhookLease,
	pack func(*presence.Webhook, []presence.WebhookEvent) (presence.WebhookDelivery, error),
) (*presence.Webhook, *presence.WebhookDelivery, error) {
	const op = "lease webhook"
	n, err := t.exec(op, `
		UPDATE webhooks SET holder = ?2, held_until = ?4
		WHERE id = ?1 AND state = 'active' AND next_at <= ?3 AND (holder IN ('', ?2) OR held_until <= ?3)`,
		lease.Webhook, lease.Holder, micros(lease.Now), micros(lease.Now.Add(lease.Length)))
	if err != nil || n == 0 {
		return nil, nil, err
	}
	hook, err := t.Webhook(lease.Webhook)
	if err != nil {
		return nil, nil, err
	}
	pending := presence.WebhookDelivery{}
	err = t.row(op, `SELECT `+deliveryColumns+`, body FROM webhook_deliveries
		WHERE webhook_id = ?1 AND state = 'pending' AND kind = 'events' ORDER BY id LIMIT 1`, []any{hook.ID},
		func(row scanner) (err error) {
			pending, err = scanDelivery(row, &pending.Body)
			return err
		})
	if err == nil {
		return &hook, &pending, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, nil, err
	}
	events, err := t.takeWebhookEvents(hook.ID, hook.Batch)
	if err != nil {
		return nil, nil, err
	}
	if len(events) == 0 {
		_, err := t.exec(op, `UPDATE webhooks SET holder = '', held_until = 0 WHERE id = ?1`, hook.ID)
		return nil, nil, err
	}
	made, err := pack(&hook, events)
	if err != nil {
		return nil, nil, err
	}
	made.Webhook = hook.ID
	if err := t.insertWebhookDelivery(&made, events[0].At); err != nil {
		return nil, nil, err
	}
	return &hook, &made, nil
}

// takeWebhookEvents takes the oldest events out of a queue.
func (t *tx) takeWebhookEvents(hook int64, limit int) ([]presence.WebhookEvent, error) {
	var events []presence.WebhookEvent
	err := t.each("take webhook events", `
		DELETE FROM webhook_queue WHERE id IN (SELECT id FROM webhook_queue WHERE webhook_id = ?1 ORDER BY id LIMIT ?2)
		RETURNING id, type, at, user_id, username, from_status, to_status, cause, session_id, actor_id, node, version, last_seen,
			role, missed`, []any{hook, limit}, func(row scanner) error {
		var e presence.WebhookEvent
		err := row.Scan(&e.ID, &e.Type, (*moment)(&e.At), &e.User, &e.Username, &e.From, &e.To, &e.Cause, &e.Session, &e.Actor,
			&e.Node, (*bits)(&e.Version), (*moment)(&e.LastSeen), &e.Role, &e.Missed)
		events = append(events, e)
		return err
	})
	slices.SortFunc(events, func(a, b presence.WebhookEvent) int { return int(a.ID - b.ID) })
	return events, err
}

// RecordWebhookAttempt implements presence.WebhookStore.
func (s *Store) RecordWebhookAttempt(ctx context.Context, delivery int64, a presence.WebhookAttempt, then presence.WebhookOutcome) error {
	return s.write.behind(ctx, func(t *tx) error { return t.recordWebhookAttempt(delivery, a, then) })
}

func (t *tx) recordWebhookAttempt(delivery int64, a presence.WebhookAttempt, then presence.WebhookOutcome) error {
	const op = "record webhook attempt"
	var hook int64
	var events int
	err := t.row(op, `
		UPDATE webhook_deliveries SET state = CASE state WHEN 'succeeded' THEN state ELSE ?2 END, attempts = attempts + 1,
			attempt_at = ?3, duration = ?4, http_status = ?5, error = ?6 WHERE id = ?1 RETURNING webhook_id, events`,
		[]any{delivery, then.State.String(), micros(a.At), a.Duration.Microseconds(), a.HTTPStatus, a.Error},
		func(row scanner) error { return row.Scan(&hook, &events) })
	if errors.Is(err, sql.ErrNoRows) {
		return notFound(op, "There is no such delivery.")
	}
	if err != nil {
		return err
	}
	if _, err := t.exec(op, `
		INSERT INTO webhook_attempts (delivery_id, at, duration, http_status, manual, error, response)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
		delivery, micros(a.At), a.Duration.Microseconds(), a.HTTPStatus, a.Manual, a.Error, a.Response); err != nil {
		return err
	}
	if p := then.Progress; p != nil {
		if _, err := t.exec(op, `
			UPDATE webhooks SET failures = ?2, failing_since = ?3, next_at = ?4, last_success_at = ?5, last_failure_at = ?6,
				last_error = ?7 WHERE id = ?1`,
			hook, p.Failures, micros(p.FailingSince), micros(p.NextAt), micros(p.LastSuccessAt), micros(p.LastFailureAt),
			p.LastError); err != nil {
			return err
		}
	}
	if then.Disable != presence.WebhookActive {
		if _, err := t.exec(op, `UPDATE webhooks SET state = ?2, state_since = ?3 WHERE id = ?1 AND state = 'active'`,
			hook, then.Disable.String(), micros(a.At)); err != nil {
			return err
		}
	}
	if then.Lost {
		return t.queueWebhookGap(hook, a.At, events)
	}
	return nil
}

func (t *tx) queueWebhookGap(hook int64, at time.Time, missed int) error {
	_, err := t.exec("queue webhook gap", `INSERT INTO webhook_queue (webhook_id, type, at, missed) VALUES (?1, ?2, ?3, ?4)`,
		hook, presence.WebhookGap, micros(at), missed)
	return err
}

// ReleaseWebhook implements presence.WebhookStore.
func (s *Store) ReleaseWebhook(ctx context.Context, id int64, holder string) error {
	return s.write.behind(ctx, func(t *tx) error {
		_, err := t.exec("release webhook", `UPDATE webhooks SET holder = '', held_until = 0 WHERE id = ?1 AND holder = ?2`, id, holder)
		return err
	})
}

const deliveryColumns = `id, webhook_id, message_id, kind, state, events, created_at, attempts, attempt_at, duration, http_status, error`

func scanDelivery(row scanner, more ...any) (presence.WebhookDelivery, error) {
	var d presence.WebhookDelivery
	var took int64
	into := []any{
		&d.ID, &d.Webhook, &d.MessageID,
		word[presence.WebhookDeliveryKind]{&d.Kind, presence.ParseWebhookDeliveryKind},
		word[presence.WebhookDeliveryState]{&d.State, presence.ParseWebhookDeliveryState},
		&d.Events, (*moment)(&d.CreatedAt),
		&d.Attempts, (*moment)(&d.AttemptAt), &took, &d.HTTPStatus, &d.Error,
	}
	body := []byte(nil)
	if len(more) > 0 {
		into = append(into, &body)
	}
	err := row.Scan(into...)
	d.Duration, d.Body = time.Duration(took)*time.Microsecond, body
	return d, err
}

// WebhookDeliveries implements presence.WebhookStore.
func (s *Store) WebhookDeliveries(ctx context.Context, f presence.WebhookDeliveryFilter, before int64, limit int) (
	[]presence.WebhookDelivery, error,
) {
	state := ""
	if f.OnlyState {
		state = f.State.String()
	}
	deliveries := []presence.WebhookDelivery{}
	err := s.read.each(ctx, "list webhook deliveries", `SELECT `+deliveryColumns+` FROM webhook_deliveries
		WHERE webhook_id = ?1 AND (?2 = '' OR state = ?2) AND (?3 = 0 OR id < ?3) ORDER BY id DESC LIMIT ?4`,
		[]any{f.Webhook, state, before, all(limit)}, func(row scanner) error {
			d, err := scanDelivery(row)
			deliveries = append(deliveries, d)
			return err
		})
	return deliveries, err
}

// WebhookDelivery implements presence.WebhookStore.
func (s *Store) WebhookDelivery(ctx context.Context, webhook, id int64) (d presence.WebhookDelivery, attempts []presence.WebhookAttempt, err error) {
	const op = "find webhook delivery"
	err = s.read.row(ctx, op, `SELECT `+deliveryColumns+`, body FROM webhook_deliveries WHERE webhook_id = ?1 AND id = ?2`,
		[]any{webhook, id}, func(row scanner) (err error) {
			d, err = scanDelivery(row, &d.Body)
			return err
		})
	if errors.Is(err, sql.ErrNoRows) {
		return d, nil, notFound(op, "There is no such delivery.")
	}
	if err != nil {
		return d, nil, err
	}
	attempts = []presence.WebhookAttempt{}
	err = s.read.each(ctx, op, `SELECT at, duration, http_status, manual, error, response FROM webhook_attempts
		WHERE delivery_id = ?1 ORDER BY id`, []any{id}, func(row scanner) error {
		var a presence.WebhookAttempt
		var took int64
		err := row.Scan((*moment)(&a.At), &took, &a.HTTPStatus, &a.Manual, &a.Error, &a.Response)
		a.Duration = time.Duration(took) * time.Microsecond
		attempts = append(attempts, a)
		return err
	})
	return d, attempts, err
}

// TellWebhooksOfGap implements presence.WebhookStore.
func (s *Store) TellWebhooksOfGap(ctx context.Context, at time.Time, missed int) error {
	return s.write.behind(ctx, func(t *tx) error {
		_, err := t.exec("queue webhook gap", `
			INSERT INTO webhook_queue (webhook_id, type, at, missed) SELECT id, ?1, ?2, ?3 FROM webhooks WHERE state = 'active'`,
			presence.WebhookGap, micros(at), missed)
		return err
	})
}

// PurgeWebhooks implements presence.WebhookStore. It goes in steps between which everybody else may write.
func (s *Store) PurgeWebhooks(ctx context.Context, now, before time.Time, keep, maxQueued int) (deliveries, events int, err error) {
	const op = "purge webhooks"
	hooks, err := s.Webhooks(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, hook := range hooks {
		for n := int64(purgeBodies); n == purgeBodies; deliveries += int(n) {
			err = s.write.behind(ctx, func(t *tx) (err error) {
				n, err = t.exec(op, `
					DELETE FROM webhook_deliveries WHERE id IN (
						SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 AND (state <> 'pending' OR kind <> 'events')
							AND (created_at < ?2 OR id < coalesce(
								(SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3 - 1), 0))
						ORDER BY id LIMIT ?4)`, hook.ID, micros(before), keep, purgeBodies)
				return err
			})
			if err != nil {
				return deliveries, events, err
			}
		}
		dropped, err := s.trimWebhookQueue(ctx, hook.ID, now, maxQueued)
		if events += dropped; err != nil {
			return deliveries, events, err
		}
	}
	return deliveries, events, nil
}

// purgeBodies is how many deliveries one step of a purge takes: their bodies are large.
const purgeBodies = 100

// trimWebhookQueue makes a queue that is longer than most as long as that again: its oldest events go, and one that
// says so comes.
func (s *Store) trimWebhookQueue(ctx context.Context, hook int64, now time.Time, most int) (dropped int, err error) {
	var last int64 // to go
	err = s.read.row(ctx, "measure webhook queue", `
		SELECT (SELECT id FROM webhook_queue WHERE webhook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2 - 1)
		WHERE EXISTS (SELECT 1 FROM webhook_queue WHERE webhook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
		[]any{hook, most}, func(row scanner) error { return row.Scan(&last) })
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	for n := int64(chunkRows); n == chunkRows && err == nil; dropped += int(n) {
		err = s.write.behind(ctx, func(t *tx) (err error) {
			n, err = t.exec("trim webhook queue", `
				DELETE FROM webhook_queue WHERE id IN
					(SELECT id FROM webhook_queue WHERE webhook_id = ?1 AND id <= ?2 ORDER BY id LIMIT ?3)`, hook, last, chunkRows)
			if err == nil && n < chunkRows && dropped+int(n) > 0 {
				err = t.queueWebhookGap(hook, now, dropped+int(n))
			}
			return err
		})
	}
	return dropped, err
}

// CountWebhooks implements presence.WebhookTx.
func (t *tx) CountWebhooks() (n int, err error) {
	err = t.row("count webhooks", `SELECT count(*) FROM webhooks`, nil, func(row scanner) error { return row.Scan(&n) })
	return n, err
}

// Webhook implements presence.WebhookTx.
func (t *tx) Webhook(id int64) (w presence.Webhook, err error) {
	missing := false
	err = t.row("find webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = ?1`, []any{id}, func(row scanner) (err error) {
		w, err = scanWebhook(row)
		if missing = presence.KindOf(err) == presence.NotFound; missing {
			return sql.ErrNoRows // no failure of the act
		}
		return err
	})
	if missing {
		err = notFound("find webhook", "There is no such webhook.")
	}
	return w, err
}

// InsertWebhook implements presence.WebhookTx.
func (t *tx) InsertWebhook(w *presence.Webhook) error {
	events, causes, users := w.Filter()
	return t.row("insert webhook", `
		INSERT INTO webhooks (url, description, events, causes, users, batch, secret, old_secret, old_secret_until, state,
			state_since, created_at, updated_at, created_by)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING id`,
		[]any{
			w.URL, w.Description, events, causes, users, w.Batch, w.Secret, w.OldSecret, micros(w.OldSecretUntil), w.State.String(),
			micros(w.StateSince), micros(w.CreatedAt), micros(w.UpdatedAt), int64(w.CreatedBy),
		}, func(row scanner) error { return row.Scan(&w.ID) })
}

// UpdateWebhook implements presence.WebhookTx.
func (t *tx) UpdateWebhook(w *presence.Webhook) error {
	const op = "update webhook"
	before, err := t.Webhook(w.ID)
	if err != nil {
		return err
	}
	events, causes, users := w.Filter()
	if _, err = t.exec(op, `
		UPDATE webhooks SET url = ?2, description = ?3, events = ?4, causes = ?5, users = ?6, batch = ?7, secret = ?8,
			old_secret = ?9, old_secret_until = ?10, state = ?11, state_since = ?12, updated_at = ?13 WHERE id = ?1`,
		w.ID, w.URL, w.Description, events, causes, users, w.Batch, w.Secret, w.OldSecret, micros(w.OldSecretUntil),
		w.State.String(), micros(w.StateSince), micros(w.UpdatedAt)); err != nil {
		return err
	}
	if before.State == presence.WebhookActive || w.State != presence.WebhookActive {
		return nil
	}
	if _, err := t.exec(op, `UPDATE webhooks SET failures = 0, failing_since = 0, next_at = 0 WHERE id = ?1`, w.ID); err != nil {
		return err
	}
	return t.queueWebhookGap(w.ID, w.UpdatedAt, 0)
}

// RemoveWebhook implements presence.WebhookTx.
func (t *tx) RemoveWebhook(id int64) error {
	n, err := t.exec("remove webhook", `DELETE FROM webhooks WHERE id = ?1`, id)
	if err == nil && n == 0 {
		err = notFound("remove webhook", "There is no such webhook.")
	}
	return err
}

// InsertWebhookDelivery implements presence.WebhookTx.
func (t *tx) InsertWebhookDelivery(d *presence.WebhookDelivery) error {
	return t.insertWebhookDelivery(d, time.Time{})
}

func (t *tx) insertWebhookDelivery(d *presence.WebhookDelivery, oldest time.Time) error {
	body := d.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	return t.row("insert webhook delivery", `
		INSERT INTO webhook_deliveries (webhook_id, message_id, kind, state, events, created_at, oldest_at, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id`,
		[]any{
			d.Webhook, d.MessageID, d.Kind.String(), d.State.String(), d.Events, micros(d.CreatedAt), micros(oldest), body,
		}, func(row scanner) error { return row.Scan(&d.ID) })
}
