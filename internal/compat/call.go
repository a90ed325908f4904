package compat

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// call is one request on its way through: who is calling, and the answer as it grows. Calls are pooled; nothing
// may keep one, or a slice of its out, past the answer.
type call struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	route *Route
	now   time.Time
	id    auth.Identity
	// seen is the caller's presence after this request counted as activity.
	seen presence.Presence
	out  []byte
}

// keepBuffer is the largest answer whose buffer is kept for the next one: a page of 1,000 users fits.
const keepBuffer = 1 << 20

var calls = sync.Pool{New: func() any { return &call{out: make([]byte, 0, 512)} }}

func (h *Handler) newCall(w http.ResponseWriter, r *http.Request, route *Route) *call {
	c := calls.Get().(*call)
	c.h, c.w, c.r, c.route, c.now = h, w, r, route, h.Now()
	return c
}

func (c *call) release() {
	out := c.out[:0]
	if cap(out) > keepBuffer {
		out = nil
	}
	*c = call{out: out}
	calls.Put(c)
}

// ctx ends when the caller is gone.
func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) origin() presence.Origin { return c.h.Origin(c.r) }

// serve takes a request through the recorded order of checks: content type, authentication, permission,
// method, and then the endpoint.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, route *Route) {
	c := h.newCall(w, r, route)
	defer c.release()
	if (r.Method == http.MethodPost || r.Method == http.MethodPut) && !goodContentType(r.Header) {
		c.badContentType()
		return
	}
	if r.Method == http.MethodOptions {
		c.out = append(c.out, "{}"...)
		c.answer(http.StatusOK)
		return
	}
	m, known := route.method(r.Method)
	err := c.do(m, known)
	if m.beat {
		c.countBeat(err)
	}
	if err == nil || m.inactiveWords && c.tellInactive(err) {
		return
	}
	c.out = c.out[:0]
	c.fail(err)
}

func (c *call) do(m Method, known bool) error {
	need := m.Access
	if !known {
		need = c.route.least
	}
	if need > Anyone {
		if err := c.authenticate(m.ownSignal); err != nil {
			return err
		}
	}
	if need == Readers && !c.id.MayRead() || need == Admins && !c.id.IsAdmin() {
		return &presence.Error{Kind: presence.Forbidden, Op: "check permission"}
	}
	if !known {
		return c.h.methodNotAllowed(c)
	}
	return m.do(c)
}

// authenticate finds out who is calling and, unless the endpoint tells the engine itself, counts the request as
// activity.
func (c *call) authenticate(ownSignal bool) error {
	token, err := bearer(c.r.Header)
	if err != nil {
		return err
	}
	if c.id, err = c.h.Auth.Authenticate(c.ctx(), token, c.now); err != nil || ownSignal {
		return err
	}
	return c.signal(presence.Activity)
}

// signal tells the engine of a sign of life of the caller's session.
func (c *call) signal(kind presence.Kind) (err error) {
	c.seen, err = c.h.Presence.Signal(c.ctx(), presence.Signal{
		User: c.id.User, Session: c.id.Session, Kind: kind, At: c.now,
	})
	return err
}

// bearer reads the access token, as SimpleJWT does: the scheme is spelled "Bearer", and another scheme is as
// good as no header.
func bearer(h http.Header) (string, error) {
	lines := h["Authorization"]
	if len(lines) == 1 {
		if token, ok := strings.CutPrefix(lines[0], "Bearer "); ok && token != "" && oneWord(token) {
			return token, nil
		}
	}
	if len(lines) == 0 {
		return "", errNoCredentials
	}
	words := strings.Fields(lines[0])
	switch {
	case len(lines) == 1 && (len(words) == 0 || words[0] != "Bearer"):
		return "", errNoCredentials
	case len(lines) == 1 && len(words) == 2:
		return words[1], nil
	default:
		return "", errBadAuthorization
	}
}

// oneWord reports whether a token is nothing but a token. IndexByte looks at many bytes at once, and a token
// has hundreds.
func oneWord(token string) bool {
	return strings.IndexByte(token, ' ') < 0 && strings.IndexByte(token, ',') < 0 && strings.IndexByte(token, '\t') < 0
}

// goodContentType is the recorded system's first door: a POST or PUT says that it carries JSON or a form, even
// when it carries nothing. It reads the media type, not any mention of it in a parameter.
func goodContentType(h http.Header) bool {
	lines := h["Content-Type"]
	if len(lines) != 1 {
		return false
	}
	if lines[0] == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(lines[0])
	return err == nil && (kind == "application/json" || kind == "multipart/form-data")
}

func (c *call) badContentType() {
	c.out = append(c.out, `{"error":"Invalid content type. Use application/json or multipart/form-data"}`...)
	h := c.w.Header()
	c.answerHeaders(h)
	h["Vary"] = varyEarly
	delete(h, "Allow")
	c.write(http.StatusBadRequest)
}

// Header values that every answer shares. Nobody may write into these slices.
var (
	typeJSON     = []string{"application/json"}
	typeHTML     = []string{"text/html; charset=utf-8"}
	vary         = []string{"Accept, Origin, Cookie"}
	varyEarly    = []string{"Origin, Cookie"}
	nosniff      = []string{"nosniff"}
	frameDeny    = []string{"DENY"}
	xssBlock     = []string{"1; mode=block"}
	referrer     = []string{"strict-origin-when-cross-origin"}
	sameOrigin   = []string{"same-origin"}
	noStore      = []string{"no-store"}
	bearerNeeded = []string{`Bearer realm="api"`}
)

func safetyHeaders(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["X-Frame-Options"] = frameDeny
	h["X-Xss-Protection"] = xssBlock
	h["Referrer-Policy"] = referrer
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Cache-Control"] = noStore
}

func (c *call) answerHeaders(h http.Header) {
	h["Content-Type"] = typeJSON
	h["Vary"] = vary
	safetyHeaders(h)
	if c.route != nil {
		h["Allow"] = c.route.allow
	}
}

// answer sends what out holds.
func (c *call) answer(status int) {
	c.answerHeaders(c.w.Header())
	c.write(status)
}

func (c *call) write(status int) {
	if len(c.out) > 2048 { // net/http counts shorter ones itself
		c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(c.out))}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(c.out) // a caller who is gone needs no answer
}

// ok sends out with status 200; endpoints end with it.
func (c *call) ok() error {
	c.answer(http.StatusOK)
	return nil
}

// message sends {"message": text} with status 200.
func (c *call) message(text string) error {
	c.out = appendString(append(c.out, `{"message":`...), text)
	c.out = append(c.out, '}')
	return c.ok()
}

// tell adds the headers that carry the server's settings.
func (c *call) tell() {
	h := c.w.Header()
	for _, one := range *c.h.told.Load() {
		h[one.key] = one.value
	}
}

func (h *Handler) methodNotAllowed(c *call) error {
	c.out = append(c.out, `{"detail":`...)
	c.out = appendString(c.out, `Method "`+c.r.Method+`" not allowed.`)
	c.out = append(c.out, '}')
	c.answer(http.StatusMethodNotAllowed)
	return nil
}

func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	c := h.newCall(w, r, nil)
	defer c.release()
	c.out = append(c.out, `{"detail":"Not found."}`...)
	c.answer(http.StatusNotFound)
}

// slashless answers a path without the slash at its end: who only reads is sent there, who writes is answered
// at once, because a redirect would lose what was written.
func (h *Handler) slashless(w http.ResponseWriter, r *http.Request, route *Route) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		redirect(w, r)
		return
	}
	h.serve(w, r, route)
}

func redirect(w http.ResponseWriter, r *http.Request) {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	h := w.Header()
	safetyHeaders(h)
	h["Content-Type"] = typeHTML
	h["Vary"] = varyEarly
	h["Location"] = []string{to}
	w.WriteHeader(http.StatusMovedPermanently)
}

// userID reads the id in the path as Django's int converter does: digits and nothing else. What it does not
// match is no such page.
func (c *call) userID() (presence.UserID, error) {
	word := c.r.PathValue("id")
	digits := strings.TrimLeft(word, "0")
	if word == "" || len(digits) > 19 || strings.Trim(digits, "0123456789") != "" {
		return 0, errNoPage
	}
	if digits == "" {
		return 0, nil // an id nobody has
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errNoPage
	}
	return presence.UserID(n), nil
}

// drain reads a body that is not looked at, so that the connection can be used again.
func (c *call) drain() error {
	if c.r.ContentLength == 0 || c.r.Body == nil || c.r.Body == http.NoBody {
		return nil
	}
	if c.r.ContentLength > maxBody {
		return errTooLarge
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(c.w, c.r.Body, maxBody)); err != nil {
		return bodyError(err)
	}
	return nil
}
