// Package client is how a Go backend speaks with an OffChat Presence server: who is online, who is active here, what
// changes, who has to go.
//
//	p, err := client.New("https://presence.example.org", client.WithAPIKey(os.Getenv("PRESENCE_API_KEY")))
//	defer p.Close()
//	http.ListenAndServe(":8080", p.Middleware(userID)(app)) // whoever uses the app is online
//
// It needs nothing but the standard library. Touch and Middleware never wait and never fail: a server that is away
// costs the app nothing. Everything else takes a context and returns errors.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/offchat/presence/wire"
)

// Client speaks with one server. Its methods may be called from any goroutine.
type Client struct {
	// Static after New.
	base    string
	key     string
	source  string
	http    *http.Client
	secrets [][]byte // of webhooks
	onError func(error)

	touch touches
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// Option changes how a Client is made.
type Option func(*Client) error

// WithAPIKey sets the token that the server knows this backend by ("opt_..."): see `presence token create`.
func WithAPIKey(key string) Option {
	return func(c *Client) error { c.key = key; return nil }
}

// WithSource sets what this backend is called beside the devices of the people it touches. Default: the token's name.
func WithSource(name string) Option {
	return func(c *Client) error { c.source = name; return nil }
}

// WithHTTPClient sets what requests go through. Its Timeout must be 0: each call has a limit of its own.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) error { c.http = h; return nil }
}

// WithErrorHandler sets what is told of touches that do not arrive, from another goroutine; they are tried again.
func WithErrorHandler(f func(error)) Option {
	return func(c *Client) error { c.onError = f; return nil }
}

// WithWebhookSecret sets the secrets ("whsec_...") that VerifyWebhook checks against; any of them is good.
func WithWebhookSecret(secrets ...string) Option {
	return func(c *Client) error {
		for _, text := range secrets {
			key, err := wire.ParseWebhookSecret(text)
			if err != nil {
				return err
			}
			c.secrets = append(c.secrets, key)
		}
		return nil
	}
}

// callTimeout bounds a call whose context does not end sooner.
const callTimeout = 10 * time.Second

// New makes a Client of the server at an address. It does not connect yet. Close it.
func New(address string, options ...Option) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("presence: %q is no address such as https://presence.example.org", address)
	}
	c := &Client{base: strings.TrimSuffix(address, "/") + "/api/v1", http: &http.Client{}, onError: func(error) {}}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, fmt.Errorf("presence: %w", err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.touch.init()
	c.ended.Go(func() { c.tell(ctx) })
	return c, nil
}

// Close sends the touches that wait, for at most five seconds, and ends the Client. Closing twice is the same as once.
func (c *Client) Close() error {
	c.stop()
	c.ended.Wait()
	return nil
}

// Error is what the server refused, and why.
type Error struct {
	Status  int    // of HTTP
	Code    string // stable, for programs: "api_token_scope", "throttled"
	Message string // for people
	// RetryAfter is when to come back, where the server says so.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("presence: %d %s: %s", e.Status, e.Code, e.Message)
}

// errorOf reads a refusal.
func errorOf(resp *http.Response) *Error {
	var p wire.Problem
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what cannot be read says nothing
	_ = json.Unmarshal(text, &p)
	e := &Error{Status: resp.StatusCode, Code: p.Code, Message: p.Detail}
	if e.Message == "" {
		e.Message = resp.Status
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

// request makes a request with the API key.
func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	return r, nil
}

// call asks and reads the answer; into may be nil.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("presence: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return errorOf(resp)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("presence: read the answer: %w", err)
	}
	return nil
}

// Status is what others see of a person.
type Status string

// The three statuses.
const (
	Online  Status = "online"
	Away    Status = "away"
	Offline Status = "offline"
)

// State is somebody's presence.
type State struct {
	Status Status
	// LastSeen and Since are zero when there is none, or the person hides it.
	LastSeen, Since time.Time
}

// perQuery is how many people one request asks for.
const perQuery = 1000

// Query returns the presence of people by id. Whoever the server does not know is offline. It needs the scope read.
func (c *Client) Query(ctx context.Context, ids ...string) (map[string]State, error) {
	found := make(map[string]State, len(ids))
	for len(ids) > 0 {
		some := ids[:min(perQuery, len(ids))]
		ids = ids[len(some):]
		var list wire.PresenceList
		if err := c.call(ctx, http.MethodPost, "/presence/query", wire.PresenceQuery{IDs: some}, &list); err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			s := State{Status: Status(p.Status)}
			if p.LastSeen != nil {
				s.LastSeen = *p.LastSeen
			}
			if p.Since != nil {
				s.Since = *p.Since
			}
			found[p.ID] = s
		}
	}
	return found, nil
}

// ActOption says more about an act.
type ActOption func(*act)

type act struct {
	reason, device string
	ttl            time.Duration
}

// Reason says why somebody is logged out; it goes into the audit.
func Reason(text string) ActOption { return func(a *act) { a.reason = text } }

// TTL is how long a ticket is good, from 1 s to 5 min. Default 1 min.
func TTL(d time.Duration) ActOption { return func(a *act) { a.ttl = d } }

// Device tells the devices of a person apart: tickets with the same one are for the same session.
func Device(name string) ActOption { return func(a *act) { a.device = name } }

func said(options []ActOption) (a act) {
	for _, option := range options {
		option(&a)
	}
	return a
}

// ForceLogout ends all of somebody's sessions, at once and for good. It needs the scope logout.
func (c *Client) ForceLogout(ctx context.Context, id string, options ...ActOption) error {
	return c.call(ctx, http.MethodPost, "/users/"+url.PathEscape(id)+"/force-logout", wire.Reason{Reason: said(options).reason}, nil)
}

// Ticket lets somebody's browser into the live feed, once and for a short time: hand it to the page, which hands it to
// the SDK. It needs the scope tickets.
func (c *Client) Ticket(ctx context.Context, id string, options ...ActOption) (ticket string, good time.Duration, err error) {
	a := said(options)
	if a.ttl < 0 || a.ttl > 0 && a.ttl < time.Second {
		return "", 0, errors.New("presence: a ticket is good for 1 s to 5 min")
	}
	var made wire.FeedTicket
	err = c.call(ctx, http.MethodPost, "/feed/ticket", wire.FeedTicketRequest{User: id, TTL: int(a.ttl / time.Second), Device: a.device}, &made)
	return made.Ticket, time.Duration(made.ExpiresIn) * time.Second, err
}
