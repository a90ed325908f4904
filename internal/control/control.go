// Package control is how the command line administers a server: a small JSON API for the machine's own
// operator, served on a Unix socket in the data directory, and the client for it. Whoever may open the socket
// is the operator; acts are done as auth.System.
//
// It decides what the command line can ask for and how answers look on that socket. It leaves the acts to
// package auth, and where the socket is and who serves it to cmd/presence.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// Accounts are the acts on accounts; auth.Service has them.
type Accounts interface {
	Create(ctx context.Context, actor auth.Identity, n auth.NewAccount, from presence.Origin) (presence.Account, error)
	SetPassword(ctx context.Context, actor auth.Identity, user presence.UserID, password string, from presence.Origin) (presence.Account, error)
	ForceLogout(ctx context.Context, actor auth.Identity, user presence.UserID, from presence.Origin) (presence.Account, error)
	Suspend(ctx context.Context, actor auth.Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error)
	Ban(ctx context.Context, actor auth.Identity, user presence.UserID, reason string, from presence.Origin) (presence.Account, error)
	Activate(ctx context.Context, actor auth.Identity, user presence.UserID, from presence.Origin) (presence.Account, error)
}

// Directory finds accounts; every presence.Store has it.
type Directory interface {
	AccountByName(ctx context.Context, username string) (presence.Account, error)
	AccountIDs(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder) ([]presence.UserID, error)
	AccountsByID(ctx context.Context, ids []presence.UserID) ([]presence.Account, error)
}

// Statuses tells who is online; every presence.Engine does.
type Statuses interface {
	State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)
}

// Handler serves the API. Make one with New.
type Handler struct {
	accounts  Accounts
	directory Directory
	statuses  Statuses
	mux       http.ServeMux
}

// User is an account as the command line shows it.
type User struct {
	ID           presence.UserID `json:"id"`
	Username     string          `json:"username"`
	Email        string          `json:"email"`
	Role         string          `json:"role"`
	Status       string          `json:"status"` // of the account
	OnlineStatus string          `json:"online_status"`
	LastSeen     *time.Time      `json:"last_seen"` // nil: never
}

// NewUser is what `user create` sends. Role is a word; empty means user.
type NewUser struct {
	Username string `json:"username"`
	Email    string `json:"email,omitempty"`
	Role     string `json:"role,omitempty"`
	Password string `json:"password"`
}

// Act is something done to one account.
type Act string

// The acts, which are the last words of their paths too.
const (
	Logout   Act = "logout"
	Suspend  Act = "suspend"
	Ban      Act = "ban"
	Activate Act = "activate"
)

const (
	maxBody = 64 << 10
	// chunk is how many accounts are looked up at a time for a list.
	chunk = 500
)

// from is where the command line's acts come from, for activity and audit.
var from = presence.Origin{UserAgent: "presence command line"}

// New makes the handler.
func New(accounts Accounts, directory Directory, statuses Statuses) *Handler {
	h := &Handler{accounts: accounts, directory: directory, statuses: statuses}
	h.mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, struct{}{}) })
	h.mux.HandleFunc("GET /users", h.list)
	h.mux.HandleFunc("POST /users", handle(h.create))
	h.mux.HandleFunc("PUT /users/{name}/password", handle(h.setPassword))
	h.mux.HandleFunc("POST /users/{name}/{act}", handle(h.act))
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) create(r *http.Request) (User, error) {
	var n NewUser
	if err := decode(r, &n); err != nil {
		return User{}, err
	}
	role, ok := presence.RoleUser, true
	if n.Role != "" {
		role, ok = presence.ParseRole(n.Role)
	}
	if !ok {
		return User{}, &presence.Error{Kind: presence.Invalid, Op: "create account", Field: "role", Tell: "The role is admin, moderator or user."}
	}
	made, err := h.accounts.Create(r.Context(), auth.System, auth.NewAccount{
		Username: n.Username, Email: n.Email, Password: n.Password, Role: role, Status: presence.AccountActive,
	}, from)
	if err != nil {
		return User{}, err
	}
	return h.view(r.Context(), made)
}

func (h *Handler) setPassword(r *http.Request) (User, error) {
	var body struct {
		Password string `json:"password"`
	}
	if err := decode(r, &body); err != nil {
		return User{}, err
	}
	account, err := h.find(r)
	if err != nil {
		return User{}, err
	}
	account, err = h.accounts.SetPassword(r.Context(), auth.System, account.ID, body.Password, from)
	if err != nil {
		return User{}, err
	}
	return h.view(r.Context(), account)
}

func (h *Handler) act(r *http.Request) (User, error) {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decode(r, &body); err != nil {
		return User{}, err
	}
	account, err := h.find(r)
	if err != nil {
		return User{}, err
	}
	switch act := Act(r.PathValue("act")); act {
	case Logout:
		account, err = h.accounts.ForceLogout(r.Context(), auth.System, account.ID, from)
	case Suspend:
		account, err = h.accounts.Suspend(r.Context(), auth.System, account.ID, body.Reason, from)
	case Ban:
		account, err = h.accounts.Ban(r.Context(), auth.System, account.ID, body.Reason, from)
	case Activate:
		account, err = h.accounts.Activate(r.Context(), auth.System, account.ID, from)
	default:
		err = &presence.Error{Kind: presence.NotFound, Op: "administer", Tell: "There is no act " + string(act) + "."}
	}
	if err != nil {
		return User{}, err
	}
	return h.view(r.Context(), account)
}

// list writes one user a line, as it finds them: there may be a million. An error after the first line is a
// line of its own.
func (h *Handler) list(w http.ResponseWriter, r *http.Request) {
	only, wanted := presence.Offline, r.URL.Query().Get("online_status")
	if wanted != "" {
		var ok bool
		if only, ok = presence.ParseStatus(wanted); !ok {
			fail(w, &presence.Error{Kind: presence.Invalid, Op: "list users", Field: "status", Tell: "The status is online, away or offline."})
			return
		}
	}
	ids, err := h.directory.AccountIDs(r.Context(), presence.AccountFilter{}, presence.IDUp)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	for len(ids) > 0 {
		some := ids[:min(chunk, len(ids))]
		ids = ids[len(some):]
		users, err := h.some(r.Context(), some, wanted != "", only)
		if err != nil {
			_ = out.Encode(line{Failure: failureOf(err)})
			return
		}
		for _, u := range users {
			if err := out.Encode(line{User: &u}); err != nil {
				return // the reader is gone
			}
		}
	}
}

// line is one line of a list: a user, or why there are no more.
type line struct {
	User    *User    `json:"user,omitempty"`
	Failure *failure `json:"failure,omitempty"`
}

// some looks up a handful of users, and keeps those with the status asked for, if one is.
func (h *Handler) some(ctx context.Context, ids []presence.UserID, filter bool, only presence.Status) ([]User, error) {
	states, err := h.statuses.State(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown := make(map[presence.UserID]presence.Presence, len(ids))
	wanted := make([]presence.UserID, 0, len(ids))
	for _, p := range states {
		if !filter || p.Status == only {
			shown[p.User] = p
			wanted = append(wanted, p.User)
		}
	}
	accounts, err := h.directory.AccountsByID(ctx, wanted)
	if err != nil {
		return nil, err
	}
	users := make([]User, 0, len(accounts))
	for i := range accounts {
		users = append(users, show(&accounts[i], shown[accounts[i].ID]))
	}
	return users, nil
}

func (h *Handler) find(r *http.Request) (presence.Account, error) {
	name := r.PathValue("name")
	account, err := h.directory.AccountByName(r.Context(), name)
	if err != nil && presence.KindOf(err) == presence.NotFound {
		return account, &presence.Error{Kind: presence.NotFound, Op: "find account", Tell: "There is no user " + name + ". Names are case-sensitive.", Err: err}
	}
	return account, err
}

func (h *Handler) view(ctx context.Context, a presence.Account) (User, error) {
	states, err := h.statuses.State(ctx, []presence.UserID{a.ID})
	if err != nil {
		return User{}, err
	}
	return show(&a, states[0]), nil
}

func show(a *presence.Account, p presence.Presence) User {
	u := User{
		ID: a.ID, Username: a.Username, Email: a.Email, Role: a.Role.String(), Status: a.Status.String(),
		OnlineStatus: p.Status.String(),
	}
	if !a.Active && a.Status == presence.AccountActive {
		u.Status = "inactive"
	}
	if !p.LastSeen.IsZero() {
		seen := p.LastSeen.UTC()
		u.LastSeen = &seen
	}
	return u
}

// handle turns a function that returns something into a handler.
func handle[T any](do func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := do(r)
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, http.StatusOK, body)
	}
}

func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &presence.Error{Kind: presence.Invalid, Op: "read request", Tell: "The request is not what was expected: " + err.Error(), Err: err}
	}
	return nil
}

// failure is an error on the wire. The operator is told the cause as well.
type failure struct {
	Kind  string `json:"kind"`
	Field string `json:"field,omitempty"`
	Code  string `json:"code,omitempty"`
	Text  string `json:"text"`
}

func failureOf(err error) *failure {
	f := &failure{Kind: presence.KindOf(err).String(), Text: err.Error()}
	if known := (*presence.Error)(nil); errors.As(err, &known) {
		f.Field, f.Code = known.Field, known.Code
		if known.Tell != "" {
			f.Text = known.Tell
		}
	}
	return f
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch presence.KindOf(err) {
	case presence.Invalid:
		status = http.StatusBadRequest
	case presence.NotFound:
		status = http.StatusNotFound
	case presence.Conflict:
		status = http.StatusConflict
	case presence.Forbidden:
		status = http.StatusForbidden
	case presence.Unavailable, presence.Throttled:
		status = http.StatusServiceUnavailable
	}
	answer(w, status, failureOf(err))
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("control: " + err.Error()) // our own structs
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who is gone needs no answer
}

// kindNamed is the kind whose name is word: the way back of failureOf.
func kindNamed(word string) presence.ErrorKind {
	for kind := presence.Internal; kind <= presence.Unavailable; kind++ {
		if strings.EqualFold(kind.String(), word) {
			return kind
		}
	}
	return presence.Internal
}
