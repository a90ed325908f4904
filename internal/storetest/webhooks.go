package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// webhookScenarios are the contract of presence.WebhookStore, for stores that are one.
func webhookScenarios() []scenario {
	list := slices.Concat(webhooksKept(), webhooksTold(), webhooksSent(), webhooksEnd())
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.WebhookStore); !ok {
				t.Skip("this store is no presence.WebhookStore")
			}
			prove(t, h)
		}
	}
	return list
}

func hooks(h *Harness) presence.WebhookStore { return h.Store.(presence.WebhookStore) }

// hook stores an active webhook that wants these events.
func hook(t *testing.T, h *Harness, change func(*presence.Webhook), events ...string) presence.Webhook {
	t.Helper()
	w := presence.Webhook{
		URL: "https://example.org/hook", Events: events, Batch: 10, Secret: "whsec_c2VjcmV0", CreatedAt: noon, UpdatedAt: noon,
		StateSince: noon,
	}
	if change != nil {
		change(&w)
	}
	do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.WebhookTx).InsertWebhook(&w) })
	return w
}

// pack makes a delivery whose body names the events.
func pack(_ *presence.Webhook, events []presence.WebhookEvent) (presence.WebhookDelivery, error) {
	d := presence.WebhookDelivery{
		MessageID: fmt.Sprint("msg_", events[0].ID, "_", len(events)), Events: len(events), CreatedAt: after(time.Minute),
	}
	for _, e := range events {
		d.Body = fmt.Appendf(d.Body, "%s %d %s>%s %s; ", e.Type, e.User, e.From, e.To, e.Cause)
	}
	return d, nil
}

func leaseOf(id int64, holder string, now time.Time) presence.WebhookLease {
	return presence.WebhookLease{Webhook: id, Holder: holder, Now: now, Length: time.Minute}
}

// next returns the body of what is to be sent, and its delivery; empty when there is nothing.
func next(t *testing.T, h *Harness, id int64, holder string, now time.Time) (string, presence.WebhookDelivery) {
	t.Helper()
	w, d, err := hooks(h).NextWebhookDelivery(t.Context(), leaseOf(id, holder, now), pack)
	if err != nil {
		t.Fatal(err)
	}
	if d == nil {
		return "", presence.WebhookDelivery{}
	}
	if w == nil || w.ID != id || d.Webhook != id || d.ID == 0 {
		t.Errorf("delivery %+v of webhook %+v, want one of %d", d, w, id)
	}
	return string(d.Body), *d
}

// told empties a queue and returns what was in it.
func told(t *testing.T, h *Harness, id int64) (all []presence.WebhookEvent) {
	t.Helper()
	for {
		_, d, err := hooks(h).NextWebhookDelivery(t.Context(), leaseOf(id, "told", noon),
			func(w *presence.Webhook, events []presence.WebhookEvent) (presence.WebhookDelivery, error) {
				all = append(all, events...)
				return pack(w, events)
			})
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			return all
		}
		settle(t, h, d.ID, presence.WebhookOutcome{State: presence.WebhookSucceeded})
	}
}

// types are the types of events, in order.
func types(events []presence.WebhookEvent) []string {
	names := []string{}
	for _, e := range events {
		names = append(names, e.Type)
	}
	return names
}

func settle(t *testing.T, h *Harness, delivery int64, then presence.WebhookOutcome) {
	t.Helper()
	err := hooks(h).RecordWebhookAttempt(t.Context(), delivery, presence.WebhookAttempt{At: noon, HTTPStatus: 200}, then)
	if err != nil {
		t.Fatal(err)
	}
}

// move is a change of somebody's status.
func move(user presence.UserID, version uint64, from, to presence.Status, cause presence.Cause) presence.Change {
	at := after(time.Duration(version) * time.Second)
	return presence.Change{
		Seq: version, User: user, From: from, To: to, Cause: cause, Session: 4711, Actor: 3, Node: "a", At: at, LastSeen: at, Version: version,
	}
}

func webhooksKept() []scenario {
	return []scenario{
		{"a webhook is kept as it was given, and changed as it is said", func(t *testing.T, h *Harness) {
			full := presence.Webhook{
				URL: "https://example.org/a?b=c", Description: "the bot", Events: []string{"user.offline", "session.*"},
				Causes: []presence.Cause{presence.CauseTimeout, presence.CauseForced}, Users: []presence.UserID{7, 81}, Batch: 25,
				Secret: "whsec_bmV3", OldSecret: "whsec_b2xk", OldSecretUntil: after(time.Hour), State: presence.WebhookPaused,
				StateSince: after(time.Second), CreatedAt: noon, UpdatedAt: after(time.Minute), CreatedBy: 5,
			}
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.WebhookTx).InsertWebhook(&full) })
			second := hook(t, h, nil, "*")
			h.Store = h.Reopen()
			same(t, "list", get[[]presence.Webhook](t)(hooks(h).Webhooks(t.Context())), []presence.Webhook{full, second})
			full.URL, full.Events, full.Causes, full.Users, full.Batch = "https://example.org/x", []string{"*"}, nil, nil, 1
			full.OldSecret, full.OldSecretUntil, full.Description = "", time.Time{}, ""
			do(t, h.Store, func(tx presence.Tx) error {
				if n, err := tx.(presence.WebhookTx).CountWebhooks(); n != 2 || err != nil {
					t.Errorf("%d webhooks, %v", n, err)
				}
				return tx.(presence.WebhookTx).UpdateWebhook(&full)
			})
			same(t, "changed", get[presence.Webhook](t)(hooks(h).Webhook(t.Context(), full.ID)), full)
		}},
		{"a webhook that is removed is gone with all that was its, and its id is not used again", func(t *testing.T, h *Harness) {
			user, w := person(t, h.Store, "ada"), hook(t, h, nil, "*")
			record(t, h.Store, move(user, 1, presence.Offline, presence.Online, presence.CauseLogin))
			_, d := next(t, h, w.ID, "a", noon)
			remove := func(tx presence.Tx) error { return tx.(presence.WebhookTx).RemoveWebhook(w.ID) }
			do(t, h.Store, remove)
			_, err := hooks(h).Webhook(t.Context(), w.ID)
			refused(t, "find", err, presence.NotFound, "")
			refused(t, "remove again", h.Store.Durable(t.Context(), remove), presence.NotFound, "")
			_, _, err = hooks(h).WebhookDelivery(t.Context(), w.ID, d.ID)
			refused(t, "its delivery", err, presence.NotFound, "")
			err = hooks(h).RecordWebhookAttempt(t.Context(), d.ID, presence.WebhookAttempt{At: noon}, presence.WebhookOutcome{})
			refused(t, "an attempt at it", err, presence.NotFound, "")
			if again := hook(t, h, nil, "*"); again.ID <= w.ID {
				t.Errorf("id %d after %d", again.ID, w.ID)
			}
		}},
	}
}

func webhooksTold() []scenario {
	return []scenario{
		{"a change of status is queued for those who want it, once however often it is recorded", func(t *testing.T, h *Harness) {
			ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
			all := hook(t, h, nil, "*")
			offline := hook(t, h, nil, "user.offline")
			silent := hook(t, h, func(w *presence.Webhook) { w.Causes = []presence.Cause{presence.CauseTimeout} }, "user.*")
			bobs := hook(t, h, func(w *presence.Webhook) { w.Users = []presence.UserID{bob} }, "user.*")
			sessions := hook(t, h, nil, "session.*")
			paused := hook(t, h, func(w *presence.Webhook) { w.State = presence.WebhookPaused }, "*")
			changes := []presence.Change{
				move(ada, 1, presence.Offline, presence.Online, presence.CauseLogin),
				move(bob, 1, presence.Offline, presence.Away, presence.CauseIdle),
				move(ada, 2, presence.Online, presence.Offline, presence.CauseTimeout),
				move(bob, 2, presence.Away, presence.Offline, presence.CauseLogout),
			}
			record(t, h.Store, changes[:3]...)
			record(t, h.Store, changes[1:]...)
			for _, c := range []struct {
				what string
				w    presence.Webhook
				want []string
			}{
				{"everything", all, []string{"user.online", "user.away", "user.offline", "user.offline"}},
				{"offline", offline, []string{"user.offline", "user.offline"}},
				{"by silence", silent, []string{"user.offline"}},
				{"of bob", bobs, []string{"user.away", "user.offline"}},
				{"of sessions", sessions, []string{}},
				{"paused", paused, []string{}},
			} {
				events := told(t, h, c.w.ID)
				same(t, c.what, types(events), c.want)
				if c.what != "everything" {
					continue
				}
				first := events[0]
				first.ID = 0
				same(t, "an event", first, presence.WebhookEvent{
					Type: "user.online", At: changes[0].At, User: ada, Username: "ada", From: "offline", To: "online", Cause: "login",
					Session: 4711, Actor: 3, Node: "a", Version: 1, LastSeen: changes[0].LastSeen,
				})
			}
		}},
		{"sessions and accounts are told of as they come, change and go", func(t *testing.T, h *Harness) {
			w := hook(t, h, nil, "*")
			ada := plain("ada")
			insert(t, h.Store, &ada)
			signIn(t, h.Store, presence.LoginSession{ID: 1001, User: ada.ID, CreatedAt: noon, ExpiresAt: after(time.Hour)})
			step := func(change func(a *presence.Account)) {
				change(&ada)
				do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&ada) })
			}
			do(t, h.Store, func(tx presence.Tx) error { return tx.EndSession(1001, presence.CauseForced, after(time.Minute)) })
			do(t, h.Store, func(tx presence.Tx) error { return tx.EndSession(1001, presence.CauseLogout, after(time.Hour)) })
			step(func(a *presence.Account) { a.Status = presence.AccountSuspended })
			step(func(a *presence.Account) { a.Status = presence.AccountActive })
			step(func(a *presence.Account) { a.Status, a.Active = presence.AccountBanned, false })
			step(func(a *presence.Account) { a.Status, a.Active = presence.AccountActive, true })
			step(func(a *presence.Account) { a.Role = presence.RoleModerator })
			step(func(a *presence.Account) { a.PasswordHash = "another" }) // nobody is told
			step(func(a *presence.Account) { a.DeletedAt = after(time.Hour) })
			step(func(a *presence.Account) { a.DeletedAt = time.Time{} })
			remove(t, h.Store, ada.ID)
			events := told(t, h, w.ID)
			same(t, "events", types(events), []string{
				"account.created", "session.started", "session.ended", "account.suspended", "account.activated", "account.banned",
				"account.activated", "account.updated", "account.deleted", "account.restored", "account.deleted",
			})
			for i, e := range events {
				if e.User != ada.ID || e.Username != "ada" || e.At.IsZero() {
					t.Errorf("event %d: %+v", i, e)
				}
			}
			ended := events[2]
			ended.ID = 0
			same(t, "the end of the session", ended, presence.WebhookEvent{
				Type: "session.ended", At: after(time.Minute), User: ada.ID, Username: "ada", Cause: "forced", Session: 1001,
			})
		}},
		{"an act that is undone is told of by nobody", func(t *testing.T, h *Harness) {
			w := hook(t, h, nil, "*")
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				a := plain("ada")
				if err := tx.InsertAccount(&a); err != nil {
					return err
				}
				return errOnPurpose
			})
			if err == nil {
				t.Error("the act was not undone")
			}
			same(t, "events", types(told(t, h, w.ID)), []string{})
		}},
		{"a gap is told to every active webhook, and to one that becomes active again", func(t *testing.T, h *Harness) {
			w := hook(t, h, nil, "session.ended")
			paused := hook(t, h, func(w *presence.Webhook) { w.State = presence.WebhookPaused }, "*")
			if err := hooks(h).TellWebhooksOfGap(t.Context(), noon, 12); err != nil {
				t.Fatal(err)
			}
			events := told(t, h, w.ID)
			if len(events) != 1 || events[0].Type != presence.WebhookGap || events[0].Missed != 12 || !events[0].At.Equal(noon) {
				t.Errorf("events %+v", events)
			}
			same(t, "while it pauses", types(told(t, h, paused.ID)), []string{})
			paused.State, paused.UpdatedAt = presence.WebhookActive, after(time.Minute)
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.WebhookTx).UpdateWebhook(&paused) })
			same(t, "when it is active", types(told(t, h, paused.ID)), []string{presence.WebhookGap})
		}},
	}
}

func webhooksSent() []scenario {
	return []scenario{
		{"events go in order, a batch at a time, and the same delivery comes until it is settled", func(t *testing.T, h *Harness) {
			ada := person(t, h.Store, "ada")
			w := hook(t, h, func(w *presence.Webhook) { w.Batch = 2 }, "user.*")
			record(t, h.Store, move(ada, 1, presence.Offline, presence.Online, presence.CauseLogin),
				move(ada, 2, presence.Online, presence.Away, presence.CauseIdle),
				move(ada, 3, presence.Away, presence.Offline, presence.CauseTimeout))
			q := get[map[int64]presence.WebhookQueue](t)(hooks(h).WebhookQueues(t.Context()))
			same(t, "the queue", q, map[int64]presence.WebhookQueue{w.ID: {Events: 3, Oldest: after(time.Second)}})
			body, d := next(t, h, w.ID, "a", noon)
			want := fmt.Sprintf("user.online %d offline>online login; user.away %d online>away idle; ", ada, ada)
			if body != want || d.Events != 2 {
				t.Errorf("%d events: %q, want %q", d.Events, body, want)
			}
			q = get[map[int64]presence.WebhookQueue](t)(hooks(h).WebhookQueues(t.Context()))
			same(t, "the queue while it is on its way", q, map[int64]presence.WebhookQueue{w.ID: {Events: 3, Oldest: after(time.Second)}})

			h.Store = h.Reopen()
			progress := presence.WebhookProgress{
				Failures: 1, FailingSince: noon, NextAt: after(time.Minute), LastFailureAt: noon, LastError: "answered 500",
			}
			attempt := presence.WebhookAttempt{At: noon, Duration: 40 * time.Millisecond, HTTPStatus: 500, Error: "answered 500", Response: "oops"}
			if err := hooks(h).RecordWebhookAttempt(t.Context(), d.ID, attempt, presence.WebhookOutcome{Progress: &progress}); err != nil {
				t.Fatal(err)
			}
			same(t, "progress", get[presence.Webhook](t)(hooks(h).Webhook(t.Context(), w.ID)).Progress, progress)
			if body, _ := next(t, h, w.ID, "a", after(59*time.Second)); body != "" {
				t.Errorf("before its time: %q", body)
			}
			again, same2 := next(t, h, w.ID, "a", after(time.Minute))
			if again != body || same2.ID != d.ID || same2.MessageID != d.MessageID || same2.Attempts != 1 {
				t.Errorf("the second try is %+v %q, not %+v", same2, again, d)
			}
			second := presence.WebhookAttempt{At: after(time.Minute), HTTPStatus: 204, Manual: true}
			progress = presence.WebhookProgress{LastSuccessAt: after(time.Minute)}
			then := presence.WebhookOutcome{State: presence.WebhookSucceeded, Progress: &progress}
			if err := hooks(h).RecordWebhookAttempt(t.Context(), d.ID, second, then); err != nil {
				t.Fatal(err)
			}
			found, attempts, err := hooks(h).WebhookDelivery(t.Context(), w.ID, d.ID)
			if err != nil || string(found.Body) != body || found.State != presence.WebhookSucceeded || found.Attempts != 2 || found.HTTPStatus != 204 {
				t.Errorf("%+v, %v", found, err)
			}
			same(t, "attempts", attempts, []presence.WebhookAttempt{attempt, second})
			settle(t, h, d.ID, presence.WebhookOutcome{State: presence.WebhookFailed}) // too late: it has arrived
			if found, _, _ := hooks(h).WebhookDelivery(t.Context(), w.ID, d.ID); found.State != presence.WebhookSucceeded {
				t.Errorf("what has arrived is %v", found.State)
			}
			if body, _ := next(t, h, w.ID, "a", after(time.Minute)); body != fmt.Sprintf("user.offline %d away>offline timeout; ", ada) {
				t.Errorf("then %q", body)
			}
			list := get[[]presence.WebhookDelivery](t)(hooks(h).WebhookDeliveries(t.Context(), presence.WebhookDeliveryFilter{Webhook: w.ID}, 0, 1))
			if len(list) != 1 || list[0].State != presence.WebhookPending || len(list[0].Body) != 0 {
				t.Errorf("the newest: %+v", list)
			}
			f := presence.WebhookDeliveryFilter{Webhook: w.ID, OnlyState: true, State: presence.WebhookSucceeded}
			list = get[[]presence.WebhookDelivery](t)(hooks(h).WebhookDeliveries(t.Context(), f, 0, 0))
			if len(list) != 1 || list[0].ID != d.ID {
				t.Errorf("those that arrived: %+v", list)
			}
			list = get[[]presence.WebhookDelivery](t)(hooks(h).WebhookDeliveries(t.Context(), presence.WebhookDeliveryFilter{Webhook: w.ID}, d.ID, 0))
			if len(list) != 0 {
				t.Errorf("before the first: %+v", list)
			}
		}},
		{"one node at a time sends, until it is done or its lease is over", func(t *testing.T, h *Harness) {
			ada := person(t, h.Store, "ada")
			w := hook(t, h, nil, "user.*")
			due := func(holder string, now time.Time) int {
				return len(get[[]int64](t)(hooks(h).DueWebhooks(t.Context(), holder, now)))
			}
			if n := due("a", noon); n != 0 {
				t.Errorf("%d due with nothing to tell", n)
			}
			if body, _ := next(t, h, w.ID, "a", noon); body != "" {
				t.Errorf("nothing happened and %q", body)
			}
			record(t, h.Store, move(ada, 1, presence.Offline, presence.Online, presence.CauseLogin))
			_, d := next(t, h, w.ID, "a", noon)
			if body, _ := next(t, h, w.ID, "b", after(59*time.Second)); body != "" || due("b", noon) != 0 || due("a", noon) != 1 {
				t.Errorf("a second node sends, too: %q, %d due for it, %d for the first", body, due("b", noon), due("a", noon))
			}
			if _, other := next(t, h, w.ID, "b", after(time.Minute)); other.ID != d.ID {
				t.Errorf("after the lease: %+v", other)
			}
			if err := hooks(h).ReleaseWebhook(t.Context(), w.ID, "a"); err != nil { // not its own any more
				t.Fatal(err)
			}
			if n := due("a", after(time.Minute)); n != 0 {
				t.Errorf("%d due for who has lost the lease", n)
			}
			if err := hooks(h).ReleaseWebhook(t.Context(), w.ID, "b"); err != nil {
				t.Fatal(err)
			}
			settle(t, h, d.ID, presence.WebhookOutcome{State: presence.WebhookFailed, Disable: presence.WebhookGone})
			found := get[presence.Webhook](t)(hooks(h).Webhook(t.Context(), w.ID))
			if found.State != presence.WebhookGone || !found.StateSince.Equal(noon) {
				t.Errorf("%v since %v", found.State, found.StateSince)
			}
			record(t, h.Store, move(ada, 2, presence.Online, presence.Offline, presence.CauseTimeout))
			if n := due("a", after(time.Hour)); n != 0 {
				t.Errorf("%d due that are gone", n)
			}
		}},
		{"however many nodes send, each event is packed once and in order", func(t *testing.T, h *Harness) {
			ada := person(t, h.Store, "ada")
			w := hook(t, h, func(w *presence.Webhook) { w.Batch = 7 }, "user.*")
			const n = 200
			var mu sync.Mutex
			var versions []uint64
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var nodes sync.WaitGroup
			for _, holder := range []string{"a", "b", "c"} {
				nodes.Go(func() {
					for ctx.Err() == nil {
						var packed []uint64
						_, d, err := hooks(h).NextWebhookDelivery(ctx, leaseOf(w.ID, holder, noon),
							func(w *presence.Webhook, events []presence.WebhookEvent) (presence.WebhookDelivery, error) {
								packed = nil
								for _, e := range events {
									packed = append(packed, e.Version)
								}
								return pack(w, events)
							})
						if err != nil || d == nil {
							continue
						}
						mu.Lock()
						versions = append(versions, packed...)
						done := len(versions) >= n
						mu.Unlock()
						settle(t, h, d.ID, presence.WebhookOutcome{State: presence.WebhookSucceeded})
						_ = hooks(h).ReleaseWebhook(ctx, w.ID, holder)
						if done {
							cancel()
						}
					}
				})
			}
			for i := range n {
				from, to := presence.Offline, presence.Online
				if i%2 == 1 {
					from, to = to, from
				}
				record(t, h.Store, move(ada, uint64(i+1), from, to, presence.CauseHeartbeat))
			}
			nodes.Wait()
			if len(versions) != n || !slices.IsSorted(versions) {
				t.Errorf("%d events, in order %v: %v", len(versions), slices.IsSorted(versions), versions)
			}
		}},
	}
}

func webhooksEnd() []scenario {
	return []scenario{
		{"what is out of its time is deleted, and what is too much for a queue becomes a gap", func(t *testing.T, h *Harness) {
			ada := person(t, h.Store, "ada")
			w := hook(t, h, func(w *presence.Webhook) { w.Batch = 1 }, "user.*")
			for i := range uint64(6) {
				record(t, h.Store, move(ada, i+1, presence.Status(2*(i%2)), presence.Status(2-2*(i%2)), presence.CauseHeartbeat))
				if i < 4 {
					_, d := next(t, h, w.ID, "a", noon)
					settle(t, h, d.ID, presence.WebhookOutcome{State: presence.WebhookSucceeded})
				}
			}
			_, pending := next(t, h, w.ID, "a", noon)
			// Four have arrived, one is pending, one waits; all were made at noon and a minute.
			deliveries, events, err := hooks(h).PurgeWebhooks(t.Context(), noon, after(time.Minute), 3, 10)
			if deliveries != 2 || events != 0 || err != nil {
				t.Errorf("to keep 3: %d and %d gone, %v", deliveries, events, err)
			}
			deliveries, events, err = hooks(h).PurgeWebhooks(t.Context(), noon, after(time.Minute+time.Microsecond), 100, 10)
			if deliveries != 2 || events != 0 || err != nil {
				t.Errorf("by age: %d and %d gone, %v", deliveries, events, err)
			}
			settle(t, h, pending.ID, presence.WebhookOutcome{State: presence.WebhookFailed, Lost: true})
			for i := range uint64(5) {
				record(t, h.Store, move(ada, 11+i, presence.Status(2*(i%2)), presence.Status(2-2*(i%2)), presence.CauseHeartbeat))
			}
			// One, a gap of one, and five: seven wait.
			for _, want := range []int{4, 0} {
				if _, events, err = hooks(h).PurgeWebhooks(t.Context(), after(time.Hour), noon, 100, 4); events != want || err != nil {
					t.Errorf("%d events dropped, want %d; %v", events, want, err)
				}
			}
			if err := hooks(h).ReleaseWebhook(t.Context(), w.ID, "a"); err != nil {
				t.Fatal(err)
			}
			left := told(t, h, w.ID)
			same(t, "what is left", types(left), []string{"user.online", "user.offline", "user.online", "gap"})
			if len(left) != 4 || left[3].Missed != 4 {
				t.Errorf("the gap is %+v", left)
			}
		}},
		{"a test is found among the deliveries and not sent by itself", func(t *testing.T, h *Harness) {
			w := hook(t, h, nil, "*")
			d := presence.WebhookDelivery{Webhook: w.ID, MessageID: "msg_test", Kind: presence.WebhookTest, Events: 1, CreatedAt: noon, Body: []byte("{}")}
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.WebhookTx).InsertWebhookDelivery(&d) })
			if body, _ := next(t, h, w.ID, "a", noon); body != "" {
				t.Errorf("it is sent: %q", body)
			}
			found, attempts, err := hooks(h).WebhookDelivery(t.Context(), w.ID, d.ID)
			if err != nil || len(attempts) != 0 {
				t.Errorf("%v, %v", attempts, err)
			}
			same(t, "the test", found, d)
		}},
	}
}
