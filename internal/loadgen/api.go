package loadgen

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// API calls a server as the existing web client does. All methods may be called from any goroutine.
type API struct {
	base string
	http *http.Client
}

// maxAnswer bounds the answers that are read: a list of 100,000 people is 25 MB.
const maxAnswer = 1 << 28

// callTimeout bounds one call. It is longer than what a server keeps a login waiting, and than a stalled
// process should be away.
const callTimeout = 30 * time.Second

// NewAPI makes an API for the server at base, such as http://127.0.0.1:8000, that keeps up to conns
// connections open.
func NewAPI(base string, conns int) *API {
	return &API{base: strings.TrimSuffix(base, "/"), http: &http.Client{
		Timeout: callTimeout,
		// No proxy: it would be measured too. No redirects: the API has none that a client should follow.
		Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, MaxIdleConns: conns, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes the connections that are idle.
func (a *API) Close() { a.http.CloseIdleConnections() }

// StatusError is an answer other than 2xx.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // 0: the server did not say
	Text       string        // the beginning of the body
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Text)
}

// StatusOf is the status of an error: that of a StatusError, 0 for all others.
func StatusOf(err error) int {
	if e := (*StatusError)(nil); errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Do sends in as JSON, unless it is nil, and reads the answer's JSON into out, unless that is nil.
func (a *API) Do(ctx context.Context, method, path, token string, in, out any) (http.Header, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return nil, err
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp.Header, &StatusError{resp.StatusCode, retryAfter(resp.Header), beginning(text)}
	}
	if out == nil {
		return resp.Header, nil
	}
	return resp.Header, json.Unmarshal(text, out)
}

func beginning(text []byte) string {
	const most = 200
	return string(bytes.TrimSpace(text[:min(len(text), most)]))
}

// retryAfter reads the header in its form in seconds.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// SignedIn is what a login or a registration gives.
type SignedIn struct {
	User int64
	Tokens
	// What the server told about its settings; 0 where it did not.
	OfflineAfter, HeartbeatInterval time.Duration
}

// Tokens are what a session is used with.
type Tokens struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

// Lifetime is how long the access token is good from when it was issued, 0 when it does not say.
func (t Tokens) Lifetime() time.Duration {
	_, rest, _ := strings.Cut(t.Access, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Exp int64 `json:"exp"`
		Iat int64 `json:"iat"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Exp <= claims.Iat {
		return 0
	}
	return time.Duration(min(claims.Exp-claims.Iat, 365*86400)) * time.Second
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Register makes an account and signs it in.
func (a *API) Register(ctx context.Context, username, password string) (SignedIn, error) {
	return a.signIn(ctx, "/api/auth/register/", credentials{username, password})
}

// Login signs somebody in.
func (a *API) Login(ctx context.Context, username, password string) (SignedIn, error) {
	return a.signIn(ctx, "/api/auth/login/", credentials{username, password})
}

func (a *API) signIn(ctx context.Context, path string, as credentials) (SignedIn, error) {
	var answer struct {
		User struct {
			ID int64 `json:"id"`
		} `json:"user"`
		Tokens Tokens `json:"tokens"`
	}
	header, err := a.Do(ctx, http.MethodPost, path, "", as, &answer)
	if err != nil {
		return SignedIn{}, err
	}
	if answer.Tokens.Access == "" {
		return SignedIn{}, errors.New("the answer to a login has no token: this is another kind of server")
	}
	return SignedIn{
		User: answer.User.ID, Tokens: answer.Tokens,
		OfflineAfter: seconds(header, "Presence-Offline-After"), HeartbeatInterval: seconds(header, "Presence-Heartbeat-Interval"),
	}, nil
}

func seconds(h http.Header, key string) time.Duration {
	n, err := strconv.ParseFloat(h.Get(key), 64)
	if err != nil || n < 0 || n > 1e9 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// Heartbeat says that somebody is here.
func (a *API) Heartbeat(ctx context.Context, token string) error {
	_, err := a.Do(ctx, http.MethodPost, heartbeatPath, token, nil, nil)
	return err
}

// Refresh changes a refresh token for new tokens of the same session.
func (a *API) Refresh(ctx context.Context, refresh string) (Tokens, error) {
	in := struct {
		Refresh string `json:"refresh"`
	}{refresh}
	var out Tokens
	_, err := a.Do(ctx, http.MethodPost, "/api/auth/refresh/", "", in, &out)
	if err == nil && out.Access == "" {
		err = errors.New("the answer to a refresh has no token")
	}
	return out, err
}

// Logout ends the session of a token.
func (a *API) Logout(ctx context.Context, token string) error {
	_, err := a.Do(ctx, http.MethodPost, "/api/auth/logout/", token, nil, nil)
	return err
}

// OnlineStatus asks for somebody's status, with anybody's token.
func (a *API) OnlineStatus(ctx context.Context, token string, user int64) (string, error) {
	var out struct {
		Status string `json:"online_status"`
	}
	_, err := a.Do(ctx, http.MethodGet, fmt.Sprintf("/api/users/admin/users/%d/online-status/", user), token, nil, &out)
	return out.Status, err
}

// socketURL is where the presence WebSocket is. The contract has the token in the address.
func (a *API) socketURL(token string) string {
	return "ws" + strings.TrimPrefix(a.base, "http") + "/ws/presence/?token=" + url.QueryEscape(token)
}
