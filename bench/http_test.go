//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/internal/loadgen"
)

const (
	heartbeatPairs  = 7                       // measured pairs; the median counts
	heartbeatPeriod = 1500 * time.Millisecond // of one server in one pair
	serverCPU       = 0
	loadCPU         = 1
	bareVariable    = "BENCH_BARE_ANSWER"
)

// TestMain turns the test binary into the bare server when it is started as that.
func TestMain(m *testing.M) {
	if text := os.Getenv(bareVariable); text != "" {
		serveBare(text, os.Getenv(bareVariable+"_ADDRESS"))
		return
	}
	os.Exit(m.Run())
}

// answer is an HTTP answer to be repeated.
type answer struct {
	Header http.Header
	Body   []byte
}

// serveBare answers every request with the same headers and bytes, as plainly as net/http can.
func serveBare(text, address string) {
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		panic(err)
	}
	type line struct {
		key   string
		value []string
	}
	var lines []line
	for key, value := range a.Header {
		if key != "Date" && key != "Content-Length" { // net/http's own
			lines = append(lines, line{key, value})
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for i := range lines {
			h[lines[i].key] = lines[i].value
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(a.Body)
	})
	panic(http.ListenAndServe(address, handler))
}

// BenchmarkHeartbeatHTTP compares heartbeats, token verified and lease renewed, with a bare net/http handler that
// returns the same headers and bytes. Each server is a process on one processor, the load is on another, and they
// take turns. The figures are medians over the pairs; the budget of both ratios is at least 0.85.
//
// With two connections the server waits for requests now and then, as it does in life. With 32 it never does,
// both are at their cheapest, and it is the harder comparison.
func BenchmarkHeartbeatHTTP(b *testing.B) {
	if runtime.NumCPU() < 2 {
		b.Skip("needs a processor for the server and one for the load")
	}
	dir := b.TempDir()
	server, err := child.Start(b.Context(), child.Options{Binary: build(b, dir), Data: dir + "/data", CPU: serverCPU})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop()
	crowd := []int{2, 32}
	tokens := signIn(b, server.URL, slices.Max(crowd))
	bare := startBare(b, capture(b, server.URL, tokens[0]))
	defer bare.process.Kill()

	before := affinity(b)
	if err := child.Pin(loadCPU); err != nil {
		b.Fatal(err)
	}
	defer unpin(b, before)
	for _, n := range crowd {
		b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
			presence := hammered{dial(b, server.URL, tokens[:n]), server.PID}
			plain := hammered{dial(b, bare.url, tokens[:n]), bare.process.PID}
			takeTurns(b, presence, plain)
		})
	}
}

// takeTurns measures both again and again and reports the medians.
func takeTurns(b *testing.B, presence, plain hammered) {
	b.Helper()
	presence.measure(b, heartbeatPeriod/2) // warm
	plain.measure(b, heartbeatPeriod/2)
	var ours, theirs, rates, costs, busy []float64
	for i := range heartbeatPairs {
		var p, q figures
		if i%2 == 0 { // whatever drifts meanwhile hits both alike
			p, q = plain.measure(b, heartbeatPeriod), presence.measure(b, heartbeatPeriod)
		} else {
			q, p = presence.measure(b, heartbeatPeriod), plain.measure(b, heartbeatPeriod)
		}
		rates, costs = append(rates, q.rate/p.rate), append(costs, p.cpu/q.cpu)
		theirs, ours, busy = append(theirs, p.cpu), append(ours, q.cpu), append(busy, q.busy)
		b.Logf("bare %.0f/s %.1f us  presence %.0f/s %.1f us  server busy %.0f %% and %.0f %%",
			p.rate, p.cpu, q.rate, q.cpu, 100*p.busy, 100*q.busy)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(theirs), "bare-cpu-us/req")
	b.ReportMetric(median(ours), "presence-cpu-us/req")
	b.ReportMetric(median(rates), "ratio-req/s")
	b.ReportMetric(median(costs), "ratio-cpu")
	b.ReportMetric(100*median(busy), "%busy") // well under 100: the load was the limit of requests/s, not the server
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func build(b *testing.B, dir string) string {
	b.Helper()
	if binary := os.Getenv("PRESENCE_BENCH_BINARY"); binary != "" {
		return binary
	}
	binary, err := child.Build(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	return binary
}

// signIn makes people and returns their tokens.
func signIn(b *testing.B, url string, n int) (tokens []string) {
	b.Helper()
	api := loadgen.NewAPI(url, 1)
	defer api.Close()
	for i := range n {
		got, err := api.Register(b.Context(), fmt.Sprintf("person-%d", i), "a password for the benchmark")
		if err != nil {
			b.Fatal(err)
		}
		tokens = append(tokens, got.Access)
	}
	return tokens
}

// capture is one answer to a heartbeat.
func capture(b *testing.B, url, token string) answer {
	b.Helper()
	conn, err := loadgen.NewConn(url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	header, body, err := conn.Exchange(b.Context(), token)
	if err != nil {
		b.Fatal(err)
	}
	return answer{header, body}
}

type bareServer struct {
	process *child.Process
	url     string
}

func startBare(b *testing.B, a answer) bareServer {
	b.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		b.Fatal(err)
	}
	address, err := child.FreeAddress()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bareVariable+"="+string(text), bareVariable+"_ADDRESS="+address)
	process, err := child.Launch(cmd, serverCPU, "")
	if err != nil {
		b.Fatal(err)
	}
	if err := process.Ready(b.Context(), "http://"+address+"/"); err != nil {
		b.Fatal(err)
	}
	return bareServer{process, "http://" + address}
}

func affinity(b *testing.B) unix.CPUSet {
	b.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		b.Fatal(err)
	}
	return set
}

// unpin lets what runs after this benchmark use the other processors again.
func unpin(b *testing.B, before unix.CPUSet) {
	b.Helper()
	if err := child.Unpin(before); err != nil {
		b.Error(err)
	}
}

// hammered is a server under full load.
type hammered struct {
	conns []*rawConn
	pid   int
}

// figures are what one period showed.
type figures struct {
	rate float64 // requests/s
	cpu  float64 // microseconds of the server's processor a request
	busy float64 // share of the time that the server's processor worked for it
}

// measure keeps one request under way on every connection for so long, in one thread and with two system calls a
// request, so that the load costs less than what it loads.
func (h hammered) measure(b *testing.B, period time.Duration) figures {
	b.Helper()
	before, err := loadgen.ProcessUsage(h.pid)
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, requests := time.Now(), 0
	h.each(b, (*rawConn).send)
	for time.Since(began) < period {
		for _, c := range h.conns {
			if err := c.receive(); err != nil {
				b.Fatal(err)
			}
			if err := c.send(); err != nil {
				b.Fatal(err)
			}
		}
		requests += len(h.conns)
	}
	h.each(b, (*rawConn).receive)
	took := time.Since(began)
	after, err := loadgen.ProcessUsage(h.pid)
	if err != nil {
		b.Fatal(err)
	}
	requests += len(h.conns)
	cpu := after.CPU - before.CPU
	return figures{
		rate: float64(requests) / took.Seconds(), cpu: cpu.Seconds() / float64(requests) * 1e6, busy: cpu.Seconds() / took.Seconds(),
	}
}

func (h hammered) each(b *testing.B, do func(*rawConn) error) {
	b.Helper()
	for _, c := range h.conns {
		if err := do(c); err != nil {
			b.Fatal(err)
		}
	}
}

// rawConn is a connection in blocking mode.
type rawConn struct {
	file    *os.File
	fd      int
	request []byte
	in      []byte
}

func dial(b *testing.B, url string, tokens []string) (conns []*rawConn) {
	b.Helper()
	host := url[len("http://"):]
	for _, token := range tokens {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			b.Fatal(err)
		}
		file, err := conn.(*net.TCPConn).File()
		conn.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { file.Close() })
		fd := int(file.Fd()) // and with that it blocks
		if err := unix.SetNonblock(fd, false); err != nil {
			b.Fatal(err)
		}
		conns = append(conns, &rawConn{
			file: file, fd: fd, in: make([]byte, 0, 4096),
			request: []byte("POST /api/users/heartbeat/ HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n" +
				"Content-Length: 0\r\nAuthorization: Bearer " + token + "\r\n\r\n"),
		})
	}
	return conns
}

func (c *rawConn) send() error {
	for rest := c.request; len(rest) > 0; {
		n, err := unix.Write(c.fd, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// receive reads one answer, which has to be a 200.
func (c *rawConn) receive() error {
	c.in = c.in[:0]
	for {
		n, err := unix.Read(c.fd, c.in[len(c.in):cap(c.in)])
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("the connection ended in the middle of %q", c.in)
		}
		c.in = c.in[:len(c.in)+n]
		if whole(c.in) {
			break
		}
	}
	if !bytes.HasPrefix(c.in, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", c.in)
	}
	return nil
}

// whole reports whether an answer is all there.
func whole(in []byte) bool {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	_, rest, found := bytes.Cut(in[:end+2], []byte("Content-Length: "))
	if !found {
		return false
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	return err == nil && len(in) >= end+4+length
}
