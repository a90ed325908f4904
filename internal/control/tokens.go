package control

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// Tokens are the acts on the API tokens of backends; auth.Service has them.
type Tokens interface {
	CreateAPIToken(ctx context.Context, actor auth.Identity, n auth.NewAPIToken, from presence.Origin) (presence.APIToken, string, error)
	APITokens(ctx context.Context) ([]presence.APIToken, error)
	RevokeAPIToken(ctx context.Context, actor auth.Identity, id presence.APITokenID, from presence.Origin) error
}

// Token is the token of a backend as the command line shows it.
type Token struct {
	ID         presence.APITokenID `json:"id"`
	Name       string              `json:"name"`
	Scopes     []string            `json:"scopes"`
	Hint       string              `json:"hint"`
	Status     string              `json:"status"`
	CreatedAt  time.Time           `json:"created_at"`
	ExpiresAt  *time.Time          `json:"expires_at"`
	LastUsedAt *time.Time          `json:"last_used_at"`
	RevokedAt  *time.Time          `json:"revoked_at"`
	// Secret is the token itself: in the answer that made it, and nowhere else.
	Secret string `json:"token,omitempty"`
}

// NewToken is what `token create` sends. Expires is a time from now; 0 means never.
type NewToken struct {
	Name    string        `json:"name"`
	Scopes  string        `json:"scopes"`
	Expires time.Duration `json:"expires"`
}

// ServeTokens adds the acts on tokens to what the handler answers. Call it before the first request.
func (h *Handler) ServeTokens(tokens Tokens) {
	h.mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, r *http.Request) {
		reply(w, func() ([]Token, error) { return listTokens(r, tokens) })
	})
	h.mux.HandleFunc("POST /tokens", func(w http.ResponseWriter, r *http.Request) {
		reply(w, func() (Token, error) { return createToken(r, tokens) })
	})
	h.mux.HandleFunc("DELETE /tokens/{id}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, func() (struct{}, error) { return struct{}{}, revokeToken(r, tokens) })
	})
}

func reply[T any](w http.ResponseWriter, do func() (T, error)) {
	body, err := do()
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, body)
}

func listTokens(r *http.Request, tokens Tokens) ([]Token, error) {
	rows, err := tokens.APITokens(r.Context())
	if err != nil {
		return nil, err
	}
	list := make([]Token, len(rows))
	for i := range rows {
		list[i] = showToken(&rows[i])
	}
	return list, nil
}

func createToken(r *http.Request, tokens Tokens) (Token, error) {
	var n NewToken
	if err := decode(r, &n); err != nil {
		return Token{}, err
	}
	wanted := auth.NewAPIToken{Name: n.Name}
	var ok bool
	if wanted.Scopes, ok = presence.ParseScope(n.Scopes); !ok {
		return Token{}, &presence.Error{
			Kind: presence.Invalid, Op: "create API token", Field: "scopes", Tell: "The scopes are " + strings.Join(presence.ScopeNames(), ", ") + ".",
		}
	}
	if n.Expires != 0 {
		wanted.Expires = time.Now().Add(n.Expires)
	}
	made, secret, err := tokens.CreateAPIToken(r.Context(), auth.System, wanted, from)
	if err != nil {
		return Token{}, err
	}
	shown := showToken(&made)
	shown.Secret = secret
	return shown, nil
}

func revokeToken(r *http.Request, tokens Tokens) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return &presence.Error{Kind: presence.Invalid, Op: "revoke API token", Field: "id", Tell: "The id of a token is a number; token list shows it.", Err: err}
	}
	return tokens.RevokeAPIToken(r.Context(), auth.System, presence.APITokenID(id), from)
}

func showToken(t *presence.APIToken) Token {
	shown := Token{
		ID: t.ID, Name: t.Name, Scopes: t.Scopes.Words(), Hint: t.Hint, Status: "active", CreatedAt: t.CreatedAt,
		ExpiresAt: moment(t.ExpiresAt), LastUsedAt: moment(t.LastUsedAt), RevokedAt: moment(t.RevokedAt),
	}
	switch {
	case !t.RevokedAt.IsZero():
		shown.Status = "revoked"
	case !t.Good(time.Now()):
		shown.Status = "expired"
	}
	return shown
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Tokens lists the tokens of backends.
func (c *Client) Tokens(ctx context.Context) (list []Token, err error) {
	err = c.ask(ctx, http.MethodGet, "/tokens", nil, &list)
	return list, err
}

// CreateToken makes a token for a backend; its Secret is told this once.
func (c *Client) CreateToken(ctx context.Context, n NewToken) (made Token, err error) {
	err = c.ask(ctx, http.MethodPost, "/tokens", n, &made)
	return made, err
}

// RevokeToken ends a token of a backend.
func (c *Client) RevokeToken(ctx context.Context, id presence.APITokenID) error {
	return c.ask(ctx, http.MethodDelete, "/tokens/"+strconv.FormatInt(int64(id), 10), nil, &struct{}{})
}

// ask sends a request and reads the answer.
func (c *Client) ask(ctx context.Context, method, path string, body, into any) error {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return unreachable(err)
	}
	return nil
}
