package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// world is a small server behind the API: accounts in a slice, and a note of every act.
type world struct {
	accounts []presence.Account
	online   map[presence.UserID]presence.Presence
	acts     []string
	broken   error // what looking up many accounts returns
}

func (w *world) Create(_ context.Context, actor auth.Identity, n auth.NewAccount, from presence.Origin) (presence.Account, error) {
	if !actor.IsAdmin() || from.UserAgent == "" {
		return presence.Account{}, errors.New("the command line acts as the system, and says so")
	}
	for _, a := range w.accounts {
		if a.Username == n.Username {
			return a, &presence.Error{Kind: presence.Conflict, Field: "username", Code: auth.CodeTaken, Tell: "Username already exists"}
		}
	}
	w.note("create " + n.Username + " " + n.Role.String() + " " + n.Password)
	a := presence.Account{ID: presence.UserID(len(w.accounts) + 1), Username: n.Username, Email: n.Email, Role: n.Role, Active: true}
	w.accounts = append(w.accounts, a)
	return a, nil
}

func (w *world) note(act string) { w.acts = append(w.acts, act) }

func (w *world) act(word string, id presence.UserID) (presence.Account, error) {
	w.note(word)
	return w.accounts[id-1], nil
}

func (w *world) SetPassword(_ context.Context, _ auth.Identity, id presence.UserID, password string, _ presence.Origin) (presence.Account, error) {
	return w.act("password "+password, id)
}

func (w *world) ForceLogout(_ context.Context, _ auth.Identity, id presence.UserID, _ presence.Origin) (presence.Account, error) {
	return w.act("logout", id)
}

func (w *world) Suspend(_ context.Context, _ auth.Identity, id presence.UserID, reason string, _ presence.Origin) (presence.Account, error) {
	return w.act("suspend "+reason, id)
}

func (w *world) Ban(_ context.Context, _ auth.Identity, id presence.UserID, reason string, _ presence.Origin) (presence.Account, error) {
	w.accounts[id-1].Status, w.accounts[id-1].Active = presence.AccountBanned, false
	return w.act("ban "+reason, id)
}

func (w *world) Activate(_ context.Context, _ auth.Identity, id presence.UserID, _ presence.Origin) (presence.Account, error) {
	return w.act("activate", id)
}

func (w *world) AccountByName(_ context.Context, name string) (presence.Account, error) {
	for _, a := range w.accounts {
		if a.Username == name {
			return a, nil
		}
	}
	return presence.Account{}, &presence.Error{Kind: presence.NotFound, Op: "find account"}
}

func (w *world) AccountIDs(context.Context, presence.AccountFilter, presence.AccountOrder) (ids []presence.UserID, err error) {
	for _, a := range w.accounts {
		ids = append(ids, a.ID)
	}
	return ids, nil
}

func (w *world) AccountsByID(_ context.Context, ids []presence.UserID) (some []presence.Account, err error) {
	for _, a := range w.accounts {
		if slices.Contains(ids, a.ID) {
			some = append(some, a)
		}
	}
	return some, w.broken
}

func (w *world) State(_ context.Context, ids []presence.UserID) (out []presence.Presence, err error) {
	for _, id := range ids {
		p := w.online[id]
		p.User = id
		out = append(out, p)
	}
	return out, nil
}

// serve serves w on a Unix socket and returns a client for it.
func serve(t *testing.T, w *world) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: New(w, w, w), ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return Dial(func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", path) })
}

func TestActs(t *testing.T) {
	w := &world{accounts: []presence.Account{{ID: 1, Username: "ann", Active: true}, {ID: 2, Username: "a/b?c=ü", Active: true}}}
	c, ctx := serve(t, w), t.Context()
	made, err := c.Create(ctx, NewUser{Username: "root", Email: "r@x.test", Role: "admin", Password: "pa ss"})
	if want := (User{ID: 3, Username: "root", Email: "r@x.test", Role: "admin", Status: "active", OnlineStatus: "offline"}); err != nil || made != want {
		t.Errorf("created %+v (%v), want %+v", made, err, want)
	}
	if _, err := c.Create(ctx, NewUser{Username: "plain", Password: "x"}); err != nil {
		t.Error(err)
	}
	if _, err := c.SetPassword(ctx, "ann", "new one"); err != nil {
		t.Error(err)
	}
	for _, act := range []Act{Logout, Suspend, Activate, Ban} {
		if _, err := c.Act(ctx, "a/b?c=ü", act, "because"); err != nil {
			t.Errorf("%s: %v", act, err)
		}
	}
	want := []string{"create root admin pa ss", "create plain user x", "password new one", "logout", "suspend because", "activate", "ban because"}
	if diff := cmp.Diff(want, w.acts); diff != "" {
		t.Errorf("acts (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	c, ctx := serve(t, &world{accounts: []presence.Account{{ID: 1, Username: "ann"}}}), t.Context()
	_, taken := c.Create(ctx, NewUser{Username: "ann", Password: "x"})
	_, role := c.Create(ctx, NewUser{Username: "bob", Password: "x", Role: "king"})
	_, nobody := c.Act(ctx, "Ann", Ban, "")
	_, noAct := c.Act(ctx, "ann", "tickle", "")
	_, password := c.SetPassword(ctx, "nobody", "x")
	_, huge := c.Create(ctx, NewUser{Username: "huge", Password: strings.Repeat("x", maxBody)})
	tests := []struct {
		name string
		err  error
		kind presence.ErrorKind
		text string
	}{
		{"a taken name", taken, presence.Conflict, "Username already exists"},
		{"a role that is none", role, presence.Invalid, "admin, moderator or user"},
		{"another spelling", nobody, presence.NotFound, "no user Ann. Names are case-sensitive"},
		{"an act that is none", noAct, presence.NotFound, "no act tickle"},
		{"a password for nobody", password, presence.NotFound, "no user nobody"},
		{"too much", huge, presence.Invalid, "too large"},
	}
	for _, tt := range tests {
		if tt.err == nil || presence.KindOf(tt.err) != tt.kind || !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%s: %v of kind %s; want %q, %s", tt.name, tt.err, presence.KindOf(tt.err), tt.text, tt.kind)
		}
	}
}

func TestListsAreWholeAndFiltered(t *testing.T) {
	seen := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	w := &world{online: map[presence.UserID]presence.Presence{
		7:         {Status: presence.Online, LastSeen: seen},
		2 * chunk: {Status: presence.Online, LastSeen: seen},
		8:         {Status: presence.Away, LastSeen: seen},
	}}
	for id := presence.UserID(1); id <= 2*chunk+10; id++ {
		w.accounts = append(w.accounts, presence.Account{ID: id, Username: "u", Active: id != 3})
	}
	c := serve(t, w)
	count := func(status string) (ids []presence.UserID) {
		for u, err := range c.Users(t.Context(), status) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
			if u.ID == 7 && (u.OnlineStatus != "online" || u.LastSeen == nil || !u.LastSeen.Equal(seen)) {
				t.Errorf("user 7 is shown as %+v", u)
			}
			if u.ID == 3 && (u.Status != "inactive" || u.LastSeen != nil) {
				t.Errorf("a closed account that was never seen is shown as %+v", u)
			}
		}
		return ids
	}
	if got := count(""); len(got) != len(w.accounts) || !slices.IsSorted(got) {
		t.Errorf("the list has %d of %d accounts", len(got), len(w.accounts))
	}
	if got := count("online"); !slices.Equal(got, []presence.UserID{7, 2 * chunk}) {
		t.Errorf("online: %v", got)
	}
	if got := count("offline"); len(got) != len(w.accounts)-3 {
		t.Errorf("offline: %d of %d", len(got), len(w.accounts))
	}
	for _, err := range c.Users(t.Context(), "busy") {
		if presence.KindOf(err) != presence.Invalid {
			t.Errorf("a status that is none: %v", err)
		}
	}
}

func TestAListThatBreaksOffSaysSo(t *testing.T) {
	w := &world{accounts: []presence.Account{{ID: 1}}, broken: errors.New("disk on fire")}
	var last error
	for _, err := range serve(t, w).Users(t.Context(), "") {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "disk on fire") {
		t.Errorf("the list ended with %v", last)
	}
}

func TestNobodyThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.sock")
	c := Dial(func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", path) })
	err := c.Ping(t.Context())
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a server: %v", err)
	}
	if err := serve(t, &world{}).Ping(t.Context()); err != nil {
		t.Errorf("with one: %v", err)
	}
}
