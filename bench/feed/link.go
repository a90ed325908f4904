package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence/wire"
)

// ask is how a connection begins.
type ask struct {
	token   string // an access token or a ticket
	scope   string
	users   []string
	resume  *wire.FeedCursor
	observe bool
}

// listen opens a connection and calls heard with each frame, from one goroutine, until the server or ctx ends it.
// Opened is called once the server has agreed, with what closes the connection.
type listen func(ctx context.Context, server string, a ask, opened func(hangUp func()), heard func([]byte)) error

// dialer tries for long enough that a machine under load can answer.
var dialer = &net.Dialer{Timeout: 20 * time.Second}

// overWebSocket is a listen.
func overWebSocket(ctx context.Context, server string, a ask, opened func(func()), heard func([]byte)) error {
	conn, err := openSocket(ctx, dialer, server, a, heard)
	if err != nil {
		return err
	}
	hangUp := func() { _ = conn.NetConn().Close() }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	opened(hangUp)
	conn.ReadLoop()
	return ctx.Err()
}

// openSocket opens a WebSocket and says what it is for. Nothing is read before its ReadLoop.
func openSocket(ctx context.Context, dialer *net.Dialer, server string, a ask, heard func([]byte)) (*gws.Conn, error) {
	conn, resp, err := gws.NewClient(&events{heard: heard}, &gws.ClientOption{
		Addr: "ws://" + server + "/api/v1/feed", HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1024, ReadMaxPayloadSize: 1 << 20, Logger: quiet{},
		NewDialer: func() (gws.Dialer, error) { return contextDialer{ctx, dialer}, nil },
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("the handshake was answered %d: %w", resp.StatusCode, err)
		}
		return nil, err
	}
	hello, err := json.Marshal(wire.FeedRequest{T: wire.FeedAuth, Token: a.token, Scope: a.scope, Users: a.users, Resume: a.resume, Observe: a.observe})
	if err == nil {
		err = conn.WriteMessage(gws.OpcodeText, hello)
	}
	if err != nil {
		_ = conn.NetConn().Close()
	}
	return conn, err
}

type contextDialer struct {
	ctx context.Context
	*net.Dialer
}

// Dial implements gws.Dialer.
func (d contextDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(d.ctx, network, address)
}

// events hands what gws reads on, and answers the pings of the feed as every client does.
type events struct {
	gws.BuiltinEventHandler
	heard func([]byte)
}

// OnPing answers the protocol's own pings, which the feed does not send.
func (*events) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

// OnMessage implements gws.Event.
func (e *events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	if payload := m.Bytes(); bytes.HasPrefix(payload, []byte(`{"t":"ping"`)) {
		var ping wire.FeedPing
		if json.Unmarshal(payload, &ping) == nil {
			_ = c.WriteString(fmt.Sprintf(`{"t":"pong","n":%d}`, ping.N))
		}
	}
	e.heard(m.Bytes())
}

// quiet drops what gws has to say: what matters ends the connection, and that is counted.
type quiet struct{}

func (quiet) Error(...any) {}

// overEvents is a listen on server-sent events.
func overEvents(ctx context.Context, server string, a ask, opened func(func()), heard func([]byte)) error {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	query := url.Values{"scope": {a.scope}}
	if len(a.users) > 0 {
		query.Set("users", strings.Join(a.users, ","))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server+"/api/v1/feed?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+a.token)
	if a.resume != nil {
		req.Header.Set("Last-Event-ID", fmt.Sprintf("%s-%d", a.resume.Epoch, a.resume.Seq))
	}
	resp, err := eventClient.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream was answered %d", resp.StatusCode)
	}
	opened(hangUp)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			heard(data)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return err
	}
	return ctx.Err()
}

var eventClient = &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true}
