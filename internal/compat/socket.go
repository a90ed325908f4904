package compat

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

const (
	// maxControl bounds the pings and pongs that wait for one socket.
	maxControl = 8 << 10
	// maxFramesPerTick is how many frames a client may send between two looks at its socket.
	maxFramesPerTick = 200
)

// Close codes. Those from 4000 on are ours.
const (
	closePolicy      = 1008
	closeRestart     = 1012
	closeTryLater    = 1013
	closeSessionOver = 4001
)

// socket is one WebSocket of the old client. It has one goroutine, which reads; writing borrows one for as
// long as there is something to write.
type socket struct {
	// Static after begin.
	all  *sockets
	conn *gws.Conn
	id   auth.Identity
	feed *feed // set by sockets.add

	// Owned by the goroutine of sockets.look.
	pinged time.Time

	heard   atomic.Int64 // when the client was heard last, on the clock of sockets.running
	frames  atomic.Int64 // frames since the last look
	writing atomic.Int64 // when the write under way began, 0 when there is none
	ending  atomic.Bool

	// Owned by the goroutine of write, while there is one.
	place uint64 // in the feed

	mu      sync.Mutex // guards the following fields
	expiry  *time.Timer
	control []byte // pings and pongs of this socket alone, whole frames
	more    bool   // there is something to write
	flush   bool   // a goroutine is writing
	gone    bool   // nothing is written any more
}

// begin fills in the socket that came with the connection.
func (s *socket) begin(all *sockets, conn *gws.Conn, id auth.Identity, now time.Time) {
	s.all, s.conn, s.id, s.pinged = all, conn, id, now
	s.heard.Store(all.running(now))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = time.AfterFunc(id.Expires.Sub(now), s.tokenEnds)
}

// tokenEnds closes a socket whose token has expired, unless the client has a newer one of the same session by
// now: the old protocol has no frame to say so, and a client that refreshes need not dial again.
func (s *socket) tokenEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.all.h.Now()
	if until := s.all.h.Auth.AccessUntil(s.id); now.Before(until) {
		s.expiry.Reset(until.Sub(now))
		return
	}
	go s.end(closeSessionOver, "token expired")
}

// opened tells the session of the connection. A session that ended since its token was checked refuses it.
func (s *socket) opened() { s.signal(presence.Connect) }

// closed is the last thing that happens to a socket.
func (s *socket) closed() {
	s.mu.Lock()
	s.expiry.Stop()
	s.gone, s.control = true, nil
	s.mu.Unlock()
	if s.all.remove(s) {
		s.signal(presence.Disconnect)
	}
}

func (s *socket) signal(kind presence.Kind) {
	ctx := context.Background() // a socket outlives its request
	_, err := s.all.h.Presence.Signal(ctx, presence.Signal{User: s.id.User, Session: s.id.Session, Kind: kind, At: s.all.h.Now()})
	switch {
	case err == nil || kind == presence.Disconnect && errors.Is(err, presence.ErrClosed):
	case errors.Is(err, presence.ErrClosed):
		s.end(closeSessionOver, "session is over")
	default:
		s.all.h.Log.LogAttrs(ctx, slog.LevelWarn, "socket signal not taken", slog.Int64("user", int64(s.id.User)),
			slog.String("signal", kind.String()), slog.Any("err", err))
	}
}

// got notes that the client was heard. It reports false when the client talks too much.
func (s *socket) got() bool {
	s.heard.Store(s.all.running(s.all.h.Now()))
	if s.frames.Add(1) > maxFramesPerTick {
		s.end(closePolicy, "too many frames")
		return false
	}
	return true
}

// message answers a ping and ignores everything else, as recorded.
func (s *socket) message(payload []byte) {
	var m struct{ Type string }
	if json.Unmarshal(payload, &m) != nil || m.Type != "ping" {
		return
	}
	s.signal(presence.Ping)
	s.wake(pongMessage)
}

var (
	pongMessage = appendFrame(nil, []byte(`{"type": "pong"}`))
	pingFrame   = []byte{0x80 | byte(gws.OpcodePing), 0}
)

// look is called every tick.
func (s *socket) look(now time.Time) {
	s.frames.Store(0)
	times := &s.all.limits
	writing := s.writing.Load()
	switch {
	case s.all.running(now)-s.heard.Load() > int64(times.silentFor):
		s.end(closePolicy, "silent for too long")
	case writing != 0 && s.all.running(now)-writing > int64(times.stuckFor):
		s.drop()
	case now.Sub(s.pinged) >= times.pingEvery:
		s.pinged = now
		s.wake(pingFrame)
	}
}

// wake sees to it that the frame, if there is one, and what the feed has are written soon. It never waits: a
// socket that takes nothing is dropped.
func (s *socket) wake(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	if len(s.control)+len(frame) > maxControl {
		s.gone = true
		go s.drop()
		return
	}
	s.control = append(s.control, frame...)
	s.more = true
	if !s.flush {
		s.flush = true
		go s.write()
	}
}

// write writes until there is nothing more. Each buffer is whole frames and each write is one system call, or
// several under the connection's lock, so it can stand beside what gws writes.
func (s *socket) write() {
	var out [][]byte
	for {
		control, more := s.take()
		if !more {
			return
		}
		out = out[:0]
		if len(control) > 0 {
			out = append(out, control)
		}
		var ok bool
		if out, s.place, ok = s.feed.after(s.place, out); !ok {
			s.drop()
			return
		}
		if len(out) == 0 {
			continue
		}
		buffers := net.Buffers(out)
		s.writing.Store(s.all.running(s.all.h.Now()))
		_, err := buffers.WriteTo(s.conn.NetConn())
		s.writing.Store(0)
		if err != nil {
			_ = s.conn.NetConn().Close() // wakes the reader, which does the rest
			return
		}
		s.again()
	}
}

// take returns what waits for this socket alone. It reports false, and the writer ends, when nobody asked for
// anything since the last time.
func (s *socket) take() (control []byte, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || !s.more {
		s.flush = false
		return nil, false
	}
	control, s.control, s.more = s.control, nil, false
	return control, true
}

// again lets the writer look once more: a write takes only part of a long feed.
func (s *socket) again() {
	if s.place == s.feed.end() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more = true
}

// drop cuts a socket that reads too slowly; a close frame would only wait behind the rest.
func (s *socket) drop() {
	if s.ending.Swap(true) {
		return
	}
	s.all.h.Metrics.Streams.Dropped.Inc()
	s.all.h.Log.LogAttrs(context.Background(), slog.LevelInfo, "socket closed: reader too slow", slog.Int64("user", int64(s.id.User)))
	_ = s.conn.NetConn().Close()
}

// end closes a socket with a code, from any goroutine and without waiting.
func (s *socket) end(code uint16, reason string) {
	if !s.ending.Swap(true) {
		go s.close(code, reason)
	}
}

// close sends a close frame, for which it waits a moment, and closes the connection.
func (s *socket) close(code uint16, reason string) {
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(s.all.limits.goodbye))
	_ = s.conn.WriteClose(code, []byte(reason))
	_ = s.conn.NetConn().Close()
}

// Hijack finds the connection below whatever the server wrapped around it.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// events hands what gws reads to the socket it belongs to.
type events struct{}

func (events) OnOpen(c *gws.Conn)           { c.Session().(*socket).opened() }
func (events) OnClose(c *gws.Conn, _ error) { c.Session().(*socket).closed() }

func (events) OnPing(c *gws.Conn, payload []byte) {
	if s := c.Session().(*socket); s.got() {
		s.wake(append([]byte{0x80 | byte(gws.OpcodePong), byte(len(payload))}, payload...))
	}
}

func (events) OnPong(c *gws.Conn, _ []byte) {
	if s := c.Session().(*socket); s.got() {
		s.signal(presence.Ping)
	}
}

func (events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	if s := c.Session().(*socket); s.got() && m.Opcode == gws.OpcodeText {
		s.message(m.Bytes())
	}
}

// The socket is what gws keeps beside a connection; it is no storage for anything else.
func (s *socket) Len() int                     { return 0 }
func (s *socket) Load(string) (any, bool)      { return nil, false }
func (s *socket) Delete(string)                {}
func (s *socket) Store(string, any)            {}
func (s *socket) Range(func(string, any) bool) {}

// socketLog takes what gws has to say.
type socketLog struct{ log *slog.Logger }

func (l socketLog) Error(v ...any) { l.log.Error("websocket: " + fmt.Sprint(v...)) }
