package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/memory"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/tracker"
	"github.com/offchat/presence/internal/webhook"
	"github.com/offchat/presence/wire"
)

const testPassword = "Alice-pass-1"

// testHash is testPassword as Django's argon2 hasher keeps it, at next to no cost.
var testHash = func() string {
	salt := []byte("saltsaltsaltsalt")
	sum := argon2.IDKey([]byte(testPassword), salt, 1, 64, 1, 32)
	enc := base64.RawStdEncoding.EncodeToString
	return "argon2$argon2id$v=19$m=64,t=1,p=1$" + enc(salt) + "$" + enc(sum)
}()

var testSettings = wire.Settings{
	HeartbeatInterval: 30, IdleAfter: 300, OfflineAfter: 120, RefreshInterval: 10,
	Server: []wire.Setting{{Key: "listen", Value: "127.0.0.1:8000", Source: "default"}},
}

// epoch is when the accounts of the tests were made.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stack is the handler on everything real: store, engine, tracker, auth.
type stack struct {
	t       testing.TB
	store   *sqlite.Store
	tracker *tracker.Tracker
	auth    *auth.Service
	toucher *tracker.Toucher
	h       *Handler
	hooks   *webhook.Service
	log     *strings.Builder
	tokens  map[string]auth.Tokens
}

func newStack(t testing.TB) *stack {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "presence.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	engine := memory.New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second})
	s := &stack{
		t: t, store: store, tracker: tracker.New(tracker.Config{Engine: engine, Store: store}), log: &strings.Builder{},
		tokens: map[string]auth.Tokens{},
	}
	keys, err := auth.NewKeys([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s.auth, err = auth.New(auth.Config{Store: store, Presence: s.tracker, Keys: keys, Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.auth.Close)
	s.toucher = tracker.NewToucher(s.tracker, store)
	s.auth.OnSessionEnd(s.toucher.AccountChanged)
	s.hooks = webhook.New(webhook.Config{Store: store, Transport: fine{}})
	s.h = New(Config{
		Touch: s.toucher, Auth: s.auth, Presence: s.tracker, Store: store, Webhooks: s.hooks, Settings: testSettings, Version: "test",
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	return s
}

// seed puts accounts into the store as an import would, with the password testPassword.
func (s *stack) seed(accounts ...presence.Account) {
	s.t.Helper()
	for _, a := range accounts {
		a.PasswordHash, a.Email, a.Active = testHash, a.Username+"@example.test", true
		if a.CreatedAt.IsZero() {
			a.CreatedAt = epoch.Add(time.Duration(a.ID) * time.Second)
		}
		a.JoinedAt, a.UpdatedAt = a.CreatedAt, a.CreatedAt
		if err := s.store.Durable(s.t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&a) }); err != nil {
			s.t.Fatalf("seed %s: %v", a.Username, err)
		}
		if err := s.tracker.Admit(s.t.Context(), a); err != nil {
			s.t.Fatal(err)
		}
	}
}

func user(id presence.UserID, name string) presence.Account {
	return presence.Account{ID: id, Username: name}
}

func withRole(a presence.Account, role presence.Role) presence.Account {
	a.Role = role
	return a
}

func admin(id presence.UserID, name string) presence.Account {
	return withRole(user(id, name), presence.RoleAdmin)
}

// login signs somebody in, once.
func (s *stack) login(name string) auth.Tokens {
	s.t.Helper()
	if known, ok := s.tokens[name]; ok {
		return known
	}
	_, tokens, err := s.auth.Login(s.t.Context(), name, testPassword, presence.Origin{IP: "192.0.2.1", UserAgent: "Firefox"})
	if err != nil {
		s.t.Fatalf("login %s: %v", name, err)
	}
	s.tokens[name] = tokens
	return tokens
}

// again signs somebody in once more: a session of its own.
func (s *stack) again(name string) auth.Tokens {
	s.t.Helper()
	delete(s.tokens, name)
	return s.login(name)
}

// ask sends one request to the handler.
func (s *stack) ask(method, path, token, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.askWith(method, path, token, body)
}

// askWith is ask with headers: names and values in turn.
func (s *stack) askWith(method, path, token, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://base.test"+path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

// want asks, checks the status and reads the answer.
func want[T any](s *stack, status int, method, path, token, body string) T {
	s.t.Helper()
	w := s.ask(method, path, token, body)
	if w.Code != status {
		s.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, w.Code, status, w.Body.String())
	}
	var v T
	if w.Body.Len() > 0 {
		reader := json.NewDecoder(w.Body)
		reader.DisallowUnknownFields()
		if err := reader.Decode(&v); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return v
}

func (s *stack) signal(sig presence.Signal) {
	s.t.Helper()
	if sig.At.IsZero() {
		sig.At = time.Now()
	}
	if _, err := s.tracker.Signal(s.t.Context(), sig); err != nil {
		s.t.Fatal(err)
	}
}

// hide changes somebody's privacy through the API.
func (s *stack) hide(name, privacy string) {
	s.t.Helper()
	want[wire.Privacy](s, 200, "PUT", "/api/v1/me/privacy", s.login(name).Access, privacy)
}

const (
	hideStatus   = `{"hide_status":true,"hide_last_seen":false}`
	hideLastSeen = `{"hide_status":false,"hide_last_seen":true}`
	hideNothing  = `{"hide_status":false,"hide_last_seen":false}`
)

// webhookIn makes a webhook with a delivery and puts them into a path.
func (w *matrixWorld) webhookIn(path string) string {
	w.t.Helper()
	made, err := w.hooks.Create(w.t.Context(), webhook.Actor{}, wire.NewWebhook{URL: "https://example.org/hook"})
	if err != nil {
		w.t.Fatal(err)
	}
	id, _ := strconv.ParseInt(made.ID, 10, 64)
	d, err := w.hooks.Test(w.t.Context(), webhook.Actor{}, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.NewReplacer("{webhook}", made.ID, "{delivery}", d.ID).Replace(path)
}

// fine answers every delivery with 204.
type fine struct{}

func (fine) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}
