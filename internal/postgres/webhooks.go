package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

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
		(*moment)(&w.StateSince), (*moment)(&w.CreatedAt), (*moment)(&w.UpdatedAt), (*int64)(&w.CreatedBy), &p.Failures,
		(*moment)(&p.FailingSince), (*moment)(&p.NextAt), (*moment)(&p.LastSuccessAt), (*moment)(&p.LastFailureAt),
		&p.LastError)
	w.SetFilter(events, causes, users)
	return w, err
}

// Webhooks implements presence.WebhookStore.
func (s *Store) Webhooks(ctx context.Context) (hooks []presence.Webhook, err error) {
	err = s.each(ctx, "list webhooks", `SELECT `+webhookColumns+` FROM webhooks ORDER BY id`, nil,
		func() { hooks = []presence.Webhook{} }, func(row scanner) error {
			w, err := scanWebhook(row)
			hooks = append(hooks, w)
			return err
		})
	return hooks, err
}

// Webhook implements presence.WebhookStore.
func (s *Store) Webhook(ctx context.Context, id int64) (presence.Webhook, error) {
	hooks := []presence.Webhook{}
	err := s.each(ctx, "find webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1`, []any{id},
		func() { hooks = hooks[:0] }, func(row scanner) error {
			w, err := scanWebhook(row)
			hooks = append(hooks, w)
			return err
		})
	if err == nil && len(hooks) == 0 {
		err = notFound("find webhook", "There is no such webhook.")
	}
	if err != nil {
		return presence.Webhook{}, err
	}
	return hooks[0], nil
}

// WebhookQueues implements presence.WebhookStore.
func (s *Store) WebhookQueues(ctx context.Context) (queues map[int64]presence.WebhookQueue, err error) {
	err = s.each(ctx, "count webhook queues", `
		SELECT webhook_id, sum(n)::bigint, min(oldest) FROM (
			SELECT w.id AS webhook_id, (SELECT count(*) FROM webhook_queue WHERE webhook_id = w.id) AS n,
				(SELECT at FROM webhook_queue WHERE webhook_id = w.id ORDER BY id LIMIT 1) AS oldest FROM webhooks w
			UNION ALL
			SELECT webhook_id, events, oldest_at FROM webhook_deliveries WHERE state = 'pending' AND kind = 'events'
		) AS waiting GROUP BY webhook_id HAVING sum(n) > 0`, nil,
		func() { queues = map[int64]presence.WebhookQueue{} }, func(row scanner) error {
			var id int64
			var q presence.WebhookQueue
			err := row.Scan(&id, &q.Events, (*moment)(&q.Oldest))
			queues[id] = q
			return err
		})
	return queues, err
}

// DueWebhooks implements presence.WebhookStore.
func (s *Store) DueWebhooks(ctx context.Context, holder string, now time.Time) (due []int64, err error) {
	err = s.each(ctx, "find due webhooks", `
		SELECT id FROM webhooks w WHERE state = 'active' AND next_at <= $2 AND (holder IN ('', $1) OR held_until <= $2)
			AND (EXISTS (SELECT 1 FROM webhook_queue WHERE webhook_id = w.id)
				OR EXISTS (SELECT 1 FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'pending' AND kind = 'events'))
		ORDER BY id`,
		[]any{kept(holder), micros(now)}, func() { due = []int64{} }, func(row scanner) error {
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
	err = s.write(ctx, "lease webhook", func(ctx context.Context, c *pgx.Conn) (err error) {
		hook, next, err = nextWebhookDelivery(ctx, c, lease, pack)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return hook, next, nil
}

// nextWebhookDelivery holds the webhook's row until the transaction is over, so that nodes take turns.
func nextWebhookDelivery(ctx context.Context, c *pgx.Conn, lease presence.WebhookLease,
	pack func(*presence.Webhook, []presence.WebhookEvent) (presence.WebhookDelivery, error),
) (*presence.Webhook, *presence.WebhookDelivery, error) {
	hook, err := scanWebhook(c.QueryRow(ctx, `
		UPDATE webhooks SET holder = $2, held_until = $4
		WHERE id = $1 AND state = 'active' AND next_at <= $3 AND (holder IN ('', $2) OR held_until <= $3) RETURNING `+webhookColumns,
		lease.Webhook, kept(lease.Holder), micros(lease.Now), micros(lease.Now.Add(lease.Length))))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	pending, err := scanDelivery(c.QueryRow(ctx, `SELECT `+deliveryColumns+`, body FROM webhook_deliveries
		WHERE webhook_id = $1 AND state = 'pending' AND kind = 'events' ORDER BY id LIMIT 1`, hook.ID))
	if err == nil {
		return &hook, &pending, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, err
	}
	events, err := takeWebhookEvents(ctx, c, hook.ID, hook.Batch)
	if err != nil {
		return nil, nil, err
	}
	if len(events) == 0 {
		_, err := c.Exec(ctx, `UPDATE webhooks SET holder = '', held_until = 0 WHERE id = $1`, hook.ID)
		return nil, nil, err
	}
	made, err := pack(&hook, events)
	if err != nil {
		return nil, nil, err
	}
	made.Webhook = hook.ID
	text, args := insertDelivery(&made, events[0].At)
	if err := c.QueryRow(ctx, text, args...).Scan(&made.ID); err != nil {
		return nil, nil, err
	}
	return &hook, &made, nil
}

// takeWebhookEvents takes the oldest events out of a queue: exactly those it returns, for others may become visible
// at any moment, with lower numbers too.
func takeWebhookEvents(ctx context.Context, c *pgx.Conn, hook int64, limit int) ([]presence.WebhookEvent, error) {
	var events []presence.WebhookEvent
	err := eachRow(ctx, c, `
		DELETE FROM webhook_queue WHERE id IN (SELECT id FROM webhook_queue WHERE webhook_id = $1 ORDER BY id LIMIT $2)
		RETURNING id, type, at, user_id, username, from_status, to_status, cause, session_id, actor_id, node, version, last_seen,
			role, missed`, []any{hook, limit}, func(row scanner) error {
		var e presence.WebhookEvent
		err := row.Scan(&e.ID, &e.Type, (*moment)(&e.At), (*int64)(&e.User), &e.Username, &e.From, &e.To, &e.Cause, (*int64)(&e.Session),
			(*int64)(&e.Actor), &e.Node, (*bits)(&e.Version), (*moment)(&e.LastSeen), &e.Role, &e.Missed)
		events = append(events, e)
		return err
	})
	slices.SortFunc(events, func(a, b presence.WebhookEvent) int { return int(a.ID - b.ID) })
	return events, err
}

// RecordWebhookAttempt implements presence.WebhookStore.
func (s *Store) RecordWebhookAttempt(ctx context.Context, delivery int64, a presence.WebhookAttempt, then presence.WebhookOutcome) error {
	const op = "record webhook attempt"
	found := false
	err := s.write(ctx, op, func(ctx context.Context, c *pgx.Conn) (err error) {
		found, err = recordWebhookAttempt(ctx, c, delivery, a, then)
		return err
	})
	if err == nil && !found {
		err = notFound(op, "There is no such delivery.")
	}
	return err
}

func recordWebhookAttempt(ctx context.Context, c *pgx.Conn, delivery int64, a presence.WebhookAttempt, then presence.WebhookOutcome) (
	found bool, err error,
) {
	var hook int64
	var events int
	// The webhook first, as whoever packs: nobody waits in a circle.
	if _, err := c.Exec(ctx, `SELECT 1 FROM webhooks WHERE id = (SELECT webhook_id FROM webhook_deliveries WHERE id = $1)
		FOR NO KEY UPDATE`, delivery); err != nil {
		return false, err
	}
	err = c.QueryRow(ctx, `
		UPDATE webhook_deliveries SET state = CASE state WHEN 'succeeded' THEN state ELSE $2 END, attempts = attempts + 1,
			attempt_at = $3, duration = $4, http_status = $5, error = $6 WHERE id = $1 RETURNING webhook_id, events`,
		delivery, then.State.String(), micros(a.At), a.Duration.Microseconds(), a.HTTPStatus, kept(a.Error)).Scan(&hook, &events)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := c.Exec(ctx, `
		INSERT INTO webhook_attempts (delivery_id, at, duration, http_status, manual, error, response)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		delivery, micros(a.At), a.Duration.Microseconds(), a.HTTPStatus, a.Manual, kept(a.Error), kept(a.Response)); err != nil {
		return false, err
	}
	if p := then.Progress; p != nil {
		if _, err := c.Exec(ctx, `
			UPDATE webhooks SET failures = $2, failing_since = $3, next_at = $4, last_success_at = $5, last_failure_at = $6,
				last_error = $7 WHERE id = $1`,
			hook, p.Failures, micros(p.FailingSince), micros(p.NextAt), micros(p.LastSuccessAt), micros(p.LastFailureAt),
			kept(p.LastError)); err != nil {
			return false, err
		}
	}
	if then.Disable != presence.WebhookActive {
		if _, err := c.Exec(ctx, `UPDATE webhooks SET state = $2, state_since = $3 WHERE id = $1 AND state = 'active'`,
			hook, then.Disable.String(), micros(a.At)); err != nil {
			return false, err
		}
	}
	if then.Lost {
		_, err = c.Exec(ctx, queueGap, hook, presence.WebhookGap, micros(a.At), events)
	}
	return true, err
}

const queueGap = `INSERT INTO webhook_queue (webhook_id, type, at, missed) VALUES ($1, $2, $3, $4)`

// ReleaseWebhook implements presence.WebhookStore.
func (s *Store) ReleaseWebhook(ctx context.Context, id int64, holder string) error {
	return s.write(ctx, "release webhook", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `UPDATE webhooks SET holder = '', held_until = 0 WHERE id = $1 AND holder = $2`, id, kept(holder))
		return err
	})
}

const deliveryColumns = `id, webhook_id, message_id, kind, state, events, created_at, attempts, attempt_at, duration, http_status, error`

// scanDelivery scans deliveryColumns and the body.
func scanDelivery(row scanner) (presence.WebhookDelivery, error) {
	var d presence.WebhookDelivery
	var took int64
	err := row.Scan(&d.ID, &d.Webhook, &d.MessageID, word[presence.WebhookDeliveryKind]{&d.Kind, presence.ParseWebhookDeliveryKind},
		word[presence.WebhookDeliveryState]{&d.State, presence.ParseWebhookDeliveryState}, &d.Events, (*moment)(&d.CreatedAt),
		&d.Attempts, (*moment)(&d.AttemptAt), &took, &d.HTTPStatus, &d.Error, &d.Body)
	d.Duration = time.Duration(took) * time.Microsecond
	return d, err
}

// WebhookDeliveries implements presence.WebhookStore.
func (s *Store) WebhookDeliveries(ctx context.Context, f presence.WebhookDeliveryFilter, before int64, limit int) (
	deliveries []presence.WebhookDelivery, err error,
) {
	state := ""
	if f.OnlyState {
		state = f.State.String()
	}
	var most *int // no limit
	if limit > 0 {
		most = &limit
	}
	err = s.each(ctx, "list webhook deliveries", `SELECT `+deliveryColumns+`, NULL::bytea FROM webhook_deliveries
		WHERE webhook_id = $1 AND ($2 = '' OR state = $2) AND ($3::bigint = 0 OR id < $3) ORDER BY id DESC LIMIT $4`,
		[]any{f.Webhook, state, before, most}, func() { deliveries = []presence.WebhookDelivery{} }, func(row scanner) error {
			d, err := scanDelivery(row)
			deliveries = append(deliveries, d)
			return err
		})
	return deliveries, err
}

// WebhookDelivery implements presence.WebhookStore.
func (s *Store) WebhookDelivery(ctx context.Context, webhook, id int64) (presence.WebhookDelivery, []presence.WebhookAttempt, error) {
	const op = "find webhook delivery"
	found, attempts := []presence.WebhookDelivery{}, []presence.WebhookAttempt{}
	err := s.each(ctx, op, `SELECT `+deliveryColumns+`, body FROM webhook_deliveries WHERE webhook_id = $1 AND id = $2`,
		[]any{webhook, id}, func() { found = found[:0] }, func(row scanner) error {
			d, err := scanDelivery(row)
			found = append(found, d)
			return err
		})
	if err == nil && len(found) == 0 {
		err = notFound(op, "There is no such delivery.")
	}
	if err != nil {
		return presence.WebhookDelivery{}, nil, err
	}
	err = s.each(ctx, op, `SELECT at, duration, http_status, manual, error, response FROM webhook_attempts
		WHERE delivery_id = $1 ORDER BY id`, []any{id}, func() { attempts = attempts[:0] }, func(row scanner) error {
		var a presence.WebhookAttempt
		var took int64
		err := row.Scan((*moment)(&a.At), &took, &a.HTTPStatus, &a.Manual, &a.Error, &a.Response)
		a.Duration = time.Duration(took) * time.Microsecond
		attempts = append(attempts, a)
		return err
	})
	return found[0], attempts, err
}

// TellWebhooksOfGap implements presence.WebhookStore.
func (s *Store) TellWebhooksOfGap(ctx context.Context, at time.Time, missed int) error {
	return s.write(ctx, "queue webhook gap", func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			INSERT INTO webhook_queue (webhook_id, type, at, missed)
			SELECT id, $1, $2::bigint, $3::bigint FROM webhooks WHERE state = 'active'`, presence.WebhookGap, micros(at), missed)
		return err
	})
}

// purgeBodies is how many deliveries one step of a purge takes: their bodies are large.
const purgeBodies = 500

// PurgeWebhooks implements presence.WebhookStore. Every node may purge at any time; an error leaves the earlier
// steps done.
func (s *Store) PurgeWebhooks(ctx context.Context, now, before time.Time, keep, maxQueued int) (deliveries, events int, err error) {
	hooks, err := s.Webhooks(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, hook := range hooks {
		for n := purgeBodies; n == purgeBodies; deliveries += n {
			err = s.write(ctx, "purge webhooks", func(ctx context.Context, c *pgx.Conn) error {
				tag, err := c.Exec(ctx, `
					DELETE FROM webhook_deliveries WHERE id IN (
						SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND (state <> 'pending' OR kind <> 'events')
							AND (created_at < $2 OR id < coalesce((SELECT id FROM webhook_deliveries WHERE webhook_id = $1
								ORDER BY id DESC LIMIT 1 OFFSET $3::bigint - 1), 0))
						ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)`, hook.ID, micros(before), keep, purgeBodies)
				n = int(tag.RowsAffected())
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

// trimWebhookQueue makes a queue that is longer than most as long as that again: its oldest events go, and one that
// says so comes.
func (s *Store) trimWebhookQueue(ctx context.Context, hook int64, now time.Time, most int) (dropped int, err error) {
	err = s.write(ctx, "trim webhook queue", func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, `
			DELETE FROM webhook_queue WHERE webhook_id = $1 AND id <= (
				SELECT id FROM webhook_queue WHERE webhook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2::bigint - 1)
			AND EXISTS (SELECT 1 FROM webhook_queue WHERE webhook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2::bigint)`, hook, most)
		if dropped = int(tag.RowsAffected()); err != nil || dropped == 0 {
			return err
		}
		_, err = c.Exec(ctx, queueGap, hook, presence.WebhookGap, micros(now), dropped)
		return err
	})
	return dropped, err
}

// CountWebhooks implements presence.WebhookTx.
func (t *tx) CountWebhooks() (n int, err error) {
	// Whoever else makes one waits until this act is over.
	err = t.locked("count webhooks", `SELECT pg_advisory_xact_lock($1::int, 0)`, []any{webhookLock}, `SELECT count(*) FROM webhooks`, nil, &n)
	return n, err
}

// Webhook implements presence.WebhookTx.
func (t *tx) Webhook(id int64) (w presence.Webhook, err error) {
	found := false
	err = t.each("find webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1 FOR NO KEY UPDATE`, []any{id},
		func(row scanner) (err error) {
			w, err = scanWebhook(row)
			found = true
			return err
		})
	if err == nil && !found {
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
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
		[]any{
			kept(w.URL), kept(w.Description), kept(events), causes, users, w.Batch, w.Secret, w.OldSecret, micros(w.OldSecretUntil),
			w.State.String(), micros(w.StateSince), micros(w.CreatedAt), micros(w.UpdatedAt), int64(w.CreatedBy),
		}, &w.ID)
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
		UPDATE webhooks SET url = $2, description = $3, events = $4, causes = $5, users = $6, batch = $7, secret = $8,
			old_secret = $9, old_secret_until = $10, state = $11, state_since = $12, updated_at = $13 WHERE id = $1`,
		w.ID, kept(w.URL), kept(w.Description), kept(events), causes, users, w.Batch, w.Secret, w.OldSecret,
		micros(w.OldSecretUntil), w.State.String(), micros(w.StateSince), micros(w.UpdatedAt)); err != nil {
		return err
	}
	if before.State == presence.WebhookActive || w.State != presence.WebhookActive {
		return nil
	}
	if _, err := t.exec(op, `UPDATE webhooks SET failures = 0, failing_since = 0, next_at = 0 WHERE id = $1`, w.ID); err != nil {
		return err
	}
	_, err = t.exec(op, queueGap, w.ID, presence.WebhookGap, micros(w.UpdatedAt), 0)
	return err
}

// RemoveWebhook implements presence.WebhookTx.
func (t *tx) RemoveWebhook(id int64) error {
	n, err := t.exec("remove webhook", `DELETE FROM webhooks WHERE id = $1`, id)
	if err == nil && n == 0 {
		err = notFound("remove webhook", "There is no such webhook.")
	}
	return err
}

// InsertWebhookDelivery implements presence.WebhookTx.
func (t *tx) InsertWebhookDelivery(d *presence.WebhookDelivery) error {
	text, args := insertDelivery(d, time.Time{})
	return t.row("insert webhook delivery", text, args, &d.ID)
}

func insertDelivery(d *presence.WebhookDelivery, oldest time.Time) (text string, args []any) {
	body := d.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	text = `INSERT INTO webhook_deliveries (webhook_id, message_id, kind, state, events, created_at, oldest_at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`
	return text, []any{
		d.Webhook, d.MessageID, d.Kind.String(), d.State.String(), d.Events, micros(d.CreatedAt), micros(oldest), body,
	}
}
