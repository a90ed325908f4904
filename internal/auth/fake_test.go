package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// fakeStore keeps in memory what auth asks a store for. An act works on a copy that replaces the truth when
// it returns nil.
type fakeStore struct {
	presence.Store // whatever auth never calls

	mu   sync.Mutex
	data fakeData

	reads     atomic.Int64
	onSession func() // called by Session after the row was read and before it is returned
	onDurable func() // called by Durable before the act
	committed func() // called by Durable after the act
}

type fakeData struct {
	next     presence.UserID
	accounts map[presence.UserID]presence.Account
	sessions map[presence.SessionID]presence.LoginSession
	revoked  map[string]time.Time
	activity []presence.ActivityEntry
	audit    []presence.AuditEntry
}

func newFakeStore() *fakeStore {
	return &fakeStore{data: fakeData{
		accounts: map[presence.UserID]presence.Account{}, sessions: map[presence.SessionID]presence.LoginSession{},
		revoked: map[string]time.Time{},
	}}
}

func (d fakeData) clone() fakeData {
	d.accounts, d.sessions, d.revoked = maps.Clone(d.accounts), maps.Clone(d.sessions), maps.Clone(d.revoked)
	d.activity, d.audit = slices.Clip(d.activity), slices.Clip(d.audit)
	return d
}

func (f *fakeStore) Durable(ctx context.Context, act func(presence.Tx) error) error {
	if f.onDurable != nil {
		f.onDurable()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.perform(act); err != nil {
		return err
	}
	if f.committed != nil {
		f.committed()
	}
	return nil
}

func (f *fakeStore) perform(act func(presence.Tx) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	tx := &fakeTx{f.data.clone()}
	if err := act(tx); err != nil {
		return err
	}
	f.data = tx.fakeData
	return nil
}

func notFound() error { return &presence.Error{Kind: presence.NotFound, Op: "fake"} }

func (f *fakeStore) Account(_ context.Context, id presence.UserID) (presence.Account, error) {
	f.reads.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.data.accounts[id]
	if !ok || !a.DeletedAt.IsZero() {
		return presence.Account{}, notFound()
	}
	return a, nil
}

func (f *fakeStore) AccountByName(_ context.Context, name string) (presence.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.data.accounts {
		if a.Username == name && a.DeletedAt.IsZero() {
			return a, nil
		}
	}
	return presence.Account{}, notFound()
}

func (f *fakeStore) HasAdmin(context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := (&fakeTx{f.data}).AdminsBesides(0)
	return n > 0, err
}

func (f *fakeStore) Session(_ context.Context, id presence.SessionID) (presence.LoginSession, error) {
	f.mu.Lock()
	row, ok := f.data.sessions[id]
	f.mu.Unlock()
	if f.onSession != nil {
		f.onSession()
	}
	if !ok {
		return row, notFound()
	}
	return row, nil
}

func (f *fakeStore) TokenRevoked(_ context.Context, jti string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.data.revoked[jti]
	return ok, nil
}

type fakeTx struct{ fakeData }

func (t *fakeTx) InsertAccount(a *presence.Account) error {
	for _, other := range t.accounts {
		switch {
		case other.Username == a.Username:
			return &presence.Error{Kind: presence.Conflict, Field: "username"}
		case other.Email == a.Email:
			return &presence.Error{Kind: presence.Conflict, Field: "email"}
		}
	}
	t.next++
	a.ID = t.next
	t.accounts[a.ID] = *a
	return nil
}

func (t *fakeTx) UpdateAccount(a *presence.Account) error {
	for _, other := range t.accounts {
		if other.ID != a.ID && other.Username == a.Username {
			return &presence.Error{Kind: presence.Conflict, Field: "username"}
		}
	}
	if _, ok := t.accounts[a.ID]; !ok {
		return notFound()
	}
	t.accounts[a.ID] = *a
	return nil
}

func (t *fakeTx) RemoveAccount(id presence.UserID) error {
	delete(t.accounts, id)
	maps.DeleteFunc(t.sessions, func(_ presence.SessionID, s presence.LoginSession) bool { return s.User == id })
	return nil
}

func (t *fakeTx) Account(id presence.UserID) (presence.Account, error) {
	a, ok := t.accounts[id]
	if !ok {
		return a, notFound()
	}
	return a, nil
}

func (t *fakeTx) AdminsBesides(id presence.UserID) (int, error) {
	n := 0
	for _, a := range t.accounts {
		if a.ID != id && a.IsAdmin() && a.MaySignIn() {
			n++
		}
	}
	return n, nil
}

func (t *fakeTx) InsertSession(s presence.LoginSession) error {
	if _, there := t.sessions[s.ID]; there {
		return errors.New("session id taken")
	}
	t.sessions[s.ID] = s
	return nil
}

func (t *fakeTx) Session(id presence.SessionID) (presence.LoginSession, error) {
	s, ok := t.sessions[id]
	if !ok {
		return s, notFound()
	}
	return s, nil
}

func (t *fakeTx) ExtendSession(id presence.SessionID, expires time.Time) error {
	s, ok := t.sessions[id]
	if !ok || !s.EndedAt.IsZero() {
		return notFound()
	}
	if expires.After(s.ExpiresAt) {
		s.ExpiresAt = expires
	}
	t.sessions[id] = s
	return nil
}

func (t *fakeTx) EndSession(id presence.SessionID, cause presence.Cause, at time.Time) error {
	s, ok := t.sessions[id]
	if !ok {
		return notFound()
	}
	if s.EndedAt.IsZero() {
		s.EndedAt, s.EndCause = at, cause
		t.sessions[id] = s
	}
	return nil
}

func (t *fakeTx) EndSessions(user presence.UserID, except presence.SessionID, cause presence.Cause, at time.Time) ([]presence.SessionID, error) {
	var ended []presence.SessionID
	for id, s := range t.sessions {
		if s.User == user && id != except && s.EndedAt.IsZero() {
			ended = append(ended, id)
			if err := t.EndSession(id, cause, at); err != nil {
				return nil, err
			}
		}
	}
	return ended, nil
}

func (t *fakeTx) RevokeToken(jti string, _ presence.UserID, expires time.Time) error {
	t.revoked[jti] = expires
	return nil
}

func (t *fakeTx) TokenRevoked(jti string) (bool, error) {
	_, ok := t.revoked[jti]
	return ok, nil
}

func (t *fakeTx) AppendActivity(e presence.ActivityEntry) error {
	t.activity = append(t.activity, e)
	return nil
}

func (t *fakeTx) AppendAudit(e presence.AuditEntry) error {
	t.audit = append(t.audit, e)
	return nil
}

// fakePresence writes down what it is told, and keeps to the rule that a closed session stays closed.
type fakePresence struct {
	mu       sync.Mutex
	signals  []presence.Signal
	admitted []presence.UserID
	closed   map[presence.SessionID]bool
}

func (f *fakePresence) Signal(_ context.Context, s presence.Signal) (presence.Presence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed[s.Session] {
		return presence.Presence{}, presence.ErrClosed
	}
	f.signals = append(f.signals, s)
	switch s.Kind {
	case presence.Logout, presence.Forced, presence.Deleted:
		for _, id := range append(s.Sessions, s.Session) {
			if id != presence.EverySession {
				f.closed[id] = true
			}
		}
		return presence.Presence{User: s.User}, nil
	}
	return presence.Presence{User: s.User, Status: presence.Online, Cause: presence.CauseLogin, LastSeen: s.At, Version: 1}, nil
}

func (f *fakePresence) Admit(_ context.Context, a presence.Account) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.admitted = append(f.admitted, a.ID)
	return nil
}

func (f *fakePresence) last() presence.Signal {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.signals) == 0 {
		return presence.Signal{}
	}
	return f.signals[len(f.signals)-1]
}

func (f *fakePresence) isClosed(id presence.SessionID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed[id]
}

// world is a Service with everything around it and a clock that stands until it is moved.
type world struct {
	*Service
	t        testing.TB
	store    *fakeStore
	presence *fakePresence
	clock    *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const testKey = "offchat-test-key-that-is-long-enough-for-hs256-ok"

var testStart = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)

var home = presence.Origin{IP: "192.0.2.1", UserAgent: "test"}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, store: newFakeStore(), presence: &fakePresence{closed: map[presence.SessionID]bool{}}, clock: &clock{at: testStart}}
	keys, err := NewKeys([]byte(testKey))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Store: w.store, Presence: w.presence, Keys: keys, Now: w.clock.now,
		Hashing: Hashing{MemoryKiB: 64, Passes: 1, Wait: time.Minute},
	}
	for _, f := range change {
		f(&cfg)
	}
	w.Service, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

const goodPassword = "Alice-pass-1"

// user puts an account into the store, with goodPassword.
func (w *world) user(name string, change ...func(*presence.Account)) presence.Account {
	w.t.Helper()
	hash, err := w.passwords.hash(w.t.Context(), goodPassword)
	if err != nil {
		w.t.Fatal(err)
	}
	a := presence.Account{Username: name, Email: name + "@example.test", Active: true, PasswordHash: hash, CreatedAt: testStart}
	for _, f := range change {
		f(&a)
	}
	w.durable(func(tx presence.Tx) error { return tx.InsertAccount(&a) })
	return a
}

func anAdmin(a *presence.Account) { a.Role = presence.RoleAdmin }

func (w *world) durable(act func(presence.Tx) error) {
	w.t.Helper()
	if err := w.store.Durable(context.Background(), act); err != nil {
		w.t.Fatal(err)
	}
}

// change alters an account behind the Service's back.
func (w *world) change(id presence.UserID, how func(*presence.Account)) {
	w.t.Helper()
	w.durable(func(tx presence.Tx) error {
		a, err := tx.Account(id)
		if err != nil {
			return err
		}
		how(&a)
		return tx.UpdateAccount(&a)
	})
	w.cache.changed(id)
}

func (w *world) login(name string) (Identity, Tokens) {
	w.t.Helper()
	_, tokens, err := w.Login(w.t.Context(), name, goodPassword, home)
	if err != nil {
		w.t.Fatalf("login %s: %v", name, err)
	}
	id, err := w.auth(tokens.Access)
	if err != nil {
		w.t.Fatalf("authenticate %s: %v", name, err)
	}
	return id, tokens
}

func (w *world) auth(token string) (Identity, error) {
	return w.Authenticate(context.Background(), token, w.clock.now())
}

func (w *world) account(id presence.UserID) presence.Account {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.data.accounts[id]
}

func (w *world) data() fakeData {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.data.clone()
}

// wantError holds an error against its kind and code.
func wantError(t testing.TB, err error, kind presence.ErrorKind, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v %q", kind, code)
	}
	if presence.KindOf(err) != kind || codeOf(err) != code {
		t.Fatalf("error %v (%v, %q), want %v %q", err, presence.KindOf(err), codeOf(err), kind, code)
	}
}

func tell(err error) string {
	known := (*presence.Error)(nil)
	if errors.As(err, &known) {
		return known.Tell
	}
	return ""
}

func field(err error) string {
	known := (*presence.Error)(nil)
	if errors.As(err, &known) {
		return known.Field
	}
	return ""
}
