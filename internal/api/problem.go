package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// Codes of problems that only this protocol knows; auth has more.
const (
	codeValidation  = "validation"
	codeMalformed   = "malformed"
	codeNotFound    = "not_found"
	codeMethod      = "method_not_allowed"
	codeTooLarge    = "too_large"
	codeMedia       = "unsupported_media_type"
	codeConflict    = "conflict"
	codeThrottled   = "throttled"
	codeUnavailable = "unavailable"
	codeInternal    = "internal"
	codeForeignPage = "foreign_page"
)

// kinds are the problems there are, as the page explains them.
var kinds = []struct {
	Code, Title string
	Status      int
	Text        string
}{
	{codeMalformed, "The request cannot be read", 400, "The body is missing or is no JSON, or took too long to come."},
	{auth.CodeMissing, "Not signed in", 401, "No access token was given. Send it as Authorization: Bearer TOKEN."},
	{auth.CodeTokenInvalid, "Token not valid", 401, "The token is wrong, has run out, is of the wrong type, or its session is over."},
	{auth.CodeUserNotFound, "Account gone", 401, "The account of the token is gone."},
	{auth.CodeUserInactive, "Account closed", 401, "The account of the token is closed."},
	{auth.CodeAccountInactive, "Account not active", 401, "The account is pending, suspended or banned; as a 409: the account acted upon is."},
	{auth.CodeBadCredentials, "Name or password wrong", 401, "Nobody has this name and this password, or the account is closed."},
	{codeForeignPage, "A page of somewhere else", 403, "Only pages of this server may ask for this."},
	{auth.CodeSetupToken, "Set-up link not valid", 403, "The link was used, or the server printed a newer one."},
	{auth.CodeNotAllowed, "Not allowed", 403, "The account may not do this."},
	{auth.CodeScope, "Not with this token", 403, "The API token lacks the scope, or the operation needs a person. detail names the scope."},
	{codeNotFound, "Not found", 404, "There is no such thing, or the caller may not know that there is."},
	{codeMethod, "Method not allowed", 405, "The path answers other methods; Allow names them."},
	{codeConflict, "Not possible now", 409, "The input is right, but the present state forbids it."},
	{auth.CodeSetupDone, "Set-up is done", 409, "There is an admin already."},
	{auth.CodeTaken, "Taken", 409, "Somebody else has this name or e-mail."},
	{auth.CodeHeld, "Held by an admin", 409, "An admin's hold decides the status; it is not the person's to set meanwhile."},
	{auth.CodeSelf, "Not on yourself", 409, "Admins cannot do this to their own account."},
	{codeTooLarge, "Too large", 413, "A body has at most 64 KiB."},
	{codeMedia, "Not JSON", 415, "A body is application/json."},
	{codeValidation, "Input not valid", 422, "errors names every field that is wrong, and its bound."},
	{codeThrottled, "Too many requests", 429, "Come back after retry_after seconds."},
	{codeInternal, "Our fault", 500, "Something went wrong on our side."},
	{presence.CodeDiskFull, "Disk full", 507, "The server's disk is full: nothing was saved. Presence goes on; the rest does once there is room."},
	{codeUnavailable, "Not available", 503, "The server is busy or restarting. Come back after retry_after seconds."},
}

func titleOf(code string, status int) string {
	for _, k := range kinds {
		if k.Code == code {
			return k.Title
		}
	}
	return http.StatusText(status)
}

// problem is an error as it is told. Nothing else ever leaves the building.
type problem struct {
	wire.Problem
	cause error
}

func newProblem(status int, code, detail string) *problem {
	return &problem{Problem: wire.Problem{
		Type: "/api/docs#problem-" + code, Title: titleOf(code, status), Status: status, Detail: detail, Code: code,
	}}
}

func noSuchPath() *problem {
	return newProblem(http.StatusNotFound, codeNotFound, "There is nothing at this path.")
}

// invalid is a problem with one input, named as the caller spells it.
func invalid(in, field, detail, bound string) *problem {
	p := newProblem(http.StatusUnprocessableEntity, codeValidation, "")
	p.add(wire.ProblemField{In: in, Field: field, Detail: detail, Bound: bound})
	return p
}

func (p *problem) add(one wire.ProblemField) {
	if p.Errors = append(p.Errors, one); len(p.Errors) > 1 {
		return
	}
	p.Field, p.Bound, p.Detail = one.Field, one.Bound, one.Detail
	if one.Field != "" {
		p.Detail = one.Field + ": " + one.Detail
	}
}

func (p *problem) Error() string { return p.Detail }
func (p *problem) Unwrap() error { return p.cause }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="api"`)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return h
}

func init() {
	// The library's errors are made by one function for the whole program; only this package uses it.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return libraryProblem(status, message, errs)
	}
}

// libraryProblem is what the library found wrong with an input. Values are not sent back.
func libraryProblem(status int, message string, errs []error) *problem {
	code := codeMalformed
	switch status {
	case http.StatusUnprocessableEntity:
		code = codeValidation
	case http.StatusRequestEntityTooLarge:
		code, message = codeTooLarge, "A body has at most 64 KiB."
	case http.StatusUnsupportedMediaType:
		code, message = codeMedia, "The body must be application/json."
	case http.StatusInternalServerError:
		return newProblem(status, codeInternal, sorry)
	}
	if code == codeMalformed {
		// The rest is what the JSON reader says about its own state, with pieces of the input.
		p := newProblem(http.StatusBadRequest, code, "The body cannot be read as JSON.")
		if message == "request body is required" {
			p.Detail = "A JSON body is required."
		}
		return p
	}
	p := newProblem(status, code, message)
	for _, err := range errs {
		detailer, ok := err.(huma.ErrorDetailer)
		if !ok {
			continue
		}
		d := detailer.ErrorDetail()
		in, field, _ := strings.Cut(d.Location, ".")
		if name, missing := missingProperty(d.Message); missing {
			field = strings.TrimPrefix(field+"."+name, ".")
		}
		p.add(wire.ProblemField{In: in, Field: field, Detail: d.Message, Bound: boundOf(d.Message)})
	}
	return p
}

// missingProperty reads the name of a field that is needed and not there; the library tells only where it should be.
func missingProperty(message string) (name string, missing bool) {
	name, missing = strings.CutPrefix(message, "expected required property ")
	return strings.TrimSuffix(name, " to be present"), missing
}

// boundOf finds in a sentence of the library what the input must keep to.
func boundOf(message string) string {
	switch {
	case strings.Contains(message, "date/time"):
		return "RFC 3339 date-time"
	case strings.Contains(message, "required"):
		return "required"
	case strings.HasPrefix(message, "invalid "):
		return strings.TrimPrefix(message, "invalid ")
	}
	for _, mark := range []string{"<= ", ">= ", "one of ", "pattern ", "to be "} {
		if i := strings.Index(message, mark); i >= 0 {
			if mark == "<= " || mark == ">= " {
				return message[i:]
			}
			return message[i+len(mark):]
		}
	}
	wanted, _ := strings.CutPrefix(message, "expected ")
	if wanted == message {
		return "" // "unexpected property", "unknown query parameter": the name says it all
	}
	return wanted
}

const sorry = "Something went wrong on our side. Please try again."

// problemOf turns an error into what is told: the one place where kinds become statuses.
func problemOf(err error) *problem {
	if told := (*problem)(nil); errors.As(err, &told) {
		return told
	}
	if errors.Is(err, presence.ErrClosed) {
		return newProblem(http.StatusUnauthorized, auth.CodeTokenInvalid, "Token is invalid or expired")
	}
	e := &presence.Error{Kind: presence.Internal}
	errors.As(err, &e)
	p := kindProblem(e)
	p.cause = err
	return p
}

func kindProblem(e *presence.Error) *problem {
	code := func(otherwise string) string {
		if e.Code != "" {
			return e.Code
		}
		return otherwise
	}
	switch e.Kind {
	case presence.Invalid:
		return invalid("body", e.Field, e.Tell, "")
	case presence.Unauthenticated:
		return newProblem(http.StatusUnauthorized, code(auth.CodeTokenInvalid), e.Tell)
	case presence.Forbidden:
		if e.Code == auth.CodeAccountInactive {
			return newProblem(http.StatusUnauthorized, e.Code, e.Tell)
		}
		if e.Code == auth.CodeScope {
			return newProblem(http.StatusForbidden, e.Code, e.Tell)
		}
		return newProblem(http.StatusForbidden, code(auth.CodeNotAllowed), notAllowed)
	case presence.NotFound:
		return newProblem(http.StatusNotFound, codeNotFound, e.Tell)
	case presence.Conflict:
		return newProblem(http.StatusConflict, code(codeConflict), e.Tell)
	case presence.Throttled:
		p := newProblem(http.StatusTooManyRequests, codeThrottled, e.Tell)
		p.RetryAfter = seconds(e.RetryAfter)
		return p
	case presence.Unavailable:
		if e.Code == presence.CodeDiskFull {
			p := newProblem(http.StatusInsufficientStorage, e.Code, e.Tell)
			p.RetryAfter = seconds(e.RetryAfter)
			return p
		}
		p := newProblem(http.StatusServiceUnavailable, codeUnavailable, "The server is busy. Please try again in a moment.")
		p.RetryAfter = seconds(e.RetryAfter)
		return p
	default:
		return newProblem(http.StatusInternalServerError, codeInternal, sorry)
	}
}

const notAllowed = "You do not have permission to perform this action."

// seconds rounds up, to one at least.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// tell makes an error what the caller is told, and logs what is our fault.
func (h *Handler) tell(ctx context.Context, op *huma.Operation, user presence.UserID, err error) error {
	p := problemOf(err)
	level := slog.LevelError
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage {
		level = slog.LevelWarn
	}
	if p.Status >= 500 && ctx.Err() == nil { // nobody reads what a caller who hung up is told
		h.Log.LogAttrs(ctx, level, "request failed", slog.String("operation", op.OperationID), slog.Int64("user", int64(user)),
			slog.Any("err", p.cause))
	}
	return p
}

// writeProblem answers where the library is not asked.
func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	for key, values := range p.GetHeaders() {
		h[key] = values
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem) // a caller who is gone needs no answer
}
