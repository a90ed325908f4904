package auth

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// tokenWorld is a service on a fake store that keeps tokens.
type tokenWorld struct {
	*Service
	store *tokenStore
}

// tokenStore keeps API tokens beside what fakeStore keeps.
type tokenStore struct {
	*fakeStore
	mu     sync.Mutex
	rows   []presence.APIToken
	reads  int
	onRead func() // called after the rows were read and before they are returned
}

func (s *tokenStore) APITokens(context.Context) ([]presence.APIToken, error) {
	s.mu.Lock()
	s.reads++
	rows := append([]presence.APIToken{}, s.rows...)
	onRead := s.onRead
	s.mu.Unlock()
	if onRead != nil {
		onRead()
	}
	return rows, nil
}

func (s *tokenStore) RecordAPITokenUse(_ context.Context, uses []presence.APITokenUse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, use := range uses {
		s.rows[use.ID-1].LastUsedAt = use.At
	}
	return nil
}

func (s *tokenStore) Durable(ctx context.Context, act func(presence.Tx) error) error {
	return s.fakeStore.Durable(ctx, func(tx presence.Tx) error { return act(tokenTx{tx, s}) })
}

type tokenTx struct {
	presence.Tx
	s *tokenStore
}

func (t tokenTx) InsertAPIToken(one *presence.APIToken) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	one.ID = presence.APITokenID(len(t.s.rows) + 1)
	t.s.rows = append(t.s.rows, *one)
	return nil
}

func (t tokenTx) APIToken(id presence.APITokenID) (presence.APIToken, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if id < 1 || int(id) > len(t.s.rows) {
		return presence.APIToken{}, notFound()
	}
	return t.s.rows[id-1], nil
}

func (t tokenTx) RevokeAPIToken(id presence.APITokenID, by presence.UserID, at time.Time) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.rows[id-1].RevokedAt, t.s.rows[id-1].RevokedBy = at, by
	return nil
}

func (t tokenTx) GoodAPITokens(time.Time) (int, error) { return len(t.s.rows), nil }
func (t tokenTx) ForgetAPITokens(time.Time) error      { return nil }

func newTokenWorld(t testing.TB) *tokenWorld {
	t.Helper()
	store := &tokenStore{fakeStore: newFakeStore()}
	return &tokenWorld{node(t, store), store}
}

// node is another server on the same store.
func node(t testing.TB, store presence.Store) *Service {
	t.Helper()
	key, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := NewKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Store: store, Presence: &fakePresence{}, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (w *tokenWorld) make(t testing.TB, scopes presence.Scope, expires time.Time) (presence.APIToken, string) {
	t.Helper()
	made, secret, err := w.CreateAPIToken(t.Context(), System, NewAPIToken{Name: "backend", Scopes: scopes, Expires: expires}, home)
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

func TestAnAPITokenDoesWhatItsScopesSay(t *testing.T) {
	w := newTokenWorld(t)
	made, secret := w.make(t, presence.ScopeTouch|presence.ScopeRead, time.Time{})
	id, err := w.AuthenticateAPI(t.Context(), secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if backend, ok := id.Backend(); !ok || backend != made.ID || id.User != -presence.UserID(made.ID) {
		t.Errorf("backend %d, user %d", backend, id.User)
	}
	if !id.Has(presence.ScopeTouch) || id.Has(presence.ScopeLogout) || id.IsAdmin() || id.MayRead() {
		t.Errorf("%+v", id)
	}
	if _, admin := w.make(t, presence.ScopeAdminRead, time.Time{}); true {
		id, err := w.AuthenticateAPI(t.Context(), admin, time.Now())
		if err != nil || !id.MayRead() || id.IsAdmin() {
			t.Errorf("admin:read: %+v, %v", id, err)
		}
	}
}

func TestAnAPITokenIsSpelledOneWay(t *testing.T) {
	w := newTokenWorld(t)
	_, secret := w.make(t, presence.ScopeRead, time.Time{})
	other := func(i int) string {
		b := []byte(secret)
		if b[i]++; b[i] > 'z' || b[i] == '9'+1 || b[i] == 'Z'+1 {
			b[i] = 'a'
		}
		return string(b)
	}
	for name, wrong := range map[string]string{
		"empty": "", "prefix": APITokenPrefix, "short": secret[:len(secret)-1], "long": secret + "0", "case": strings.ToLower(secret),
		"first": other(4), "last": other(len(secret) - 1), "line end": secret[:len(secret)-1] + "\n", "huge": APITokenPrefix + strings.Repeat("a", 1<<16),
	} {
		if _, err := w.AuthenticateAPI(t.Context(), wrong, time.Now()); !isKind(err, presence.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reads := w.store.reads; reads != 1 { // by the act that made it
		t.Errorf("mistyped tokens made us read the list %d times", reads-1)
	}
}

func TestARevokedAPITokenIsRefusedAtOnce(t *testing.T) {
	w := newTokenWorld(t)
	var told []presence.UserID
	w.OnSessionEnd(func(user presence.UserID, _ presence.SessionID) { told = append(told, user) })
	made, secret := w.make(t, presence.ScopeRead, time.Time{})
	// Another reading of the list is under way, with the token still good, and is to be done only later.
	reading, revoke, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.store.onRead = func() {
		once.Do(func() {
			close(reading)
			<-revoke
		})
	}
	go func() {
		defer close(done)
		_ = w.LoadAPITokens(context.Background())
	}()
	<-reading
	w.store.committed = func() { close(revoke); w.store.committed = nil }
	if err := w.RevokeAPIToken(t.Context(), System, made.ID, home); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AuthenticateAPI(t.Context(), secret, time.Now()); !isKind(err, presence.Unauthenticated) {
		t.Errorf("after revoking: %v", err)
	}
	<-done
	if _, err := w.AuthenticateAPI(t.Context(), secret, time.Now()); !isKind(err, presence.Unauthenticated) {
		t.Errorf("after the slow reading: %v", err)
	}
	if len(told) == 0 || told[0] != made.ID.Actor() {
		t.Errorf("told of %v", told)
	}
}

func TestAnAPITokenEndsWhenItExpires(t *testing.T) {
	w := newTokenWorld(t)
	ends := time.Now().Add(time.Hour)
	_, secret := w.make(t, presence.ScopeRead, ends)
	if id, err := w.AuthenticateAPI(t.Context(), secret, ends.Add(-time.Second)); err != nil || !id.Expires.Equal(ends.Truncate(time.Microsecond)) {
		t.Errorf("a moment before: %v until %v", err, id.Expires)
	}
	if _, err := w.AuthenticateAPI(t.Context(), secret, ends); !isKind(err, presence.Unauthenticated) {
		t.Errorf("at the end: %v", err)
	}
}

func TestAnotherNodeFollowsAPITokens(t *testing.T) {
	w := newTokenWorld(t)
	other := node(t, w.store)
	made, secret := w.make(t, presence.ScopeRead, time.Time{})
	if _, err := other.AuthenticateAPI(t.Context(), secret, time.Now()); err != nil {
		t.Errorf("a token that another node made: %v", err)
	}
	if err := w.RevokeAPIToken(t.Context(), System, made.ID, home); err != nil {
		t.Fatal(err)
	}
	if err := other.LoadAPITokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.AuthenticateAPI(t.Context(), secret, time.Now()); !isKind(err, presence.Unauthenticated) {
		t.Errorf("a token that another node revoked: %v", err)
	}
}

func TestUnknownAPITokensMakeNobodyReadTheListAgainAndAgain(t *testing.T) {
	w := newTokenWorld(t)
	stranger := newTokenWorld(t)
	_, secret := stranger.make(t, presence.ScopeRead, time.Time{})
	now := time.Now()
	for range 100 {
		if _, err := w.AuthenticateAPI(t.Context(), secret, now); !isKind(err, presence.Unauthenticated) {
			t.Fatal(err)
		}
	}
	if w.store.reads != 1 {
		t.Errorf("read %d times within one second", w.store.reads)
	}
}

func TestTheLastUseOfAnAPITokenIsWrittenDownBehind(t *testing.T) {
	w := newTokenWorld(t)
	_, secret := w.make(t, presence.ScopeRead, time.Time{})
	at := time.Now().Truncate(time.Microsecond)
	for i := range 1000 {
		if _, err := w.AuthenticateAPI(t.Context(), secret, at.Add(time.Duration(i)*time.Microsecond)); err != nil {
			t.Fatal(err)
		}
	}
	if used := w.store.rows[0].LastUsedAt; !used.IsZero() {
		t.Errorf("a call wrote to the store: %v", used)
	}
	list, err := w.APITokens(t.Context())
	if err != nil || len(list) != 1 || !list[0].LastUsedAt.Equal(at) {
		t.Errorf("listed as %+v, %v; want use at %v", list, err, at)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = w.Run(ctx) // its end writes down what is behind
	if used := w.store.rows[0].LastUsedAt; !used.Equal(at) {
		t.Errorf("stored %v, want %v", used, at)
	}
}

func TestNewAPITokensAreHeldToTheirBounds(t *testing.T) {
	w := newTokenWorld(t)
	now := time.Now()
	for field, n := range map[string]NewAPIToken{
		"name":       {Name: " ", Scopes: presence.ScopeRead},
		"scopes":     {Name: "x"},
		"expires_at": {Name: "x", Scopes: presence.ScopeRead, Expires: now.Add(-time.Second)},
	} {
		_, _, err := w.CreateAPIToken(t.Context(), System, n, home)
		known, ok := err.(*presence.Error)
		if !ok || known.Kind != presence.Invalid || known.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := w.CreateAPIToken(t.Context(), Identity{User: 7}, NewAPIToken{Name: "x", Scopes: presence.ScopeRead}, home); !isKind(err, presence.Forbidden) {
		t.Errorf("made by somebody who is no admin: %v", err)
	}
}

// A check of a token allocates nothing.
func TestCheckingAnAPITokenAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	w := newTokenWorld(t)
	_, secret := w.make(t, presence.ScopeRead, time.Time{})
	now, ctx := time.Now(), t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := w.AuthenticateAPI(ctx, secret, now); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAuthenticateAPI(b *testing.B) {
	w := newTokenWorld(b)
	for range 99 {
		w.make(b, presence.ScopeRead, time.Time{})
	}
	_, secret := w.make(b, presence.ScopeRead, time.Time{})
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.AuthenticateAPI(ctx, secret, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
