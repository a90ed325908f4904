package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
)

// Change is what a server tells its WebSockets when somebody's status changes.
type Change struct {
	Type     string `json:"type"`
	User     string `json:"user_id"`
	Username string `json:"username"`
	Status   string `json:"online_status"`
}

// Listener is an open WebSocket whose messages are read.
type Listener struct {
	conn *gws.Conn
	done chan struct{}
}

// Listen opens the presence WebSocket and calls heard, from one goroutine, for every change it tells, until
// Close or the server ends it.
func (a *API) Listen(token string, heard func(Change)) (*Listener, error) {
	l := &Listener{done: make(chan struct{})}
	conn, err := a.dialSocket(token, &reader{heard: heard})
	if err != nil {
		return nil, err
	}
	l.conn = conn
	go func() {
		defer close(l.done)
		conn.ReadLoop()
	}()
	return l, nil
}

// Done is closed when the socket has ended.
func (l *Listener) Done() <-chan struct{} { return l.done }

// Close ends the socket and waits for its last message.
func (l *Listener) Close() {
	_ = l.conn.WriteClose(1000, nil)
	_ = l.conn.NetConn().Close()
	<-l.done
}

func (a *API) dialSocket(token string, events gws.Event) (*gws.Conn, error) {
	conn, resp, err := gws.NewClient(events, &gws.ClientOption{
		Addr: a.socketURL(token), HandshakeTimeout: 10 * time.Second, ReadBufferSize: 1024, ReadMaxPayloadSize: 64 << 10,
		Logger: quiet{}, NewDialer: func() (gws.Dialer, error) { return &net.Dialer{Timeout: 5 * time.Second}, nil },
	})
	if err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = &StatusError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header), Text: "handshake refused"}
	}
	return conn, err
}

// quiet drops what gws has to say: what matters ends the socket, and that is counted.
type quiet struct{}

func (quiet) Error(v ...any) { slog.Debug("websocket: " + fmt.Sprint(v...)) }

// reader hands what gws reads to whoever listens. Pings of the server are answered by the built-in handler.
type reader struct {
	gws.BuiltinEventHandler
	count  *atomic.Uint64 // nil: not counted
	heard  func(Change)   // nil: nobody reads them
	closed func()         // nil: nobody asks
}

// OnPing answers with what came, as the protocol has it.
func (*reader) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

// OnMessage counts a message and reads it, where somebody wants to know.
func (r *reader) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	if r.count != nil {
		r.count.Add(1)
	}
	var c Change
	if r.heard != nil && json.Unmarshal(m.Bytes(), &c) == nil && c.Type == "user_status_change" {
		r.heard(c)
	}
}

// OnClose tells that it is over.
func (r *reader) OnClose(*gws.Conn, error) {
	if r.closed != nil {
		r.closed()
	}
}

// maxWatchers is how many sockets besides the listener's have their messages read for delivery times. Reading
// all of them would measure this program.
const maxWatchers = 7

// socketCounts are what is known of all sockets.
type socketCounts struct {
	open, lost atomic.Int64
	messages   atomic.Uint64
	watchers   atomic.Int64
	running    sync.WaitGroup

	loginSent, loginAnswered, logoutSent Histogram // from then until a watcher heard of it
}

// socket is somebody's open WebSocket.
type socket struct {
	conn *gws.Conn
	hung atomic.Bool // we closed it
	read bool        // its messages are read, as one of a few
}

// open opens somebody's WebSocket.
func (g *Generator) open(ctx context.Context, p *person) error {
	s := &socket{}
	heard := g.heard
	if p != g.listener {
		if s.read = g.sockets.watchers.Add(1) <= maxWatchers; !s.read {
			g.sockets.watchers.Add(-1)
			heard = nil
		}
	}
	events := &reader{count: &g.sockets.messages, heard: heard, closed: func() { g.closed(ctx, p, s) }}
	err := g.timed(connect, func() (err error) {
		s.conn, err = g.api.dialSocket(p.tokens.Access, events)
		return err
	})
	if err != nil {
		g.unread(s)
		return err
	}
	p.socketMu.Lock()
	p.socket = s
	p.socketMu.Unlock()
	g.sockets.open.Add(1)
	g.sockets.running.Go(s.conn.ReadLoop)
	return nil
}

// closed is called when a socket has ended. One that the server ended is opened again, as a client would.
func (g *Generator) closed(ctx context.Context, p *person, s *socket) {
	g.sockets.open.Add(-1)
	g.unread(s)
	p.socketMu.Lock()
	if p.socket == s {
		p.socket = nil
	}
	p.socketMu.Unlock()
	if !s.hung.Load() && ctx.Err() == nil {
		g.sockets.lost.Add(1)
		g.errands.add(errand{at: time.Now().Add(someOf(time.Second)), p: p, do: listen})
	}
}

func (g *Generator) unread(s *socket) {
	if s.read {
		g.sockets.watchers.Add(-1)
	}
}

// listenAgain opens a socket for somebody who has none, now or later.
func (g *Generator) listenAgain(ctx context.Context, p *person) {
	p.socketMu.Lock()
	has := p.socket != nil
	p.socketMu.Unlock()
	if has || ctx.Err() != nil {
		return
	}
	err := g.fresh(ctx, p) // the token may have ended with the socket
	if err == nil {
		err = g.open(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		g.errands.add(errand{at: time.Now().Add(someOf(5 * time.Second)), p: p, do: listen})
	}
}

// hangUp closes the person's socket, if there is one.
func (p *person) hangUp() {
	p.socketMu.Lock()
	s := p.socket
	p.socket = nil
	p.socketMu.Unlock()
	if s != nil {
		s.hung.Store(true)
		_ = s.conn.WriteClose(1000, nil)
		_ = s.conn.NetConn().Close()
	}
}

// heard is called when a watcher hears of a change.
func (g *Generator) heard(c Change) {
	p := g.byName[c.Username]
	if p == nil {
		return // somebody real
	}
	now := g.since(time.Now())
	switch c.Status {
	case "online":
		sent, answered := p.loginSent.Load(), p.loginAnswered.Load()
		if sent == 0 || now < sent {
			return
		}
		if time.Duration(now-sent) > callTimeout {
			return // not the login that is remembered
		}
		g.sockets.loginSent.Add(time.Duration(now - sent))
		if answered == 0 {
			answered = now // the change was told before the answer
		}
		g.sockets.loginAnswered.Add(time.Duration(now - answered))
	case "offline":
		if p.measured.Load() {
			p.offlineSeen.CompareAndSwap(0, now)
		} else if sent := p.logoutSent.Load(); sent != 0 && time.Duration(now-sent) < callTimeout {
			g.sockets.logoutSent.Add(time.Duration(now - sent))
		}
	}
}
