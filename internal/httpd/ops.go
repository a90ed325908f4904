package httpd

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Ops is the operators' server: metrics, profiles and health with all reasons. It has no authentication and
// belongs on an address that only operators reach.
type Ops struct {
	mux http.ServeMux
	log *slog.Logger
}

const opsIndex = `Presence, operators' server

/metrics        Prometheus metrics
/healthz        the process answers
/readyz         it should be sent requests, or why not
/debug/pprof/   profiles of the running process
`

// NewOps makes the server. metrics answers /metrics.
func NewOps(ready *Readiness, metrics http.Handler, log *slog.Logger) *Ops {
	o := &Ops{log: log}
	o.mux.Handle("/metrics", metrics)
	o.mux.HandleFunc("/healthz", live)
	o.mux.HandleFunc("/livez", live)
	o.mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) { ready.answer(w, r, true) })
	o.mux.HandleFunc("/debug/pprof/", pprof.Index)
	o.mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	o.mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	o.mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	o.mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	o.mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(opsIndex))
	})
	return o
}

// ServeHTTP answers one request. A page in somebody's browser must not read profiles through the browser:
// requests that a browser makes for another site are refused.
func (o *Ops) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		http.Error(w, "Not for other sites.", http.StatusForbidden)
		return
	}
	w.Header()["X-Content-Type-Options"] = nosniff
	w.Header()["Cache-Control"] = noStore
	o.mux.ServeHTTP(w, r)
}

// Serve answers on ln until ctx ends. There is no limit on how long an answer takes: profiles take long.
func (o *Ops) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: o, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
	}
	return serve(ctx, srv, spare(ln), time.Second, func() {}, o.log)
}
