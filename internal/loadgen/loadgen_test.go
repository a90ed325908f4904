package loadgen

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// everybody is the ten people of the tests and the listener.
const everybody = 11

// usual are options for a small crowd at full speed; the tests end the run when they have seen enough.
func usual(f *fake) Options {
	return Options{URL: f.URL, Users: 10, Duration: time.Minute, SignInWorkers: 3, Workers: 4, Prefix: "test", PID: os.Getpid()}
}

// until ends the run at the nth heartbeat after so many different people have sent one: they know that they are
// signed in.
func until(t *testing.T, f *fake, people, n int) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	here, beats := map[*fakeUser]bool{}, 0
	f.onBeat = func(u *fakeUser) {
		if here[u] = true; len(here) >= people {
			beats++
		}
		if beats >= n {
			cancel()
		}
	}
	return ctx
}

func play(t *testing.T, ctx context.Context, o Options) (*Generator, Report) {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return g, r
}

func callsOf(r Report, kind string) Calls {
	for _, c := range r.Calls {
		if c.Kind == kind {
			return c
		}
	}
	return Calls{}
}

func TestEverybodySignsInBeatsAndLogsOut(t *testing.T) {
	f := newFake(t)
	g, r := play(t, until(t, f, everybody, 200), usual(f))
	if r.SignIns.Count != 10 || r.Failed != 0 {
		t.Errorf("%d signed in, %d failed", r.SignIns.Count, r.Failed)
	}
	if got := callsOf(r, "register").OK; got != 11 {
		t.Errorf("%d accounts made, want ten people and the listener", got)
	}
	beats := callsOf(r, "heartbeat").OK + callsOf(r, "heartbeat while signing in").OK
	if beats < 190 || !r.EndedEarly {
		t.Errorf("%d heartbeats counted, ended early %v", beats, r.EndedEarly)
	}
	if n := f.online(); n != 0 || callsOf(r, "logout").OK != 11 {
		t.Errorf("%d are online in the end, %d logged out", n, callsOf(r, "logout").OK)
	}
	if r.Memory == nil || r.Memory.SignedIn == 0 {
		t.Errorf("memory: %+v %s", r.Memory, r.MemoryNote)
	}
	if s := g.Snapshot(); s.Settled != 10 || s.Online != 0 || s.Beats != beats || s.Errors != 0 {
		t.Errorf("the snapshot in the end: %+v", s)
	}
}

func TestLeaveLogsNobodyOut(t *testing.T) {
	f := newFake(t)
	o := usual(f)
	o.Leave = true
	play(t, until(t, f, everybody, 50), o)
	if n := f.called("/api/auth/logout/"); n != 0 || f.online() != 11 {
		t.Errorf("%d logged out, %d online", n, f.online())
	}
}

func TestABusyServerIsAskedAgain(t *testing.T) {
	f := newFake(t)
	f.refuse = func(path string, n int) int {
		if path == "/api/auth/register/" && n == 3 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	_, r := play(t, until(t, f, everybody, 50), usual(f))
	if c := callsOf(r, "register"); c.Errors["503"] != 1 {
		t.Errorf("registrations: %+v", c)
	}
}

func TestWhoIsThrownOutStopsBeating(t *testing.T) {
	f := newFake(t)
	f.refuse = func(path string, n int) int {
		if path == heartbeatPath && n <= 4 {
			return http.StatusUnauthorized
		}
		return 0
	}
	_, r := play(t, until(t, f, everybody-4, 100), usual(f))
	if early, steady := callsOf(r, "heartbeat while signing in"), callsOf(r, "heartbeat"); early.Errors["401"]+steady.Errors["401"] != 4 {
		t.Errorf("heartbeats: %+v %+v", early, steady)
	}
	if got := callsOf(r, "logout").OK; got > 11-1 {
		t.Errorf("%d logged out, though some were out already", got)
	}
}

func TestTokensAreRefreshedBeforeTheyEnd(t *testing.T) {
	f := newFake(t)
	f.tokenLife = time.Second
	o := usual(f)
	o.Users = 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.refuse = func(path string, n int) int {
		if path == "/api/auth/refresh/" && n == 2 {
			cancel()
		}
		return 0
	}
	_, r := play(t, ctx, o)
	if f.called("/api/auth/refresh/") < 2 || len(callsOf(r, "heartbeat").Errors) != 0 {
		t.Errorf("%d refreshed, heartbeats %+v", f.called("/api/auth/refresh/"), callsOf(r, "heartbeat"))
	}
}

func TestKeptNamesAreTheSamePeople(t *testing.T) {
	f := newFake(t)
	o := usual(f)
	o.KeepNames, o.Password = true, "the same as ever"
	play(t, until(t, f, everybody, 20), o)
	_, r := play(t, until(t, f, everybody, 20), o)
	if len(f.users) != 11 || callsOf(r, "login").OK != 11 || callsOf(r, "register").OK != 0 {
		t.Errorf("%d people; the second time %d logged in and %d were new", len(f.users), callsOf(r, "login").OK, callsOf(r, "register").OK)
	}
}

func TestSilenceIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name    string
		sockets float64
		by      string
	}{
		{"heard on a socket", 0.5, "websocket"},
		{"asked for", 0, "polling every 50 ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.offlineAfter = 300 * time.Millisecond
			o := usual(f)
			o.Interval, o.Duration, o.Sockets, o.MeasureOffline = 100*time.Millisecond, time.Millisecond, c.sockets, 3
			_, r := play(t, t.Context(), o)
			if r.Offline == nil || r.Offline.Told != 3 || r.Offline.Never != 0 || r.Offline.Early != 0 || r.Offline.By != c.by {
				t.Fatalf("offline: %+v", r.Offline)
			}
			if c.sockets == 0 {
				return
			}
			// Ten registrations and three silences, told to at least the listener.
			if s := r.Sockets; s == nil || s.Messages < 13 || s.LoginSent == nil || s.Lost != 0 {
				t.Errorf("sockets: %+v", s)
			}
			if n := callsOf(r, "websocket").OK; n != 6 {
				t.Errorf("%d sockets were opened, want the listener's and half of ten", n)
			}
		})
	}
}

func TestNobodyCanSignIn(t *testing.T) {
	f := newFake(t)
	f.refuse = func(string, int) int { return http.StatusForbidden }
	g, err := New(usual(f))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Run(t.Context()); StatusOf(err) != http.StatusForbidden {
		t.Errorf("error %v, want the server's 403", err)
	}
}

func TestPeopleOfTwoRunsAreDifferent(t *testing.T) {
	o := Options{URL: "http://127.0.0.1:1", Users: 3, SignInWorkers: 1, Workers: 1, Prefix: "x"}
	first, err1 := New(o)
	second, err2 := New(o)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, p := range first.byName {
		if second.byName[name] != nil {
			t.Errorf("%s is in both", name)
		}
		for other, q := range first.byName {
			if other != name && p.password == q.password {
				t.Errorf("%s and %s have the same password", name, other)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	good := Options{URL: "http://127.0.0.1:8000", Users: 1, SignInWorkers: 1, Workers: 1, Prefix: "x"}
	cases := []struct {
		name   string
		change func(*Options)
		want   string // part of the error; "": none
	}{
		{"good", func(*Options) {}, ""},
		{"no users", func(o *Options) { o.Users = 0 }, "users"},
		{"too many users", func(o *Options) { o.Users = 2_000_000 }, "users"},
		{"another protocol", func(o *Options) { o.URL = "ftp://127.0.0.1" }, "address"},
		{"an address with a path", func(o *Options) { o.URL = "http://127.0.0.1/api/" }, "address"},
		{"an address with a password", func(o *Options) { o.URL = "http://u:p@127.0.0.1" }, "address"},
		{"an interval that hammers", func(o *Options) { o.Interval = time.Millisecond }, "interval"},
		{"a share of 50", func(o *Options) { o.Sockets = 50 }, "sockets"},
		{"enough silence to look like an outage", func(o *Options) { o.MeasureOffline = 51 }, "measure-offline"},
		{"kept names without a password", func(o *Options) { o.KeepNames = true }, "password"},
	}
	for _, c := range cases {
		o := good
		c.change(&o)
		err := o.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLoopback(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1:8000": true, "http://localhost": true, "http://[::1]:80": true, "http://127.9.9.9": true,
		"http://10.0.0.1": false, "https://example.com": false, "http://localhost.example.com": false, "http://0.0.0.0:8000": false,
	} {
		if o := (Options{URL: url}); o.Loopback() != want {
			t.Errorf("%s: %v, want %v", url, !want, want)
		}
	}
}
