package realtime

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	ticketLife = time.Minute
	// maxTickets bounds the tickets that are good at one time, maxTicketsPerUser those of one user.
	maxTickets, maxTicketsPerUser = 1 << 16, 40
)

// tickets are the ones that are good: each once, for a minute. They are kept as hashes, beside the token that bought
// them, which is checked again when the ticket is used.
type tickets struct {
	now func() time.Time

	mu   sync.Mutex // guards the following fields
	good map[[32]byte]ticket
	of   map[presence.UserID]int
}

type ticket struct {
	token string
	user  presence.UserID
	until time.Time
}

func newTickets(now func() time.Time) *tickets {
	return &tickets{now: now, good: make(map[[32]byte]ticket), of: make(map[presence.UserID]int)}
}

// issue makes a ticket for the bearer of a token that was checked.
func (t *tickets) issue(user presence.UserID, token string) (string, error) {
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
	t.good[sha256.Sum256([]byte(text))] = ticket{token, user, t.now().Add(ticketLife)}
	t.of[user]++
	return text, nil
}

// redeem returns the token behind a ticket, once.
func (t *tickets) redeem(text string) (token string, ok bool) {
	key := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.good[key]
	if !ok {
		return "", false
	}
	t.forgetLocked(key, one.user)
	return one.token, t.now().Before(one.until)
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
	token := bearer(r.Header)
	caller, err := f.cfg.Authenticate(r.Context(), token, f.cfg.Now())
	if err != nil {
		refuse(w, err)
		return
	}
	text, err := f.tickets.issue(caller.User, token)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header()["Cache-Control"] = []string{"no-store"}
	answer(w, http.StatusOK, "application/json", wire.FeedTicket{Ticket: text, ExpiresIn: int(ticketLife.Seconds())})
}
