package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// state is what a person is up to.
type state uint8

const (
	out    state = iota // not signed in
	in                  // signed in and beating
	silent              // signed in, and says nothing
	gone                // will not come back
)

// person is somebody who is played. A person does one thing at a time: whoever has them do it holds busy.
type person struct {
	// Static after New.
	name, password string
	socketed       bool

	busy atomic.Bool

	// Owned by whoever holds busy; after the run by whoever ended it.
	state     state
	user      int64
	tokens    Tokens
	refreshAt time.Time // zero: never
	restUntil time.Time // the server asked to be left alone until then
	arrived   bool      // the first sign-in is over
	tries     int       // to sign in

	measured atomic.Bool // this person's silence is measured: nobody else may have them do anything

	// When they last did what others can see, in nanoseconds since the start of the run; 0: nobody waits for it.
	loginSent, loginAnswered, logoutSent atomic.Int64
	// silentFrom and silentBy are when their last heartbeat was sent and answered, offlineSeen when the
	// listener heard that they are offline.
	silentFrom, silentBy, offlineSeen atomic.Int64

	socketMu sync.Mutex // guards the following field
	socket   *socket
}

// begin reports whether the person has time; end must follow.
func (p *person) begin() bool { return p.busy.CompareAndSwap(false, true) }
func (p *person) end()        { p.busy.Store(false) }

// take keeps what a login gave.
func (p *person) take(got SignedIn) {
	p.state, p.user = in, got.User
	p.logoutSent.Store(0)
	p.use(got.Tokens)
}

// use keeps tokens, and plans to change them when a fifth of their time is left.
func (p *person) use(t Tokens) {
	p.tokens, p.refreshAt = t, time.Time{}
	if life := t.Lifetime(); life > 0 {
		p.refreshAt = time.Now().Add(life - life/5)
	}
}

// kind is what a call was for.
type kind uint8

const (
	register kind = iota
	login
	heartbeatEarly // while others still sign in
	heartbeat
	refresh
	logout
	connect // open a WebSocket
	ask     // somebody's status
	kinds
)

var kindNames = [kinds]string{"register", "login", "heartbeat while signing in", "heartbeat", "refresh", "logout", "websocket", "online-status"}

// calls counts the calls of one kind. All methods may be called from any goroutine.
type calls struct {
	ok Histogram

	mu     sync.Mutex // guards the following field
	errors map[string]uint64
}

// count counts one call that took so long. What was cut short by the end of the run does not count.
func (c *calls) count(took time.Duration, err error) {
	switch {
	case err == nil:
		c.ok.Add(took)
	case !errors.Is(err, context.Canceled):
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.errors == nil {
			c.errors = map[string]uint64{}
		}
		c.errors[wordFor(err)]++
	}
}

func (c *calls) failures() (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, count := range c.errors {
		n += count
	}
	return n
}

// wordFor is an error in few words, so that there are few different ones.
func wordFor(err error) string {
	if status := StatusOf(err); status != 0 {
		return fmt.Sprint(status)
	}
	text := err.Error()
	for _, word := range []string{"connection refused", "connection reset", "too many open files", "cannot assign requested address", "timeout", "deadline exceeded", "EOF"} {
		if strings.Contains(text, word) {
			return word
		}
	}
	return "other"
}

// timed makes one call and counts it.
func (g *Generator) timed(k kind, call func() error) error {
	began := time.Now()
	err := call()
	g.calls[k].count(time.Since(began), err)
	return err
}

// since is the time in the run, in nanoseconds; never 0.
func (g *Generator) since(t time.Time) int64 { return int64(t.Sub(g.start)) | 1 }

// enter signs a person in: the first time with a new account.
func (g *Generator) enter(ctx context.Context, p *person) (got SignedIn, err error) {
	p.loginAnswered.Store(0)
	p.loginSent.Store(g.since(time.Now()))
	if !p.arrived {
		err = g.timed(register, func() (err error) {
			got, err = g.api.Register(ctx, p.name, p.password)
			if StatusOf(err) == http.StatusBadRequest && (g.opts.KeepNames || p.tries > 0) {
				// Or the name is not possible; the login will tell. At a second try, the answer to the first was lost.
				return errKnown
			}
			return err
		})
	}
	if p.arrived || errors.Is(err, errKnown) {
		p.loginSent.Store(g.since(time.Now()))
		err = g.timed(login, func() (err error) {
			got, err = g.api.Login(ctx, p.name, p.password)
			return err
		})
	}
	if err == nil {
		p.loginAnswered.Store(g.since(time.Now()))
	}
	return got, err
}

// errKnown: the account exists already. It counts as no failure of the server's.
var errKnown = fmt.Errorf("the name exists already: %w", context.Canceled)

// logOut ends a person's session.
func (g *Generator) logOut(ctx context.Context, p *person) {
	p.hangUp()
	p.loginSent.Store(0)
	p.logoutSent.Store(g.since(time.Now()))
	err := g.timed(logout, func() error { return g.api.Logout(ctx, p.tokens.Access) })
	if err != nil && StatusOf(err) != http.StatusUnauthorized { // 401: somebody else ended it
		p.logoutSent.Store(0)
		return
	}
	if p.state != out && p != g.listener {
		g.online.Add(-1)
	}
	p.state = out
}

// fresh changes the person's tokens when it is time to.
func (g *Generator) fresh(ctx context.Context, p *person) error {
	if p.refreshAt.IsZero() || time.Now().Before(p.refreshAt) {
		return nil
	}
	return g.timed(refresh, func() error {
		tokens, err := g.api.Refresh(ctx, p.tokens.Refresh)
		if err == nil {
			p.use(tokens)
		}
		return err
	})
}
