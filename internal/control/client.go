package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"

	"github.com/offchat/presence"
)

// ErrUnreachable: nobody answers on the socket.
var ErrUnreachable = errors.New("the server does not answer on its control socket")

// Client asks a server over its control socket. Its methods may be called from any goroutine. Errors of the
// server come back as a presence.Error with its kind; otherwise they wrap ErrUnreachable.
type Client struct{ http http.Client }

// Dial returns a client that opens connections with dial. It does not connect yet.
func Dial(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}}
}

// Ping reports whether the server answers.
func (c *Client) Ping(ctx context.Context) error {
	resp, err := c.do(ctx, http.MethodGet, "/ping", nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Create makes an account.
func (c *Client) Create(ctx context.Context, n NewUser) (User, error) {
	return c.user(ctx, http.MethodPost, "/users", n)
}

// SetPassword gives an account a new password and ends its sessions.
func (c *Client) SetPassword(ctx context.Context, name, password string) (User, error) {
	return c.user(ctx, http.MethodPut, "/users/"+url.PathEscape(name)+"/password", map[string]string{"password": password})
}

// Act does something to an account. Only Suspend and Ban keep the reason.
func (c *Client) Act(ctx context.Context, name string, act Act, reason string) (User, error) {
	return c.user(ctx, http.MethodPost, "/users/"+url.PathEscape(name)+"/"+string(act), map[string]string{"reason": reason})
}

// Users lists accounts by id, all of them or those with one online status. It ends after the first error.
func (c *Client) Users(ctx context.Context, onlineStatus string) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		resp, err := c.do(ctx, http.MethodGet, "/users?online_status="+url.QueryEscape(onlineStatus), nil)
		if err != nil {
			yield(User{}, err)
			return
		}
		defer resp.Body.Close()
		for in := json.NewDecoder(resp.Body); ; {
			var l line
			switch err := in.Decode(&l); {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(User{}, unreachable(err))
				return
			case l.Failure != nil:
				yield(User{}, l.Failure.err())
				return
			case l.User == nil || !yield(*l.User, nil):
				return
			}
		}
	}
}

func (c *Client) user(ctx context.Context, method, path string, body any) (User, error) {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return User{}, err
	}
	defer resp.Body.Close()
	var u User
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
		return User{}, unreachable(err)
	}
	return u, nil
}

// do returns the response when it is a success, and the error it tells when it is not.
func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://presence"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&f); err != nil {
		return nil, unreachable(fmt.Errorf("it answered %s", resp.Status))
	}
	return nil, f.err()
}

func (f *failure) err() error {
	return &presence.Error{Kind: kindNamed(f.Kind), Op: "ask the server", Field: f.Field, Code: f.Code, Tell: f.Text}
}

func unreachable(err error) error {
	// The address in a url.Error is made up and would only confuse.
	if known := (*url.Error)(nil); errors.As(err, &known) {
		err = known.Err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
