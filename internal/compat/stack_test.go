package compat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/argon2"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/memory"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/tracker"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

const testPassword = "Alice-pass-1"

// testHash is testPassword as Django's argon2 hasher keeps it, at next to no cost.
var testHash = hashOf(testPassword)

func hashOf(password string) string {
	salt := []byte("saltsaltsaltsalt")
	sum := argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)
	enc := base64.RawStdEncoding.EncodeToString
	return "argon2$argon2id$v=19$m=64,t=1,p=1$" + enc(salt) + "$" + enc(sum)
}

var testTold = Told{
	HeartbeatInterval: 30 * time.Second, IdleAfter: 5 * time.Minute, OfflineAfter: 2 * time.Minute,
	RefreshInterval: 2500 * time.Millisecond,
}

// stack is the handler on everything real: store, engine, tracker, auth.
type stack struct {
	t       testing.TB
	store   *sqlite.Store
	tracker *tracker.Tracker
	auth    *auth.Service
	h       *Handler
	log     *strings.Builder
	tokens  map[string]auth.Tokens
}

type option func(*Config, *auth.Config)

func newStack(t testing.TB, options ...option) *stack {
	t.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "presence.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	engine := memory.New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second})
	s := &stack{
		t: t, store: store, tracker: tracker.New(tracker.Config{Engine: engine, Store: store}),
		log: &strings.Builder{}, tokens: map[string]auth.Tokens{},
	}
	keys, err := auth.NewKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Presence: s.tracker, Accounts: store, Logs: store, Told: testTold, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		BaseURL:     func(*http.Request) string { return "http://base.test" },
		AllowOrigin: func(origin string) bool { return origin == "http://localhost:5173" },
	}
	authCfg := auth.Config{Store: store, Presence: s.tracker, Keys: keys, Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1}}
	for _, apply := range options {
		apply(&cfg, &authCfg)
	}
	if s.auth, err = auth.New(authCfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.auth.Close)
	cfg.Auth = s.auth
	s.h = New(cfg)
	return s
}

// seed puts an account into the store as an import would, with the password testPassword.
func (s *stack) seed(accounts ...presence.Account) {
	s.t.Helper()
	for _, a := range accounts {
		if a.PasswordHash == "" {
			a.PasswordHash = testHash
		}
		if a.Email == "" {
			a.Email = a.Username + "@example.test"
		}
		if a.CreatedAt.IsZero() {
			a.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
		}
		if a.JoinedAt.IsZero() {
			a.JoinedAt = a.CreatedAt
		}
		a.UpdatedAt = a.CreatedAt
		if err := s.store.Durable(s.t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&a) }); err != nil {
			s.t.Fatalf("seed %s: %v", a.Username, err)
		}
		if err := s.tracker.Admit(s.t.Context(), a); err != nil {
			s.t.Fatal(err)
		}
	}
}

func user(id presence.UserID, name string) presence.Account {
	return presence.Account{ID: id, Username: name, Active: true}
}

func admin(id presence.UserID, name string) presence.Account {
	a := user(id, name)
	a.Role = presence.RoleAdmin
	return a
}

// login signs somebody in, once.
func (s *stack) login(name string) auth.Tokens { s.t.Helper(); return s.loginWith(name, testPassword) }

func (s *stack) loginWith(name, password string) auth.Tokens {
	s.t.Helper()
	if known, ok := s.tokens[name]; ok {
		return known
	}
	_, tokens, err := s.auth.Login(s.t.Context(), name, password, presence.Origin{IP: "192.0.2.1"})
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

func (s *stack) account(name string) presence.Account {
	s.t.Helper()
	a, err := s.store.AccountByName(s.t.Context(), name)
	if err != nil {
		s.t.Fatalf("account %s: %v", name, err)
	}
	return a
}

func (s *stack) status(name string) presence.Status {
	s.t.Helper()
	states, err := s.tracker.State(s.t.Context(), []presence.UserID{s.account(name).ID})
	if err != nil {
		s.t.Fatal(err)
	}
	return states[0].Status
}

// change updates columns of an account behind everybody's back, as another system with our database would.
func (s *stack) change(name string, change func(*presence.Account)) {
	s.t.Helper()
	a := s.account(name)
	change(&a)
	if err := s.store.Durable(s.t.Context(), func(tx presence.Tx) error { return tx.UpdateAccount(&a) }); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends one request to the handler.
func (s *stack) ask(method, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://base.test"+path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

// want asks and checks the status.
func (s *stack) want(status int, method, path, token, body string, headers ...string) map[string]any {
	s.t.Helper()
	w := s.ask(method, path, token, body, headers...)
	if w.Code != status {
		s.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, cut(body), w.Code, status, cut(w.Body.String()))
	}
	answer := map[string]any{}
	if w.Body.Len() > 0 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			s.t.Fatalf("%s %s: answer is no object: %v: %s", method, path, err, cut(w.Body.String()))
		}
	}
	return answer
}

func cut(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// foreign makes a token as SimpleJWT would, without a session of ours.
func foreign(kind string, user presence.UserID, expires time.Time) string {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"token_type": kind, "exp": expires.Unix(), "iat": expires.Add(-time.Hour).Unix(),
		"jti": fmt.Sprintf("%032x", expires.UnixNano()), "user_id": int64(user),
	})
	text, err := token.SignedString(testKey)
	if err != nil {
		panic(err)
	}
	return text
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
