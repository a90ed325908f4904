package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/tracker"
	"github.com/offchat/presence/wire"
)

const scopesText = "touch (tell that people are active), read (presence, counts and events as anybody may see them), " +
	"tickets (let people into the feed), logout (end people's sessions), admin:read (everything that admins may see)"

// touchedReply is 204 when there is nothing to tell.
type touchedReply struct {
	Status int
	Body   *wire.Touched
}

func (h *Handler) touch(ctx context.Context, c *call, in *struct{ Body wire.Touch }) (*touchedReply, error) {
	if h.Touch == nil {
		return nil, presence.E(presence.Unavailable, "touch", errors.New("nobody takes it"))
	}
	users, err := usersIn("ids", in.Body.IDs)
	if err != nil {
		return nil, err
	}
	source := strings.TrimSpace(in.Body.Source)
	if source == "" {
		source = c.id.Username()
	}
	standings, err := h.Touch.Touch(ctx, users, source, c.now)
	if err != nil {
		return nil, err
	}
	told := &wire.Touched{Unknown: []string{}, Refused: []wire.TouchedRefusal{}}
	for i, s := range standings {
		switch s {
		case tracker.Good:
			told.Touched++
		case tracker.Unknown:
			told.Unknown = append(told.Unknown, in.Body.IDs[i])
		default:
			told.Refused = append(told.Refused, wire.TouchedRefusal{ID: in.Body.IDs[i], Reason: s.String()})
		}
	}
	if told.Touched == len(users) {
		return &touchedReply{Status: http.StatusNoContent}, nil
	}
	return &touchedReply{Status: http.StatusOK, Body: told}, nil
}

// usersIn reads a list of ids in a body.
func usersIn(field string, words []string) ([]presence.UserID, error) {
	ids := make([]presence.UserID, len(words))
	for i, text := range words {
		id, ok := parseUser(text)
		if !ok {
			return nil, invalid("body", fmt.Sprintf("%s[%d]", field, i), "this is no id of a user", idBound)
		}
		ids[i] = id
	}
	return ids, nil
}

func (h *Handler) createToken(ctx context.Context, c *call, in *struct{ Body wire.NewToken }) (*reply[wire.MadeToken], error) {
	scopes, ok := presence.ParseScope(strings.Join(in.Body.Scopes, ","))
	if !ok {
		return nil, invalid("body", "scopes", "there is no such scope", strings.Join(presence.ScopeNames(), ", "))
	}
	wanted := auth.NewAPIToken{Name: in.Body.Name, Scopes: scopes}
	if in.Body.ExpiresAt != nil {
		wanted.Expires = *in.Body.ExpiresAt
	}
	made, secret, err := h.Auth.CreateAPIToken(ctx, c.id, wanted, c.from)
	if err != nil {
		return nil, err
	}
	return answer(wire.MadeToken{Token: tokenOf(&made, c.now), Secret: secret}), nil
}

func (h *Handler) tokens(ctx context.Context, c *call, _ *nothing) (*reply[wire.TokenList], error) {
	rows, err := h.Auth.APITokens(ctx)
	if err != nil {
		return nil, err
	}
	list := wire.TokenList{Items: make([]wire.Token, len(rows))}
	for i := range rows {
		list.Items[i] = tokenOf(&rows[i], c.now)
	}
	return answer(list), nil
}

// TokenPath is the id of an API token in a path.
type TokenPath struct {
	ID string `path:"token" minLength:"1" maxLength:"19" pattern:"^[1-9][0-9]*$" patternDescription:"the id of a token: 1 to 19 digits" doc:"The token's id, not the token." example:"3"`
}

func (h *Handler) revokeToken(ctx context.Context, c *call, in *TokenPath) (*nothing, error) {
	id, ok := parseUser(in.ID) // an id like any other
	if !ok {
		return nil, invalid("path", "token", "this is no id of a token", idBound)
	}
	return nil, h.Auth.RevokeAPIToken(ctx, c.id, presence.APITokenID(id), c.from)
}

func tokenOf(t *presence.APIToken, now time.Time) wire.Token {
	shown := wire.Token{
		ID: formatUser(presence.UserID(t.ID)), Name: t.Name, Scopes: t.Scopes.Words(), Hint: t.Hint, Status: "active",
		CreatedBy: somebody(t.CreatedBy), CreatedAt: stamp(t.CreatedAt), ExpiresAt: moment(t.ExpiresAt),
		LastUsedAt: moment(t.LastUsedAt), RevokedAt: moment(t.RevokedAt),
	}
	switch {
	case !t.RevokedAt.IsZero():
		shown.Status, shown.RevokedBy = "revoked", somebody(t.RevokedBy)
	case !t.Good(now):
		shown.Status = "expired"
	}
	return shown
}

// checkIdentity judges a token that an admin pasted. It is neither logged nor kept.
func (h *Handler) checkIdentity(ctx context.Context, c *call, in *struct{ Body wire.IdentityCheck }) (*reply[wire.IdentityVerdict], error) {
	found := h.Auth.CheckToken(ctx, strings.TrimSpace(in.Body.Token), c.now)
	verdict := wire.IdentityVerdict{
		Accepted: found.Accepted, Issuer: found.Issuer, User: somebody(found.User), Reason: found.Fault.Reason, Detail: found.Fault.Detail,
		Alg: found.Algorithm, Kid: found.KeyID, Iss: found.TokenHead.Issuer, Sub: found.Subject, Expires: moment(found.Expires),
	}
	return answer(verdict), nil
}
