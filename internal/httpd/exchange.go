package httpd

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// exchange is one request and its answer on their way through: the ResponseWriter that handlers get.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	start   time.Time
	status  int       // of the answer; 0: none yet
	id      [1]string // the request id, in the shape of a header value
	// direct: the request came to us without any proxy in between, as far as it says.
	direct bool
}

// WriteHeader notes the status and sees to it that the answer has safe headers.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.status = status
		makeSafe(x.Header())
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the answer.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	return x.ResponseWriter.Write(p)
}

// Flush sends what was written so far.
func (x *exchange) Flush() {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(x.ResponseWriter).Flush() // who cannot flush sends it later
}

// Hijack hands the connection over, to a WebSocket.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil && x.status == 0 {
		x.status = http.StatusSwitchingProtocols
	}
	if c, ours := nc.(*conn); ours {
		nc = c.Conn
	}
	return nc, rw, err
}

// SetWriteDeadline is for handlers that stream, through http.ResponseController: who sets deadlines of their own
// is not bounded by Limits.Request any more.
func (x *exchange) SetWriteDeadline(at time.Time) error {
	if c := connOf(x.request); c != nil {
		c.handOver()
	}
	return http.NewResponseController(x.ResponseWriter).SetWriteDeadline(at)
}

// Unwrap lets http.ResponseController reach the rest.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Header values that every answer shares. Nobody may write into these slices.
var (
	nosniff    = []string{"nosniff"}
	deny       = []string{"DENY"}
	noStore    = []string{"no-store"}
	referrer   = []string{"strict-origin-when-cross-origin"}
	sameOrigin = []string{"same-origin"}
	closing    = []string{"close"}
	soon       = []string{"1"}
	typeJSON   = []string{"application/json"}
	typeHTML   = []string{"text/html; charset=utf-8"}
)

// ServeHTTP takes one request through the whole chain, in reading order. It is one function and one
// allocation rather than a stack of wrappers, because every heartbeat passes here.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, request: r, start: time.Now()}
	peers := s.peers.Load()
	s.identify(x, r, peers.proxies)
	defer s.finish(x, r)

	h := w.Header()
	h["X-Request-Id"] = x.id[:]

	if len(r.TransferEncoding) > 0 {
		// A chunked body may have come with a Content-Length too; net/http drops that header and reads the
		// chunks, while a proxy before us may have counted bytes (RFC 9112 6.1). What follows such a body is
		// never taken for a request: the connection ends with this answer.
		h["Connection"] = closing
	}
	if r.ProtoMajor != 1 {
		// net/http hands an HTTP/2 preface on, for those who speak that without TLS. We do not.
		h["Connection"] = closing
		s.refuse(x, http.StatusHTTPVersionNotSupported, `{"detail":"HTTP version not supported."}`)
		return
	}
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		s.refuse(x, http.StatusMethodNotAllowed, `{"detail":"Method not allowed."}`)
		return
	}
	if peers.cors.handle(h, r) {
		x.WriteHeader(http.StatusOK)
		return
	}
	if s.health(x, r) {
		return
	}
	if !s.ready.Started() {
		h["Retry-After"] = soon
		s.refuse(x, http.StatusServiceUnavailable, `{"error":"The server is starting."}`)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, s.limits.Body)
	}
	s.handler.ServeHTTP(x, r)
}

// makeSafe gives an answer the headers that browsers need to be careful. A handler that has set the first of
// them has thought about them all.
func makeSafe(h http.Header) {
	if _, thought := h["X-Content-Type-Options"]; thought {
		return
	}
	h["X-Content-Type-Options"] = nosniff
	setDefaultHeader(h, "X-Frame-Options", deny)
	setDefaultHeader(h, "Referrer-Policy", referrer)
	setDefaultHeader(h, "Cross-Origin-Opener-Policy", sameOrigin)
	setDefaultHeader(h, "Cache-Control", noStore)
}

func setDefaultHeader(h http.Header, name string, value []string) {
	if _, set := h[name]; !set {
		h[name] = value
	}
}

func (s *Server) refuse(x *exchange, status int, body string) {
	s.metrics.Refused.Inc()
	answerJSON(x, status, body)
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a caller who is gone needs no answer
}

// finish catches a handler that fell over, counts the request and, at debug, logs it. Queries are not logged:
// the old client has its token there.
func (s *Server) finish(x *exchange, r *http.Request) {
	broken := recover()
	if broken != nil && broken != http.ErrAbortHandler {
		s.metrics.Panics.Inc()
		s.log.LogAttrs(r.Context(), slog.LevelError, "a handler fell over", slog.Any("err", broken),
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("request", x.id[0]),
			slog.String("stack", string(debug.Stack())))
		if x.status == 0 {
			x.Header()["Connection"] = closing
			answerJSON(x, http.StatusInternalServerError, `{"error":"Internal server error"}`)
			broken = nil
		}
	}
	status := x.status
	if status == 0 {
		status = http.StatusOK // net/http's answer for a handler that wrote nothing
	}
	took := time.Since(x.start)
	s.metrics.Observe(routeOf(r), r.Method, status, took)
	if s.log.Enabled(r.Context(), slog.LevelDebug) {
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", status), slog.Duration("took", took),
			slog.String("remote", r.RemoteAddr), slog.String("request", x.id[0]))
	}
	if broken != nil {
		panic(http.ErrAbortHandler) // half an answer is out: cut the connection, so that nobody takes it for a whole one
	}
}

// routeOf is the pattern that matched, for metrics; paths are without number.
func routeOf(r *http.Request) string {
	if r.Pattern == "" {
		return "none"
	}
	return strings.TrimSuffix(r.Pattern, "{$}")
}
