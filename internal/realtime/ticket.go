package realtime

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	ticketLife = time.Minute
	// maxTicketLife is the longest that a backend may ask for.
	maxTicketLife = 5 * time.Minute
	// maxTickets bounds the tickets that are good at one time, maxTicketsPerUser those of one user.
	maxTickets, maxTicketsPerUser = 1 << 16, 40
)

// tickets are the ones that are good: each once, for a minute. They are kept as hashes, beside what bought
// them, which is checked again when the ticket is used.
type tickets struct {
	now    func() time.Time
	shared SharedTickets // nil: this server is the only one

	mu   sync.Mutex // guards the following fields
	good map[[32]byte]ticket
	of   map[presence.UserID]int
}

type ticket struct {
	proof
	user  presence.UserID
	until time.Time
}

// proof is what somebody was let in with: an access token or an API token, and the API token of the backend on whose
// word that was, if it was one's. Both must count. Whom a backend vouched for is seen as no staff whatever they are.
type proof struct{ token, via string }

func newTickets(now func() time.Time, shared SharedTickets) *tickets {
	return &tickets{now: now, shared: shared, good: make(map[[32]byte]ticket), of: make(map[presence.UserID]int)}
}

// issue makes a ticket for the bearer of a token that was checked.
func (t *tickets) issue(user presence.UserID, token string) (string, error) {
	return t.add(ticket{proof: proof{token: token}, user: user, until: t.now().Add(ticketLife)})
}

func (t *tickets) add(one ticket) (string, error) {
	if t.shared != nil {
		return t.seal(one), nil
	}
	user := one.user
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	text := base64.RawURLEncoding.EncodeToString(random[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[user] >= maxTicketsPerUser || len(t.good) >= maxTickets {
		t.sweepLocked()
	}
	switch {
	case t.of[user] >= maxTicketsPerUser:
		return "", &presence.Error{Kind: presence.Throttled, Op: "issue ticket", Tell: "Too many unused tickets.", RetryAfter: ticketLife}
	case len(t.good) >= maxTickets:
		return "", &presence.Error{Kind: presence.Unavailable, Op: "issue ticket", Tell: "Too many unused tickets.", RetryAfter: ticketLife}
	}
	t.good[sha256.Sum256([]byte(text))] = one
	t.of[user]++
	return text, nil
}

// redeem returns what is behind a ticket, once.
func (t *tickets) redeem(text string) (ticket, bool) {
	if t.shared != nil {
		return t.unseal(text)
	}
	key := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.good[key]
	if !ok {
		return ticket{}, false
	}
	t.forgetLocked(key, one.user)
	return one, t.now().Before(one.until)
}

// authenticate checks what somebody came with: an access token, an API token, or a ticket or a pass in place of one. It
// returns what is behind it.
func (f *Feed) authenticate(ctx context.Context, text string) (proof, Caller, error) {
	p := proof{token: text}
	if looksLikeTicket(text) {
		if good, ok := f.tickets.redeem(text); ok {
			p = good.proof
		}
	} else if token, via, ok := f.cfg.OpenPass(text); ok {
		p = proof{token, via}
	}
	caller, err := f.check(ctx, p)
	return p, caller, err
}

// check checks a proof as it is now. Who came through a backend is here for as long as the backend may let people in.
func (f *Feed) check(ctx context.Context, p proof) (Caller, error) {
	now := f.cfg.Now()
	caller, err := f.cfg.Authenticate(ctx, p.token, now)
	if err != nil || p.via == "" {
		return caller, err
	}
	backend, err := f.cfg.Vouch(ctx, p.via, now)
	caller.Staff, caller.via = false, backend.User
	if backend.Expires.Before(caller.Expires) {
		caller.Expires = backend.Expires
	}
	return caller, err
}

// ticketLength is that of 32 bytes in base64url; no token has it.
const ticketLength = 43

func looksLikeTicket(text string) bool {
	return len(text) == ticketLength || strings.HasPrefix(text, sealedPrefix)
}

func (t *tickets) forgetLocked(key [32]byte, user presence.UserID) {
	delete(t.good, key)
	if t.of[user]--; t.of[user] <= 0 {
		delete(t.of, user)
	}
}

// sweep forgets what is out of its time.
func (t *tickets) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked()
}

func (t *tickets) sweepLocked() {
	now := t.now()
	for key, one := range t.good {
		if !now.Before(one.until) {
			t.forgetLocked(key, one.user)
		}
	}
}

// serveTicket answers POST /api/v1/feed/ticket.
func (f *Feed) serveTicket(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuse(w, methodNotAllowed(w, http.MethodPost))
		return
	}
	one, err := f.ticketFor(r)
	if err != nil {
		refuse(w, err)
		return
	}
	life := one.until.Sub(f.cfg.Now())
	text, err := f.tickets.add(one)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header()["Cache-Control"] = []string{"no-store"}
	answer(w, http.StatusOK, "application/json", wire.FeedTicket{Ticket: text, ExpiresIn: int(life.Round(time.Second).Seconds())})
}

// ticketFor is what the caller may have a ticket for: their own session, or for a backend one of the user it names.
func (f *Feed) ticketFor(r *http.Request) (ticket, error) {
	token, now := bearer(r.Header), f.cfg.Now()
	var want wire.FeedTicketRequest
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &want)
	}
	if want == (wire.FeedTicketRequest{}) && err == nil {
		caller, err := f.cfg.Authenticate(r.Context(), token, now)
		if err == nil && caller.Backend {
			err = badTicketRequest("user", "A backend says for which user the ticket is.")
		}
		return ticket{proof: proof{token: token}, user: caller.User, until: now.Add(ticketLife)}, err
	}
	life := ticketLife
	if want.TTL != 0 {
		life = time.Duration(want.TTL) * time.Second
	}
	switch {
	case err != nil:
		return ticket{}, badTicketRequest("body", "The body is a JSON object with user, and perhaps ttl and device.")
	case want.TTL < 0 || want.TTL > int(maxTicketLife/time.Second):
		return ticket{}, badTicketRequest("ttl", "A ticket is good for 1 to 300 seconds.")
	case f.cfg.OnBehalf == nil:
		return ticket{}, &presence.Error{Kind: presence.Forbidden, Op: "issue ticket", Tell: "There are no tickets for others."}
	}
	user, access, err := f.cfg.OnBehalf(r, token, want)
	return ticket{proof: proof{token: access, via: token}, user: user, until: now.Add(life)}, err
}

func badTicketRequest(field, tell string) error {
	return &presence.Error{Kind: presence.Invalid, Op: "issue ticket", Field: field, Code: "validation", Tell: tell}
}
