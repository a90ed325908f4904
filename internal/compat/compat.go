// Package compat speaks the recorded wire contract: the HTTP routes of the system that existing clients know,
// field for field, and its presence WebSocket.
//
// It decides how things look on that wire: routes, statuses, field order, dates, error sentences, paging. It
// leaves who may sign in to auth, who is online to the Presence port, what is kept to the readers, and
// listening, CORS, proxies and limits per connection to the server that mounts it. Where the recorded system
// broke its own promises this package keeps them; README.md beside this file lists every quirk.
package compat

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/metrics"
)

// Presence is what compat needs from whoever tracks presence. The contracts are those of presence.Engine.
type Presence interface {
	Signal(ctx context.Context, s presence.Signal) (presence.Presence, error)
	State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)
	Page(ctx context.Context, q presence.Query) ([]presence.Presence, int, error)
	Counts(ctx context.Context) (presence.Counts, error)
	Inspect(ctx context.Context, user presence.UserID) (presence.State, time.Duration, error)
	Changes(ctx context.Context, after presence.Cursor, limit int) ([]presence.Change, error)
	Snapshot(ctx context.Context) (presence.Cursor, iter.Seq[presence.Presence], error)
}

// Told are the settings that clients are told in headers of some answers, so that they can follow the
// server's configuration instead of guessing. A zero one is not told.
type Told struct {
	HeartbeatInterval, IdleAfter, OfflineAfter, RefreshInterval time.Duration
}

// Config is what a Handler is built from. Auth, Presence, Accounts and Logs are needed; the rest has defaults.
type Config struct {
	Auth     *auth.Service
	Presence Presence
	Accounts presence.AccountReader
	Logs     presence.LogReader
	Told     Told

	// BaseURL returns scheme and host for links in pages, without a slash at the end. The default believes
	// the Host header; a server that knows its proxies passes its own.
	BaseURL func(*http.Request) string
	// Origin returns where a request comes from, for throttles, activity and audit. The default is the
	// address of the connection.
	Origin func(*http.Request) presence.Origin
	// AllowOrigin reports whether a browser page of that origin may open a WebSocket. The default allows none.
	// Requests without an Origin header are not asked about: they carry their token explicitly.
	AllowOrigin func(origin string) bool
	// Now is the clock; time.Now by default.
	Now     func() time.Time
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Handler serves the contract. It is an http.Handler for the paths that Owns names. All methods may be
// called from any goroutine; Run is called once.
type Handler struct {
	Config // static after New

	routes  []Route
	mux     *http.ServeMux
	exact   map[string]*Route        // the routes whose path has no wildcard, by path: they need no router
	told    atomic.Pointer[[]header] // replaced, never modified
	sockets *sockets
}

// header is one header line, ready to be put into an answer.
type header struct {
	key   string
	value []string
}

// New builds a Handler. It subscribes to the ends of sessions and to privacy, so call it while wiring up and after
// auth has loaded who hides what.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.Discard()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.BaseURL == nil {
		cfg.BaseURL = func(r *http.Request) string { return "http://" + r.Host }
	}
	if cfg.Origin == nil {
		cfg.Origin = connectionOrigin
	}
	if cfg.AllowOrigin == nil {
		cfg.AllowOrigin = func(string) bool { return false }
	}
	h := &Handler{Config: cfg}
	h.SetTold(cfg.Told)
	h.sockets = newSockets(h)
	h.routes = h.list()
	h.mux, h.exact = newMux(h)
	cfg.Auth.OnSessionEnd(h.sockets.sessionEnded)
	cfg.Auth.OnPrivacy(h.sockets.privacyChanged)
	return h
}

// Owns reports whether a path is ours: everything below /api/, and the WebSocket. Ask it before any ServeMux,
// which would answer unclean paths by itself.
func Owns(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ws/")
}

// Routes returns every route of the contract, for those who document or test them.
func (h *Handler) Routes() []Route { return h.routes }

// Run sends changes of status to the open WebSockets until ctx ends; then it closes them all with 1012
// (service restart), waits for them and returns.
func (h *Handler) Run(ctx context.Context) error { return h.sockets.run(ctx) }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if route := h.exact[r.URL.Path]; route != nil {
		r.Pattern = r.URL.Path
		h.serve(w, r, route)
		return
	}
	// ServeMux would redirect such a path, for any method, to what it takes for the clean one.
	if p := r.URL.Path; strings.Contains(p, "//") || strings.Contains(p, "/./") || strings.Contains(p, "/../") {
		h.notFound(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func connectionOrigin(r *http.Request) presence.Origin {
	ip := r.RemoteAddr
	if i := strings.LastIndexByte(ip, ':'); i >= 0 {
		ip = strings.Trim(ip[:i], "[]")
	}
	return presence.Origin{IP: ip, UserAgent: r.UserAgent()}
}

// SetTold changes what clients are told from now on.
func (h *Handler) SetTold(t Told) {
	told := tellSettings(t)
	h.told.Store(&told)
}

func tellSettings(t Told) []header {
	var told []header
	tell := func(key string, d time.Duration) {
		if d > 0 {
			told = append(told, header{key, []string{strconv.FormatFloat(d.Seconds(), 'f', -1, 64)}})
		}
	}
	tell("Presence-Heartbeat-Interval", t.HeartbeatInterval)
	tell("Presence-Idle-After", t.IdleAfter)
	tell("Presence-Offline-After", t.OfflineAfter)
	tell("Presence-Refresh-Interval", t.RefreshInterval)
	return told
}
