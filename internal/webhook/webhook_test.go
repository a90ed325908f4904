package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/metrics"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/wire"
)

// patience is for a loaded test machine.
const patience = time.Minute

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// house is a service on a real store, with one person in it.
type house struct {
	*Service
	t     *testing.T
	store *sqlite.Store
	user  presence.UserID
	moved uint64
	log   *logbook
	// stopNow stops the sender and waits for its end.
	stopNow func()
}

// logbook keeps what was logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newHouse makes one. Nothing is sent until it is started.
func newHouse(t *testing.T, change func(*Config)) *house {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "presence.db"), sqlite.Options{Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: store, log: &logbook{}}
	c := Config{
		Store: store, AllowNetworks: loopback, Node: "a", Version: "test", Metrics: metrics.Discard().Webhooks,
		Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	h.Service = New(c)
	t.Cleanup(func() { _ = store.Close() })
	err = store.Durable(context.Background(), func(tx presence.Tx) error {
		a := presence.Account{Username: "ann", Email: "ann@example.org", Active: true, CreatedAt: h.Now(), UpdatedAt: h.Now()}
		defer func() { h.user = a.ID }()
		return tx.InsertAccount(&a)
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start sends until the test ends, or stop is called.
func (h *house) start() (stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			h.t.Errorf("the sender ended with %v", err)
		}
	})
	h.t.Cleanup(stop)
	h.stopNow = stop
	return stop
}

// hook makes a webhook as an admin would.
func (h *house) hook(url string, change func(*wire.NewWebhook)) wire.WebhookWithSecret {
	h.t.Helper()
	n := wire.NewWebhook{URL: url, Events: []string{"*"}}
	if change != nil {
		change(&n)
	}
	made, err := h.Create(h.t.Context(), Actor{}, n)
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

// move records a change of the person's status and tells the sender.
func (h *house) move(times int) {
	h.t.Helper()
	changes := make([]presence.Change, times)
	for i := range changes {
		h.moved++
		changes[i] = presence.Change{
			User: h.user, From: presence.Offline, To: presence.Online, Cause: presence.CauseHeartbeat, Session: 4711, Node: "a",
			At: h.Now().Add(time.Duration(i) * time.Microsecond), LastSeen: h.Now(), Version: h.moved, Seq: h.moved,
		}
		if h.moved%2 == 0 {
			changes[i].From, changes[i].To, changes[i].Cause = presence.Online, presence.Offline, presence.CauseTimeout
		}
	}
	if err := h.store.RecordChanges(h.t.Context(), changes); err != nil {
		h.t.Fatal(err)
	}
	h.Recorded()
}

func (h *house) get(id string) wire.Webhook {
	h.t.Helper()
	hook, err := h.Get(h.t.Context(), number(id))
	if err != nil {
		h.t.Fatal(err)
	}
	return hook
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// receiver takes deliveries and keeps them.
type receiver struct {
	*httptest.Server
	got chan delivery
	// answer decides what is said to the n-th request, from 0; nil: 204.
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu    sync.Mutex
	count int
}

// delivery is what arrived.
type delivery struct {
	header http.Header
	body   []byte
	wire.WebhookMessage
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{got: make(chan delivery, 10_000), answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	d := delivery{header: req.Header, body: body}
	if err != nil || json.Unmarshal(body, &d.WebhookMessage) != nil || req.Method != http.MethodPost {
		http.Error(w, "this is no delivery", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	n := r.count
	r.count++
	r.mu.Unlock()
	r.got <- d
	if r.answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	r.answer(n, w, req)
}

// next waits for a delivery.
func (r *receiver) next(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
		return delivery{}
	}
}

func types(events []wire.WebhookEvent) (list []string) {
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

func verified(t *testing.T, secret string, d delivery) error {
	t.Helper()
	v, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(d.body, d.header)
}

func TestADeliveryIsSignedAsTheStandardHasIt(t *testing.T) {
	r, h := newReceiver(t, nil), newHouse(t, nil)
	made := h.hook(r.URL+"/presence?key=1", nil)
	h.start()
	h.move(1)
	d := r.next(t)
	if err := verified(t, made.Secret, d); err != nil {
		t.Errorf("the standard's own library: %v", err)
	}
	d.body = slices.Concat(d.body, []byte(" "))
	if verified(t, made.Secret, d) == nil {
		t.Error("another body is good, too")
	}
	if got := d.header.Get("Content-Type"); got != "application/json" || !strings.HasPrefix(d.header.Get("User-Agent"), "OffChat-Presence/") {
		t.Errorf("headers %v", d.header)
	}
	e := d.Data.Events[0]
	if d.Type != "events" || d.Data.Webhook != made.ID || e.Type != "user.online" || e.User != strconv.Itoa(int(h.user)) ||
		e.Username != "ann" || e.From != "offline" || e.To != "online" || e.Cause != "heartbeat" || e.Version != 1 || e.LastSeen == nil {
		t.Errorf("the message: %+v", d.WebhookMessage)
	}
}

func TestTwoSecretsSignWhileOneFollowsTheOther(t *testing.T) {
	r, h := newReceiver(t, nil), newHouse(t, nil)
	made := h.hook(r.URL, nil)
	rotated, err := h.Rotate(t.Context(), Actor{}, number(made.ID), wire.WebhookRotation{KeepOld: 3600})
	if err != nil || rotated.OldSecretUntil == nil || rotated.Secret == made.Secret {
		t.Fatalf("%+v, %v", rotated, err)
	}
	h.start()
	h.move(1)
	d := r.next(t)
	for name, secret := range map[string]string{"old": made.Secret, "new": rotated.Secret} {
		if err := verified(t, secret, d); err != nil {
			t.Errorf("the %s secret: %v", name, err)
		}
	}
	last, err := h.Rotate(t.Context(), Actor{}, number(made.ID), wire.WebhookRotation{})
	if err != nil || last.OldSecretUntil != nil {
		t.Fatalf("%+v, %v", last, err)
	}
	h.move(1)
	d = r.next(t)
	if verified(t, rotated.Secret, d) == nil || verified(t, last.Secret, d) != nil {
		t.Error("the old secret signs though it was to stop at once")
	}
}

func TestWhatFailsIsSentAgainUnchangedAndInOrder(t *testing.T) {
	fails := func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 2 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, strings.Repeat("out of order\x00", 1000))
		}
	}
	r := newReceiver(t, fails)
	clock := &steps{at: time.Now()}
	h := newHouse(t, func(c *Config) { c.Now = clock.now })
	made := h.hook(r.URL, func(n *wire.NewWebhook) { n.BatchSize = 1 })
	h.move(3)
	h.start()
	first := r.next(t)
	for range 2 {
		waitFor(t, func() bool { w := h.get(made.ID); return w.NextAttemptAt != nil && w.NextAttemptAt.After(clock.now()) })
		clock.step(time.Hour)
		h.Recorded()
		again := r.next(t)
		if again.header.Get("Webhook-Id") != first.header.Get("Webhook-Id") || string(again.body) != string(first.body) {
			t.Errorf("another message: %s %s", again.header, again.body)
		}
		if err := ignoringTime(t, made.Secret, again); err != nil {
			t.Error(err)
		}
	}
	versions := []uint64{first.Data.Events[0].Version, r.next(t).Data.Events[0].Version, r.next(t).Data.Events[0].Version}
	if !slices.Equal(versions, []uint64{1, 2, 3}) {
		t.Errorf("order %v", versions)
	}
	waitFor(t, func() bool { return h.get(made.ID).Queued == 0 })
	page, err := h.Deliveries(t.Context(), number(made.ID), "", 0, 2)
	if err != nil || len(page.Items) != 2 || page.NextCursor == nil {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = h.Deliveries(t.Context(), number(made.ID), "succeeded", number(*page.NextCursor), 2)
	if err != nil || len(page.Items) != 1 || page.NextCursor != nil || page.Items[0].Attempts != 3 {
		t.Fatalf("%+v, %v", page, err)
	}
	detail, err := h.Delivery(t.Context(), number(made.ID), number(page.Items[0].ID))
	if err != nil || len(detail.Log) != 3 || detail.Body != string(first.body) {
		t.Fatalf("%+v, %v", detail, err)
	}
	if one := detail.Log[0]; one.HTTPStatus != 500 || one.Error != "the receiver answered 500" || len(one.Response) > maxExcerpt ||
		!strings.HasPrefix(one.Response, "out of order\ufffdout") {
		t.Errorf("the first attempt: %+v", one)
	}
}

func ignoringTime(t *testing.T, secret string, d delivery) error {
	t.Helper()
	v, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v.VerifyIgnoringTimestamp(d.body, d.header)
}

// steps is a clock that goes when it is told to.
type steps struct {
	mu sync.Mutex
	at time.Time
}

func (s *steps) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *steps) step(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !what(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about")
		}
	}
}

func TestADeadReceiverDelaysNobodyElse(t *testing.T) {
	hang := make(chan struct{})
	release := sync.OnceFunc(func() { close(hang) })
	dead := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(release)
	well, h := newReceiver(t, nil), newHouse(t, nil)
	h.hook(dead.URL, nil)
	h.hook(well.URL, func(n *wire.NewWebhook) { n.BatchSize = 1 })
	h.start()
	h.move(1)
	dead.next(t)
	well.next(t)
	for range 20 { // while the other one has not answered yet
		h.move(1)
		well.next(t)
	}
	if len(dead.got) != 0 {
		t.Errorf("%d more were sent to a receiver that has not answered the first", len(dead.got))
	}
	release()
	if d := dead.next(t); len(d.Data.Events) != 20 {
		t.Errorf("then %d at once, want 20", len(d.Data.Events))
	}
}

func TestAReceiverThatIsGoneIsToldNothingMore(t *testing.T) {
	r := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	h := newHouse(t, nil)
	made := h.hook(r.URL, nil)
	h.start()
	h.move(1)
	r.next(t)
	waitFor(t, func() bool { return h.get(made.ID).State == "gone" })
	if !strings.Contains(h.log.String(), "taken out of service") {
		t.Errorf("log: %s", h.log)
	}
	h.move(1)
	if w := h.get(made.ID); w.Queued != 0 {
		t.Errorf("%d events are kept for it", w.Queued)
	}
	active := "active"
	if _, err := h.Update(t.Context(), Actor{}, number(made.ID), wire.WebhookPatch{State: &active}); err != nil {
		t.Fatal(err)
	}
	if d := r.next(t); !slices.Equal(types(d.Data.Events), []string{"gap"}) {
		t.Errorf("when it is back it is told %v", types(d.Data.Events))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	inner := newReceiver(t, nil)
	r := newReceiver(t, func(_ int, w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, inner.URL, http.StatusTemporaryRedirect)
	})
	h := newHouse(t, nil)
	made := h.hook(r.URL, nil)
	d, err := h.Test(t.Context(), Actor{}, number(made.ID))
	if err != nil || d.State != "failed" || d.HTTPStatus != 307 || !strings.Contains(d.Error, "redirects are not followed") {
		t.Errorf("%+v, %v", d, err)
	}
	if len(inner.got) != 0 {
		t.Error("it was followed")
	}
}

func TestATestAndARetryTellWhatCameOfThem(t *testing.T) {
	bad := true
	r := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 2 && bad {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	h := newHouse(t, nil)
	made := h.hook(r.URL, nil)
	d, err := h.Test(t.Context(), Actor{}, number(made.ID))
	if err != nil || d.Kind != "test" || d.State != "failed" || d.HTTPStatus != 418 || len(d.Log) != 1 || !d.Log[0].Manual {
		t.Fatalf("%+v, %v", d, err)
	}
	got := r.next(t)
	if got.Type != "test" || len(got.Data.Events) != 1 || verified(t, made.Secret, got) != nil {
		t.Errorf("the test: %+v", got.WebhookMessage)
	}
	h.start()
	h.move(1)
	r.next(t)
	waitFor(t, func() bool { return h.get(made.ID).Failures == 1 })
	page, err := h.Deliveries(t.Context(), number(made.ID), "pending", 0, 10)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	d, err = h.Retry(t.Context(), Actor{}, number(made.ID), number(page.Items[0].ID))
	if err != nil || d.State != "succeeded" || d.Attempts != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if w := h.get(made.ID); w.Failures != 0 || w.FailingSince != nil || w.NextAttemptAt != nil || w.Queued != 0 {
		t.Errorf("after it: %+v", w)
	}
	r.next(t)
	h.move(1) // and what comes goes at once
	r.next(t)
	entries, _, err := h.store.Audit(t.Context(), 0, 0)
	if err != nil || len(entries) != 3 || entries[2].Action != "create_webhook" || strings.Contains(entries[2].After, made.Secret) {
		t.Errorf("audit: %+v, %v", entries, err)
	}
}

func TestWhatIsPendingIsSentAfterARestart(t *testing.T) {
	r := newReceiver(t, nil)
	h := newHouse(t, nil)
	h.hook(r.URL, func(n *wire.NewWebhook) { n.BatchSize = 2 })
	h.move(5)
	// Packed by a process that died with it in its hands.
	_, d, err := h.store.NextWebhookDelivery(t.Context(), presence.WebhookLease{Webhook: 1, Holder: "dead", Now: h.Now().Add(-leaseLength), Length: leaseLength}, h.pack)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	h.start()
	var versions []uint64
	for len(versions) < 5 {
		got := r.next(t)
		if len(versions) == 0 && got.header.Get("Webhook-Id") != d.MessageID {
			t.Errorf("the first is %s, not what was pending, %s", got.header.Get("Webhook-Id"), d.MessageID)
		}
		for _, e := range got.Data.Events {
			versions = append(versions, e.Version)
		}
	}
	if !slices.Equal(versions, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("order %v", versions)
	}
}

func TestOnlyAdminsActAndOnlyWithinBounds(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.AllowNetworks = nil })
	_, err := h.Create(t.Context(), Actor{User: h.user}, wire.NewWebhook{URL: "https://example.org"})
	if presence.KindOf(err) != presence.Forbidden {
		t.Errorf("somebody who is no admin: %v", err)
	}
	good := wire.NewWebhook{URL: "https://example.org/hook"}
	for _, c := range []struct {
		field  string
		change func(n *wire.NewWebhook)
	}{
		{"url", func(n *wire.NewWebhook) { n.URL = "" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "example.org" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "ftp://example.org" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "http://example.org" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https:example.org" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://me:secret@example.org" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://example.org:0/" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://example.org:99999/" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://example.org/#x" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://127.0.0.1/" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://[::ffff:169.254.169.254]/" }},
		{"url", func(n *wire.NewWebhook) { n.URL = "https://example.org/" + strings.Repeat("x", 2048) }},
		{"events", func(n *wire.NewWebhook) { n.Events = []string{"user.busy"} }},
		{"events", func(n *wire.NewWebhook) { n.Events = []string{"gap"} }},
		{"causes", func(n *wire.NewWebhook) { n.Causes = []string{""} }},
		{"users", func(n *wire.NewWebhook) { n.Users = []string{"7", "-1"} }},
		{"users", func(n *wire.NewWebhook) { n.Users = []string{"07"} }},
		{"users", func(n *wire.NewWebhook) { n.Users = make([]string, 1001) }},
		{"batch_size", func(n *wire.NewWebhook) { n.BatchSize = 1001 }},
		{"batch_size", func(n *wire.NewWebhook) { n.BatchSize = -1 }},
		{"description", func(n *wire.NewWebhook) { n.Description = strings.Repeat("é", 201) }},
		{"description", func(n *wire.NewWebhook) { n.Description = "a\x00b" }},
	} {
		n := good
		c.change(&n)
		_, err := h.Create(t.Context(), Actor{}, n)
		if known := (*presence.Error)(nil); !errors.As(err, &known) || known.Kind != presence.Invalid || known.Field != c.field {
			t.Errorf("%+v: %v, want one about %s", n, err, c.field)
		}
	}
	for range wire.MaxWebhooks {
		if _, err := h.Create(t.Context(), Actor{}, good); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Create(t.Context(), Actor{}, good); presence.KindOf(err) != presence.Conflict {
		t.Errorf("one too many: %v", err)
	}
}

func TestEveryTypeOfEventHasAnExample(t *testing.T) {
	for _, one := range EventTypes().Items {
		if one.Text == "" || one.Example.Type != one.Name || one.Example.ID == "" || one.Example.At.IsZero() {
			t.Errorf("%+v", one)
		}
	}
}
