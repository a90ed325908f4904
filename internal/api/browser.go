package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// The dashboard signs in here. A page keeps its access token in memory alone; the refresh token is in a cookie that no
// script can read, that only these paths are sent, and that no other site can make a browser send. Refresh tokens are
// good for as long as their session, so any number of tabs may refresh at once.

const (
	browserPath   = "/session"
	browserCookie = "presence_session"
	// browserHeader has to be there, with any value: a form of another site cannot set it, and a script of another
	// origin is not allowed to.
	browserHeader = "Presence-Session"
)

func (h *Handler) registerBrowser() {
	add(h, operation{
		id: "sign_in", method: post, path: browserPath, tag: "Dashboard", need: Anybody, errors: []int{400, 401, 403, 413, 415, 429},
		summary: "Sign in from a page of this server",
		text:    "The refresh token goes into a cookie. Needs the header " + browserHeader + ", as everything here.",
	}, h.signIn)
	add(h, operation{
		id: "refresh_sign_in", method: post, path: browserPath + "/refresh", tag: "Dashboard", need: Anybody, errors: []int{401, 403},
		summary: "A new access token for the session of the cookie",
	}, h.refreshSignIn)
	add(h, operation{
		id: "sign_out", method: del, path: browserPath, tag: "Dashboard", need: Anybody, errors: []int{403},
		summary: "End the session of the cookie",
		text:    "Without a session that still lives it only takes the cookie away.",
	}, h.signOut)
	add(h, operation{
		id: "get_set_up", method: get, path: browserPath + "/setup", tag: "Dashboard", need: Anybody, errors: []int{403},
		summary: "Whether the first admin is still to be made",
	}, h.setUpNeeded)
	add(h, operation{
		id: "set_up", method: post, path: browserPath + "/setup", tag: "Dashboard", need: Anybody, errors: []int{400, 403, 409, 413, 415},
		summary: "Make the first admin, and sign in",
		text:    "With the token of the link that the server printed when it started. It works once.",
	}, h.setUp)
}

// ownPage reports whether a request can only come from a page of this server, or from no page at all.
func ownPage(h http.Header) bool {
	site := h.Get("Sec-Fetch-Site") // every browser of today; others are held by the header alone
	return h.Get(browserHeader) != "" && (site == "" || site == "same-origin")
}

func foreignPage() error {
	return newProblem(http.StatusForbidden, codeForeignPage, "Only pages of this server may ask for this; send the header "+browserHeader+".")
}

// signedIn is an answer that leaves the refresh token in the browser.
type signedIn struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   wire.SignedIn
}

type browserSession struct {
	Refresh http.Cookie `cookie:"presence_session"`
}

func (h *Handler) signIn(ctx context.Context, c *call, in *struct{ Body wire.SignIn }) (*signedIn, error) {
	account, tokens, err := h.Auth.Login(ctx, in.Body.Username, in.Body.Password, c.from)
	if err != nil {
		return nil, err
	}
	return h.enterBrowser(ctx, c, account, tokens)
}

func (h *Handler) refreshSignIn(ctx context.Context, c *call, in *browserSession) (*signedIn, error) {
	tokens, err := h.Auth.Refresh(ctx, in.Refresh.Value, c.from)
	if err != nil {
		return nil, err
	}
	id, err := h.Auth.Authenticate(ctx, tokens.Access, c.now)
	if err != nil {
		return nil, err
	}
	account, err := h.Store.Account(ctx, id.User)
	if err != nil {
		return nil, err
	}
	return h.enterBrowser(ctx, c, account, tokens)
}

func (h *Handler) enterBrowser(ctx context.Context, c *call, account presence.Account, tokens auth.Tokens) (*signedIn, error) {
	id, err := h.Auth.Authenticate(ctx, tokens.Access, c.now)
	if err != nil {
		return nil, err
	}
	return &signedIn{
		Cookie: cookie(c, tokens.Refresh, int(h.Auth.RefreshLifetime().Seconds())),
		Body:   wire.SignedIn{AccessToken: tokens.Access, ExpiresAt: stamp(id.Expires), Account: accountOf(&account), AsOf: stamp(h.Now())},
	}, nil
}

// signOut ends the session on the server. A cookie whose session is over already is taken away without a word.
func (h *Handler) signOut(ctx context.Context, c *call, in *browserSession) (*struct {
	Cookie http.Cookie `header:"Set-Cookie"`
}, error,
) {
	err := h.Auth.LogoutByRefresh(ctx, in.Refresh.Value, c.from)
	if kind := presence.KindOf(err); err != nil && kind != presence.Unauthenticated {
		return nil, err
	}
	return &struct {
		Cookie http.Cookie `header:"Set-Cookie"`
	}{cookie(c, "", -1)}, nil
}

func (h *Handler) setUpNeeded(ctx context.Context, _ *call, _ *nothing) (*reply[wire.SetUpNeeded], error) {
	has, err := h.Store.HasAdmin(ctx)
	if err != nil {
		return nil, err
	}
	return answer(wire.SetUpNeeded{Needed: !has}), nil
}

func (h *Handler) setUp(ctx context.Context, c *call, in *struct{ Body wire.SetUp }) (*signedIn, error) {
	account, tokens, err := h.Auth.CompleteSetup(ctx, in.Body.Token, auth.NewAccount{
		Username: in.Body.Username, Email: in.Body.Email, Password: in.Body.Password,
	}, c.from)
	if known := (*presence.Error)(nil); errors.As(err, &known) && known.Code == auth.CodeSetupToken {
		return nil, newProblem(http.StatusForbidden, known.Code, "This link is not valid (any more). The server prints a new one when it starts.")
	}
	if err != nil {
		return nil, err
	}
	return h.enterBrowser(ctx, c, account, tokens)
}

func cookie(c *call, value string, seconds int) http.Cookie {
	return http.Cookie{
		Name: browserCookie, Value: value, Path: "/api/v1" + browserPath, MaxAge: seconds,
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteStrictMode,
	}
}

// enterUnknown lets a page of ours through that may not have signed in yet.
func (h *Handler) enterUnknown(r *http.Request, op *huma.Operation, now time.Time) (*call, error) {
	c := &call{from: h.Origin(r), now: now, op: op, secure: r.TLS != nil || r.URL.Scheme == "https"}
	if !ownPage(r.Header) {
		return c, foreignPage()
	}
	return c, once(r.URL.Query())
}
