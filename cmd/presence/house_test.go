package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/testserver"
)

// asPresence in the environment makes the test binary the command itself.
const asPresence = "TEST_RUNS_AS_PRESENCE"

// soon is how long a test waits for what should take a second or two: machines may be slow.
const soon = 60 * time.Second

const (
	houseKey   = "h0use-of-three-nodes-Qm9vdHN0cmFwIG1lIHBsZWFzZQ"
	houseAdmin = "Sekrit-pass-1"
	leases     = 12 * time.Second
)

// house is several nodes, each a process, on a PostgreSQL and a Redis server of their own.
type house struct {
	t        *testing.T
	postgres *testserver.Postgres
	redis    *testserver.Redis
	database string
	store    *postgres.Store // a look into the database
	nodes    []*node
}

// node is one process. It keeps its address when it is started again.
type node struct {
	house   *house
	name    string
	dir     string
	address string
	cmd     *exec.Cmd
	ended   chan error
}

func openHouse(t *testing.T, names ...string) *house {
	t.Helper()
	h := &house{t: t, postgres: testserver.NewPostgres(t, "fsync=off", "full_page_writes=off"), redis: testserver.NewRedis(t)}
	h.database = h.postgres.Database(t, "")
	for _, name := range names {
		h.nodes = append(h.nodes, &node{house: h, name: name, dir: t.TempDir(), address: freeAddress(t)})
	}
	var starting sync.WaitGroup // at once: they wait for each other to make the tables
	for _, n := range h.nodes {
		n.launch()
		starting.Go(func() { n.awaitReady() })
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	store, err := postgres.Open(t.Context(), h.database, postgres.Options{Conns: 2, Patience: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h.store = store
	return h
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// launch starts the process and does not wait until it is ready.
func (n *node) launch() {
	t := n.house.t
	t.Helper()
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(os.Args[0], "serve", "--listen", n.address, "--data", n.dir)
	n.cmd.Env = append(n.house.environ(), asPresence+"=1", "PRESENCE_NODE="+n.name, "PRESENCE_ENGINE="+n.house.redis.URL(),
		"PRESENCE_SIGNING_KEY="+houseKey, fmt.Sprintf("PRESENCE_OFFLINE_AFTER=%s", leases),
		"PRESENCE_HEARTBEAT_INTERVAL=2s", "PRESENCE_LEAVE_GRACE=3s")
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	n.ended = ended
	cmd := n.cmd
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
}

func (h *house) environ() []string {
	return []string{"HOME=" + h.t.TempDir(), "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0", "PRESENCE_DATABASE=" + h.database}
}

func (n *node) awaitReady() {
	for until := time.Now().Add(soon); ; {
		if n.health() == "ready" {
			return
		}
		select {
		case err := <-n.ended:
			n.house.t.Errorf("node %s ended: %v\n%s", n.name, err, n.log())
			return
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(until) {
			n.house.t.Errorf("node %s does not get ready:\n%s", n.name, n.log())
			return
		}
	}
}

// health is the status that /readyz tells: ready, degraded, not ready; or what is wrong with asking.
func (n *node) health() string {
	code, body, err := n.ask("GET", "/readyz", "", "")
	var report struct{ Status string }
	if err != nil || json.Unmarshal(body, &report) != nil {
		return fmt.Sprint(code, err)
	}
	return report.Status
}

func (n *node) log() string {
	text, _ := os.ReadFile(filepath.Join(n.dir, "log"))
	return string(text)
}

// stop ends a node as a service manager does.
func (n *node) stop() {
	n.house.t.Helper()
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-n.ended:
		if err != nil {
			n.house.t.Errorf("node %s ended with %v:\n%s", n.name, err, n.log())
		}
	case <-time.After(soon):
		n.house.t.Errorf("node %s does not end:\n%s", n.name, n.log())
		n.kill()
	}
}

// kill ends a node as a power cut does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.ended
}

// client gives up on a node that stands still, as a balancer would.
var client = &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (n *node) ask(method, path, token, body string) (code int, answer []byte, err error) {
	req, err := http.NewRequest(method, "http://"+n.address+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// must asks and wants a 2xx.
func (n *node) must(method, path, token, body string) []byte {
	n.house.t.Helper()
	code, answer, err := n.ask(method, path, token, body)
	if err != nil || code/100 != 2 {
		n.house.t.Fatalf("%s %s at %s: %d %v %s\n%s", method, path, n.name, code, err, answer, n.log())
	}
	return answer
}

// eventually waits until something holds.
func (h *house) eventually(what string, holds func() bool) {
	h.t.Helper()
	for until := time.Now().Add(soon); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			for _, n := range h.nodes {
				h.t.Logf("node %s:\n%s", n.name, n.log())
			}
			h.t.Fatalf("not within %s: %s", soon, what)
		}
	}
}

// allReady waits until no node misses anything.
func (h *house) allReady() {
	h.t.Helper()
	for _, n := range h.nodes {
		h.eventually("node "+n.name+" is ready", func() bool { return n.health() == "ready" })
	}
}

// member is a person with a token.
type member struct {
	presence.UserID
	name, token string
}

// people makes accounts in the database, with tokens as another issuer with our key makes them.
func (h *house) people(prefix string, count int) []member {
	h.t.Helper()
	members, now := make([]member, count), time.Now()
	err := h.store.Durable(h.t.Context(), func(tx presence.Tx) error {
		for i := range members {
			name := fmt.Sprintf("%s%02d", prefix, i)
			a := presence.Account{Username: name, Email: name + "@example.org", Active: true, CreatedAt: now, JoinedAt: now, UpdatedAt: now}
			if err := tx.InsertAccount(&a); err != nil {
				return err
			}
			members[i] = member{UserID: a.ID, name: name}
		}
		return nil
	})
	for i := range members {
		members[i].token, _ = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"token_type": "access", "user_id": int64(members[i].UserID), "jti": fmt.Sprintf("%s-%d", prefix, i),
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}).SignedString([]byte(houseKey))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return members
}

// status is how a node shows somebody to an admin.
func (n *node) status(admin string, id presence.UserID) string {
	n.house.t.Helper()
	var answer struct {
		Status string `json:"online_status"`
	}
	code, body, err := n.ask("GET", fmt.Sprintf("/api/users/admin/users/%d/online-status/", id), admin, "")
	if err != nil || code != http.StatusOK || json.Unmarshal(body, &answer) != nil {
		return fmt.Sprint(code, err, string(body))
	}
	return answer.Status
}

// history is how often each of the members changed, and to what, since a moment, as it was recorded.
func (h *house) history(members []member, since time.Time) map[presence.UserID][]string {
	h.t.Helper()
	found := map[presence.UserID][]string{}
	for _, m := range members {
		changes, err := h.store.History(h.t.Context(), m.UserID, since, time.Now().Add(time.Hour), 0)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, c := range changes {
			found[m.UserID] = append(found[m.UserID], c.To.String()+" by "+c.Cause.String())
		}
	}
	return found
}

// crowd beats once a second for each of its members, each at a node of their own, and at the next one when that
// does not answer well.
type crowd struct {
	house  *house
	cancel context.CancelFunc
	done   sync.WaitGroup
	beats  atomic.Int64
	failed atomic.Int64

	mu    sync.Mutex // guards the following field
	first string     // what failed first
}

func (h *house) crowd(members []member) *crowd {
	ctx, cancel := context.WithCancel(h.t.Context())
	c := &crowd{house: h, cancel: cancel}
	for i, m := range members {
		c.done.Go(func() { c.beat(ctx, m, i) })
	}
	h.t.Cleanup(c.stop)
	return c
}

func (c *crowd) stop() {
	c.cancel()
	c.done.Wait()
}

func (c *crowd) beat(ctx context.Context, m member, home int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		text := ""
		ok := false
		for try := range 2 { // one retry, elsewhere
			n := c.house.nodes[(home+try)%len(c.house.nodes)]
			code, body, err := n.ask("POST", "/api/users/heartbeat/", m.token, "{}")
			if ok = err == nil && code == http.StatusOK; ok {
				break
			}
			text += fmt.Sprintf("%s at %s: %d %v %s; ", m.name, n.name, code, err, bytes.TrimSpace(body))
		}
		if c.beats.Add(1); !ok && ctx.Err() == nil {
			c.failed.Add(1)
			c.mu.Lock()
			if c.first == "" {
				c.first = text
			}
			c.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// flawless asserts that no beat was lost since the last time.
func (c *crowd) flawless(during string) {
	c.house.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.failed.Swap(0); n > 0 {
		c.house.t.Errorf("%s: %d beats failed, retry and all; the first: %s", during, n, c.first)
	}
	c.first = ""
}
