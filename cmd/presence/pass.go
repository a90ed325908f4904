package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// passHeader carries the pass that an answer to a ticket comes with.
const passHeader = "Presence-Pass"

const (
	// passPrefix begins passes. No token and no ticket begins so.
	passPrefix = "pass."
	// passLife bounds how long a pass is good; the token in it may end before.
	passLife = time.Hour
)

// passable is what the client does beside the feed: whoever came with a ticket may do this and no more.
var passable = map[string]bool{
	"POST /api/users/heartbeat/": true, "POST /api/auth/logout/": true, "GET /api/v1/settings": true,
	"POST /api/v1/presence/query": true, "GET /api/v1/me/status": true, "PUT /api/v1/me/status": true,
}

// passes let clients that were given a ticket and no token do the little that they do beside the feed, above all be online
// where sockets are blocked. A ticket is good once; the answer to it carries a pass, which stands for the same session
// from there on: sealed, nowhere written down, and worth nothing when the session is over, or when the API token on whose
// word it was given may let nobody in any more. A pass opens the feed, too.
type passes struct {
	auth   *auth.Service
	sealer *auth.Sealer
	redeem func(ticket string) (token, via string, ok bool)
}

func newPasses(s *auth.Service) *passes { return &passes{auth: s, sealer: s.Sealer("pass")} }

// open returns what is in a pass: the access token and, where a backend let the person in, its API token.
func (p *passes) open(text string) (token, via string, ok bool) {
	sealed, ok := strings.CutPrefix(text, passPrefix)
	if !ok {
		return "", "", false
	}
	content, ok := p.sealer.Open(sealed)
	if !ok || len(content) < 1 || len(content) < 1+int(content[0]) {
		return "", "", false
	}
	end := 1 + int(content[0])
	return string(content[end:]), string(content[1:end]), true
}

func (p *passes) seal(token, via string) string {
	content := append(append([]byte{byte(len(via))}, via...), token...) // an API token has some 50 characters
	return passPrefix + p.sealer.Seal(content, passLife)
}

// vouches reports whether a backend may still let people in.
func (p *passes) vouches(ctx context.Context, via string, now time.Time) (auth.Identity, error) {
	id, err := p.auth.AuthenticateAPI(ctx, via, now)
	if err == nil && !id.Has(presence.ScopeTickets) {
		err = &presence.Error{Kind: presence.Unauthenticated, Op: "check ticket", Code: auth.CodeTokenInvalid, Tell: "The ticket is not good, or no longer."}
	}
	return id, err
}

// door puts the token behind a ticket or a pass into a request that may be done with one. The feed looks behind both by
// itself; elsewhere a pass is nothing.
func (p *passes) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := r.Header["Authorization"]
		if len(lines) == 1 && !strings.HasPrefix(lines[0], "Bearer ey") { // no token of a person
			scheme, text, _ := strings.Cut(lines[0], " ")
			switch {
			case !strings.EqualFold(scheme, "Bearer"):
			case passable[r.Method+" "+r.URL.Path]:
				if r = p.exchange(w, r, text); r == nil {
					return
				}
			case strings.HasPrefix(text, passPrefix) && r.URL.Path != "/api/v1/feed":
				r.Header.Del("Authorization")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// exchange puts in the token behind what somebody came with. What is not good stays as it is, to be refused as no token. nil: it
// is answered, because it cannot be told now.
func (p *passes) exchange(w http.ResponseWriter, r *http.Request, text string) *http.Request {
	token, via, ok := p.open(text)
	fresh := false
	if !ok {
		if token, via, fresh = p.redeem(text); !fresh {
			return r
		}
	}
	ctx := r.Context()
	if via != "" { // no staff, whoever it is
		switch _, err := p.vouches(ctx, via, now()); {
		case err != nil && presence.KindOf(err) == presence.Unauthenticated:
			return r
		case err != nil:
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			return nil
		}
		ctx = auth.AsPlain(ctx)
	}
	if fresh {
		w.Header().Set(passHeader, p.seal(token, via))
	}
	r = r.Clone(ctx)
	r.Header["Authorization"] = []string{"Bearer " + token}
	return r
}
