package realtime

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// maxFrame is the largest frame a client may send; maxUsersFrame goes for those that carry ids.
	maxFrame, maxUsersFrame = 64 << 10, 256 << 10
	// readBuffer holds a pong, the only frame that usually comes; a larger frame is read past it.
	readBuffer = 256
	// maxFramesPerLook is how many frames a client may send between two looks, a second apart.
	maxFramesPerLook = 200
)

// socket is the reading side of a WebSocket. It belongs to the goroutine that reads.
type socket struct {
	*conn
	// Of the request, for auth: none when the first frame has to say.
	proof   proof
	caller  Caller
	entered bool
}

func newUpgrader(f *Feed) *gws.Upgrader {
	return gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadBufferSize: readBuffer, ReadMaxPayloadSize: maxUsersFrame, CheckUtf8Enabled: true,
		Logger: socketLog{f.cfg.Log}, Recovery: gws.Recovery,
		NewSession: func() gws.SessionStorage { return &socket{conn: &conn{}} },
	})
}

// openSocket makes a WebSocket of a request. Its goroutine reads; what it wants comes in its first frame.
func (f *Feed) openSocket(w http.ResponseWriter, r *http.Request, p proof, caller Caller) error {
	address := f.cfg.Address(r)
	place := &conn{address: address}
	if err := f.add(place); err != nil {
		return err
	}
	up, err := f.upgrader.Upgrade(hijacker{w}, r)
	if err != nil {
		f.release(place)
		return errAnswered // by gws, or the connection is gone
	}
	s := up.Session().(*socket)
	now := f.cfg.Now()
	s.feed, s.net, s.address, s.opened, s.nextPing = f, up.NetConn(), address, now, now.Add(rand.N(f.times.ping))
	s.proof, s.caller = p, caller
	boundWrites(s.net)
	f.replace(place, s.conn)
	f.stats.websockets.Add(1)
	f.cfg.Metrics.Streams.WebSocket.Inc()
	go up.ReadLoop()
	return nil
}

// replace puts the connection into the place that was kept for it.
func (f *Feed) replace(place, c *conn) {
	f.mu.Lock()
	delete(f.conns, place)
	delete(f.slots[place.slot], place)
	c.slot = place.slot
	f.conns[c], f.slots[c.slot][c] = struct{}{}, struct{}{}
	draining := f.draining
	f.mu.Unlock()
	if draining {
		_ = c.net.SetDeadline(time.Now().Add(2 * f.times.goodbye))
		c.end(byeRestart, f.window())
	}
}

// release gives up a place that was kept.
func (f *Feed) release(place *conn) {
	f.remove(place)
	f.open.Done()
}

// gone counts a connection out.
func (f *Feed) gone(c *conn) {
	if c.sse {
		f.stats.streams.Add(-1)
		f.cfg.Metrics.Streams.Events.Dec()
		return
	}
	f.stats.websockets.Add(-1)
	f.cfg.Metrics.Streams.WebSocket.Dec()
}

// hijacker finds the connection below whatever the server wrapped around it.
type hijacker struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// errBadFrame: this is not our protocol.
var errBadFrame = errors.New("realtime: bad frame")

// parseFrame reads a frame of a client, and the ids it carries.
func parseFrame(payload []byte) (wire.FeedRequest, []presence.UserID, error) {
	var req wire.FeedRequest
	if len(payload) == 0 || json.Unmarshal(payload, &req) != nil || req.T == "" {
		return req, nil, errBadFrame
	}
	switch req.T {
	case wire.FeedAuth, wire.FeedSub, wire.FeedUnsub, wire.FeedLook:
	default:
		if len(payload) > maxFrame {
			return req, nil, errBadFrame
		}
	}
	ids, err := parseIDs(req.Users)
	if err != nil {
		return req, nil, errBadFrame
	}
	return req, ids, nil
}

// message does what a frame asks for.
func (s *socket) message(payload []byte) {
	req, ids, err := parseFrame(payload)
	if err != nil || s.entered == (req.T == wire.FeedAuth) {
		s.end(byeBadFrame, nil)
		return
	}
	if !s.entered {
		s.auth(req, ids)
		return
	}
	switch req.T {
	case wire.FeedSub:
		switch {
		case s.scope != wire.FeedScopeUsers:
			s.fail(req.T, "wrong_scope", "Users can be watched in scope users only.")
		case !s.sub(ids):
			s.fail(req.T, errTooMany.Code, errTooMany.Tell)
		}
	case wire.FeedUnsub:
		s.unsub(ids)
	case wire.FeedLook:
		switch {
		case s.scope != wire.FeedScopeAll:
			s.fail(req.T, "wrong_scope", "Users can be looked at in scope all only.")
		case len(ids) > maxLooked:
			s.fail(req.T, errTooMany.Code, "One connection may look at "+strconv.Itoa(maxLooked)+" users.")
		default:
			s.lookAt(ids)
		}
	case wire.FeedIdle:
		s.hear(presence.Idle)
	case wire.FeedActive:
		s.hear(presence.Active)
	case wire.FeedProbe:
		s.say(plain(wire.FeedPonged{T: "pong", N: req.N, Now: s.feed.cfg.Now().UnixMilli()}))
	case wire.FeedPong:
		if req.N != 0 && s.pinged.CompareAndSwap(req.N, 0) {
			s.hear(presence.Ping)
		}
	case wire.FeedToken:
		s.renew(req.Token)
	case wire.FeedLeave:
		if s.told.Swap(false) {
			s.signal(presence.Disconnect)
		}
		s.end(byeBye, nil)
	default:
		s.fail("", "unknown_frame", "There is no such frame.")
	}
}

// hear passes a signal on, unless this connection does not make anybody present.
func (s *socket) hear(kind presence.Kind) {
	if s.told.Load() {
		s.signal(kind)
	}
}

func (s *socket) fail(re, code, message string) {
	s.say(plain(wire.FeedError{T: "error", Code: code, Message: message, Re: re}))
}

// auth is the first frame: who it is, and what it wants.
func (s *socket) auth(req wire.FeedRequest, ids []presence.UserID) {
	ctx := context.Background() // a connection outlives its request
	s.entered = true
	p, caller, err := s.proof, s.caller, error(nil)
	s.proof = proof{}
	if p.token == "" {
		if p.token = req.Token; p.token == "" {
			p.token = req.Ticket
		}
		p, caller, err = s.feed.authenticate(ctx, p.token)
	}
	if err == nil {
		want := wish{scope: req.Scope, users: ids, resume: req.Resume, idle: req.Idle, observe: req.Observe, roster: req.Roster, counts: req.Counts}
		if want.scope == "" {
			want.scope = wire.FeedScopeUsers
		}
		err = s.enter(ctx, p, caller, want)
	}
	if err != nil {
		s.refuse(err)
	}
}

// refuse ends a connection that may not begin.
func (s *socket) refuse(err error) {
	soon := &[2]int64{1000, 10_000}
	switch presence.KindOf(err) {
	case presence.Unauthenticated:
		s.end(byeUnauthenticated, nil)
	case presence.Forbidden:
		s.end(byeForbidden, nil)
	case presence.Invalid:
		s.end(byeBadFrame, nil)
	case presence.Throttled, presence.Unavailable:
		s.end(byeBusy, soon)
	default:
		s.feed.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "feed cannot begin", slog.Any("err", err))
		s.end(byeBusy, soon)
	}
}

// renew takes a fresh token of the same session, or a ticket for it.
func (s *socket) renew(token string) {
	_, caller, err := s.feed.authenticate(context.Background(), token)
	mine := &s.conn.caller
	if err != nil || caller.User != mine.User || caller.Session != mine.Session || caller.Staff != mine.Staff {
		s.fail(wire.FeedToken, "token_refused", "This token is not good for this connection.")
		return
	}
	s.expires.Store(caller.Expires.UnixNano())
	s.via.Store(int64(caller.via))
	s.say(plain(wire.FeedRenewed{T: "token", Expires: caller.Expires.UnixMilli()}))
}

// got counts a frame. It reports false when the client is to be heard no more.
func (s *socket) got() bool {
	if s.frames.Add(1) > maxFramesPerLook {
		s.end(byeTooFast, &[2]int64{5000, 20_000})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending.IsZero() && !s.gone
}

// events hands what gws reads to the socket it belongs to.
type events struct{}

// OnOpen implements gws.Event.
func (events) OnOpen(*gws.Conn) {}

// OnClose implements gws.Event.
func (events) OnClose(c *gws.Conn, _ error) { c.Session().(*socket).closed() }

// OnPing implements gws.Event.
func (events) OnPing(c *gws.Conn, payload []byte) {
	if s := c.Session().(*socket); s.got() {
		s.say(&frame{ws: append([]byte{0x80 | byte(gws.OpcodePong), byte(len(payload))}, payload...)})
	}
}

// OnPong implements gws.Event.
func (events) OnPong(c *gws.Conn, _ []byte) { c.Session().(*socket).got() }

// OnMessage implements gws.Event.
func (events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	s := c.Session().(*socket)
	switch {
	case !s.got():
	case m.Opcode != gws.OpcodeText:
		s.end(byeBadFrame, nil)
	default:
		// In a goroutine of its own, so that the reader's stack stays as small as it begins: 2 KiB, for as long as
		// the socket is open.
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer gws.Recovery(socketLog{s.feed.cfg.Log})
			s.message(m.Bytes())
		}()
		<-done
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

// Error implements gws.Logger.
func (l socketLog) Error(v ...any) { l.log.Error("websocket: " + fmt.Sprint(v...)) }

func idText(id presence.UserID) string { return strconv.FormatInt(int64(id), 10) }

// cut closes a connection that takes nothing: a frame would only wait behind the rest.
func (c *conn) cut(why string) {
	c.feed.stats.slow.Add(1)
	c.mu.Lock()
	c.endedLocked(endStuck)
	c.mu.Unlock()
	c.feed.cfg.Metrics.Streams.Dropped.Inc()
	c.feed.cfg.Log.LogAttrs(context.Background(), slog.LevelInfo, "feed closed: reader too slow", slog.Int64("user", int64(c.caller.User)),
		slog.String("reason", why), slog.Duration("open", time.Since(c.opened)))
	_ = c.net.Close()
}
