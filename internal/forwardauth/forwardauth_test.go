package forwardauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/tracker"
)

// house knows alice (7), whose tokens are "alice" and "late" (of a session that is over inside), bob (8), who is
// banned, and a store that is away.
type house struct{ heard []string }

func refusal(kind presence.ErrorKind) error { return &presence.Error{Kind: kind, Op: "test"} }

func (h *house) Authenticate(_ context.Context, token string, _ time.Time) (auth.Identity, error) {
	switch token {
	case "alice":
		return auth.Identity{User: 7, Session: 1000}, nil
	case "late":
		return auth.Identity{User: 7, Session: 1001}, nil
	case "bob":
		return auth.Identity{}, refusal(presence.Forbidden)
	case "mallory":
		return auth.Identity{}, &presence.Error{Kind: presence.Unauthenticated, Op: "test", Code: auth.CodeUserInactive}
	case "away":
		return auth.Identity{}, refusal(presence.Unavailable)
	}
	return auth.Identity{}, refusal(presence.Unauthenticated)
}

func (h *house) Touch(_ context.Context, users []presence.UserID, source string, _ time.Time) ([]tracker.Standing, error) {
	switch users[0] {
	case 7:
		h.heard = append(h.heard, "touch 7 "+source)
		return []tracker.Standing{tracker.Good}, nil
	case 8:
		return []tracker.Standing{tracker.Closed}, nil
	}
	return []tracker.Standing{tracker.Unknown}, nil
}

func (h *house) Activity(_ context.Context, user presence.UserID, session presence.SessionID, _ time.Time) error {
	if session == 1001 {
		return presence.ErrClosed
	}
	h.heard = append(h.heard, "activity")
	return nil
}

func (h *house) AccountByName(_ context.Context, name string) (presence.Account, error) {
	if id, ok := map[string]presence.UserID{"alice": 7, "bob": 8}[name]; ok {
		return presence.Account{ID: id}, nil
	}
	return presence.Account{}, refusal(presence.NotFound)
}

func (h *house) AccountByEmail(ctx context.Context, email string) (presence.Account, error) {
	if email == "alice@example.org" {
		return h.AccountByName(ctx, "alice")
	}
	return presence.Account{}, refusal(presence.NotFound)
}

func state(_ context.Context, users []presence.UserID) ([]presence.Presence, error) {
	return []presence.Presence{{User: users[0], Status: presence.Online}}, nil
}

func TestWhoIsLetThrough(t *testing.T) {
	proxy, stranger := "10.0.0.5:4711", "192.0.2.1:4711"
	for _, c := range []struct {
		name   string
		peer   string
		header map[string]string
		query  string
		by     By
		status int
		user   string
		heard  int
	}{
		{name: "nobody", status: 401},
		{name: "nobody, who is let through", query: "?optional=1", status: 204},
		{name: "optional said otherwise", query: "?optional=0", status: 401},
		{name: "a bearer token", header: map[string]string{"Authorization": "Bearer alice"}, status: 204, user: "7", heard: 1},
		{name: "the cookie", header: map[string]string{"Cookie": "a=b; jwt=alice"}, status: 204, user: "7", heard: 1},
		{name: "another cookie", header: map[string]string{"Cookie": "other=alice"}, status: 401},
		{name: "a token of the app's and our cookie", header: map[string]string{"Authorization": "Bearer app-key", "Cookie": "jwt=alice"}, status: 204, user: "7", heard: 1},
		{name: "Basic, which is the app's", header: map[string]string{"Authorization": "Basic YTpi"}, status: 401},
		{name: "a bad token", header: map[string]string{"Authorization": "Bearer bad"}, status: 401},
		{name: "a session that has just ended", header: map[string]string{"Authorization": "Bearer late"}, status: 401},
		{name: "a banned person's token", header: map[string]string{"Authorization": "Bearer bob"}, query: "?optional=1", status: 403},
		{name: "the token of a closed account", header: map[string]string{"Authorization": "Bearer mallory"}, query: "?optional=1", status: 403},
		{name: "a backend's token", header: map[string]string{"Authorization": "Bearer opt_x"}, status: 401},
		{name: "a store that is away", header: map[string]string{"Authorization": "Bearer away"}, status: 503},
		{name: "the header of a trusted proxy", peer: proxy, header: map[string]string{"X-Auth-User": "alice"}, status: 204, user: "7", heard: 1},
		{name: "the header of a stranger", peer: stranger, header: map[string]string{"X-Auth-User": "alice"}, status: 401},
		{name: "a forwarded address is no peer", peer: stranger, header: map[string]string{"X-Auth-User": "alice", "X-Forwarded-For": "10.0.0.5"}, status: 401},
		{name: "the header outranks the cookie", peer: proxy, header: map[string]string{"X-Auth-User": "bob", "Cookie": "jwt=alice"}, status: 403},
		{name: "the header of somebody unknown", peer: proxy, header: map[string]string{"X-Auth-User": "carl"}, status: 401},
		{name: "by id", by: ByID, peer: proxy, header: map[string]string{"X-Auth-User": "7"}, status: 204, user: "7", heard: 1},
		{name: "by an id that is none", by: ByID, peer: proxy, header: map[string]string{"X-Auth-User": "-7"}, status: 401},
		{name: "by e-mail", by: ByEmail, peer: proxy, header: map[string]string{"X-Auth-User": "alice@example.org"}, status: 204, user: "7", heard: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			people := &house{}
			h := New(Config{
				Tokens: people, Signals: people, Directory: people, State: state, Cookie: "jwt", Header: "x-auth-user", By: c.by,
				Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			})
			for _, method := range []string{"GET", "POST", "DELETE", "PROPFIND"} {
				people.heard = nil
				r := httptest.NewRequestWithContext(t.Context(), method, Path+c.query, nil)
				if c.peer != "" {
					r.RemoteAddr = c.peer
				}
				for name, value := range c.header {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != c.status || w.Header().Get(UserHeader) != c.user || w.Body.Len() != 0 || len(people.heard) != c.heard {
					t.Errorf("%s: %d, user %q, heard %v; want %d, %q, %d", method, w.Code, w.Header().Get(UserHeader), people.heard, c.status, c.user, c.heard)
				}
				if (c.user != "") != (w.Header().Get(StatusHeader) == "online") {
					t.Errorf("%s: status %q", method, w.Header().Get(StatusHeader))
				}
			}
		})
	}
}

// Without networks that are trusted a header says nothing.
func TestNobodyIsTrustedByDefault(t *testing.T) {
	people := &house{}
	h := New(Config{Tokens: people, Signals: people, Directory: people, State: state, Header: "X-Auth-User"})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path, nil)
	r.Header.Set("X-Auth-User", "alice")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 || len(people.heard) != 0 {
		t.Errorf("%d, heard %v", w.Code, people.heard)
	}
}

func TestAnAnswerThatCannotBeHad(t *testing.T) {
	people := &house{}
	h := New(Config{Tokens: people, Signals: people, Directory: people, State: func(context.Context, []presence.UserID) ([]presence.Presence, error) {
		return nil, errors.New("away")
	}})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path+"?optional=1", nil)
	r.Header.Set("Authorization", "Bearer alice")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 503 {
		t.Errorf("%d", w.Code)
	}
}

// TestWhatProxiesAskedIsSeen: whoever sets a proxy up sees that it asks, and that it asks about somebody known.
func TestWhatProxiesAskedIsSeen(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := New(Config{Tokens: &house{}, Signals: &house{}, Directory: &house{}, State: state, Optional: true, Now: func() time.Time { return at }})
	if seen := h.Seen(); seen != (Seen{}) {
		t.Errorf("before anybody asked: %+v", seen)
	}
	ask := func(token string) {
		at = at.Add(time.Second)
		r := httptest.NewRequest("GET", Path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("late") // a session that is over: nobody, which is let through here
	if seen := h.Seen(); seen != (Seen{AskedAt: at, Status: 204}) {
		t.Errorf("nobody: %+v", seen)
	}
	ask("alice")
	known := at
	if seen := h.Seen(); seen != (Seen{AskedAt: known, Status: 204, KnownAt: known, User: 7}) {
		t.Errorf("alice: %+v", seen)
	}
	ask("bob")
	if seen := h.Seen(); seen != (Seen{AskedAt: at, Status: 403, KnownAt: known, User: 7}) {
		t.Errorf("bob: %+v", seen)
	}
}
