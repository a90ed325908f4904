package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/offchat/presence/wire"
)

// server answers without a socket, so that it works in virtual time too.
type server func(r *http.Request, body []byte) (status int, text string)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	status, text := s(r, body)
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func newClient(t *testing.T, s http.RoundTripper, options ...Option) *Client {
	t.Helper()
	c, err := New("https://presence.example.org", append([]Option{WithAPIKey("opt_key"), WithHTTPClient(&http.Client{Transport: s})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQueryAsksForAThousandAtATime(t *testing.T) {
	var sizes []int
	c := newClient(t, server(func(r *http.Request, body []byte) (int, string) {
		var q wire.PresenceQuery
		if json.Unmarshal(body, &q) != nil || r.URL.Path != "/api/v1/presence/query" || r.Header.Get("Authorization") != "Bearer opt_key" {
			return 400, ""
		}
		sizes = append(sizes, len(q.IDs))
		list := wire.PresenceList{}
		for _, id := range q.IDs {
			list.Items = append(list.Items, wire.Presence{ID: id, Status: "away"})
		}
		text, _ := json.Marshal(list)
		return 200, string(text)
	}))
	defer c.Close()
	ids := make([]string, 2001)
	for i := range ids {
		ids[i] = strconv.Itoa(i + 1)
	}
	found, err := c.Query(t.Context(), ids...)
	if err != nil || len(found) != 2001 || found["2001"].Status != Away || !slices.Equal(sizes, []int{1000, 1000, 1}) {
		t.Errorf("%d found in %v, %v", len(found), sizes, err)
	}
}

func TestARefusalSaysWhatItIs(t *testing.T) {
	c := newClient(t, server(func(*http.Request, []byte) (int, string) {
		return 403, `{"status":403,"code":"api_token_scope","detail":"This API token lacks the scope for it: logout."}`
	}))
	defer c.Close()
	known := (*Error)(nil)
	if err := c.ForceLogout(t.Context(), "7"); !errors.As(err, &known) || known.Status != 403 || known.Code != "api_token_scope" {
		t.Errorf("%v", err)
	}
}

// touched keeps what POST /touch was told, or is away.
type touched struct {
	mu      sync.Mutex
	away    bool
	batches [][]string
}

func (s *touched) take(_ *http.Request, body []byte) (int, string) {
	var b wire.Touch
	_ = json.Unmarshal(body, &b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return 0, ""
	}
	s.batches = append(s.batches, b.IDs)
	return 200, `{}`
}

func (s *touched) taken() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.batches)
}

func TestTouchesGoTogetherAndOnceInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &touched{}
		c := newClient(t, server(s.take))
		for range 50 {
			c.Touch("7", "8")
			time.Sleep(100 * time.Millisecond) // 5 s in all
		}
		synctest.Wait()
		if got := s.taken(); len(got) != 1 || !slices.Equal(got[0], []string{"7", "8"}) {
			t.Errorf("within five seconds: %v", got)
		}
		time.Sleep(time.Second)
		c.Touch("7")
		c.Touch("9")
		if err := c.Close(); err != nil { // what waits goes
			t.Fatal(err)
		}
		if got := s.taken(); len(got) != 2 || !slices.Equal(got[1], []string{"7", "9"}) {
			t.Errorf("after the end: %v", got)
		}
	})
}

func TestAServerThatIsAwayCostsTheAppNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &touched{away: true}
		var failures int
		c := newClient(t, server(s.take), WithErrorHandler(func(error) { failures++ }))
		app := c.Middleware(func(r *http.Request) string { return r.Header.Get("X-User") })(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		begun := time.Now()
		for i := range maxTouches + 10 {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.Header.Set("X-User", strconv.Itoa(i+1))
			if app.ServeHTTP(w, r); w.Code != http.StatusTeapot {
				t.Fatalf("the app answered %d", w.Code)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the app waited %v", took)
		}
		if n := c.Dropped(); n != 10 {
			t.Errorf("%d dropped, want 10", n)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if failures < 10 || failures > 60 {
			t.Errorf("%d tries in ten minutes", failures)
		}
		s.mu.Lock()
		s.away = false
		s.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		n := 0
		for _, b := range s.taken() {
			n += len(b)
		}
		if n != maxTouches {
			t.Errorf("%d were told when it was back, want %d", n, maxTouches)
		}
		_ = c.Close()
	})
}

// feed answers each connection with the next of some texts, and keeps what was asked.
type feed struct {
	mu    sync.Mutex
	texts []string
	asked []string
}

func (f *feed) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.URL.Query().Encode())
	if len(f.texts) == 0 {
		return nil, errors.New("connection refused")
	}
	text := f.texts[0]
	f.texts = f.texts[1:]
	status := http.StatusOK
	if text == "forbidden" {
		status, text = http.StatusForbidden, `{"code":"api_token_scope","detail":"no"}`
	}
	var body io.Reader = strings.NewReader(text)
	if rest, hangs := strings.CutSuffix(text, "HANG"); hangs {
		body = io.MultiReader(strings.NewReader(rest), hang{r.Context()})
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

// hang is a connection over which nothing comes any more.
type hang struct{ ctx context.Context }

func (h hang) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func told(events []Event) (list []string) {
	for _, e := range events {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s @%s", e.Kind, e.User, e.Status, e.Cursor)))
	}
	return list
}

func TestEventsGoOnWhereTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{texts: []string{
			"retry: 3000\n\ndata: {\"t\":\"hello\"}\n\n" +
				"data: {\"t\":\"snap\",\"full\":true,\"users\":[{\"id\":\"7\",\"s\":\"away\",\"ls\":1764000000123}],\"more\":true}\n\n" +
				"id: e-1\ndata: {\"t\":\"snap\",\"users\":[{\"id\":\"8\",\"s\":\"offline\"}]}\n\n: still here\n\n" +
				"id: e-3\ndata: {\"t\":\"delta\",\"users\":[{\"id\":\"7\",\"s\":\"online\"},{\"id\":\"8\",\"s\":\"online\"}]}\n\n",
			"data: {\"t\":\"hello\",\"resumed\":true}\n\nid: e-4\ndata: {\"t\":\"delta\",\"users\":[{\"id\":\"7\",\"s\":\"offline\"}]}\n\nHANG",
			"data: {\"t\":\"hello\"}\n\ndata: {\"t\":\"gap\"}\n\nid: f-9\ndata: {\"t\":\"snap\",\"full\":true,\"users\":[]}\n\n" +
				"data: {\"t\":\"bye\",\"code\":1012,\"reason\":\"restart\",\"retry_ms\":[100,200]}\n\n",
			"data: {\"t\":\"bye\",\"code\":4001,\"reason\":\"session_over\"}\n\n",
		}}
		c := newClient(t, f)
		defer c.Close()
		var events []Event
		var last error
		for e, err := range c.Events(t.Context(), Since("old-1")) {
			if err != nil {
				last = err
				continue
			}
			events = append(events, e)
		}
		want := []string{
			"reset   @", "present 7 away @", "present 8 offline @", "synced   @e-1", "change 7 online @e-1", "change 8 online @e-3",
			"change 7 offline @e-4", "reset   @", "synced   @f-9",
		}
		if got := told(events); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if !events[1].LastSeen.Equal(time.UnixMilli(1764000000123)) {
			t.Errorf("last seen %v", events[1].LastSeen)
		}
		if known := (*Error)(nil); !errors.As(last, &known) || known.Code != "session_over" {
			t.Errorf("the end: %v", last)
		}
		asked := []string{"scope=all&since=old-1", "scope=all&since=e-3", "scope=all&since=e-4", "scope=all&since=f-9"}
		if !slices.Equal(f.asked, asked) {
			t.Errorf("asked %q, want %q", f.asked, asked)
		}
	})
}

func TestEventsEndWithTheirContextAndWithARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, &feed{})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for e, err := range c.Events(ctx) {
			t.Errorf("%+v, %v from a server that is away", e, err)
		}
		if ctx.Err() == nil {
			t.Error("it ended by itself")
		}
		n := len(c.http.Transport.(*feed).asked)
		if n < 200 || n > 500 {
			t.Errorf("%d tries in an hour", n)
		}
		c.http.Transport.(*feed).texts = []string{"forbidden"}
		for _, err := range c.Events(t.Context(), Only("7", "8")) {
			if known := (*Error)(nil); !errors.As(err, &known) || known.Status != 403 {
				t.Errorf("%v", err)
			}
		}
		if asked := c.http.Transport.(*feed).asked; asked[len(asked)-1] != "scope=users&users=7%2C8" {
			t.Errorf("asked %q", asked[len(asked)-1])
		}
	})
}

func TestAWebhookIsVerifiedAsTheStandardSignsIt(t *testing.T) {
	secret := wire.FormatWebhookSecret([]byte("0123456789abcdef0123456789abcdef"))
	other := wire.FormatWebhookSecret([]byte("another-secret-another-secret-00"))
	signer, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"type":"events","timestamp":"2026-11-23T10:31:22Z","data":{"webhook":"1","events":[{"id":"e","type":"user.online","at":"2026-11-23T10:31:22Z"}]}}`)
	header := func(at time.Time, body []byte) http.Header {
		signature, err := signer.Sign("msg_1", at, body)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("webhook-id", "msg_1")
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", "v1,bm90aGluZw== "+signature)
		return h
	}
	c := newClient(t, nil, WithWebhookSecret(other, secret))
	defer c.Close()
	now := time.Now()
	m, err := c.VerifyWebhook(body, header(now, body))
	if err != nil || len(m.Data.Events) != 1 || m.Data.Events[0].Type != "user.online" {
		t.Errorf("%+v, %v", m, err)
	}
	for name, h := range map[string]http.Header{
		"another body": header(now, append(body, ' ')), "an old one": header(now.Add(-6*time.Minute), body),
		"one from the future": header(now.Add(6*time.Minute), body), "none": {},
	} {
		if _, err := c.VerifyWebhook(body, h); !errors.Is(err, ErrWebhook) {
			t.Errorf("%s: %v", name, err)
		}
	}
	without := newClient(t, nil)
	defer without.Close()
	if _, err := without.VerifyWebhook(body, header(now, body)); !errors.Is(err, ErrWebhook) {
		t.Errorf("without a secret: %v", err)
	}
	if _, err := New("https://presence.example.org", WithWebhookSecret("secret")); err == nil || strings.Contains(err.Error(), `"secret"`) {
		t.Errorf("a secret that is none: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "presence.example.org", "ftp://x", "https://"} {
		if _, err := New(address); err == nil {
			t.Errorf("%q is an address", address)
		}
	}
}
