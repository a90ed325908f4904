package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// serveFeed opens a feed: the checks that HTTP can answer, then one of the transports.
func (f *Feed) serveFeed(w http.ResponseWriter, r *http.Request) {
	if err := f.openFeed(w, r); err != nil {
		refuse(w, err)
	}
}

func (f *Feed) openFeed(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return methodNotAllowed(w, http.MethodGet)
	}
	if origin := r.Header.Get("Origin"); origin != "" && !f.cfg.AllowOrigin(origin) {
		return &presence.Error{Kind: presence.Forbidden, Op: "open feed", Code: "origin", Tell: "Pages of this origin may not open a feed."}
	}
	if err := f.hub.start(r.Context()); err != nil {
		return presence.E(presence.Unavailable, "open feed", err)
	}
	proof, caller, err := f.identify(r)
	if err != nil {
		return err
	}
	if r.Header.Get("Sec-Websocket-Key") != "" && r.Header.Get("Upgrade") != "" {
		return f.openSocket(w, r, proof, caller)
	}
	return f.openStream(w, r, proof, caller)
}

// identify checks who asks, where the request says so: the caller is nobody when it does not.
func (f *Feed) identify(r *http.Request) (proof, Caller, error) {
	text := bearer(r.Header)
	if ticket := r.URL.Query().Get("ticket"); ticket != "" && text == "" {
		if !looksLikeTicket(ticket) { // a token does not belong into an address
			return proof{}, Caller{}, errTicket
		}
		p, caller, err := f.authenticate(r.Context(), ticket)
		if presence.KindOf(err) == presence.Unauthenticated && err != nil && p.token == ticket {
			err = errTicket
		}
		return p, caller, err
	}
	if text == "" {
		return proof{}, Caller{}, nil
	}
	return f.authenticate(r.Context(), text)
}

var errTicket = &presence.Error{Kind: presence.Unauthenticated, Op: "open feed", Code: "ticket", Tell: "The ticket is not good, or no longer."}

// bearer is the token of an Authorization header, or nothing.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// wish is what a connection asks for.
type wish struct {
	scope         string
	users         []presence.UserID
	resume        *wire.FeedCursor
	idle, observe bool
	roster        bool
	counts        bool
}

// check checks a wish against who asks.
func (w *wish) check(caller Caller) error {
	switch w.scope {
	case wire.FeedScopeUsers:
	case wire.FeedScopeCounts:
		w.users, w.resume = nil, nil
	case wire.FeedScopeAll:
		w.users = nil
		if !caller.Staff && !caller.Backend {
			return &presence.Error{Kind: presence.Forbidden, Op: "open feed", Code: "scope", Tell: "Only staff and backends may watch everybody."}
		}
	default:
		return &presence.Error{Kind: presence.Invalid, Op: "open feed", Field: "scope", Tell: "The scope is users, all or counts."}
	}
	if len(w.users) > maxUsers {
		return errTooMany
	}
	return nil
}

var errTooMany = &presence.Error{
	Kind: presence.Invalid, Op: "watch users", Code: "too_many_users", Field: "users",
	Tell: "One connection may watch " + strconv.Itoa(maxUsers) + " users.",
}

// parseIDs reads ids as we write them, and leaves out repeated ones.
func parseIDs(words []string) ([]presence.UserID, error) {
	ids := make([]presence.UserID, 0, len(words))
	known := make(map[presence.UserID]struct{}, len(words))
	for _, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n <= 0 || word[0] == '0' || word[0] == '+' {
			return nil, &presence.Error{Kind: presence.Invalid, Op: "watch users", Field: "users", Tell: "An id is a positive number without leading zeros."}
		}
		id := presence.UserID(n)
		if _, again := known[id]; !again {
			known[id] = struct{}{}
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// add takes a connection in before it is known whose it is.
func (f *Feed) add(c *conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	bounded := !loopback(c.address)
	switch {
	case f.draining:
		return errRestarting
	case bounded && f.byAddress[c.address] >= f.cfg.PerAddress:
		return errBusy
	}
	if bounded {
		f.byAddress[c.address]++
	}
	f.turn = (f.turn + 1) % lookSlots
	c.slot = f.turn
	f.conns[c], f.slots[c.slot][c] = struct{}{}, struct{}{}
	f.open.Add(1)
	return nil
}

var (
	errRestarting = &presence.Error{Kind: presence.Unavailable, Op: "open feed", Code: "restart", Tell: "The server is restarting.", RetryAfter: 1e9}
	errBusy       = &presence.Error{Kind: presence.Throttled, Op: "open feed", Code: "busy", Tell: "Too many open connections.", RetryAfter: 60e9}
)

// own notes whose connection it is, where there is room for one more.
func (f *Feed) own(c *conn, user presence.UserID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.draining:
		return errRestarting
	case len(f.byUser[user]) >= f.cfg.PerUser:
		return errBusy
	}
	f.byUser[user] = append(f.byUser[user], c)
	return nil
}

// remove lets a connection go. It reports whether its session is to be told: not when everything ends for a restart.
func (f *Feed) remove(c *conn) (tell bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	delete(f.slots[c.slot], c)
	if !loopback(c.address) {
		if f.byAddress[c.address]--; f.byAddress[c.address] <= 0 {
			delete(f.byAddress, c.address)
		}
	}
	mine := f.byUser[c.caller.User]
	for i := range mine {
		if mine[i] == c {
			end := len(mine) - 1
			mine[i], mine[end] = mine[end], nil
			mine = mine[:end]
			break
		}
	}
	if len(mine) == 0 {
		delete(f.byUser, c.caller.User)
	} else {
		f.byUser[c.caller.User] = mine
	}
	return !f.draining
}

// list appends every connection.
func (f *Feed) list(into []*conn) []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		into = append(into, c)
	}
	return into
}

// inSlot appends the connections that are looked at together.
func (f *Feed) inSlot(slot int, into []*conn) []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.slots[slot] {
		into = append(into, c)
	}
	return into
}

// of returns a user's connections.
func (f *Feed) of(user presence.UserID) []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*conn(nil), f.byUser[user]...)
}

// through returns the connections that came on the word of a backend.
func (f *Feed) through(backend presence.UserID) (came []*conn) {
	for _, c := range f.list(nil) {
		if c.via.Load() == int64(backend) {
			came = append(came, c)
		}
	}
	return came
}

func loopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}

func connectionAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// problem is an RFC 9457 problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"`
}

var statuses = map[presence.ErrorKind]int{
	presence.Invalid: http.StatusBadRequest, presence.Unauthenticated: http.StatusUnauthorized,
	presence.Forbidden: http.StatusForbidden, presence.Throttled: http.StatusTooManyRequests,
	presence.Unavailable: http.StatusServiceUnavailable, presence.NotFound: http.StatusNotFound, presence.Conflict: http.StatusConflict,
}

var errMethod = errors.New("realtime: method not allowed")

func methodNotAllowed(w http.ResponseWriter, allowed string) error {
	w.Header()["Allow"] = []string{allowed}
	return errMethod
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errAnswered) {
		return
	}
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError}
	if status, ok := statuses[presence.KindOf(err)]; ok {
		p.Status = status
	}
	if errors.Is(err, errMethod) {
		p.Status = http.StatusMethodNotAllowed
	}
	if e := (*presence.Error)(nil); errors.As(err, &e) {
		p.Code, p.Detail = e.Code, e.Tell
		if e.RetryAfter > 0 {
			w.Header()["Retry-After"] = []string{strconv.Itoa(int(e.RetryAfter.Seconds()))}
		}
	}
	if p.Status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{"Bearer"}
	}
	p.Title = http.StatusText(p.Status)
	answer(w, p.Status, "application/problem+json", p)
}

// errAnswered: whoever failed has told the client already.
var errAnswered = errors.New("realtime: answered")

func answer(w http.ResponseWriter, status int, kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("realtime: an answer that cannot be encoded: " + err.Error())
	}
	w.Header()["Content-Type"] = []string{kind}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who is gone needs no answer
}

// still checks again that a proof still counts, after its connection can be found by those who end sessions.
func (f *Feed) still(ctx context.Context, p proof) bool {
	_, err := f.check(ctx, p)
	kind := presence.KindOf(err)
	return err == nil || kind != presence.Unauthenticated && kind != presence.Forbidden
}
