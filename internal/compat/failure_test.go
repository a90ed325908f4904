package compat

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// faulty is a Presence that can be told to fail.
type faulty struct {
	Presence
	mu      sync.Mutex
	signal  error
	state   error
	changes []error // one for each call, then none
	calls   int
}

func (f *faulty) Signal(ctx context.Context, s presence.Signal) (presence.Presence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signal != nil {
		return presence.Presence{}, f.signal
	}
	return f.Presence.Signal(ctx, s)
}

func (f *faulty) State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error) {
	if f.state != nil {
		return nil, f.state
	}
	return f.Presence.State(ctx, users)
}

func (f *faulty) Changes(ctx context.Context, after presence.Cursor, limit int) ([]presence.Change, error) {
	f.mu.Lock()
	f.calls++
	if len(f.changes) > 0 {
		err := f.changes[0]
		f.changes = f.changes[1:]
		f.mu.Unlock()
		return nil, err
	}
	f.mu.Unlock()
	return f.Presence.Changes(ctx, after, limit)
}

func (f *faulty) Snapshot(ctx context.Context) (presence.Cursor, iter.Seq[presence.Presence], error) {
	return f.Presence.Snapshot(ctx)
}

// newFaulty is a stack whose Presence fails on demand; only compat sees the failures.
func newFaulty(t *testing.T) (*stack, *faulty) {
	f := &faulty{}
	s := newStack(t, func(c *Config, _ *auth.Config) { f.Presence, c.Presence = c.Presence, f })
	return s, f
}

// TestFailuresAreWorded: every kind of error has one status, one plain sentence and, where it passes, a moment to
// come back at. What is our fault is logged, and nothing of it is told.
func TestFailuresAreWorded(t *testing.T) {
	s, f := newFaulty(t)
	founders(s)
	token := s.login("alice").Access
	cause := errors.New("disk /dev/sda1 said SELECT no")
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
		retry  string
		logged bool
	}{
		"closed":      {presence.ErrClosed, 401, badToken, "", false},
		"internal":    {cause, 500, `{"error":"` + sorry + `"}`, "", true},
		"unavailable": {&presence.Error{Kind: presence.Unavailable, Err: cause, RetryAfter: 1500 * time.Millisecond}, 503, `{"error":"` + busy + `"}`, "2", true},
		"throttled":   {&presence.Error{Kind: presence.Throttled}, 429, `{"error":"` + tooMany + `"}`, "1", false},
		"conflict":    {&presence.Error{Kind: presence.Conflict, Tell: "Not now"}, 409, `{"error":"Not now"}`, "", false},
		"forbidden":   {&presence.Error{Kind: presence.Forbidden, Err: cause}, 403, noPermission, "", false},
		"gone": {
			&presence.Error{Kind: presence.Unauthenticated, Code: auth.CodeUserNotFound}, 401,
			`{"detail":"User not found","code":"user_not_found"}`, "", false,
		},
	} {
		s.log.Reset()
		f.signal = c.err
		for _, path := range []string{"/api/users/heartbeat/", "/api/users/refresh-status/"} {
			w := s.ask("POST", path, token, "")
			if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%s on %s: %d %q %s", name, path, w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		}
		if strings.Contains(s.log.String(), "request failed") != c.logged {
			t.Errorf("%s: log %q", name, s.log)
		}
	}
	f.signal, f.state = nil, cause
	for path, body := range map[string]string{"/api/users/all-users/": `{"error":"` + sorry + `"}`, "/api/users/profile/": ""} {
		w := s.ask("GET", path, token, "")
		if body != "" && (w.Code != 500 || w.Body.String() != body) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	s.log.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.state = context.Canceled
	r := httptest.NewRequestWithContext(ctx, "GET", "http://base.test/api/users/all-users/", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code == 500 || strings.Contains(s.log.String(), "ERROR") {
		t.Errorf("a caller who hung up is no error of ours: %d, log %q", w.Code, s.log)
	}
}

// TestBroadcastGoesOn: after a gap, and after failures that pass, changes are told again.
func TestBroadcastGoesOn(t *testing.T) {
	f := &faulty{changes: []error{presence.ErrGap, errors.New("away"), &presence.Error{Kind: presence.Unavailable}, presence.ErrGap}}
	times := usualLimits
	times.retry = time.Millisecond
	l := newLive(t, times, func(c *Config, _ *auth.Config) { f.Presence, c.Presence = c.Presence, f })
	founders(l.stack)
	l.seed(user(3, "bob"))
	watch := l.connect(l.login("admin").Access)
	for deadline := time.Now().Add(patience); ; {
		f.mu.Lock()
		calls := f.calls
		f.mu.Unlock()
		if calls > 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the broadcast stopped")
		}
		watch.ping()
	}
	watch.ping()
	for len(watch.frames) > 0 {
		<-watch.frames
	}
	l.login("bob")
	watch.want(changed(3, "bob", "online"))
}

// TestDates: both styles, microseconds, and no fraction when there is none.
func TestDates(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for at, want := range map[time.Time]string{
		time.Date(2026, 11, 23, 13, 0, 27, 458418000, time.UTC): "2026-11-23T13:00:27.458418",
		time.Date(2026, 11, 23, 14, 0, 27, 458418999, zone):     "2026-11-23T13:00:27.458418",
		time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC):             "2020-01-01T00:00:00",
		time.Date(2020, 1, 1, 0, 0, 0, 999, time.UTC):           "2020-01-01T00:00:00",
		time.Date(2020, 1, 1, 0, 0, 0, 1000, time.UTC):          "2020-01-01T00:00:00.000001",
		time.Date(2020, 1, 1, 0, 0, 0, 500000000, time.UTC):     "2020-01-01T00:00:00.500000",
	} {
		if got := string(appendDate(nil, at)); got != `"`+want+`Z"` {
			t.Errorf("%s, want %sZ", got, want)
		}
		if got := string(appendDateOffset(nil, at)); got != `"`+want+`+00:00"` {
			t.Errorf("%s, want %s+00:00", got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.0", time.Second: "1.0", 6974 * time.Microsecond: "0.006974", 90*time.Second + 24899999*time.Nanosecond: "90.024899", time.Microsecond: "0.000001",
	} {
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// FuzzString: what we append is what encoding/json reads back, and nothing that need not be is escaped.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "alice", `q"u\o`, "a\nb\tc\x00\x1f", "<b>&", "Zoë 日本", "\u2028\u2029", "\xff\xfe", "a\xe2\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		got, ok := value{raw: b}.string()
		if want := strings.ToValidUTF8(s, "\ufffd"); len([]rune(s)) == len([]rune(want)) && (got != want || ok == strings.ContainsRune(want, '\ufffd')) {
			t.Fatalf("%q became %s and then %q", s, b, got)
		}
	})
}
