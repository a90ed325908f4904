// Package auth decides who somebody is and what their account may do: passwords, tokens, sessions,
// revocation, throttles, and every act on an account. It leaves presence to the Presence port, storage to
// the Store port, and wording on the wire to the protocols that call it.
//
// A token works only while its session is on the list of live sessions. The list is the store's; a bounded
// part of it is kept in memory (cache.go), so that the usual check touches no disk. Every act that ends
// sessions first makes that durable, then takes them from memory, then tells Presence, and only then
// returns: what was told to be out is out.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/offchat/presence"
)

// Presence is what auth tells about people: who signed in, who is out, who is new.
type Presence interface {
	Signal(ctx context.Context, s presence.Signal) (presence.Presence, error)
	// Admit makes a new account known, offline, last seen when it was created.
	Admit(ctx context.Context, a presence.Account) error
}

// Codes of the errors of Authenticate, Refresh and Verify (presence.Error.Code), and of the acts.
const (
	CodeMissing         = "not_authenticated"  // no credentials were given
	CodeTokenInvalid    = "token_not_valid"    // Tell: "Token is invalid or expired", or "Token has wrong type"
	CodeUserNotFound    = "user_not_found"     // the account is gone
	CodeUserInactive    = "user_inactive"      // the account is closed (is_active false)
	CodeAccountInactive = "account_not_active" // the account is pending, suspended or banned
	CodeBadCredentials  = "bad_credentials"    // wrong name or password, or a closed account
	CodeLastAdmin       = "last_admin"         // Conflict: nobody would be left to administer
	CodeSelf            = "not_on_self"        // Conflict: not on one's own account
	CodeHeld            = "held"               // Conflict: an admin's hold decides the status
	CodeNotAllowed      = "permission_denied"  // Forbidden: the actor is not an admin (any more)
	CodeSetupToken      = "setup_token"        // Forbidden: not the set-up token, or none is open
	CodeSetupDone       = "setup_done"         // Conflict: there is an admin already
	CodeNotPending      = "not_pending"        // Conflict: only a pending account can be rejected
)

// Codes of Invalid and Conflict errors about one field.
const (
	CodeRequired  = "required"   // nothing there
	CodeTooShort  = "min_length" // fewer characters than the field needs
	CodeTooLong   = "max_length" // more characters than the field takes
	CodeMalformed = "invalid"    // characters or a shape the field does not take
	CodeTaken     = "unique"     // somebody else has it
	CodeIncorrect = "incorrect"  // the current password is not that
)

// Config is what a Service is built from. Store, Presence and Keys are required; zero values elsewhere mean
// the default.
type Config struct {
	Store    presence.Store
	Presence Presence
	// Keys sign and verify tokens. See NewKeys.
	Keys Keys

	// AccessLifetime is how long an access token works. Default 60 min, the recorded system's.
	AccessLifetime time.Duration
	// RefreshLifetime is how long a session lives without a refresh. Default 7 days, the recorded system's.
	RefreshLifetime time.Duration

	Hashing  Hashing
	Throttle Throttle

	// Issuers are others whose tokens are good here.
	Issuers []Issuer
	// FetchKeys gets the public keys of an issuer: at most MaxJWKS bytes, over https or from this machine. Needed
	// where an issuer has a key set.
	FetchKeys func(ctx context.Context, url string) ([]byte, error)

	// CachedSessions bounds how many sessions are kept in memory. Beyond it the least recently used ones go
	// and are read again from the store when they are needed. Default 1,048,576, some 300 MB when full.
	CachedSessions int
	// ActTimeout is how long a caller waits for a durable act before it gets Unavailable; the act itself
	// goes on and takes effect when the disk answers. Default 5 s.
	ActTimeout time.Duration

	// Now tells the time. Default time.Now.
	Now func() time.Time
	// Rand gives random bytes to ids, salts and the set-up token; it must be safe for concurrent use.
	// Default crypto/rand.Reader.
	Rand io.Reader
	// Log gets events a person may act on. Default: nothing is logged.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	setDefault(&c.AccessLifetime, time.Hour)
	setDefault(&c.RefreshLifetime, 7*24*time.Hour)
	setDefault(&c.CachedSessions, 1<<20)
	setDefault(&c.ActTimeout, 5*time.Second)
	c.Hashing.setDefaults()
	c.Throttle.setDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](v *T, value T) {
	if *v == *new(T) {
		*v = value
	}
}

// Service is every act on accounts, sessions and tokens. All methods may be called from any goroutine.
// Every act is durable before it returns.
type Service struct {
	// Static after construction.
	store     presence.Store
	presence  Presence
	keys      Keys
	access    time.Duration
	refresh   time.Duration
	timeout   time.Duration
	passwords *passwords
	throttle  *throttle
	cache     *cache
	backends  backends
	issuers   *issuers
	now       func() time.Time
	rand      io.Reader
	log       *slog.Logger
	count     *Counters
	acts      chan struct{} // a slot for every durable act under way
	loads     singleflight.Group

	// Written while wiring up only.
	onEnd     []func(presence.UserID, presence.SessionID)
	onPrivacy []func(presence.UserID, presence.Privacy)
	onAccount []func(presence.UserID)

	private sync.Map   // of presence.UserID to presence.Privacy: those who hide something
	telling sync.Mutex // held while a stored hold or privacy is carried into memory

	background sync.WaitGroup // acts and upgrades of hashes under way
	upgrading  sync.Mutex     // held by the one upgrade of a hash under way

	neighbours neighbours

	setupMu sync.Mutex // guards the following field
	setup   *[32]byte  // SHA-256 of the open set-up token
}

// maxActs bounds the durable acts under way, so that a disk that stands still does not pile up callers.
const maxActs = 4096

// New makes a Service. It reads nothing from the store yet.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("auth: Config.Store is missing")
	case cfg.Presence == nil:
		return nil, errors.New("auth: Config.Presence is missing")
	case len(cfg.Keys.all) == 0:
		return nil, errors.New("auth: Config.Keys is missing: make it with NewKeys")
	}
	cfg.setDefaults()
	others, err := newIssuers(cfg.Issuers, cfg.FetchKeys, cfg.Now)
	if err != nil {
		return nil, err
	}
	count := &Counters{}
	s := &Service{
		store: cfg.Store, presence: cfg.Presence, keys: cfg.Keys, issuers: others,
		access: cfg.AccessLifetime, refresh: cfg.RefreshLifetime, timeout: cfg.ActTimeout,
		passwords: newPasswords(cfg.Hashing, cfg.Rand, count),
		throttle:  newThrottle(cfg.Throttle),
		cache:     newCache(cfg.CachedSessions),
		now:       cfg.Now, rand: cfg.Rand, log: cfg.Log, count: count,
		acts: make(chan struct{}, maxActs),
	}
	s.neighbours.store, _ = cfg.Store.(presence.SharedStore)
	return s, nil
}

// sweepEvery is how often Run drops what is out of its time.
const sweepEvery = time.Minute

// Run forgets ended sessions and settled throttles and ends suspensions from time to time, until ctx ends, and where several nodes
// share the store it carries what the others did into memory (nodes.go). With a store of its own the Service works
// without it; it only holds more memory then, within its bounds.
func (s *Service) Run(ctx context.Context) error {
	tokens := make(chan struct{})
	go func() {
		defer close(tokens)
		_ = s.runAPITokens(ctx) // ends with ctx
	}()
	defer func() { <-tokens }()
	if s.neighbours.store != nil {
		var listening sync.WaitGroup
		defer listening.Wait()
		listening.Go(func() { s.listen(ctx) })
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			now := s.now()
			s.cache.sweep(now)
			s.throttle.sweep(now)
			s.endSuspensions(ctx)
		}
	}
}

// Close waits for the acts that are still under way: those whose callers gave up, and upgrades of password
// hashes. Call it when no method runs any more and before the store is closed.
func (s *Service) Close() { s.background.Wait() }

// OnSessionEnd calls f, soon after and outside all locks, for every session that ends and, with
// EverySession, for every account that changed in a way its sockets must notice (role, staff, status,
// is_active, username). Call it only while wiring up.
func (s *Service) OnSessionEnd(f func(presence.UserID, presence.SessionID)) {
	s.onEnd = append(s.onEnd, f)
}

func (s *Service) tellEnded(user presence.UserID, sessions ...presence.SessionID) {
	for _, f := range s.onEnd {
		for _, id := range sessions {
			f(user, id)
		}
	}
}

// OnAccountChange calls f, soon after and outside all locks, for every account that was made, changed or deleted.
// Call it only while wiring up.
func (s *Service) OnAccountChange(f func(presence.UserID)) { s.onAccount = append(s.onAccount, f) }

func (s *Service) tellAccount(user presence.UserID) {
	for _, f := range s.onAccount {
		f(user)
	}
}

// Device is what the client of a session calls itself (presence.DeviceLabel), empty when that is not in memory. It
// waits for nothing.
func (s *Service) Device(user presence.UserID, session presence.SessionID) string {
	return s.cache.device(user, session)
}

// signal tells Presence what an act did. The act is durable already, so a Presence that cannot listen is
// logged and does not fail it; a session that was closed meanwhile (ErrClosed) is no news.
func (s *Service) signal(ctx context.Context, sig presence.Signal) (presence.Presence, bool) {
	p, err := s.presence.Signal(ctx, sig)
	if err != nil && !errors.Is(err, presence.ErrClosed) {
		s.log.LogAttrs(ctx, slog.LevelError, "presence did not take a signal", slog.Int64("user", int64(sig.User)),
			slog.String("signal", sig.Kind.String()), slog.Any("err", err))
	}
	return p, err == nil
}

// commit runs act durably and then, once it is safe on disk, what has to follow. Both run to their end even
// when the caller's context ends or the disk takes longer than ActTimeout: an act that happened must never
// be without its consequences. What act and then write may be read by the caller only after a nil error.
func (s *Service) commit(ctx context.Context, op string, act func(presence.Tx) error, then func(context.Context)) error {
	select {
	case s.acts <- struct{}{}:
	default:
		return unavailable(op, errors.New("too many durable acts under way"))
	}
	done := make(chan error, 1)
	s.background.Go(func() {
		defer func() { <-s.acts }()
		whole := context.WithoutCancel(ctx)
		err := s.store.Durable(whole, act)
		if err == nil && then != nil {
			then(whole)
		}
		done <- err
	})
	patience := time.NewTimer(s.timeout)
	defer patience.Stop()
	select {
	case err := <-done:
		return presence.E(presence.Internal, op, err)
	case <-patience.C:
		return unavailable(op, errors.New("the store takes too long"))
	case <-ctx.Done():
		return unavailable(op, ctx.Err())
	}
}

// stamp is a time as it is stored and shown: UTC, microseconds, no monotonic reading.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
