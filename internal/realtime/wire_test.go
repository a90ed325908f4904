package realtime

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
)

// patience is how long a test waits for something that must come. It is never reached when all is well.
const patience = 20 * time.Second

// serve is the feed behind a real listener.
func (h *house) serve() *httptest.Server {
	mux := http.NewServeMux()
	h.feed.Register(mux)
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	return server
}

// real is a client on a real WebSocket.
type real struct {
	gws.BuiltinEventHandler
	frames chan serverFrame
	closed chan error
}

func (r *real) OnMessage(_ *gws.Conn, m *gws.Message) {
	var f serverFrame
	_ = json.Unmarshal(m.Bytes(), &f) // what is none has no type, and is told so
	r.frames <- f
	_ = m.Close()
}
func (r *real) OnClose(_ *gws.Conn, err error) { r.closed <- err }

func (r *real) next(t testing.TB) serverFrame {
	t.Helper()
	select {
	case f := <-r.frames:
		return f
	case err := <-r.closed:
		t.Fatalf("closed: %v", err)
	case <-time.After(patience):
		t.Fatal("no frame came")
	}
	return serverFrame{}
}

func dialReal(t testing.TB, server *httptest.Server, query string, header http.Header, first string) (*real, *gws.Conn, int) {
	t.Helper()
	r := &real{frames: make(chan serverFrame, 1000), closed: make(chan error, 1)}
	conn, answer, err := gws.NewClient(r, &gws.ClientOption{
		Addr: "ws" + strings.TrimPrefix(server.URL, "http") + "/api/v1/feed" + query, RequestHeader: header,
	})
	if err != nil {
		if answer == nil {
			t.Fatal(err)
		}
		return nil, nil, answer.StatusCode
	}
	t.Cleanup(func() { _ = conn.NetConn().Close() })
	go conn.ReadLoop()
	if err := conn.WriteString(first); err != nil {
		t.Fatal(err)
	}
	return r, conn, answer.StatusCode
}

func TestRealSocket(t *testing.T) {
	h := newHouse(t)
	server := h.serve()
	r, conn, _ := dialReal(t, server, "", nil, `{"t":"auth","token":"1","users":["7"]}`)
	if got := r.next(t); got.T != "hello" {
		t.Fatalf("first frame %+v", got)
	}
	if got := r.next(t); got.statuses() != "7:offline" {
		t.Fatalf("picture %+v", got)
	}
	h.set(7, presence.Online)
	if got := r.next(t); got.T != "delta" || got.statuses() != "7:online" {
		t.Errorf("change %+v", got)
	}
	h.feed.SessionEnded(1, 1000)
	if got := r.next(t); got.Reason != "session_over" {
		t.Errorf("goodbye %+v", got)
	}
	select {
	case err := <-r.closed:
		if code, ok := err.(*gws.CloseError); !ok || code.Code != 4001 {
			t.Errorf("closed with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("not closed")
	}
	_ = conn
}

func TestTheDoor(t *testing.T) {
	h := newHouse(t)
	server := h.serve()
	ticket := func() string {
		text, err := h.feed.tickets.issue(7, "7")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	header := func(words ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(words); i += 2 {
			h.Set(words[i], words[i+1])
		}
		return h
	}
	spent := ticket()
	h.feed.tickets.redeem(spent)
	for _, c := range []struct {
		name, query string
		header      http.Header
		socket      int
		stream      int
	}{
		{"nobody says who it is", "", nil, 101, 401},
		{"a bearer token", "", header("Authorization", "Bearer 7"), 101, 200},
		{"a bad token", "", header("Authorization", "Bearer x"), 401, 401},
		{"a token in the address", "?token=7", nil, 101, 401},
		{"a spent ticket", "?ticket=" + spent, nil, 401, 401},
		{"a page of a foreign origin", "", header("Authorization", "Bearer 7", "Origin", "https://evil.test"), 403, 403},
		{"of an origin that looks alike", "", header("Authorization", "Bearer 7", "Origin", "https://good.test.evil.test"), 403, 403},
		{"of no origin", "", header("Authorization", "Bearer 7", "Origin", "null"), 403, 403},
		{"of a good origin", "", header("Authorization", "Bearer 7", "Origin", "https://good.test"), 101, 200},
		{"everybody, for a user", "?scope=all", header("Authorization", "Bearer 7"), 101, 403},
		{"everybody, for staff", "?scope=all", header("Authorization", "Bearer s7"), 101, 200},
		{"ids that are none", "?users=1,x", header("Authorization", "Bearer 7"), 101, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, conn, status := dialReal(t, server, c.query, c.header, "")
			if conn != nil {
				_ = conn.NetConn().Close()
			}
			if status != c.socket {
				t.Errorf("socket: %d, want %d", status, c.socket)
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/feed"+c.query, nil)
			if c.header != nil {
				r.Header = c.header
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != c.stream {
				t.Errorf("stream: %d, want %d", answer.StatusCode, c.stream)
			}
		})
	}
	if _, conn, status := dialReal(t, server, "?ticket="+ticket(), nil, ""); status != 101 {
		t.Errorf("a ticket in the address: %d", status)
	} else {
		_ = conn.NetConn().Close()
	}
	answer, err := http.Post(server.URL+"/api/v1/feed", "", nil)
	if err != nil || answer.StatusCode != 405 || answer.Header.Get("Allow") != "GET" {
		t.Errorf("POST: %v %v", answer, err)
	}
	_ = answer.Body.Close()
}

// events reads a stream, up to the end of each event.
type eventReader struct{ *bufio.Reader }

func (r eventReader) next(t *testing.T) (id string, f serverFrame) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); key {
		case "id":
			id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &f); err != nil {
				t.Fatal(err)
			}
		case "":
			if f.T != "" {
				return id, f
			}
		}
	}
}

func TestEventStream(t *testing.T) {
	h := newHouse(t)
	server := h.serve()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/feed/ticket", nil)
	r.Header.Set("Authorization", "Bearer 1")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var bought struct {
		Ticket    string
		ExpiresIn int `json:"expires_in"`
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err := json.Unmarshal(body, &bought); err != nil || bought.ExpiresIn != 60 || len(bought.Ticket) != 43 {
		t.Fatalf("ticket: %d %s", answer.StatusCode, body)
	}
	get := func(query, last, token string) (eventReader, *http.Response) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/feed?users=7,8"+query, nil)
		r.Header.Set("Accept", "text/event-stream")
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" || answer.Header.Get("X-Accel-Buffering") != "no" {
			t.Fatalf("%d %s", answer.StatusCode, kind)
		}
		return eventReader{bufio.NewReader(answer.Body)}, answer
	}
	s, first := get("&ticket="+bought.Ticket, "", "")
	if id, f := s.next(t); f.T != "hello" || id != "" {
		t.Fatalf("first %s %+v", id, f)
	}
	id, f := s.next(t)
	if f.statuses() != "7:offline 8:offline" || id != fmt.Sprintf("%s-%d", f.Epoch, f.Seq) {
		t.Fatalf("picture %s %+v", id, f)
	}
	h.set(7, presence.Online)
	seen, f := s.next(t)
	if f.statuses() != "7:online" || !strings.HasSuffix(seen, fmt.Sprint(f.Seq)) {
		t.Fatalf("change %s %+v", seen, f)
	}
	if p := h.status(1); p.Version != 0 {
		t.Errorf("a stream makes its reader present: %+v", p)
	}
	_ = first.Body.Close()
	h.set(8, presence.Online)
	s, _ = get("", seen, "1")
	if _, f := s.next(t); !f.Resumed {
		t.Fatalf("not resumed: %+v", f)
	}
	if _, f := s.next(t); f.T != "delta" || f.statuses() != "8:online" {
		t.Errorf("resumed with %+v", f)
	}
	for _, forged := range []string{"x", "-", strings.Repeat("9", 4000) + "-1", id[:5] + "-18446744073709551615", "u0-1"} {
		s, answer := get("", forged, "1")
		if _, f := s.next(t); f.Resumed {
			t.Errorf("%.20s resumes", forged)
		}
		if _, f := s.next(t); f.T != "snap" || !f.Full {
			t.Errorf("%.20s is answered with %+v", forged, f)
		}
		_ = answer.Body.Close()
	}
	h.feed.SessionEnded(1, 1000)
	if _, f := s.next(t); f.Reason != "session_over" {
		t.Errorf("goodbye %+v", f)
	}
	if _, err := s.ReadByte(); err != io.EOF {
		t.Errorf("after the goodbye: %v", err)
	}
}
