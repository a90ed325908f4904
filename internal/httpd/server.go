// Package httpd decides how HTTP enters and leaves the process: addresses, timeouts, sizes, which proxy is
// believed, which web origins may call, request ids, what happens when a handler falls over, health, and an
// orderly end. It leaves what the requests mean to the handlers it is given.
//
// Handlers behind it find the truth about a request in the usual places: r.RemoteAddr is the client and not
// the proxy, r.Host and r.URL.Scheme are what the client used (see BaseURL), the header X-Request-Id is one
// that we made or that a trusted proxy sent, and the forwarding headers are gone, so that nobody can believe
// them by mistake. Answers of handlers that set no safe headers themselves get them.
package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/offchat/presence/internal/metrics"
)

// Options are what a Server is made of. Handler and Ready are required.
type Options struct {
	Handler http.Handler
	Ready   *Readiness
	// Metrics counts requests; nil counts nothing.
	Metrics *metrics.HTTP
	// Log gets a line per request at debug, and failures; nil: nothing is logged.
	Log *slog.Logger

	// TrustedProxies are the peers whose X-Forwarded-* and X-Request-Id headers are believed.
	TrustedProxies []netip.Prefix
	// CORSOrigins are the origins whose pages may call, exactly as browsers write them.
	CORSOrigins []string
	// ExposeHeaders are the names of answer headers that those pages may read, besides the recorded ones.
	ExposeHeaders []string

	Limits Limits
}

// Limits bound what one request or connection may take. Zero fields have the defaults named. The times are
// exact to a second or two (see patience).
type Limits struct {
	Open    time.Duration // for a new connection to send the head of its first request: 10 s
	Request time.Duration // from the head of a request to the end of its answer: 40 s
	Idle    time.Duration // between requests, the next head included: 2 min, so that clients that beat every 30 s keep theirs
	Header  int           // bytes of a head: 16 KiB
	Body    int64         // bytes of a body: 64 KiB
	Drain   time.Duration // for requests under way when the server stops: 10 s
}

func (l *Limits) setDefaults() {
	setDefault(&l.Open, 10*time.Second)
	setDefault(&l.Request, 40*time.Second)
	setDefault(&l.Idle, 2*time.Minute)
	setDefault(&l.Header, 16<<10)
	setDefault(&l.Body, 64<<10)
	setDefault(&l.Drain, 10*time.Second)
}

func setDefault[T comparable](v *T, value T) {
	if *v == *new(T) {
		*v = value
	}
}

// Server is the public server. It may serve several listeners.
type Server struct {
	// Static after New.
	handler  http.Handler
	ready    *Readiness
	metrics  *metrics.HTTP
	log      *slog.Logger
	limits   Limits
	patience *patience
	expose   []string
	ids      requestIDs

	peers atomic.Pointer[peers]
}

// peers are who is believed and who may call. It is replaced as a whole, never changed.
type peers struct {
	proxies proxies
	cors    cors
}

// New makes a Server. It does not listen yet.
func New(o Options) *Server {
	o.Limits.setDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.Discard().HTTP
	}
	s := &Server{
		handler: o.Handler, ready: o.Ready, metrics: o.Metrics, log: o.Log, limits: o.Limits,
		patience: newPatience(o.Limits), expose: o.ExposeHeaders,
	}
	s.Believe(o.TrustedProxies, o.CORSOrigins)
	s.ids.init()
	return s
}

// Believe replaces Options.TrustedProxies and CORSOrigins, from the next request on. It may be called at any time.
func (s *Server) Believe(trusted []netip.Prefix, origins []string) {
	s.peers.Store(&peers{trusted, newCORS(origins, s.expose)})
}

// Listen opens a TCP listener that notices within half a minute that a peer is gone (Go's default needs two
// and a half), and that keeps some file descriptors back from clients.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	keep := net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}
	ln, err := (&net.ListenConfig{KeepAliveConfig: keep}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return reserve(ln), nil
}

// Adopt makes a listener that somebody else opened as careful as one of Listen's.
func Adopt(ln net.Listener) net.Listener { return reserve(ln) }

// Serve answers on ln until ctx ends. Then it stops being ready, takes no new connections, lets requests
// under way finish for at most Limits.Drain, closes what is left, and returns nil. WebSockets are not waited
// for: they belong to whoever took them over. Any other end is an error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // while draining, too
	defer stop()
	go s.patience.run(watching)
	if careful, ok := ln.(interface{ logTo(log *slog.Logger) }); ok {
		careful.logTo(s.log)
	}
	return serve(ctx, s.httpServer(), listener{ln}, s.limits.Drain, s.ready.Drain, s.log)
}

func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // and nothing else: no HTTP/2 over clear text
	return &http.Server{
		Handler:        s,
		Protocols:      protocols,
		MaxHeaderBytes: s.limits.Header,
		ConnState:      s.patience.note,
		ConnContext:    remember,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// "OPTIONS *" is answered like every other path.
		DisableGeneralOptionsHandler: true,
	}
}

// serve runs any of our servers to its orderly end.
func serve(ctx context.Context, srv *http.Server, ln net.Listener, drain time.Duration, stopping func(), log *slog.Logger) error {
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "requests were cut off: they took longer than the drain time",
			slog.Duration("drain", drain))
		_ = srv.Close() // ends what Shutdown waited for
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
