package compat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// patience is how long a test waits for something that must come. It is never reached when all is well.
const patience = 20 * time.Second

// live is a stack behind a real listener, with Run running.
type live struct {
	*stack
	server *httptest.Server
	stop   func() // ends Run and waits for it
}

func newLive(t *testing.T, times limits, options ...option) *live {
	s := newStack(t, options...)
	s.h.sockets.limits = times
	l := &live{stack: s, server: httptest.NewServer(s.h)}
	t.Cleanup(l.server.Close)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.h.Run(ctx) }()
	stopped := false
	l.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(l.stop)
	return l
}

// client is the old client's socket.
type client struct {
	gws.BuiltinEventHandler
	t      *testing.T
	conn   *gws.Conn
	frames chan string
	closed chan error
	quiet  atomic.Bool // does not answer pings
}

func (c *client) OnMessage(_ *gws.Conn, m *gws.Message) {
	c.frames <- string(m.Bytes())
	_ = m.Close()
}
func (c *client) OnClose(_ *gws.Conn, err error) { c.closed <- err }
func (c *client) OnPing(conn *gws.Conn, p []byte) {
	if !c.quiet.Load() {
		_ = conn.WritePong(p)
	}
}

// dial opens a socket; the status is the handshake's.
func (l *live) dial(query string, header http.Header) (*client, int) {
	l.t.Helper()
	c := &client{t: l.t.(*testing.T), frames: make(chan string, 1000), closed: make(chan error, 1)}
	conn, answer, err := gws.NewClient(c, &gws.ClientOption{
		Addr: "ws" + strings.TrimPrefix(l.server.URL, "http") + "/ws/presence/" + query, RequestHeader: header,
	})
	if err != nil {
		if answer == nil {
			l.t.Fatalf("dial %s: %v", query, err)
		}
		return nil, answer.StatusCode
	}
	c.conn = conn
	l.t.Cleanup(func() { _ = conn.NetConn().Close() })
	go conn.ReadLoop()
	return c, answer.StatusCode
}

func (l *live) connect(token string) *client {
	l.t.Helper()
	c, status := l.dial("?token="+token, nil)
	if status != http.StatusSwitchingProtocols {
		l.t.Fatalf("handshake: %d", status)
	}
	c.ping() // the socket is taken in once it answers
	return c
}

// next returns the next frame.
func (c *client) next() string {
	c.t.Helper()
	select {
	case frame := <-c.frames:
		return frame
	case err := <-c.closed:
		c.t.Fatalf("closed while waiting for a frame: %v", err)
	case <-time.After(patience):
		c.t.Fatal("no frame came")
	}
	return ""
}

func (c *client) want(frame string) {
	c.t.Helper()
	if got := c.next(); got != frame {
		c.t.Fatalf("frame %s, want %s", got, frame)
	}
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := c.conn.WriteString(text); err != nil {
		c.t.Fatal(err)
	}
}

// ping asks and returns what came before the answer. Frames of one socket keep their order, so when the pong is
// here nothing that was sent before it is still under way.
func (c *client) ping() (before []string) {
	c.t.Helper()
	c.say(`{"type":"ping"}`)
	for {
		if frame := c.next(); frame == `{"type": "pong"}` {
			return before
		} else {
			before = append(before, frame)
		}
	}
}

// code waits for the end and returns the close code; 0 when the connection was cut.
func (c *client) code() uint16 {
	c.t.Helper()
	for {
		select {
		case <-c.frames:
		case err := <-c.closed:
			var closing *gws.CloseError
			if errors.As(err, &closing) {
				return closing.Code
			}
			return 0
		case <-time.After(patience):
			c.t.Fatal("the socket stays open")
		}
	}
}

func changed(id int, name, status string) string {
	return fmt.Sprintf(`{"type": "user_status_change", "user_id": "%d", "username": "%s", "online_status": "%s"}`, id, name, status)
}

// TestSocketHandshake: the socket checks what HTTP checks, and the token never reaches the log (promise 5).
func TestSocketHandshake(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	l.seed(user(3, "susp"), user(4, "bann"), user(5, "gone"), user(6, "out"))
	good := l.login("alice")
	bad := map[string]string{
		"none": "", "garbage": "?token=garbage", "refresh": "?token=" + good.Refresh, "expired": "?token=" + foreign("access", 2, longAgo),
		"suspended": "?token=" + l.login("susp").Access, "banned": "?token=" + l.login("bann").Access,
		"deleted": "?token=" + l.login("gone").Access, "logged out": "?token=" + l.login("out").Access,
	}
	boss := l.login("admin").Access
	l.want(200, "POST", "/api/users/admin/users/3/suspend/", boss, "")
	l.want(200, "POST", "/api/users/admin/users/4/ban/", boss, "")
	l.want(200, "DELETE", "/api/users/admin/users/5/", boss, "")
	l.want(200, "POST", "/api/users/logout/", l.login("out").Access, "")
	for name, query := range bad {
		if _, status := l.dial(query, nil); status != http.StatusForbidden {
			t.Errorf("%s: handshake %d, want 403", name, status)
		}
	}
	for origin, want := range map[string]int{
		"": 101, "http://localhost:5173": 101, "http://evil.example": 403, "null": 403, "http://localhost:5173.evil.example": 403,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if _, status := l.dial("?token="+good.Access, header); status != want {
			t.Errorf("origin %q: handshake %d, want %d", origin, status, want)
		}
	}
	if _, status := l.dial("", http.Header{"Authorization": {"Bearer " + good.Access}}); status != 101 {
		t.Errorf("token in the header: handshake %d", status)
	}
	l.ask("GET", "/ws/presence/", good.Access, "")
	for method, want := range map[string]int{"GET": 400, "POST": 405} {
		if w := l.ask(method, "/ws/presence/?token="+good.Access, "", ""); w.Code != want {
			t.Errorf("%s without a handshake: %d, want %d", method, w.Code, want)
		}
	}
	l.stop()
	if strings.Contains(l.log.String(), good.Access) {
		t.Error("a token is in the log")
	}
}

// TestSocketTellsEveryCause: login, logout, sockets, heartbeat and admins are told to everybody, and nothing is
// when nothing changed (promise 11).
func TestSocketTellsEveryCause(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	l.seed(user(3, "bob"), user(4, `q"uo\te`))
	watch := l.connect(l.login("admin").Access)
	watch.ping()
	for {
		if len(watch.frames) == 0 {
			break
		}
		<-watch.frames
	}

	bob := l.login("bob").Access
	watch.want(changed(3, "bob", "online"))
	l.want(200, "POST", "/api/users/heartbeat/", bob, "")
	second := l.again("bob").Access
	tab := l.connect(bob)
	l.want(200, "POST", "/api/users/admin/users/3/set-online-status/", l.login("admin").Access, `{"status":"away"}`)
	watch.want(changed(3, "bob", "away"))
	tab.want(changed(3, "bob", "away"))
	tab.ping() // an idle session that is heard stays idle
	l.want(200, "POST", "/api/users/heartbeat/", bob, "")
	watch.want(changed(3, "bob", "online"))
	l.want(200, "POST", "/api/users/logout/", second, "") // the other session lives on
	l.want(200, "POST", "/api/users/admin/users/3/force-logout/", l.login("admin").Access, "")
	watch.want(changed(3, "bob", "offline"))
	if code := tab.code(); code != closeSessionOver {
		t.Errorf("the socket of an ended session closed with %d", code)
	}
	l.login(`q"uo\te`)
	watch.want(changed(4, `q\"uo\\te`, "online"))
	if more := watch.ping(); len(more) > 0 {
		t.Errorf("told though nothing changed: %v", more)
	}
}

// TestSocketFrames: unknown and broken frames are ignored, what breaks the protocol ends the socket.
func TestSocketFrames(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	token := l.login("alice").Access
	c := l.connect(token)
	for _, frame := range []string{``, `{}`, `null`, `[]`, `"ping"`, `{"type":1}`, `{"type":"pong"}`, `{"type":"status","online_status":"away"}`, `{`, `ping`} {
		c.say(frame)
	}
	_ = c.conn.WriteMessage(gws.OpcodeBinary, []byte(`{"type":"ping"}`))
	if more := c.ping(); len(more) > 0 {
		t.Errorf("answered: %v", more)
	}
	c.say(strings.Repeat("x", maxFrame+1))
	if code := c.code(); code != 1009 {
		t.Errorf("a frame that is too large closed with %d", code)
	}
	c = l.connect(token)
	_ = c.conn.WriteMessage(gws.OpcodeText, []byte{0xff, 0xfe})
	if code := c.code(); code != 1007 && code != 1003 {
		t.Errorf("text that is none closed with %d", code)
	}
	calm := usualLimits
	calm.tick = time.Hour // nobody looks: the count never starts anew
	flood := newLive(t, calm)
	founders(flood.stack)
	c = flood.connect(flood.login("alice").Access)
	for range maxFramesPerTick + 10 {
		if c.conn.WriteString(`{"type":"ping"}`) != nil {
			break
		}
	}
	if code := c.code(); code != closePolicy && code != 0 {
		t.Errorf("a flood closed with %d", code)
	}
}

// TestSocketPerSession: closing one of two tabs leaves the user online; sockets close with their session and no
// other (promises 1, 5, 11).
func TestSocketPerSession(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	first := l.login("alice").Access
	second := l.again("alice").Access
	one, two, other := l.connect(first), l.connect(first), l.connect(second)
	_ = one.conn.WriteClose(1000, nil)
	one.code()
	two.ping()
	if l.status("alice") != presence.Online {
		t.Error("one closed tab took the user offline")
	}
	l.want(200, "POST", "/api/users/logout/", first, "")
	if code := two.code(); code != closeSessionOver {
		t.Errorf("closed with %d, want %d", code, closeSessionOver)
	}
	other.ping()
	if l.status("alice") != presence.Online {
		t.Error("a logout took another session offline")
	}
	l.want(200, "POST", "/api/users/admin/users/2/suspend/", l.login("admin").Access, "")
	if code := other.code(); code != closeSessionOver {
		t.Errorf("closed with %d, want %d", code, closeSessionOver)
	}
	if l.status("alice") != presence.Offline {
		t.Error("a suspended user is online")
	}
}

// TestSocketTokenExpiry: an expired token closes its socket at that moment.
func TestSocketTokenExpiry(t *testing.T) {
	t.Parallel()
	l := newLive(t, usualLimits)
	founders(l.stack)
	c := l.connect(foreign("access", 2, time.Now().Add(2*time.Second))) // in whole seconds: one to two from now
	if code := c.code(); code != closeSessionOver {
		t.Errorf("closed with %d, want %d", code, closeSessionOver)
	}
}

// A client that refreshes its token keeps its socket: the old protocol has no frame for it.
func TestSocketOfARefreshedSession(t *testing.T) {
	var ahead atomic.Int64 // how far the clock is ahead
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	l := newLive(t, usualLimits, func(c *Config, a *auth.Config) { c.Now, a.Now = now, now })
	founders(l.stack)
	tokens := l.login("alice")
	c := l.connect(tokens.Access)
	s := l.onlySocket()

	ahead.Store(int64(30 * time.Minute))
	l.want(200, "POST", "/api/auth/refresh/", "", `{"refresh":"`+tokens.Refresh+`"}`)
	ahead.Store(int64(61 * time.Minute))
	s.tokenEnds() // the first token has ended, the second has not
	if s.ending.Load() {
		t.Fatal("closed though the client has a newer token")
	}
	ahead.Store(int64(91 * time.Minute))
	s.tokenEnds()
	if code := c.code(); code != closeSessionOver {
		t.Errorf("closed with %d, want %d", code, closeSessionOver)
	}
}

func (l *live) onlySocket() *socket {
	l.t.Helper()
	l.h.sockets.mu.Lock()
	defer l.h.sockets.mu.Unlock()
	for s := range l.h.sockets.all {
		return s
	}
	l.t.Fatal("no socket")
	return nil
}

// TestSocketPings: sockets are pinged, the pongs keep the session alive, and who does not answer is closed.
func TestSocketPings(t *testing.T) {
	times := usualLimits
	times.tick, times.pingEvery, times.silentFor = time.Millisecond, 2*time.Millisecond, 300*time.Millisecond
	l := newLive(t, times)
	founders(l.stack)
	l.seed(user(3, "bob"))
	c := l.connect(l.login("alice").Access)
	before := l.lastSeen("alice")
	for deadline := time.Now().Add(patience); !l.lastSeen("alice").After(before); {
		if time.Now().After(deadline) {
			t.Fatal("pongs do not count as a sign of life")
		}
		c.ping()
	}
	silent, status := l.dial("?token="+l.login("bob").Access, nil)
	if status != 101 {
		t.Fatal(status)
	}
	silent.quiet.Store(true)
	if code := silent.code(); code != closePolicy {
		t.Errorf("a silent socket closed with %d", code)
	}
}

func (s *stack) lastSeen(name string) time.Time {
	s.t.Helper()
	states, err := s.tracker.State(s.t.Context(), []presence.UserID{s.account(name).ID})
	if err != nil {
		s.t.Fatal(err)
	}
	return states[0].LastSeen
}

// TestSocketCap: a user has at most so many sockets, and a closed one makes room.
func TestSocketCap(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	token := l.login("alice").Access
	var open []*client
	for range socketsPerUser {
		open = append(open, l.connect(token))
	}
	if _, status := l.dial("?token="+token, nil); status != http.StatusTooManyRequests {
		t.Errorf("one too many: handshake %d", status)
	}
	l.connect(l.login("admin").Access)
	_ = open[0].conn.WriteClose(1000, nil)
	open[0].code()
	for deadline := time.Now().Add(patience); ; {
		if _, status := l.dial("?token="+token, nil); status == http.StatusSwitchingProtocols {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed socket makes no room")
		}
	}
}

// TestSocketShutdown: at the end every socket is told to come back, and nobody goes offline because of it.
func TestSocketShutdown(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	token := l.login("alice").Access
	c := l.connect(token)
	l.stop()
	if code := c.code(); code != closeRestart {
		t.Errorf("closed with %d, want %d", code, closeRestart)
	}
	state, _, err := l.tracker.Inspect(t.Context(), 2)
	if err != nil || len(state.Sessions) != 1 || state.Sessions[0].Leaving {
		t.Errorf("the restart started a leave: %+v %v", state, err)
	}
	if _, status := l.dial("?token="+token, nil); status != http.StatusServiceUnavailable {
		t.Errorf("a handshake after the end: %d", status)
	}
}

// TestSocketSlowReader: who does not read is cut off and counted, and costs the others nothing.
func TestSocketSlowReader(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	l.seed(user(3, "bob"))
	good := l.connect(l.login("alice").Access)
	slow := slowClient(t, l, l.login("bob").Access)
	for deadline := time.Now().Add(patience); len(l.h.sockets.of(3)) == 0; { // its handshake is done, its reader starts
		if time.Now().After(deadline) {
			t.Fatal("the slow socket is not there")
		}
	}
	// More than the kernel takes in, and more than the feed keeps.
	frames, count := appendFrame(nil, []byte(strings.Repeat("x", 1000))), maxFeedFrames/32
	for range 64 {
		var one []byte
		for range count / 16 {
			one = append(one, frames...)
		}
		l.h.sockets.feed.add(batch{one, count / 16})
		for _, s := range l.h.sockets.list(nil) {
			s.wake(nil)
		}
		for range count / 16 {
			good.next()
		}
	}
	for deadline := time.Now().Add(patience); len(l.h.sockets.of(3)) > 0; {
		l.h.sockets.feed.add(batch{frames, 1})
		for _, s := range l.h.sockets.of(3) {
			s.wake(nil)
			s.look(time.Now().Add(usualLimits.stuckFor + time.Second)) // what the ticker sees later
		}
		if time.Now().After(deadline) {
			t.Fatal("the slow socket is still there")
		}
	}
	good.ping()
	_ = slow.Close()
}

// slowClient opens a socket by hand and never reads from it.
func slowClient(t *testing.T, l *live, token string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	_, err = fmt.Fprintf(conn, "GET /ws/presence/?token=%s HTTP/1.1\r\nHost: base.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestFeed: places move on, and one that is too old is told so.
func TestFeed(t *testing.T) {
	var f feed
	for range 10 {
		f.add(batch{make([]byte, 10), 1})
	}
	out, next, ok := f.after(3, nil)
	if !ok || len(out) != 7 || next != 10 || f.end() != 10 {
		t.Fatalf("%d batches up to %d, %v", len(out), next, ok)
	}
	if out, next, ok = f.after(10, nil); !ok || len(out) != 0 || next != 10 {
		t.Fatalf("at the end: %d batches up to %d, %v", len(out), next, ok)
	}
	for range 3 {
		f.add(batch{make([]byte, maxWrite), maxFeedFrames / 2})
	}
	if _, _, ok = f.after(0, nil); ok {
		t.Error("the oldest is still there")
	}
	if out, next, ok = f.after(11, nil); !ok || len(out) != 1 || next != 12 {
		t.Errorf("one write takes %d batches up to %d, %v", len(out), next, ok)
	}
}

// TestNamesFollowRenames: a frame carries the name a person has now.
func TestNamesFollowRenames(t *testing.T) {
	l := newLive(t, usualLimits)
	founders(l.stack)
	l.seed(user(3, "bob"))
	watch := l.connect(l.login("admin").Access)
	watch.ping()
	for len(watch.frames) > 0 {
		<-watch.frames
	}
	bob := l.login("bob").Access
	watch.want(changed(3, "bob", "online"))
	l.want(200, "PUT", "/api/users/admin/users/3/", l.login("admin").Access, `{"username":"robert"}`)
	l.want(200, "POST", "/api/users/logout/", bob, "")
	watch.want(changed(3, "robert", "offline"))
}

// An open socket is heard at least three times in a lease, whatever its length.
func TestSocketTimesFollowTheLease(t *testing.T) {
	for _, c := range []struct {
		offlineAfter, ping, tick time.Duration
	}{
		{0, 25 * time.Second, time.Second},
		{2 * time.Minute, 25 * time.Second, time.Second},
		{12 * time.Second, 4 * time.Second, time.Second},
		{3 * time.Second, time.Second, 250 * time.Millisecond},
	} {
		if l := usualLimits.forLease(c.offlineAfter); l.pingEvery != c.ping || l.tick != c.tick {
			t.Errorf("offline after %s: pings every %s, looks every %s", c.offlineAfter, l.pingEvery, l.tick)
		}
	}
}
