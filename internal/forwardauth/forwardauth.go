// Package forwardauth answers proxies that ask about each request they pass on (nginx mirror and auth_request, Traefik
// forwardAuth, Caddy forward_auth): who is it, and may they be here? Being asked counts as activity of that person.
//
// It decides where an identity is looked for and which answer a proxy gets. It leaves tokens to auth, and what a
// sign of life does, at most once per person and 5 s, to tracker.
package forwardauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/tracker"
)

// Path is where the question is answered, for every method.
const Path = "/api/v1/forward-auth"

// Names of the headers of an answer about somebody.
const (
	StatusHeader = "X-Presence-Status" // online or away
	UserHeader   = "X-Presence-User"   // the user's id
)

// Tokens finds out whose a token is; auth.Service does.
type Tokens interface {
	Authenticate(ctx context.Context, token string, now time.Time) (auth.Identity, error)
}

// Signals take signs of life; tracker.Toucher does.
type Signals interface {
	Touch(ctx context.Context, users []presence.UserID, source string, at time.Time) ([]tracker.Standing, error)
	Activity(ctx context.Context, user presence.UserID, session presence.SessionID, at time.Time) error
}

// Directory finds accounts and who is online.
type Directory interface {
	AccountByName(ctx context.Context, username string) (presence.Account, error)
	AccountByEmail(ctx context.Context, email string) (presence.Account, error)
}

// Config is what a Handler is built from. Tokens, Signals, Directory and State are needed.
type Config struct {
	Tokens    Tokens
	Signals   Signals
	Directory Directory
	State     func(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)

	// Cookie is the name of the cookie that carries a token; empty: no cookie is looked at.
	Cookie string
	// Header is the name of the header by which a proxy says who it is; empty: none is looked at. It is believed from
	// connections of the Trusted networks alone. By says what its value is.
	Header  string
	By      By
	Trusted []netip.Prefix
	// Optional: a request of nobody is answered 204, as with ?optional=1.
	Optional bool

	// Peer is the address of the connection a request came on, whatever its headers say. The default is RemoteAddr.
	Peer func(*http.Request) string
	Now  func() time.Time
	Log  *slog.Logger
}

// By says by what a person is named.
type By string

// The ways to name somebody.
const (
	ByUsername By = "username"
	ByID       By = "id"
	ByEmail    By = "email"
)

// Handler answers proxies. It is an http.Handler for Path.
type Handler struct {
	Config // static after New

	mu   sync.Mutex // guards the following field
	seen Seen
}

// Seen is what proxies asked lately; times are zero where there was none.
type Seen struct {
	// AskedAt is when one asked last, Status what it was answered.
	AskedAt time.Time
	Status  int
	// KnownAt is when one asked last about somebody whom we know, User who that was.
	KnownAt time.Time
	User    presence.UserID
}

// Seen tells what proxies asked lately of this node.
func (h *Handler) Seen() Seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func (h *Handler) note(user presence.UserID, status int) {
	now := h.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen.AskedAt, h.seen.Status = now, status
	if status == http.StatusNoContent && user != 0 {
		h.seen.KnownAt, h.seen.User = now, user
	}
}

// New makes a Handler.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Peer == nil {
		cfg.Peer = func(r *http.Request) string { return r.RemoteAddr }
	}
	return &Handler{Config: cfg}
}

// source is what touches of a proxy are called among somebody's devices.
const source = "proxy"

// ServeHTTP answers 204 with the headers for somebody who may be here, 403 for somebody who may not, 401 for nobody
// (204 without headers where that is optional), and 503 when it cannot tell. There is never a body.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, err := h.enter(r)
	if err == nil {
		err = h.tell(w, r, user)
	}
	if err != nil {
		user = 0
	}
	status := h.status(r, err)
	h.note(user, status)
	w.WriteHeader(status)
}

// tell puts into the headers who it is.
func (h *Handler) tell(w http.ResponseWriter, r *http.Request, user presence.UserID) error {
	states, err := h.State(r.Context(), []presence.UserID{user})
	if err != nil {
		return err
	}
	w.Header()[StatusHeader] = []string{states[0].Status.String()}
	w.Header()[UserHeader] = []string{strconv.FormatInt(int64(user), 10)}
	return nil
}

func (h *Handler) status(r *http.Request, err error) int {
	switch kind := presence.KindOf(err); {
	case err == nil:
		return http.StatusNoContent
	case kind == presence.Forbidden:
		return http.StatusForbidden
	case kind == presence.Unauthenticated && (h.Optional || r.URL.Query().Get("optional") == "1"):
		return http.StatusNoContent
	case kind == presence.Unauthenticated:
		return http.StatusUnauthorized
	default:
		if r.Context().Err() == nil { // a proxy that hung up reads no answer
			h.Log.LogAttrs(r.Context(), slog.LevelWarn, "a proxy's question could not be answered", slog.Any("err", err))
		}
		return http.StatusServiceUnavailable
	}
}

// errNobody: no identity is given, or none that counts.
var errNobody = &presence.Error{Kind: presence.Unauthenticated, Op: "identify", Code: auth.CodeMissing}

// errClosed: it is somebody whose account may not be here.
var errClosed = &presence.Error{Kind: presence.Forbidden, Op: "identify", Code: auth.CodeAccountInactive}

// enter finds out who it is and counts it as activity: by a trusted header where there is one, then by a bearer token,
// then by the cookie. What is no token of somebody's is passed over: apps have bearer tokens of other kinds.
func (h *Handler) enter(r *http.Request) (presence.UserID, error) {
	now := h.Now()
	if name := h.trustedName(r); name != "" {
		return h.touch(r.Context(), name, now)
	}
	err := error(errNobody)
	for _, token := range h.tokens(r) {
		var user presence.UserID
		user, err = h.signIn(r.Context(), token, now)
		if presence.KindOf(err) != presence.Unauthenticated || err == nil {
			return user, err
		}
	}
	return 0, err
}

// tokens are what may be a token, the likeliest first.
func (h *Handler) tokens(r *http.Request) []string {
	var found []string
	for _, line := range r.Header["Authorization"] {
		if scheme, token, ok := strings.Cut(line, " "); ok && strings.EqualFold(scheme, "Bearer") {
			found = append(found, strings.TrimSpace(token))
		}
	}
	if h.Cookie != "" {
		for _, cookie := range r.CookiesNamed(h.Cookie) {
			found = append(found, cookie.Value)
		}
	}
	return found[:min(len(found), maxTokens)]
}

// maxTokens bounds the work that one request can ask for.
const maxTokens = 4

func (h *Handler) signIn(ctx context.Context, token string, now time.Time) (presence.UserID, error) {
	if auth.IsAPIToken(token) {
		return 0, errNobody // a backend is nobody here
	}
	id, err := h.Tokens.Authenticate(ctx, token, now)
	if known := (*presence.Error)(nil); errors.As(err, &known) && known.Code == auth.CodeUserInactive {
		return 0, errClosed // the token is somebody's, who was banned
	}
	if err != nil {
		return 0, err
	}
	err = h.Signals.Activity(ctx, id.User, id.Session, now)
	if errors.Is(err, presence.ErrClosed) {
		err = errNobody
	}
	return id.User, err
}

// trustedName is who a trusted proxy says it is. The header counts only once, and only on a connection from the
// networks that may say so.
func (h *Handler) trustedName(r *http.Request) string {
	if h.Header == "" || len(h.Trusted) == 0 {
		return ""
	}
	lines := r.Header[http.CanonicalHeaderKey(h.Header)]
	if len(lines) != 1 || lines[0] == "" {
		return ""
	}
	peer, err := netip.ParseAddrPort(h.Peer(r))
	if err != nil {
		return ""
	}
	for _, network := range h.Trusted {
		if network.Contains(peer.Addr().Unmap()) {
			return lines[0]
		}
	}
	return ""
}

// touch counts a word of a trusted proxy.
func (h *Handler) touch(ctx context.Context, name string, now time.Time) (presence.UserID, error) {
	user, err := h.find(ctx, name)
	if presence.KindOf(err) == presence.NotFound && err != nil {
		return 0, errNobody
	}
	if err != nil {
		return 0, err
	}
	standings, err := h.Signals.Touch(ctx, []presence.UserID{user}, source, now)
	if err != nil {
		return 0, err
	}
	switch standings[0] {
	case tracker.Good:
		return user, nil
	case tracker.Closed:
		return 0, errClosed
	default:
		return 0, errNobody
	}
}

func (h *Handler) find(ctx context.Context, name string) (presence.UserID, error) {
	switch h.By {
	case ByID:
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil || id <= 0 {
			return 0, errNobody
		}
		return presence.UserID(id), nil
	case ByEmail:
		a, err := h.Directory.AccountByEmail(ctx, name)
		return a.ID, err
	default:
		a, err := h.Directory.AccountByName(ctx, name)
		return a.ID, err
	}
}
