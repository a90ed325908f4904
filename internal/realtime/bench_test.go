package realtime

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// dialPlain opens a feed with nothing but a connection, and sends its first frame.
func dialPlain(address, auth string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /api/v1/feed HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 512)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("handshake: %d", answer.StatusCode)
	}
	frame := binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(auth)))
	frame = append(append(frame, 0, 0, 0, 0), auth...) // masked with zeros
	_, err = conn.Write(frame)
	return conn, r, err
}

// One status change, 1,000 open feeds that watch the user, client and server on the same machine and in one
// process: from the signal to the moment at which a feed has the frame.
func BenchmarkChangeToFeeds(b *testing.B) {
	const feeds = 1000
	h := newHouse(b)
	address := strings.TrimPrefix(h.serve().URL, "http://")
	var sent atomic.Int64
	ready, got := make(chan struct{}, feeds), make(chan int64, feeds)
	for i := range feeds {
		conn, r, err := dialPlain(address, fmt.Sprintf(`{"t":"auth","token":"%d","users":["7"],"observe":true}`, 100+i))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		go func() {
			for {
				payload, _, err := readFrame(r)
				if err != nil {
					return
				}
				switch {
				case strings.HasPrefix(string(payload), `{"t":"snap"`):
					ready <- struct{}{}
				case strings.HasPrefix(string(payload), `{"t":"delta"`):
					got <- time.Now().UnixNano() - sent.Load()
				}
			}
		}()
	}
	for range feeds {
		<-ready
	}
	var took []int64
	n := 0
	for b.Loop() {
		b.StopTimer()
		for start := time.Now(); time.Since(start) < flushEvery; { // a change after a pause
			runtime.Gosched()
		}
		b.StartTimer()
		n++
		sent.Store(time.Now().UnixNano())
		h.set(7, []presence.Status{presence.Online, presence.Away}[n%2])
		for range feeds {
			took = append(took, <-got)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// idleSockets is how many sockets BenchmarkIdleSocket opens: both processes stay below 20,000 descriptors.
const idleSockets = 10_000

// The memory of an idle socket, with the clients in another process.
func BenchmarkIdleSocket(b *testing.B) {
	if address := os.Getenv("FEED_BENCH_DIAL"); address != "" {
		holdSockets(b, address)
		return
	}
	h := newHouse(b)
	address := strings.TrimPrefix(h.serve().URL, "http://")
	before, heap := resident(b)
	client := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkIdleSocket$", "-test.benchtime=1x")
	client.Env = append(os.Environ(), "FEED_BENCH_DIAL="+address)
	stdin, err := client.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := client.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := client.Start(); err != nil {
		b.Fatal(err)
	}
	for r := bufio.NewScanner(stdout); r.Scan() && r.Text() != "open"; {
	}
	if n := h.feed.Stats().WebSockets; n != idleSockets {
		b.Fatalf("%d sockets are open", n)
	}
	after, heapAfter := resident(b)
	b.ReportMetric(float64(after-before)/idleSockets, "RSS-B/socket")
	b.ReportMetric(float64(heapAfter-heap)/idleSockets, "heap+stack-B/socket")
	b.ReportMetric(0, "ns/op")
	_ = stdin.Close()
	_ = client.Wait()
}

// holdSockets is the other process: it opens sockets and holds them until its input ends.
func holdSockets(b *testing.B, address string) {
	for i := range idleSockets {
		conn, r, err := dialPlain(address, fmt.Sprintf(`{"t":"auth","token":"%d","users":["7","8","9"]}`, 100+i))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for range 2 { // hello and the picture
			if _, _, err := readFrame(r); err != nil {
				b.Fatal(err)
			}
		}
	}
	fmt.Println("\nopen")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// resident is the memory of this process: resident in all, and what the runtime uses for heap and stacks.
func resident(b *testing.B) (rss, used int64) {
	b.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return pages * int64(os.Getpagesize()), int64(m.HeapInuse + m.StackInuse)
}
