package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	defaultBatch = 100
	// maxDescription is in characters.
	maxDescription = 200
	// secretBytes is how many random bytes a secret has; the standard asks for 24 to 64.
	secretBytes = 32
	// longestOverlap bounds for how long two secrets sign.
	longestOverlap = 7 * 24 * time.Hour
)

// Actor is who acts on webhooks, and from where.
type Actor struct {
	// User is an admin, or 0: the command line on the server's machine.
	User presence.UserID
	presence.Origin
}

// List returns all webhooks.
func (s *Service) List(ctx context.Context) (wire.WebhookList, error) {
	hooks, err := s.Store.Webhooks(ctx)
	if err != nil {
		return wire.WebhookList{}, err
	}
	queues, err := s.Store.WebhookQueues(ctx)
	if err != nil {
		return wire.WebhookList{}, err
	}
	list := wire.WebhookList{Items: make([]wire.Webhook, len(hooks)), AsOf: stamp(s.Now())}
	for i := range hooks {
		list.Items[i] = s.show(&hooks[i], queues[hooks[i].ID])
	}
	return list, nil
}

// Get returns one. Errors: NotFound.
func (s *Service) Get(ctx context.Context, id int64) (wire.Webhook, error) {
	hook, err := s.Store.Webhook(ctx, id)
	if err != nil {
		return wire.Webhook{}, err
	}
	queues, err := s.Store.WebhookQueues(ctx)
	return s.show(&hook, queues[id]), err
}

// Create makes one and returns it with its secret, which is not shown again. Errors: Invalid with Field; Conflict when
// there are as many as there may be; Forbidden when the actor is no admin, as of every act here.
func (s *Service) Create(ctx context.Context, by Actor, n wire.NewWebhook) (wire.WebhookWithSecret, error) {
	now := stamp(s.Now())
	hook := presence.Webhook{
		Batch: defaultBatch, Secret: newSecret(), StateSince: now, CreatedAt: now, UpdatedAt: now, CreatedBy: by.User,
	}
	if len(n.Events) == 0 {
		n.Events = []string{groupUser}
	}
	p := wire.WebhookPatch{URL: &n.URL, Description: &n.Description, Events: &n.Events, Causes: &n.Causes, Users: &n.Users}
	if n.BatchSize != 0 {
		p.BatchSize = &n.BatchSize
	}
	if err := s.change(&hook, p); err != nil {
		return wire.WebhookWithSecret{}, err
	}
	draft := hook
	err := s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		hook = draft
		count, err := hooks.CountWebhooks()
		if err == nil && count >= wire.MaxWebhooks {
			err = &presence.Error{
				Kind: presence.Conflict, Op: "create webhook", Code: "too_many_webhooks",
				Tell: fmt.Sprintf("There are %d webhooks; there may not be more.", wire.MaxWebhooks),
			}
		}
		if err == nil {
			err = hooks.InsertWebhook(&hook)
		}
		return audit("create_webhook", nil, &hook), err
	})
	return wire.WebhookWithSecret{Webhook: s.show(&hook, presence.WebhookQueue{}), Secret: hook.Secret}, err
}

// Update changes one. Errors: NotFound; Invalid with Field.
func (s *Service) Update(ctx context.Context, by Actor, id int64, p wire.WebhookPatch) (wire.Webhook, error) {
	err := s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		before, err := hooks.Webhook(id)
		if err != nil {
			return presence.AuditEntry{}, err
		}
		hook := before
		if err := s.change(&hook, p); err != nil {
			return presence.AuditEntry{}, err
		}
		hook.UpdatedAt = stamp(s.Now())
		return audit("update_webhook", &before, &hook), hooks.UpdateWebhook(&hook)
	})
	if err != nil {
		return wire.Webhook{}, err
	}
	return s.Get(ctx, id)
}

// Delete removes one with everything that was its. Errors: NotFound.
func (s *Service) Delete(ctx context.Context, by Actor, id int64) error {
	return s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		before, err := hooks.Webhook(id)
		if err != nil {
			return presence.AuditEntry{}, err
		}
		return audit("delete_webhook", &before, nil), hooks.RemoveWebhook(id)
	})
}

// Rotate gives one a new secret, and lets the old one sign beside it for a while. Errors: NotFound; Invalid with Field.
func (s *Service) Rotate(ctx context.Context, by Actor, id int64, r wire.WebhookRotation) (wire.WebhookWithSecret, error) {
	keep := time.Duration(r.KeepOld) * time.Second
	if r.KeepOld < 0 || keep > longestOverlap {
		return wire.WebhookWithSecret{}, invalid("keep_old_seconds", "keep_old_seconds must be from 0 to 604800")
	}
	secret := newSecret()
	err := s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		hook, err := hooks.Webhook(id)
		if err != nil {
			return presence.AuditEntry{}, err
		}
		now := stamp(s.Now())
		hook.OldSecret, hook.OldSecretUntil = "", time.Time{}
		if keep > 0 {
			hook.OldSecret, hook.OldSecretUntil = hook.Secret, now.Add(keep)
		}
		hook.Secret, hook.UpdatedAt = secret, now
		entry := audit("rotate_webhook_secret", nil, nil)
		entry.TargetName = nameOf(&hook)
		return entry, hooks.UpdateWebhook(&hook)
	})
	if err != nil {
		return wire.WebhookWithSecret{}, err
	}
	hook, err := s.Get(ctx, id)
	return wire.WebhookWithSecret{Webhook: hook, Secret: secret}, err
}

// Test sends a message of its own at once, whatever waits, also to a webhook that is not active, and returns what came
// of it. Errors: NotFound; Unavailable when too many such attempts are under way.
func (s *Service) Test(ctx context.Context, by Actor, id int64) (wire.WebhookDeliveryDetail, error) {
	example := eventTypes[2].Example
	example.ID, example.At = "evt_"+randomWord(), stamp(s.Now())
	d, err := s.message(id, presence.WebhookTest, wire.WebhookMessageTest, []wire.WebhookEvent{example})
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	draft := d
	err = s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		hook, err := hooks.Webhook(id)
		if err != nil {
			return presence.AuditEntry{}, err
		}
		d = draft
		entry := audit("test_webhook", nil, nil)
		entry.TargetName = nameOf(&hook)
		return entry, hooks.InsertWebhookDelivery(&d)
	})
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	return s.sendNow(ctx, id, d.ID)
}

// Retry sends a delivery once more at once, whatever became of it, and returns what came of that. Errors: NotFound;
// Unavailable when too many such attempts are under way.
func (s *Service) Retry(ctx context.Context, by Actor, id, delivery int64) (wire.WebhookDeliveryDetail, error) {
	err := s.act(ctx, by, func(hooks presence.WebhookTx) (presence.AuditEntry, error) {
		hook, err := hooks.Webhook(id)
		if err != nil {
			return presence.AuditEntry{}, err
		}
		entry := audit("retry_webhook_delivery", nil, nil)
		entry.TargetName, entry.After = nameOf(&hook), object(map[string]any{"delivery": strconv.FormatInt(delivery, 10)})
		return entry, nil
	})
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	return s.sendNow(ctx, id, delivery)
}

// sendNow makes an attempt that somebody waits for. It counts for the webhook only when it is good: then the receiver
// is well again, and what waits may go.
func (s *Service) sendNow(ctx context.Context, id, delivery int64) (wire.WebhookDeliveryDetail, error) {
	select {
	case s.manual <- struct{}{}:
		defer func() { <-s.manual }()
	default:
		return wire.WebhookDeliveryDetail{}, &presence.Error{
			Kind: presence.Unavailable, Op: "send webhook", RetryAfter: 5 * time.Second, Err: errors.New("too many at once"),
		}
	}
	hook, err := s.Store.Webhook(ctx, id)
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	d, _, err := s.Store.WebhookDelivery(ctx, id, delivery)
	if err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	a := s.attempt(context.WithoutCancel(ctx), &hook, &d)
	a.Manual = true
	then := presence.WebhookOutcome{State: d.State}
	if a.good() {
		then = s.outcome(&hook, &d, &a)
	} else if d.Kind == presence.WebhookTest {
		then.State = presence.WebhookFailed // nothing tries a test again
	}
	if err := s.Store.RecordWebhookAttempt(context.WithoutCancel(ctx), d.ID, a.WebhookAttempt, then); err != nil {
		return wire.WebhookDeliveryDetail{}, err
	}
	s.Recorded()
	return s.Delivery(ctx, id, delivery)
}

// act runs an act of an admin, with its line in the audit.
func (s *Service) act(ctx context.Context, by Actor, do func(presence.WebhookTx) (presence.AuditEntry, error)) error {
	err := s.Store.Durable(ctx, func(tx presence.Tx) error {
		if err := mayAct(tx, by.User); err != nil {
			return err
		}
		entry, err := do(tx.(presence.WebhookTx))
		if err != nil {
			return err
		}
		entry.Actor, entry.Origin, entry.At = by.User, by.Origin, stamp(s.Now())
		return tx.AppendAudit(entry)
	})
	if err == nil {
		s.Recorded()
	}
	return err
}

// mayAct holds the actor's account, as it is now, against what an act here needs.
func mayAct(tx presence.Tx, by presence.UserID) error {
	if by == 0 {
		return nil
	}
	a, err := tx.Account(by)
	if err != nil && presence.KindOf(err) != presence.NotFound {
		return err
	}
	if err != nil || !a.IsAdmin() || !a.MaySignIn() {
		return &presence.Error{Kind: presence.Forbidden, Op: "administer webhooks", Tell: "You do not have permission to perform this action."}
	}
	return nil
}

// audit is the line about a change. Neither secrets nor whole addresses, which may hold some, go into it.
func audit(action string, before, after *presence.Webhook) presence.AuditEntry {
	entry := presence.AuditEntry{Action: action}
	if before != nil {
		entry.TargetName, entry.Before = nameOf(before), auditObject(before)
	}
	if after != nil {
		entry.TargetName, entry.After = nameOf(after), auditObject(after)
	}
	return entry
}

func nameOf(w *presence.Webhook) string { return fmt.Sprintf("webhook %d (%s)", w.ID, hostOf(w.URL)) }

func auditObject(w *presence.Webhook) string {
	_, causes, users := w.Filter()
	return object(map[string]any{
		"host": hostOf(w.URL), "events": w.Events, "causes": strings.Trim(causes, ","), "users": strings.Trim(users, ","),
		"batch_size": w.Batch, "state": w.State.String(),
	})
}

func object(fields map[string]any) string {
	text, err := json.Marshal(fields) // texts and numbers: cannot fail
	if err != nil {
		return ""
	}
	return string(text)
}

func newSecret() string {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails
	return wire.FormatWebhookSecret(key)
}

func invalid(field, tell string) error {
	return &presence.Error{Kind: presence.Invalid, Op: "administer webhooks", Field: field, Tell: tell}
}

// change applies what is said about a webhook, each part within its bounds.
func (s *Service) change(w *presence.Webhook, p wire.WebhookPatch) error {
	var err error
	if p.URL != nil {
		if err = s.checkURL(*p.URL); err != nil {
			return err
		}
		w.URL = *p.URL
	}
	if p.Description != nil {
		if w.Description, err = checkDescription(*p.Description); err != nil {
			return err
		}
	}
	if p.Events != nil {
		if w.Events, err = checkEvents(*p.Events); err != nil {
			return err
		}
	}
	if p.Causes != nil {
		if w.Causes, err = checkCauses(*p.Causes); err != nil {
			return err
		}
	}
	if p.Users != nil {
		if w.Users, err = checkUsers(*p.Users); err != nil {
			return err
		}
	}
	if p.BatchSize != nil {
		if w.Batch = *p.BatchSize; w.Batch < 1 || w.Batch > wire.MaxWebhookBatch {
			return invalid("batch_size", fmt.Sprintf("batch_size must be from 1 to %d", wire.MaxWebhookBatch))
		}
	}
	if p.State != nil {
		to, ok := presence.ParseWebhookState(*p.State)
		if !ok || to != presence.WebhookActive && to != presence.WebhookPaused {
			return invalid("state", "state is active or paused")
		}
		if to != w.State {
			w.State, w.StateSince = to, stamp(s.Now())
		}
	}
	return nil
}

// checkURL refuses at once what every delivery would be refused for. Where a name leads is found out each time.
func (s *Service) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.Hostname() == "", u.Opaque != "":
		return invalid("url", "url must be an address such as https://example.org/presence")
	case len(text) > wire.MaxWebhookURL:
		return invalid("url", fmt.Sprintf("url must have at most %d bytes", wire.MaxWebhookURL))
	case u.Scheme != "https" && u.Scheme != "http":
		return invalid("url", "url must begin with https://")
	case u.Scheme == "http" && len(s.AllowNetworks) == 0:
		return invalid("url", "url must begin with https://; http is for networks of the setting webhook_allow_networks")
	case u.User != nil:
		return invalid("url", "url must not hold a name or password; check the signature instead")
	case u.Fragment != "":
		return invalid("url", "url must not have a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return invalid("url", "url has no possible port")
		}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := s.guard.check(u.Scheme == "https", ip); err != nil {
			return invalid("url", reason(err))
		}
	}
	return nil
}

func checkDescription(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case utf8.RuneCountInString(text) > maxDescription:
		return "", invalid("description", fmt.Sprintf("description must have at most %d characters", maxDescription))
	case !utf8.ValidString(text), strings.ContainsFunc(text, unicode.IsControl):
		return "", invalid("description", "description contains characters that cannot be used")
	}
	return text, nil
}

func checkEvents(list []string) (events []string, err error) {
	known := names()
	for _, name := range list {
		if !slices.Contains(known, name) {
			return nil, invalid("events", "events are some of "+strings.Join(known, ", "))
		}
		if !slices.Contains(events, name) {
			events = append(events, name)
		}
	}
	if len(events) == 0 {
		return nil, invalid("events", "events must name at least one")
	}
	return events, nil
}

func checkCauses(list []string) (causes []presence.Cause, err error) {
	for _, name := range list {
		cause, ok := presence.ParseCause(name)
		if !ok || cause == presence.CauseNone {
			return nil, invalid("causes", "causes are some of login, heartbeat, activity, touch, connect, disconnect, idle, active, timeout, logout, forced, admin")
		}
		if !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
	}
	return causes, nil
}

func checkUsers(list []string) (users []presence.UserID, err error) {
	if len(list) > wire.MaxWebhookUsers {
		return nil, invalid("users", fmt.Sprintf("users must be at most %d", wire.MaxWebhookUsers))
	}
	for _, text := range list {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
			return nil, invalid("users", "users are ids of users: 1 to 19 digits")
		}
		if id := presence.UserID(n); !slices.Contains(users, id) {
			users = append(users, id)
		}
	}
	return users, nil
}
