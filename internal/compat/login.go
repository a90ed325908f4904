package compat

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// login stands for users/views/__init__.py:LoginView at 2218180. Names and passwords are trimmed, as recorded.
func (h *Handler) login(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	username, isText := in.text("username")
	password, isText2 := in.text("password")
	switch {
	case !isText || !isText2:
		return invalid("Username and password must be text")
	case username == "" || password == "":
		return invalid("Username and password are required")
	case utf8.RuneCountInString(username) > presence.MaxUsername:
		return invalid("Username too long")
	case utf8.RuneCountInString(password) > presence.MaxPassword:
		return invalid("Password too long")
	}
	account, tokens, err := h.Auth.Login(c.ctx(), username, password, c.origin())
	if err != nil {
		return c.loginRefused(err)
	}
	return c.signedIn(http.StatusOK, account, tokens)
}

// loginRefused words the refusals of a login; every other error is worded as usual.
func (c *call) loginRefused(err error) error {
	var e *presence.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case auth.CodeBadCredentials, auth.CodeUserInactive:
		c.say(http.StatusUnauthorized, styleError, "Invalid credentials", "")
	case auth.CodeAccountInactive:
		why := map[string]string{
			"pending":   "Your account is pending admin approval",
			"suspended": "Your account is suspended",
			"banned":    "Your account is banned",
		}
		c.say(http.StatusForbidden, styleError, why[e.Field], "Your account is not active")
	default:
		return err
	}
	return nil
}

// register makes an account that is active at once. The sentences about its fields are auth's.
func (h *Handler) register(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	username, isText := in.text("username")
	password, isText2 := in.text("password")
	email, isText3 := in.text("email")
	switch {
	case !isText || !isText2 || !isText3:
		return invalid("Username, email and password must be text")
	case username == "" || password == "":
		return invalid("Username and password are required")
	}
	n := auth.NewAccount{Username: username, Email: email, Password: password}
	account, tokens, err := h.Auth.Register(c.ctx(), n, c.origin())
	if field := takenField(err); field != "" {
		taken := map[string]string{"username": "Username already exists", "email": "Email already exists"}
		c.say(http.StatusBadRequest, styleError, taken[field], "")
		return nil
	}
	if err != nil {
		return err
	}
	return c.signedIn(http.StatusCreated, account, tokens)
}

// takenField returns the unique field that somebody else has, or "".
func takenField(err error) string {
	var e *presence.Error
	if errors.As(err, &e) && e.Kind == presence.Conflict && (e.Field == "username" || e.Field == "email") {
		return e.Field
	}
	return ""
}

// signedIn answers a login: the user as they are now, online, and their tokens.
func (c *call) signedIn(status int, a presence.Account, tokens auth.Tokens) error {
	p, err := c.h.person(c.ctx(), a)
	if err != nil {
		return err
	}
	c.out = appendUser(append(c.out, `{"user":`...), &p)
	c.out = append(appendTokens(append(c.out, `,"tokens":`...), tokens), '}')
	c.tell()
	c.answer(status)
	return nil
}

func appendTokens(b []byte, t auth.Tokens) []byte {
	b = appendText(b, `{"access":`, t.Access)
	return append(appendText(b, `,"refresh":`, t.Refresh), '}')
}

// logout ends the caller's session, with or without its refresh token in the body.
func (h *Handler) logout(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	refresh, isText := in.text("refresh_token")
	if !isText {
		return invalid("refresh_token must be text")
	}
	if err := h.Auth.Logout(c.ctx(), c.id, refresh, c.origin()); err != nil {
		return err
	}
	return c.message("Logout successful")
}

// refresh gives a new pair of tokens.
func (h *Handler) refresh(c *call) error {
	token, err := c.tokenField("refresh")
	if err != nil {
		return err
	}
	tokens, err := h.Auth.Refresh(c.ctx(), token, c.origin())
	if err != nil {
		return c.tokenRefused(err)
	}
	c.tell()
	c.out = appendTokens(c.out, tokens)
	return c.ok()
}

// verify says whether a token of either kind is good.
func (h *Handler) verify(c *call) error {
	token, err := c.tokenField("token")
	if err != nil {
		return err
	}
	if err := h.Auth.Verify(c.ctx(), token); err != nil {
		return c.tokenRefused(err)
	}
	c.out = append(c.out, "{}"...)
	return c.ok()
}

func (c *call) tokenField(name string) (string, error) {
	in, err := c.readBody()
	if err != nil {
		return "", err
	}
	f := form{body: in}
	token := f.text(name, rule{required: true})
	if err := f.err(); err != nil {
		return "", err
	}
	return *token, nil
}

// tokenRefused words a bad token in a body: shorter than a bad token in the header.
func (c *call) tokenRefused(err error) error {
	var e *presence.Error
	if !errors.As(err, &e) || e.Kind != presence.Unauthenticated && e.Kind != presence.Forbidden {
		return err
	}
	code, tell := e.Code, e.Tell
	switch code {
	case auth.CodeUserNotFound:
		tell = "User not found"
	case auth.CodeUserInactive, auth.CodeAccountInactive:
		code, tell = auth.CodeUserInactive, "User is inactive"
	default:
		code = auth.CodeTokenInvalid
	}
	if tell == "" {
		tell = "Token is invalid or expired"
	}
	c.out = appendText(c.out[:0], `{"detail":`, tell)
	c.out = append(appendText(c.out, `,"code":`, code), '}')
	c.w.Header()["Www-Authenticate"] = bearerNeeded
	c.answer(http.StatusUnauthorized)
	return nil
}
