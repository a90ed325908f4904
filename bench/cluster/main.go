// Command cluster measures three nodes behind what scripts/cluster.sh starts: heartbeats a second and what they cost
// each process, how long a change takes from one node to another, what a user takes in the engine's server, and how
// long everything takes to agree again after a fault.
//
//	make build && go run ./bench/cluster            # 100,000 people, about four minutes
//	go run ./bench/cluster -users 10000 -faults=false
//	go run ./bench/cluster -what engine,database    # trials: faults under load, and what must not come of them (trials.go)
//	go run ./bench/cluster -what trials             # all of them, about half an hour
//
// Everything, the load included, shares the machine: figures are those of the whole.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/postgres"
)

func main() {
	users := flag.Int("users", 100_000, "how many people")
	duration := flag.Duration("duration", 30*time.Second, "how long beats are measured")
	callers := flag.Int("callers", 96, "how many beats are under way at a time")
	samples := flag.Int("samples", 300, "how many changes are followed from node to node")
	faults := flag.Bool("faults", true, "kill the engine's server, the database and a node, and see how long it takes")
	what := flag.String("what", "figures", "figures, or trials with a comma in between: trials (all), "+strings.Join(trialNames(), ", "))
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *what == "figures" {
		err = run(ctx, *users, *duration, *callers, *samples, *faults)
	} else {
		err = runTrials(ctx, *what, *users)
	}
	if err != nil {
		stop()
		log.Fatal(err)
	}
}

func run(ctx context.Context, users int, duration time.Duration, callers, samples int, faults bool) error {
	fmt.Printf("%s, %d processors, load average before: %s\n", runtime.Version(), runtime.NumCPU(), loadAverage())
	c, err := start(ctx, setting{})
	if err != nil {
		return err
	}
	defer c.stop()
	before, err := c.usedMemory()
	if err != nil {
		return err
	}
	began := time.Now()
	people, err := c.fill(ctx, users)
	if err != nil {
		return err
	}
	fmt.Printf("%d accounts with a session each, written in %s\n", users, time.Since(began).Round(time.Second))

	began = time.Now()
	first := c.beat(ctx, people, callers, func(sent int64) bool { return sent < int64(users) })
	fmt.Printf("first beat of everybody (their session is read, they come online): %s, %.0f a second, %d failed\n",
		time.Since(began).Round(100*time.Millisecond), float64(first.sent)/time.Since(began).Seconds(), first.failed)
	time.Sleep(3 * time.Second) // what is behind is written
	after, err := c.usedMemory()
	if err != nil {
		return err
	}
	fmt.Printf("memory in the engine's server: %.0f bytes a user who is online (%d MB in all)\n", float64(after-before)/float64(users), after>>20)

	c.measureBeats(ctx, people, callers, duration)
	if err := c.measureChanges(ctx, people, samples, callers); err != nil {
		return err
	}
	if faults {
		return c.measureFaults(ctx, people, callers)
	}
	return nil
}

// cluster is what scripts/cluster.sh has started.
type cluster struct {
	cmd      *exec.Cmd
	dir      string
	nodes    []string // base URLs
	pids     map[string]int
	database string
	redis    string
	key      []byte
	admin    string
	client   *http.Client
	wrong    error // what a trial has seen that must not be

	mu    sync.Mutex // guards the following field
	lines []string   // what the script has said
}

var (
	nodeLine  = regexp.MustCompile(`node ([abc])  (http://\S+)/  process (\d+)`)
	portsLine = regexp.MustCompile(`PostgreSQL at port (\d+), \S+ at port (\d+)`)
	again     = regexp.MustCompile(`^(\S+) is started again, process (\d+)`)
)

// setting is what a cluster has otherwise than usual, as variables of the environment.
type setting []string

func start(ctx context.Context, more setting) (*cluster, error) {
	dir, err := os.MkdirTemp("", "presence-bench-cluster-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, pids: map[string]int{}, client: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxIdleConns: 2048, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext},
	}}
	c.cmd = exec.Command("scripts/cluster.sh")
	c.cmd.Env = append(append(os.Environ(), "CLUSTER_DIR="+dir, "PORT=18900"), more...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go c.listen(out, ready)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = c.setUp()
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) listen(out io.Reader, ready chan<- error) {
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		line := scan.Text()
		c.mu.Lock()
		c.lines = append(c.lines, line)
		if m := nodeLine.FindStringSubmatch(line); m != nil {
			c.nodes = append(c.nodes, m[2])
			c.pids["node-"+m[1]], _ = strconv.Atoi(m[3])
		}
		if m := portsLine.FindStringSubmatch(line); m != nil {
			c.database = "postgres://presence@127.0.0.1:" + m[1] + "/presence?sslmode=disable"
			c.redis = "127.0.0.1:" + m[2]
		}
		if m := again.FindStringSubmatch(line); m != nil {
			c.pids[m[1]], _ = strconv.Atoi(m[2])
		}
		if i := strings.Index(line, "take redis"); i > 0 || strings.Contains(line, "take valkey") {
			c.pids["redis"], _ = strconv.Atoi(strings.Fields(line)[2])
		}
		if strings.Contains(line, "take PostgreSQL away") {
			c.pids["postgres"], _ = strconv.Atoi(strings.Fields(line)[2])
		}
		c.mu.Unlock()
		if strings.HasPrefix(line, "Ctrl-C") {
			ready <- nil
		}
	}
	select {
	case ready <- errors.New("scripts/cluster.sh ended: " + strings.Join(c.lines, "\n")):
	default:
	}
}

func (c *cluster) pid(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pids[name]
}

func (c *cluster) stop() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGINT)
	_ = c.cmd.Wait() // it was told to end
	_ = os.RemoveAll(c.dir)
}

// setUp makes an admin and reads the key.
func (c *cluster) setUp() error {
	text, err := os.ReadFile(filepath.Join(c.dir, "signing.key"))
	if err != nil {
		return err
	}
	c.key = bytes.TrimRight(text, "\r\n")
	made := exec.Command("bin/presence", "user", "create", "ann", "--role", "admin", "--password-stdin")
	made.Env, made.Stdin = append(os.Environ(), "PRESENCE_DATABASE="+c.database), strings.NewReader("Sekrit-pass-1\n")
	if said, err := made.CombinedOutput(); err != nil {
		return fmt.Errorf("make an admin: %w %s", err, said)
	}
	return c.login()
}

func (c *cluster) login() error {
	var answer struct{ Tokens struct{ Access string } }
	code, body, err := c.ask(context.Background(), http.MethodPost, c.nodes[0]+"/api/users/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("login: %d %w %s", code, err, body)
	}
	err = json.Unmarshal(body, &answer)
	c.admin = answer.Tokens.Access
	return err
}

func (c *cluster) ask(ctx context.Context, method, url, token, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// person is somebody with a token.
type person struct {
	id    presence.UserID
	token string
}

// fill writes accounts and sessions into the database, and tokens for them.
func (c *cluster) fill(ctx context.Context, n int) ([]person, error) {
	store, err := postgres.Open(ctx, c.database, postgres.Options{Conns: 4, Patience: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	people, now := make([]person, 0, n), time.Now().UTC().Truncate(time.Microsecond)
	for len(people) < n {
		var some []person
		err := store.Durable(ctx, func(tx presence.Tx) error {
			some = some[:0]
			for i := len(people); i < min(n, len(people)+1000); i++ {
				name := fmt.Sprintf("p%07d", i)
				a := presence.Account{Username: name, Email: name + "@example.org", Active: true, CreatedAt: now, JoinedAt: now, UpdatedAt: now}
				if err := tx.InsertAccount(&a); err != nil {
					return err
				}
				session := presence.SessionID(1<<40 + i)
				if err := tx.InsertSession(presence.LoginSession{ID: session, User: a.ID, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)}); err != nil {
					return err
				}
				token := c.token(a.ID, session, now)
				some = append(some, person{a.ID, token})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		people = append(people, some...)
	}
	return people, nil
}

// token signs a token in the server's own form, letter by letter.
func (c *cluster) token(user presence.UserID, session presence.SessionID, now time.Time) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil,
		`{"token_type":"access","exp":%d,"iat":%d,"jti":"%032x","user_id":%d,"sid":"%s"}`, now.Add(12*time.Hour).Unix(), now.Unix(), int64(session), user, session))
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type tally struct{ sent, failed int64 }

// beat has people beat in turn, each at a node of their own, while more says so.
func (c *cluster) beat(ctx context.Context, people []person, callers int, more func(sent int64) bool) tally {
	var sent, failed atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				n := sent.Add(1) - 1
				if !more(n) {
					sent.Add(-1)
					return
				}
				i := int(n) % len(people)
				code, _, err := c.ask(ctx, http.MethodPost, c.nodes[i%len(c.nodes)]+"/api/users/heartbeat/", people[i].token, "{}")
				if err != nil || code != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	return tally{sent.Load(), failed.Load()}
}

func (c *cluster) measureBeats(ctx context.Context, people []person, callers int, d time.Duration) {
	names := []string{"node-a", "node-b", "node-c", "redis", "postgres"}
	before := map[string]time.Duration{}
	for _, name := range names {
		before[name] = cpu(c.pid(name))
	}
	own, began := cpu(os.Getpid()), time.Now()
	got := c.beat(ctx, people, callers, func(int64) bool { return time.Since(began) < d })
	took := time.Since(began)
	fmt.Printf("\nbeats at full speed: %.0f a second at three nodes (%d failed), load average %s\n", float64(got.sent)/took.Seconds(), got.failed, loadAverage())
	fmt.Println("CPU seconds per million beats:")
	million := float64(got.sent) / 1e6
	for _, name := range names {
		fmt.Printf("  %-10s %6.1f\n", name, (cpu(c.pid(name))-before[name]).Seconds()/million)
	}
	fmt.Printf("  %-10s %6.1f\n", "the load", (cpu(os.Getpid())-own).Seconds()/million)
}

// measureChanges follows changes from node a, where they happen, to node c, whose feed is read.
func (c *cluster) measureChanges(ctx context.Context, people []person, samples, callers int) error {
	seen := make(chan string, 1<<16)
	feed, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.follow(feed, c.nodes[2], seen); err != nil {
		return err
	}
	few := people[:min(len(people), samples)]
	if err := c.propagation(ctx, few, seen, "at rest"); err != nil {
		return err
	}
	var load sync.WaitGroup
	done := atomic.Bool{}
	load.Go(func() {
		c.beat(ctx, people[len(few):], callers/4, func(int64) bool { return !done.Load() })
	})
	err := c.propagation(ctx, few, seen, "under load")
	done.Store(true)
	load.Wait()
	return err
}

// propagation sets people offline and online at node a, one after the other, and waits for each at node c.
func (c *cluster) propagation(ctx context.Context, people []person, seen <-chan string, when string) error {
	var times []time.Duration
	for _, p := range people {
		for _, body := range []string{`{"status":"offline"}`, `{"status":"online"}`} {
			for len(seen) > 0 {
				<-seen
			}
			want := fmt.Sprintf(`"id":"%d"`, p.id)
			began := time.Now()
			code, text, err := c.ask(ctx, http.MethodPost, fmt.Sprintf("%s/api/users/admin/users/%d/set-online-status/", c.nodes[0], p.id), c.admin, body)
			if err != nil || code != http.StatusOK {
				return fmt.Errorf("set online status: %d %w %s", code, err, text)
			}
			for found := false; !found; {
				select {
				case line := <-seen:
					found = strings.Contains(line, want)
				case <-time.After(20 * time.Second):
					return fmt.Errorf("user %d was not told at node c", p.id)
				}
			}
			times = append(times, time.Since(began))
		}
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return times[int(share*float64(len(times)-1))].Round(100 * time.Microsecond)
	}
	fmt.Printf("an act at node a (durable in PostgreSQL) until the feed of node c tells it, %s: p50 %s, p99 %s, %d changes\n",
		when, at(0.5), at(0.99), len(times))
	return nil
}

// follow reads a node's feed of everybody.
func (c *cluster) follow(ctx context.Context, node string, seen chan<- string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, node+"/api/v1/feed?scope=all", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.admin)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("feed: %s", resp.Status)
	}
	hello := make(chan struct{}, 1)
	go func() {
		defer resp.Body.Close()
		lines := bufio.NewReaderSize(resp.Body, 1<<20)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if strings.Contains(line, `"t":"snap"`) && !strings.Contains(line, `"more":true`) {
				select {
				case hello <- struct{}{}:
				default:
				}
			}
			if strings.Contains(line, `"t":"delta"`) {
				select {
				case seen <- line:
				default:
				}
			}
		}
	}()
	select {
	case <-hello:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the feed does not begin")
	}
}

// measureFaults takes things away while a tenth of the people beat, and sees how long it takes from their return
// until every node says that it lacks nothing and all show the same counts.
func (c *cluster) measureFaults(ctx context.Context, people []person, callers int) error {
	fmt.Println()
	some := people[:min(len(people), max(1000, len(people)/10))]
	for _, fault := range []struct {
		name, process, back string
		do                  func() error
	}{
		{"the engine's server killed, back empty 10 s later", "redis", "redis is started again", func() error { return syscall.Kill(c.pid("redis"), syscall.SIGKILL) }},
		{"the engine's server emptied (FLUSHALL)", "", "", func() error { _, err := c.command("FLUSHALL"); return err }},
		{"the database stopped, back 10 s later", "postgres", "postgres is started again", func() error { return syscall.Kill(c.pid("postgres"), syscall.SIGINT) }},
		{"a node killed, started again at once", "node-b", "node-b is started again", func() error { return syscall.Kill(c.pid("node-b"), syscall.SIGKILL) }},
	} {
		var done atomic.Bool
		var got tally
		var load sync.WaitGroup
		load.Go(func() { got = c.beat(ctx, some, callers/8, func(int64) bool { return !done.Load() }) })
		c.mu.Lock()
		from := len(c.lines)
		c.mu.Unlock()
		if err := fault.do(); err != nil {
			return err
		}
		if fault.back != "" {
			if err := c.await(ctx, func() bool { return c.said(from, fault.back) }); err != nil {
				return fmt.Errorf("%s: %w", fault.name, err)
			}
		}
		began := time.Now()
		if fault.back == "" {
			time.Sleep(1100 * time.Millisecond) // it is noticed within a second
		}
		err := c.await(ctx, func() bool { return c.agree(ctx) })
		took := time.Since(began)
		done.Store(true)
		load.Wait()
		if err != nil {
			return fmt.Errorf("%s: %w", fault.name, err)
		}
		fmt.Printf("%s: all nodes agree %s after; of %d beats meanwhile %d failed (no retry)\n", fault.name, took.Round(10*time.Millisecond), got.sent, got.failed)
	}
	return nil
}

func (c *cluster) said(from int, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.lines[from:], func(line string) bool { return strings.HasPrefix(line, text) })
}

// agree reports whether no node lacks anything, and all count the same people.
func (c *cluster) agree(ctx context.Context) bool {
	counts := map[string]bool{}
	for _, node := range c.nodes {
		var health struct{ Status string }
		_, text, err := c.ask(ctx, http.MethodGet, node+"/readyz", "", "")
		if err != nil || json.Unmarshal(text, &health) != nil || health.Status != "ready" {
			return false
		}
		code, text, err := c.ask(ctx, http.MethodGet, node+"/api/v1/counts", c.admin, "")
		if err != nil || code != http.StatusOK {
			return false
		}
		var stats struct {
			Online  int `json:"online"`
			Away    int `json:"away"`
			Offline int `json:"offline"`
		}
		if json.Unmarshal(text, &stats) != nil {
			return false
		}
		counts[fmt.Sprint(stats)] = true
	}
	return len(counts) == 1
}

func (c *cluster) await(ctx context.Context, holds func() bool) error {
	for until := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) || ctx.Err() != nil {
			return errors.New("not within three minutes")
		}
	}
	return nil
}

// command asks the engine's server something without arguments.
func (c *cluster) command(text string) (string, error) {
	conn, err := net.DialTimeout("tcp", c.redis, 2*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte(text + "\r\n")); err != nil {
		return "", err
	}
	answer := make([]byte, 1<<14)
	n, err := conn.Read(answer)
	return string(answer[:n]), err
}

var usedMemory = regexp.MustCompile(`used_memory:(\d+)`)

func (c *cluster) usedMemory() (int, error) {
	text, err := c.command("INFO memory")
	if err != nil {
		return 0, err
	}
	m := usedMemory.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("the engine's server does not tell its memory: %q", text)
	}
	return strconv.Atoi(m[1])
}

// cpu is what a process and its children, those that have ended among them, have used of the processors.
func cpu(pid int) (total time.Duration) {
	parents := map[int][]int{}
	used := map[int]time.Duration{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		_, rest, ok := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if !ok || len(f) < 15 {
			continue
		}
		number, _ := strconv.Atoi(strings.Split(path, "/")[2])
		parent, _ := strconv.Atoi(f[1])
		var ticks int64
		for _, i := range []int{11, 12, 13, 14} { // utime stime cutime cstime, proc(5)
			n, _ := strconv.ParseInt(f[i], 10, 64)
			ticks += n
		}
		parents[parent] = append(parents[parent], number)
		used[number] = time.Duration(ticks) * 10 * time.Millisecond
	}
	for next := []int{pid}; len(next) > 0; {
		total += used[next[0]]
		next = append(next[1:], parents[next[0]]...)
	}
	return total
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
