package httpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// impatient is a server whose ticks are given by hand. All limits are three ticks.
func impatient(t *testing.T, handler http.Handler) (s *Server, address string) {
	t.Helper()
	ready := &Readiness{}
	ready.Start()
	s = New(Options{Handler: handler, Ready: ready, Limits: Limits{
		Open: 3 * lookEvery, Request: 3 * lookEvery, Idle: 3 * lookEvery,
	}})
	address = serveForTest(t, func(ctx context.Context, ln net.Listener) error {
		return serve(ctx, s.httpServer(), listener{ln}, s.limits.Drain, s.ready.Drain, s.log)
	})
	return s, address
}

// caller is the client's end of a connection.
type caller struct {
	net.Conn
	read *bufio.Reader
	t    *testing.T
}

func call(t *testing.T, address, text string) *caller {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second)) // a bound, should the server forget us
	c := &caller{Conn: nc, read: bufio.NewReader(nc), t: t}
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// status reads an answer.
func (c *caller) status() int {
	c.t.Helper()
	resp, err := http.ReadResponse(c.read, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// cut waits for the end of the connection.
func (c *caller) cut() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.read); err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Errorf("the connection was not cut off: %v", err)
	}
}

// inPhase waits until some connection is.
func (s *Server) inPhase(want phase) {
	for ; ; runtime.Gosched() {
		s.patience.mu.Lock()
		n := 0
		for c := range s.patience.open {
			if phase(c.state.Load()&0xff) == want {
				n++
			}
		}
		s.patience.mu.Unlock()
		if n > 0 {
			return
		}
	}
}

func (s *Server) ticks(n int) {
	for range n {
		s.patience.look()
	}
}

func (s *Server) stillOpen() int {
	s.patience.mu.Lock()
	defer s.patience.mu.Unlock()
	return len(s.patience.open)
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

func TestSlowHeadsAreCutOff(t *testing.T) {
	s, address := impatient(t, hello)
	c := call(t, address, "GET / HTTP/1.1\r\nHost:")
	s.inPhase(opening)
	s.ticks(3)
	if s.stillOpen() != 1 {
		t.Error("cut off before its time")
	}
	s.ticks(1)
	c.cut()
}

func TestSlowBodiesAreCutOff(t *testing.T) {
	s, address := impatient(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) }))
	c := call(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
	s.inPhase(working)
	s.ticks(4)
	c.cut()
}

func TestSlowReadersAreCutOff(t *testing.T) {
	blocked := make(chan error, 1)
	s, address := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for piece := make([]byte, 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				blocked <- err
				return
			}
		}
	}))
	call(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	s.inPhase(working)
	s.ticks(4)
	if err := <-blocked; err == nil {
		t.Error("the writer was not told")
	}
}

func TestIdleConnectionsAreCutOffAndBusyOnesAreNot(t *testing.T) {
	s, address := impatient(t, hello)
	c := call(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	for range 5 {
		if got := c.status(); got != 200 {
			t.Fatal(got)
		}
		s.inPhase(resting)
		s.ticks(3) // as long as it may rest; each request begins anew
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	c.status()
	s.inPhase(resting)
	s.ticks(4)
	c.cut()
}

func TestStreamsHaveLimitsOfTheirOwn(t *testing.T) {
	end := make(chan struct{})
	s, address := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "first ")
		control.Flush()
		<-end
		io.WriteString(w, "last")
	}))
	c := call(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	s.inPhase(unbounded)
	s.ticks(100)
	close(end)
	if got := c.status(); got != 200 {
		t.Errorf("a stream was cut off: %d", got)
	}
}

func TestHijackedConnectionsAreLeftAlone(t *testing.T) {
	taken := make(chan net.Conn, 1)
	s, address := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- nc
	}))
	c := call(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	nc := <-taken
	defer nc.Close()
	if _, wrapped := nc.(*conn); wrapped {
		t.Error("the connection is still ours")
	}
	s.ticks(100)
	io.WriteString(nc, "mine\n")
	if line, err := c.read.ReadString('\n'); err != nil || line != "mine\n" {
		t.Errorf("got %q, %v", line, err)
	}
}
