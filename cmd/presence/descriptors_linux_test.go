package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestServeForTest is no test: it is the server that the next one runs as a process of its own, with few descriptors.
func TestServeForTest(t *testing.T) {
	data := os.Getenv("PRESENCE_TEST_SERVE")
	if data == "" {
		t.Skip("for TestMoreSocketsThanDescriptors")
	}
	const few = 1024
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: few, Max: few}); err != nil {
		t.Fatal(err)
	}
	p := &process{
		ctx: t.Context(), stdin: strings.NewReader(""), stdout: os.Stderr, stderr: os.Stderr, environ: []string{"HOME=" + data},
		opened: func(at addresses) { fmt.Printf("listening at %s %s\n", at.public, at.ops) },
	}
	run([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"}, p)
}

func TestMoreSocketsThanDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 4000 {
		t.Skipf("this process may have %d files open; the test needs 4000", limit.Cur)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestServeForTest$")
	child.Env = append(os.Environ(), "PRESENCE_TEST_SERVE="+filepath.Join(t.TempDir(), "data"))
	logFile, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	child.Stderr = logFile
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	address := ""
	for in := bufio.NewScanner(out); address == "" && in.Scan(); {
		address, _ = strings.CutPrefix(in.Text(), "listening at ")
	}
	address, operators, _ := strings.Cut(address, " ")
	if operators == "" {
		t.Fatal("the server did not come up")
	}

	// One connection that is there before the others, and stays.
	early := http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: patient}
	answers := func(c *http.Client) bool {
		resp, err := c.Get("http://" + address + "/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body) // to the end, or the connection is not used again
		return err == nil && resp.StatusCode == http.StatusOK
	}
	if !answers(&early) {
		t.Fatal("the server does not answer")
	}

	// 2,000 sockets at 1,024 descriptors: each is either held, or told 503 and closed; none waits in silence.
	var mu sync.Mutex
	var open []net.Conn
	held, refused, silent := 0, 0, 0
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			for range 100 {
				conn, err := net.DialTimeout("tcp", address, patient)
				if err != nil {
					mu.Lock()
					silent++
					mu.Unlock()
					continue
				}
				fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
				_ = conn.SetReadDeadline(time.Now().Add(patient))
				line, err := bufio.NewReader(conn).ReadString('\n')
				mu.Lock()
				switch {
				case strings.Contains(line, " 200 "):
					held++
				case strings.Contains(line, " 503 "), err != nil && strings.Contains(err.Error(), "reset"):
					refused++
				default:
					silent++
				}
				open = append(open, conn)
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if held < 500 || refused == 0 || silent > 0 || held+refused != 2000 {
		t.Errorf("%d were held, %d refused, %d got no answer", held, refused, silent)
	}
	for range 20 {
		if !answers(&early) {
			t.Error("who was there before is not answered")
		}
	}
	resp, err := http.Get("http://" + operators + "/metrics")
	if err != nil {
		t.Fatalf("operators do not get in: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("operators are answered %d", resp.StatusCode)
	}
	for _, conn := range open {
		conn.Close()
	}
	eventually(t, "a new connection when the others are gone", func() bool {
		fresh := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patient}
		return answers(&fresh)
	})
	log, err := os.ReadFile(logFile.Name())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "too many connections"); n == 0 || n > 50 {
		t.Errorf("the log has %d lines about it, want few:\n%.2000s", n, log)
	}
}
