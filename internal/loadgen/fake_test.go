package loadgen

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// fake is the smallest server that people can be played against.
type fake struct {
	*httptest.Server
	gws.BuiltinEventHandler

	// Static once it serves.
	offlineAfter time.Duration
	tokenLife    time.Duration
	refuse       func(path string, n int) (status int) // of the nth call of a path; 0: answer it
	onBeat       func(*fakeUser)

	mu       sync.Mutex // guards the following fields
	users    map[string]*fakeUser
	sessions map[string]*fakeUser // by access token
	calls    map[string]int
	issued   int
	sockets  map[*gws.Conn]bool
}

type fakeUser struct {
	id             int
	name, password string
	online         bool
	silence        *time.Timer
}

func newFake(t *testing.T) *fake {
	f := &fake{
		users: map[string]*fakeUser{}, sessions: map[string]*fakeUser{}, calls: map[string]int{}, sockets: map[*gws.Conn]bool{},
		offlineAfter: time.Hour, tokenLife: time.Hour,
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := r.URL.Path
	f.calls[path]++
	if f.refuse != nil {
		if status := f.refuse(path, f.calls[path]); status != 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
			return
		}
	}
	switch path {
	case "/api/auth/register/", "/api/auth/login/":
		f.signIn(w, r)
		return
	case "/api/auth/refresh/":
		f.refresh(w, r)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if path == "/ws/presence/" {
		token = r.URL.Query().Get("token")
	}
	u := f.sessions[token]
	if u == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch {
	case path == heartbeatPath:
		f.live(u)
		fmt.Fprint(w, `{"message":"Heartbeat recorded"}`)
		if f.onBeat != nil {
			f.onBeat(u)
		}
	case path == "/api/auth/logout/":
		delete(f.sessions, token)
		f.turn(u, false)
		fmt.Fprint(w, `{}`)
	case path == "/ws/presence/":
		f.socket(w, r)
	case strings.HasSuffix(path, "/online-status/"):
		fmt.Fprintf(w, `{"online_status":%q}`, f.statusOf(path))
	}
}

func (f *fake) signIn(w http.ResponseWriter, r *http.Request) {
	var in credentials
	_ = json.NewDecoder(r.Body).Decode(&in)
	u := f.users[in.Username]
	switch {
	case strings.HasSuffix(r.URL.Path, "register/") && u != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	case strings.HasSuffix(r.URL.Path, "login/") && (u == nil || u.password != in.Password):
		w.WriteHeader(http.StatusUnauthorized)
		return
	case u == nil:
		u = &fakeUser{id: len(f.users) + 1, name: in.Username, password: in.Password}
		f.users[u.name] = u
	}
	f.live(u)
	w.Header().Set("Presence-Offline-After", strconv.FormatFloat(f.offlineAfter.Seconds(), 'f', -1, 64))
	w.Header().Set("Presence-Heartbeat-Interval", "30")
	access := f.issue(u)
	fmt.Fprintf(w, `{"user":{"id":%d},"tokens":{"access":%q,"refresh":%q}}`, u.id, access, u.name)
}

// issue makes a token that looks like a JWT.
func (f *fake) issue(u *fakeUser) string {
	f.issued++
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%d"}`, 1_700_000_000, 1_700_000_000+int(f.tokenLife.Seconds()), f.issued)
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	f.sessions[token] = u
	return token
}

func (f *fake) refresh(w http.ResponseWriter, r *http.Request) {
	var in struct{ Refresh string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	u := f.users[in.Refresh]
	if u == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, `{"access":%q,"refresh":%q}`, f.issue(u), u.name)
}

// live is a sign of life; silence after it takes the user offline.
func (f *fake) live(u *fakeUser) {
	f.turn(u, true)
	if u.silence != nil {
		u.silence.Stop()
	}
	u.silence = time.AfterFunc(f.offlineAfter, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.turn(u, false)
	})
}

func (f *fake) turn(u *fakeUser, online bool) {
	if u.online == online {
		return
	}
	u.online = online
	word := map[bool]string{true: "online", false: "offline"}[online]
	text := fmt.Sprintf(`{"type": "user_status_change", "user_id": "%d", "username": %q, "online_status": %q}`, u.id, u.name, word)
	for conn := range f.sockets {
		_ = conn.WriteMessage(gws.OpcodeText, []byte(text))
	}
}

func (f *fake) statusOf(path string) string {
	for _, u := range f.users {
		if strings.Contains(path, fmt.Sprintf("/users/%d/", u.id)) && u.online {
			return "online"
		}
	}
	return "offline"
}

func (f *fake) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := gws.NewUpgrader(f, &gws.ServerOption{}).Upgrade(w, r)
	if err == nil {
		f.sockets[conn] = true
		go conn.ReadLoop()
	}
}

func (f *fake) OnClose(conn *gws.Conn, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sockets, conn)
}

func (f *fake) online() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.users {
		if u.online {
			n++
		}
	}
	return n
}

func (f *fake) called(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[path]
}
