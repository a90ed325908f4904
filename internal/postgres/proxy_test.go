package postgres

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// What a proxy does with a message of a client.
const (
	pass  = iota
	cut   // the database never sees it: both ends are closed
	lose  // the database obeys, and the answer gets lost
	still // the database never sees it, and nobody hears of that
)

// proxy is a network between a store and its database that can be disturbed.
type proxy struct {
	listener net.Listener
	backend  string
	// disturb says what becomes of what a client sends.
	disturb atomic.Pointer[func(sent []byte) int]
	group   sync.WaitGroup

	mu    sync.Mutex // guards the following field
	conns []net.Conn
}

// newProxy returns a proxy to the database of a URL, and the URL through it.
func newProxy(t *testing.T, direct string) (p *proxy, through string) {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{backend: u.Host}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.set(func([]byte) int { return pass })
	p.group.Go(p.accept)
	t.Cleanup(func() {
		p.listener.Close()
		p.hangUp()
		p.group.Wait()
	})
	u.Host = p.listener.Addr().String()
	return p, u.String()
}

func (p *proxy) set(disturb func(sent []byte) int) { p.disturb.Store(&disturb) }

// hangUp closes all connections.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.backend)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		var losing atomic.Bool
		p.group.Go(func() { p.forward(client, server, &losing) })
		p.group.Go(func() { answer(server, client, &losing) })
	}
}

func (p *proxy) forward(client, server net.Conn, losing *atomic.Bool) {
	defer server.Close()
	defer client.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		switch (*p.disturb.Load())(buffer[:n]) {
		case cut:
			return
		case still:
			continue
		case lose:
			losing.Store(true)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func answer(server, client net.Conn, losing *atomic.Bool) {
	defer server.Close()
	defer client.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil || losing.Load() {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// commits does something to the first so many commits.
func commits(times int, what int) func([]byte) int {
	var left atomic.Int64
	left.Store(int64(times))
	return func(sent []byte) int {
		if bytes.HasPrefix(sent, []byte("Q")) && bytes.Contains(sent, []byte("commit\x00")) && left.Add(-1) >= 0 {
			return what
		}
		return pass
	}
}
