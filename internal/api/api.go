// Package api speaks our own wire contract, /api/v1: JSON with snake_case names, RFC 3339 times in UTC, ids as
// strings, cursor pages, and errors as RFC 9457 problems. The OpenAPI 3.1 document and its page are generated from
// the Go types that answer.
//
// It decides how things look on that wire, what may be asked and within which bounds. It leaves who may sign in
// and every act to auth, who is online to the Presence port, who may know it to the rule (presence.Presence.For),
// what was written down to the store, and listening, CORS and proxies to the server that mounts it. The live feed
// is package realtime's.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/personal"
	"github.com/offchat/presence/internal/tracker"
	"github.com/offchat/presence/wire"
)

// Presence is what api needs from whoever tracks presence. The contracts are those of presence.Engine.
type Presence interface {
	Signal(ctx context.Context, s presence.Signal) (presence.Presence, error)
	State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)
	Devices(ctx context.Context, users []presence.UserID) ([]int, error)
	Links(ctx context.Context) (presence.Links, error)
	Counts(ctx context.Context) (presence.Counts, error)
	Inspect(ctx context.Context, user presence.UserID) (presence.State, time.Duration, error)
	Snapshot(ctx context.Context) (presence.Cursor, iter.Seq[presence.Presence], error)
}

// Store is what api reads: accounts, history, and what is listed and summed up.
type Store interface {
	presence.AccountReader
	presence.LogReader
	presence.ReportStore
	presence.DeskStore
	personal.Records
	Session(ctx context.Context, id presence.SessionID) (presence.LoginSession, error)
	Durable(ctx context.Context, act func(tx presence.Tx) error) error
}

// Toucher takes the word of backends that people are active. tracker.Toucher is one.
type Toucher interface {
	Touch(ctx context.Context, users []presence.UserID, source string, at time.Time) ([]tracker.Standing, error)
	SourceOf(user presence.UserID, session presence.SessionID) (source string, ok bool)
}

// Config is what a Handler is built from. Auth, Presence and Store are needed; the rest has defaults.
type Config struct {
	Auth     *auth.Service
	Presence Presence
	Store    Store
	// Touch is what POST /touch does. Without it the operation is unavailable.
	Touch Toucher
	// Webhooks are the acts on webhooks; nil: there are none.
	Webhooks Webhooks
	// Settings are what GET /settings tells; its Server part goes to admins alone.
	Settings wire.Settings
	// Version is the version of the program, for the document.
	Version string
	// Configured are the timeouts that the configuration says. OnTimeouts, if there is one, makes the parts go by
	// others; it is called for each change, one call at a time.
	Configured presence.Timeouts
	OnTimeouts func(presence.Timeouts)
	// TrashRetention is how long accounts lie in the trash; 0, or nil: until somebody erases them.
	TrashRetention func() time.Duration
	// Proxies, if there is one, tells what proxies asked of this node lately.
	Proxies func() ProxySeen
	// Facts returns how this node is, for those who watch it. It must be quick.
	Facts func(context.Context) []wire.Fact
	// Node names this node where several work together.
	Node string
	// OnJob, if there is one, is told how far jobs are. It must be quick.
	OnJob func(wire.FeedJob)
	// Origin returns where a request comes from, for activity and audit. The default is the address of the
	// connection.
	Origin func(*http.Request) presence.Origin
	// Now is the clock; time.Now by default.
	Now func() time.Time
	Log *slog.Logger
}

// Handler serves the contract. It is an http.Handler for the paths that Owns names. All methods may be called
// from any goroutine.
type Handler struct {
	Config // static after New

	api  huma.API
	mux  *http.ServeMux
	need map[string]Access // by operation id
	// scopes are those of which the token of a backend needs one, by operation id
	scopes map[string]presence.Scope
	spec   []byte // the document

	accounts *accountPages // of the roster
	jobs     jobs
	timeouts timeouts
	began    time.Time
	live     linkTotal
	page     []byte // its page
}

// maxBody is the largest body that is read.
const maxBody = 64 << 10

// New builds a Handler.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Origin == nil {
		cfg.Origin = func(r *http.Request) presence.Origin {
			return presence.Origin{IP: r.RemoteAddr, UserAgent: r.UserAgent()}
		}
	}
	h := &Handler{Config: cfg, mux: http.NewServeMux(), need: map[string]Access{}, scopes: map[string]presence.Scope{}, accounts: newAccountPages(cfg.Store), jobs: jobs{wake: make(chan struct{}, 1)}}
	h.timeouts.now, h.began = cfg.Configured, cfg.Now()
	h.api = humago.New(h.mux, document(cfg.Version))
	h.api.UseMiddleware(h.door)
	h.register()
	h.publish()
	return h
}

// document is the frame of the OpenAPI document, and how bodies are read and written.
func document(version string) huma.Config {
	if version == "" {
		version = "0"
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "OffChat Presence", Version: version,
				Description: "Who is online, away or offline, since when and why. Times are RFC 3339 in UTC, ids are strings, " +
					"lists are pages with a cursor, and errors are problems (RFC 9457) whose code is stable. Every authenticated " +
					"request counts as a sign of life of its session.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer":    {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token from POST /api/auth/login/."},
					"api_token": {Type: "http", Scheme: "bearer", Description: "An API token of a backend, from POST /api/v1/tokens or `presence token create`; it begins with opt_."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": strictJSON, "json": strictJSON},
		DefaultFormat: "application/json",

		RejectUnknownQueryParameters: true,
	}
}

// Owns reports whether a path is ours: everything below /api/v1, and the page about it. Ask it before any
// ServeMux, which would answer unclean paths by itself.
func Owns(path string) bool {
	return strings.HasPrefix(path, "/api/v1/") || path == "/api/v1" || path == "/api/docs"
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	safetyHeaders(w.Header())
	// ServeMux would redirect such a path, for any method, to what it takes for the clean one.
	if p := r.URL.Path; strings.Contains(p, "//") || strings.Contains(p, "/./") || strings.Contains(p, "/../") {
		writeProblem(w, noSuchPath())
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		h.lost(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// lost answers what no operation does: another method of one, or nothing at all.
func (h *Handler) lost(w http.ResponseWriter, r *http.Request) {
	answer := refusal{header: http.Header{}}
	h.mux.ServeHTTP(&answer, r)
	if allow := answer.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, codeMethod, "This path answers "+allow+"."))
		return
	}
	writeProblem(w, noSuchPath())
}

// refusal takes what ServeMux answers to a path it does not know.
type refusal struct{ header http.Header }

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (r *refusal) WriteHeader(int)             {}

func safetyHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Authorization, Origin")
}

// Run does what goes on behind requests, until ctx ends.
func (h *Handler) Run(ctx context.Context) error {
	if _, err := h.accounts.view(ctx); err != nil && ctx.Err() == nil { // so that the first page opens as fast as the next
		h.Log.LogAttrs(ctx, slog.LevelWarn, "accounts could not be read ahead", slog.Any("err", err))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.runJobs(ctx) })
	group.Go(func() error { return h.runTimeouts(ctx) })
	return group.Wait()
}

// OpenAPI returns the document, for those who generate from it or add to it while wiring up.
func (h *Handler) OpenAPI() *huma.OpenAPI { return h.api.OpenAPI() }

// publish makes the document and its page from what was registered.
func (h *Handler) publish() {
	var err error
	if h.spec, err = json.MarshalIndent(h.api.OpenAPI(), "", "  "); err != nil {
		panic("api: the document cannot be written: " + err.Error()) // our own types
	}
	var page bytes.Buffer
	if err := renderDocs(&page, h.api.OpenAPI(), h.need); err != nil {
		panic("api: the page of the document cannot be written: " + err.Error())
	}
	h.page = page.Bytes()
	h.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(h.spec)
	})
	h.mux.HandleFunc("GET /api/docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", docsPolicy)
		_, _ = w.Write(h.page)
	})
}
