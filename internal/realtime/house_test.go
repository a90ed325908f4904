package realtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/memory"
	"github.com/offchat/presence/wire"
)

// house is a feed on a real engine, with people whose tokens are easy to read: "7" is user 7, "7.2" their second
// session, "s7" the same person as staff.
type house struct {
	t      testing.TB
	engine *memory.Engine
	feed   *Feed
	stop   func()

	mu      sync.Mutex // guards the following fields
	privacy map[presence.UserID]presence.Privacy
	over    map[string]bool // tokens that no longer count
	life    time.Duration
}

func newHouse(t testing.TB, change ...func(*Config, *times)) *house {
	t.Helper()
	h := &house{t: t, privacy: map[presence.UserID]presence.Privacy{}, over: map[string]bool{}, life: time.Hour}
	h.engine = memory.New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second}, memory.WithNode("a"))
	cfg, times := Config{
		Authenticate: h.authenticate, Presence: h.engine, Told: Told{OfflineAfter: 2 * time.Minute},
		Private: h.private,
		Privacy: func(id presence.UserID) presence.Privacy {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.privacy[id]
		},
		AllowOrigin: func(origin string) bool { return origin == "https://good.test" },
	}, usualTimes
	for _, one := range change {
		one(&cfg, &times)
	}
	h.feed = New(cfg)
	h.feed.times = times
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- h.feed.Run(ctx) }()
	go func() { done <- h.engine.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("run: %v", err)
			}
		}
	})
	t.Cleanup(h.stop)
	return h
}

var errToken = &presence.Error{Kind: presence.Unauthenticated, Op: "check token", Code: "token_not_valid"}

func (h *house) authenticate(_ context.Context, token string, now time.Time) (Caller, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over[token] {
		return Caller{}, errToken
	}
	if name, backend := strings.CutPrefix(token, "b"); backend { // "b3", or "bs3" with everything that staff see
		name, staff := strings.CutPrefix(name, "s")
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return Caller{}, errToken
		}
		return Caller{User: presence.UserID(-id), Expires: now.Add(h.life), Staff: staff, Backend: true}, nil
	}
	name, staff := strings.CutPrefix(token, "s")
	user, session, _ := strings.Cut(name, ".")
	id, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return Caller{}, errToken
	}
	n, _ := strconv.ParseInt("0"+session, 10, 64)
	return Caller{User: presence.UserID(id), Session: presence.SessionID(1000*id + n), Expires: now.Add(h.life), Staff: staff}, nil
}

func (h *house) hide(user presence.UserID, p presence.Privacy) {
	h.mu.Lock()
	h.privacy[user] = p
	h.mu.Unlock()
	h.feed.PrivacyChanged(user)
}

func (h *house) signal(user presence.UserID, kind presence.Kind) {
	h.t.Helper()
	_, err := h.engine.Signal(h.t.Context(), presence.Signal{User: user, Session: presence.SessionID(500_000 + user), Kind: kind, At: time.Now()})
	if err != nil {
		h.t.Fatal(err)
	}
}

// set changes a status as an admin does.
func (h *house) set(user presence.UserID, to presence.Status) {
	h.t.Helper()
	_, err := h.engine.Signal(h.t.Context(), presence.Signal{User: user, Kind: presence.Set, Status: to, Actor: 99, At: time.Now()})
	if err != nil {
		h.t.Fatal(err)
	}
}

// in runs a test in virtual time, where a pause waits for everything that happens until then.
func in(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// client is the other end of a WebSocket in memory. It reads all the time unless it is told to be slow.
type client struct {
	t      testing.TB
	socket *socket
	net    net.Conn
	slow   gate // held: reads nothing

	mu     sync.Mutex // guards the following fields
	frames []serverFrame
	code   uint16 // of the close frame
	ended  bool
	deaf   bool // answers no pings
}

// serverFrame is any frame of the server.
type serverFrame struct {
	T       string
	Epoch   string
	Seq     uint64
	After   *uint64
	Full    bool
	More    bool
	Resumed bool
	Users   []wire.FeedUser
	Counts  *wire.FeedCounts
	N       uint64
	Code    any
	Reason  string
	Re      string
	RetryMS *[2]int64 `json:"retry_ms"`
	Expires int64
	size    int
	text    []byte
}

// gate is a mutex that virtual time can wait for.
type gate chan struct{}

func (g gate) Lock()   { g <- struct{}{} }
func (g gate) Unlock() { <-g }

// dial opens a socket in memory and sends the first frame, if there is one.
func (h *house) dial(first string) *client {
	h.t.Helper()
	near, far := net.Pipe()
	c := &client{t: h.t, net: far, slow: make(gate, 1), socket: &socket{conn: &conn{feed: h.feed, net: near, address: "192.0.2.1", opened: time.Now(), nextPing: time.Now().Add(h.feed.times.ping)}}}
	if err := h.feed.hub.start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := h.feed.add(c.socket.conn); err != nil {
		h.t.Fatal(err)
	}
	go c.read()
	go func() { // the reading side of the server: what the client says is handed over directly
		_, _ = io.Copy(io.Discard, near)
		c.socket.closed()
	}()
	if first != "" {
		c.say(first)
	}
	return c
}

func (c *client) say(frame string) { c.socket.message([]byte(frame)) }

// pause waits while a test holds slow.
func (c *client) pause() {
	c.slow.Lock()
	defer c.slow.Unlock()
}

func (c *client) read() {
	defer func() { _ = c.net.Close() }()
	for {
		c.pause()
		payload, code, err := readFrame(c.net)
		c.mu.Lock()
		if err != nil || code != 0 {
			c.code, c.ended = code, true
			c.mu.Unlock()
			return
		}
		f := serverFrame{size: len(payload), text: payload}
		if err := json.Unmarshal(payload, &f); err != nil {
			c.t.Errorf("frame %s: %v", payload, err)
		}
		c.frames = append(c.frames, f)
		answer := f.T == "ping" && !c.deaf
		c.mu.Unlock()
		if answer {
			c.say(fmt.Sprintf(`{"t":"pong","n":%d}`, f.N))
		}
	}
}

func readFrame(r io.Reader) (payload []byte, closed uint16, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, err
	}
	size := uint64(head[1])
	if more := map[byte]int{126: 2, 127: 8}[head[1]]; more > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(r, long[8-more:]); err != nil {
			return nil, 0, err
		}
		size = binary.BigEndian.Uint64(long)
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, 0, err
	}
	if head[0]&15 == byte(gws.OpcodeCloseConnection) {
		return nil, binary.BigEndian.Uint16(payload), nil
	}
	return payload, 0, nil
}

// take returns the frames that came since the last time.
func (c *client) take() []serverFrame {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// types are the types of frames, in order.
func types(frames []serverFrame) string {
	var b bytes.Buffer
	for i, f := range frames {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.T)
	}
	return b.String()
}

// statuses are the users of a frame, in the order of their ids.
func (f serverFrame) statuses() string {
	var words []string
	for _, u := range f.Users {
		words = append(words, u.ID+":"+string(u.S))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func (c *client) want(what string) []serverFrame {
	c.t.Helper()
	frames := c.take()
	if got := types(frames); got != what {
		c.t.Fatalf("frames %q, want %q: %+v", got, what, frames)
	}
	return frames
}

// view is what the protocol's rules make of frames: the reader that docs/protocol.md describes.
type view struct {
	epoch string
	seq   uint64
	users map[string]wire.FeedUser
	stale bool

	counts *wire.FeedCounts
}

func (v *view) apply(t testing.TB, frames []serverFrame) {
	t.Helper()
	for _, f := range frames {
		switch f.T {
		case "gap":
			v.stale = true
		case "snap":
			if f.Full {
				v.users, v.stale = map[string]wire.FeedUser{}, false
			}
			for _, u := range f.Users {
				v.users[u.ID] = u
			}
			if f.Counts != nil {
				v.counts = f.Counts
			}
			if !f.More {
				v.epoch, v.seq = f.Epoch, f.Seq
			}
		case "delta":
			if f.Seq <= v.seq {
				continue
			}
			if f.After != nil && *f.After > v.seq {
				t.Errorf("delta after %d, but the cursor is %d", *f.After, v.seq)
			}
			for _, u := range f.Users {
				if u.V != 0 && u.V <= v.users[u.ID].V {
					continue
				}
				v.users[u.ID] = u
			}
			if f.Counts != nil {
				v.counts = f.Counts
			}
			v.seq = f.Seq
		case "ping":
			v.seq = max(v.seq, f.Seq)
		}
	}
}

// position is where readers are who have everything, and the hub's own place.
func (h *hub) position(staff bool) (wire.FeedCursor, presence.Cursor) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.positionLocked(staff), h.at
}

func (h *house) private(f func(presence.UserID, presence.Privacy) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for user, p := range h.privacy {
		if !f(user, p) {
			return
		}
	}
}
