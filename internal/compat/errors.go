package compat

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// style says how an endpoint words errors it does not word itself.
type style uint8

const (
	styleError  style = iota // hand-made views: {"error": "text"}
	styleDetail              // framework views: {"detail": "text"}, and {"field": ["text"]} for input
)

// Codes of errors that only this protocol knows.
const (
	codeTooLarge         = "too_large"
	codeBadAuthorization = "bad_authorization_header"
)

var (
	errNoCredentials    = &presence.Error{Kind: presence.Unauthenticated, Code: auth.CodeMissing}
	errBadAuthorization = &presence.Error{Kind: presence.Unauthenticated, Code: codeBadAuthorization}
	errTooLarge         = &presence.Error{
		Kind: presence.Invalid, Code: codeTooLarge, Tell: "Request body is too large; 64 KiB is the limit.",
	}
	errNoPage      = &presence.Error{Kind: presence.NotFound, Code: "no_page", Tell: "Not found."}
	errInvalidPage = &presence.Error{Kind: presence.NotFound, Code: "no_page", Tell: "Invalid page."}
)

const (
	sorry     = "Something went wrong on our side. Please try again."
	busy      = "The server is busy. Please try again in a moment."
	tooMany   = "Too many attempts. Please wait and try again."
	forbidden = "You do not have permission to perform this action."
)

// fail answers an error: the one place where kinds become statuses and recorded sentences.
func (c *call) fail(err error) {
	if errors.Is(err, presence.ErrClosed) {
		c.unauthenticated(auth.CodeTokenInvalid, "Token is invalid or expired")
		return
	}
	if list := problems(nil); errors.As(err, &list) {
		c.problems(list)
		return
	}
	var e *presence.Error
	if !errors.As(err, &e) {
		e = &presence.Error{Kind: presence.Internal, Err: err}
	}
	switch e.Kind {
	case presence.Invalid:
		c.invalid(e)
	case presence.Unauthenticated:
		c.unauthenticated(e.Code, e.Tell)
	case presence.Forbidden:
		c.forbid(e)
	case presence.NotFound:
		c.missing(e)
	case presence.Conflict:
		c.say(http.StatusConflict, styleError, e.Tell, "That is not possible in the present state.")
	case presence.Throttled:
		c.retryAfter(e)
		c.say(http.StatusTooManyRequests, c.style(), e.Tell, tooMany)
	case presence.Unavailable:
		c.retryAfter(e)
		c.log(slog.LevelWarn, err)
		status := http.StatusServiceUnavailable
		if e.Code == presence.CodeDiskFull {
			status = http.StatusInsufficientStorage
		}
		c.say(status, c.style(), e.Tell, busy)
	default:
		c.broken(err)
	}
}

// broken answers what is our fault, and logs it: the caller learns nothing but that.
func (c *call) broken(err error) {
	if errors.Is(err, context.Canceled) && c.ctx().Err() != nil {
		c.say(http.StatusServiceUnavailable, c.style(), "", busy) // the caller hung up and will not read it
		return
	}
	c.log(slog.LevelError, err)
	c.say(http.StatusInternalServerError, c.style(), "", sorry)
}

func (c *call) log(level slog.Level, err error) {
	c.h.Log.LogAttrs(c.ctx(), level, "request failed", slog.String("method", c.r.Method), slog.String("path", c.r.URL.Path),
		slog.String("request", c.origin().RequestID), slog.Int64("user", int64(c.id.User)), slog.Any("err", err))
}

func (c *call) style() style {
	if c.route == nil {
		return styleDetail
	}
	return c.route.style
}

// asError finds the presence.Error in err, or nil.
func asError(err error) *presence.Error {
	if err == nil {
		return nil // before there is anything for errors.As to point at: heartbeats come by here
	}
	var e *presence.Error
	errors.As(err, &e)
	return e
}

// say sends one sentence in a style; an empty tell is replaced.
func (c *call) say(status int, s style, tell, otherwise string) {
	if tell == "" {
		tell = otherwise
	}
	key := `{"error":`
	if s == styleDetail {
		key = `{"detail":`
	}
	c.out = append(appendText(c.out[:0], key, tell), '}')
	c.answer(status)
}

func (c *call) invalid(e *presence.Error) {
	status := http.StatusBadRequest
	if e.Code == codeTooLarge {
		status = http.StatusRequestEntityTooLarge
		c.w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	if e.Field != "" && c.style() == styleDetail {
		c.problems(problems{{e.Field, e.Tell}})
		return
	}
	c.say(status, c.style(), e.Tell, "The request is not valid.")
}

func (c *call) missing(e *presence.Error) {
	if e.Code == errNoPage.Code || c.style() == styleDetail {
		c.say(http.StatusNotFound, styleDetail, e.Tell, "Not found.")
		return
	}
	c.say(http.StatusNotFound, styleError, "User not found", "")
}

// forbid answers Forbidden: a closed account is a token error here (the heartbeat words it itself), everything
// else is a missing permission.
func (c *call) forbid(e *presence.Error) {
	if e.Code == auth.CodeAccountInactive {
		c.unauthenticated(auth.CodeUserInactive, "")
		return
	}
	c.say(http.StatusForbidden, styleDetail, "", forbidden)
}

// unauthenticated answers 401 as SimpleJWT words it for requests.
func (c *call) unauthenticated(code, tell string) {
	c.out = c.out[:0]
	switch code {
	case auth.CodeMissing:
		c.out = append(c.out, `{"detail":"Authentication credentials were not provided."}`...)
	case codeBadAuthorization:
		c.out = append(c.out, `{"detail":"Authorization header must contain two space-delimited values",`...)
		c.out = append(c.out, `"code":"bad_authorization_header"}`...)
	case auth.CodeUserNotFound:
		c.out = append(c.out, `{"detail":"User not found","code":"user_not_found"}`...)
	case auth.CodeUserInactive, auth.CodeAccountInactive:
		c.out = append(c.out, `{"detail":"User is inactive","code":"user_inactive"}`...)
	default:
		if tell == "" {
			tell = "Token is invalid or expired"
		}
		c.out = append(c.out, `{"detail":"Given token not valid for any token type","code":"token_not_valid",`...)
		c.out = append(c.out, `"messages":[{"token_class":"AccessToken","token_type":"access","message":`...)
		c.out = append(appendString(c.out, tell), "}]}"...)
	}
	c.w.Header()["Www-Authenticate"] = bearerNeeded
	c.answer(http.StatusUnauthorized)
}

func (c *call) retryAfter(e *presence.Error) {
	seconds := int64(1)
	if e.RetryAfter > 0 {
		seconds = int64((e.RetryAfter + 999_999_999) / 1_000_000_000)
	}
	c.w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
}

// problem is what is wrong with one field.
type problem struct{ field, text string }

// problems are what is wrong with an input, in the order in which it was found.
type problems []problem

// Error makes problems an error, so that reading an input can end with them.
func (p problems) Error() string { return "invalid input: " + p[0].field + ": " + p[0].text }

// problems answers 400 with a list of sentences per field.
func (c *call) problems(list problems) {
	c.out = append(c.out[:0], '{')
	for i, one := range list {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(appendString(c.out, one.field), `:[`...)
		c.out = append(appendString(c.out, one.text), ']')
	}
	c.out = append(c.out, '}')
	c.answer(http.StatusBadRequest)
}
