package api

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// Access says who may use an operation.
type Access uint8

// The accesses, each letting fewer people through than the one before.
const (
	Anybody  Access = iota + 1 // pages of this server, signed in or not (browser.go)
	SignedIn                   // any good access token
	Staff                      // moderators and admins
	Admins                     // admins
	Nobody                     // no person: API tokens alone
)

var accessNames = map[Access]string{
	Anybody: "pages of this server", SignedIn: "anybody who is signed in", Staff: "moderators and admins", Admins: "admins",
	Nobody: "API tokens alone",
}

// String is how the page says it.
func (a Access) String() string { return accessNames[a] }

// call is one request past the door: who is asking, from where and when.
type call struct {
	id     auth.Identity
	viewer presence.Viewer
	from   presence.Origin
	now    time.Time
	op     *huma.Operation
	secure bool // it came by TLS; known for Anybody
}

type callKey struct{}

// door finds out who is calling, counts the request as activity and holds the caller against what the operation
// needs. It comes before the input is looked at, so a stranger learns nothing about that.
func (h *Handler) door(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c, err := h.enter(r, ctx.Operation())
	if err != nil {
		err = h.tell(r.Context(), ctx.Operation(), c.id.User, err)
		writeProblem(w, problemOf(err))
		return
	}
	next(huma.WithValue(ctx, callKey{}, c))
}

func (h *Handler) enter(r *http.Request, op *huma.Operation) (*call, error) {
	if h.need[op.OperationID] == Anybody {
		return h.enterUnknown(r, op, h.Now())
	}
	c := &call{from: h.Origin(r), now: h.Now(), op: op}
	token, err := bearer(r.Header)
	if err != nil {
		return c, err
	}
	if auth.IsAPIToken(token) {
		return c, h.enterBackend(r, c, token)
	}
	if c.id, err = h.Auth.Authenticate(r.Context(), token, c.now); err != nil {
		return c, err
	}
	if auth.IsPlain(r.Context()) {
		c.id = c.id.Plain()
	}
	if _, err := h.Presence.Signal(r.Context(), presence.Signal{
		User: c.id.User, Session: c.id.Session, Kind: presence.Activity, At: c.now,
	}); err != nil {
		return c, err
	}
	need := h.need[op.OperationID]
	if need == 0 || need == Nobody || need == Staff && !c.id.MayRead() || need == Admins && !c.id.IsAdmin() {
		return c, &presence.Error{Kind: presence.Forbidden, Op: "check permission"}
	}
	c.viewer = h.Auth.Viewer(c.id)
	return c, once(r.URL.Query())
}

// enterBackend lets the token of a backend in where the operation names one of its scopes. It makes nobody present.
func (h *Handler) enterBackend(r *http.Request, c *call, token string) (err error) {
	if c.id, err = h.Auth.AuthenticateAPI(r.Context(), token, c.now); err != nil {
		return err
	}
	scopes := h.scopes[c.op.OperationID]
	if !c.id.Has(scopes) {
		tell := "An API token cannot do this; it needs somebody who is signed in."
		if scopes != 0 {
			tell = "This API token lacks the scope for it: " + strings.Join(scopes.Words(), " or ") + "."
		}
		return &presence.Error{Kind: presence.Forbidden, Op: "check scope", Code: auth.CodeScope, Tell: tell}
	}
	c.viewer = h.Auth.Viewer(c.id)
	return once(r.URL.Query())
}

// once refuses a parameter that is given twice: one of the two would not be looked at.
func once(q url.Values) error {
	for name, values := range q {
		if len(values) > 1 {
			return invalid("query", name, "this parameter is given more than once", "once")
		}
	}
	return nil
}

// bearer reads the access token from the one Authorization header there may be.
func bearer(h http.Header) (string, error) {
	lines := h["Authorization"]
	if len(lines) == 1 {
		scheme, token, found := strings.Cut(lines[0], " ")
		if found && strings.EqualFold(scheme, "Bearer") && token != "" && !strings.ContainsAny(token, " \t,") {
			return token, nil
		}
	}
	return "", &presence.Error{
		Kind: presence.Unauthenticated, Op: "read token", Code: auth.CodeMissing,
		Tell: "Authentication credentials were not provided.",
	}
}

// operation is one thing that can be asked.
type operation struct {
	id, method, path, tag, summary, text string
	need                                 Access
	// scopes are those of which the token of a backend needs one; none: it needs a person.
	scopes presence.Scope
	// errors are the statuses it may answer besides those of every operation.
	errors []int
	// body and media describe an answer that is streamed: the library cannot see what it is.
	body  reflect.Type
	media string
}

// nothing is an input or an answer without anything in it.
type nothing struct{}

// reply is an answer with a body.
type reply[T any] struct{ Body T }

func answer[T any](body T) *reply[T] { return &reply[T]{body} }

// add registers an operation: its path, its place in the document, and what does it.
func add[I, O any](h *Handler, op operation, do func(ctx context.Context, c *call, in *I) (*O, error)) {
	h.need[op.id], h.scopes[op.id] = op.need, op.scopes
	who, security := "For "+op.need.String(), []map[string][]string{{"bearer": {}}}
	if op.scopes != 0 {
		who += "; with an API token: scope " + strings.Join(op.scopes.Words(), " or ")
		security = append(security, map[string][]string{"api_token": {}})
	}
	if op.need == Nobody {
		security = security[1:]
	}
	described := huma.Operation{
		OperationID: op.id, Method: op.method, Path: "/api/v1" + op.path, Summary: op.summary, Tags: []string{op.tag},
		Description: strings.TrimSpace(op.text + " " + who + "."), MaxBodyBytes: maxBody,
		Security: security,
		Errors:   append([]int{401, 403, 422, 500, 503}, op.errors...),
	}
	if op.need == Anybody {
		described.Security = []map[string][]string{{}} // none that a program could have
	}
	if op.body != nil {
		described.Responses = map[string]*huma.Response{"200": {
			Description: http.StatusText(http.StatusOK),
			Content:     map[string]*huma.MediaType{op.media: {Schema: h.api.OpenAPI().Components.Schemas.Schema(op.body, true, "")}},
		}}
	}
	huma.Register(h.api, described, func(ctx context.Context, in *I) (*O, error) {
		c := ctx.Value(callKey{}).(*call)
		out, err := do(ctx, c, in)
		if err != nil {
			return nil, h.tell(ctx, c.op, c.id.User, err)
		}
		return out, nil
	})
}
