package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// trial takes something away from a cluster under load and counts what must not come of it. What does come of it is
// told at the end, with status 1.
type trial struct {
	name string
	with func() (setting, error)
	// people are signed in, of whom a tenth beat (all, where leases are short).
	people func(users int) int
	run    func(c *cluster, ctx context.Context, people []person) error
}

// long leases let everybody known stay online by a single beat; short ones make expiry a matter of seconds.
func long() (setting, error) { return setting{"PRESENCE_OFFLINE_AFTER=30m", "CLUSTER_DOWN=60"}, nil }

const (
	shortLease = 24 * time.Second
	shortBeat  = 6 * time.Second
)

func short() (setting, error) {
	return setting{"PRESENCE_OFFLINE_AFTER=24s", "PRESENCE_HEARTBEAT_INTERVAL=6s", "PRESENCE_LEAVE_GRACE=3s"}, nil
}

func all(users int) int { return users }
func few(users int) int { return min(users, 2000) }

var trials = []trial{
	{"engine", long, all, (*cluster).engineAway},
	{"database", long, all, (*cluster).databaseAway},
	{"acts", long, few, (*cluster).acts},
	{"rolling", short, few, (*cluster).rolling},
	{"kill", short, few, (*cluster).nodeKilled},
	{"stall", short, few, (*cluster).nodeStalled},
	{"expiry", short, few, (*cluster).expiry},
	{"sentinel", sentinels, few, (*cluster).failover},
	{"clocks", clocksApart, few, (*cluster).clocks},
}

func trialNames() (names []string) {
	for _, one := range trials {
		names = append(names, one.name)
	}
	return names
}

func runTrials(ctx context.Context, what string, users int) error {
	wanted := strings.Split(what, ",")
	if what == "trials" {
		wanted = trialNames()
	}
	var failed error
	for _, name := range wanted {
		i := slices.IndexFunc(trials, func(one trial) bool { return one.name == name })
		if i < 0 {
			return fmt.Errorf("there is no trial %q; there are %s", name, strings.Join(trialNames(), ", "))
		}
		if err := trials[i].begin(ctx, users); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

// begin runs a trial on a cluster of its own in which everybody is online.
func (one trial) begin(ctx context.Context, users int) error {
	with, err := one.with()
	if err != nil {
		return err
	}
	defer stopExtras()
	c, err := start(ctx, with)
	if err != nil {
		return err
	}
	defer c.stop()
	people, err := c.fill(ctx, one.people(users))
	if err != nil {
		return err
	}
	if got := c.beat(ctx, people, 32, func(sent int64) bool { return sent < int64(len(people)) }); got.failed > 0 {
		return fmt.Errorf("%d of %d first beats failed", got.failed, got.sent)
	}
	if err := c.await(ctx, func() bool { return c.agree(ctx) }); err != nil {
		return err
	}
	fmt.Printf("\n%s: %d people online at three nodes, load average %s\n", one.name, len(people), loadAverage())
	return errors.Join(one.run(c, ctx, people), c.wrong)
}

// want notes what came otherwise than it must. The trial goes on; the command ends with status 1.
func (c *cluster) want(ok bool, format string, args ...any) {
	if !ok {
		c.wrong = errors.Join(c.wrong, fmt.Errorf(format, args...))
	}
}

// part is a tenth of the people, who beat while the others are only known.
func part(people []person) []person { return people[:max(1000, len(people)/10)] }

// degraded waits until every node says that it lacks something.
func (c *cluster) degraded(ctx context.Context) error {
	return c.await(ctx, func() bool {
		for _, node := range c.nodes {
			if c.health(ctx, node) != "degraded" {
				return false
			}
		}
		return true
	})
}

func (c *cluster) health(ctx context.Context, node string) string {
	var health struct{ Status string }
	_, text, err := c.ask(ctx, http.MethodGet, node+"/readyz", "", "")
	if err != nil || json.Unmarshal(text, &health) != nil {
		return "no answer"
	}
	return health.Status
}

// engineAway takes the engine's server away for a minute: killed and back empty, standing still and back with all it
// knew, and emptied while it runs.
func (c *cluster) engineAway(ctx context.Context, people []person) error {
	for _, how := range []struct {
		name string
		away func() error // until it is back
	}{
		{"killed, back empty after 60 s", func() error {
			c.mu.Lock()
			from := len(c.lines)
			c.mu.Unlock()
			if err := syscall.Kill(c.pid("redis"), syscall.SIGKILL); err != nil {
				return err
			}
			if err := c.noticed(ctx); err != nil {
				return err
			}
			return c.await(ctx, func() bool { return c.said(from, "redis is started again") })
		}},
		{"standing still, back with what it knew after 60 s", func() error {
			if err := syscall.Kill(c.pid("redis"), syscall.SIGSTOP); err != nil {
				return err
			}
			if err := c.noticed(ctx); err != nil {
				return err
			}
			time.Sleep(60 * time.Second)
			return syscall.Kill(c.pid("redis"), syscall.SIGCONT)
		}},
		{"emptied (FLUSHALL)", func() error {
			if _, err := c.command("FLUSHALL"); err != nil {
				return err
			}
			return c.noticed(ctx)
		}},
	} {
		since, load := time.Now(), c.beating(part(people), 30*time.Second)
		time.Sleep(5 * time.Second)
		fmt.Printf("  %s: ", how.name)
		if err := how.away(); err != nil {
			return err
		}
		began := time.Now()
		if err := c.await(ctx, func() bool { return c.agree(ctx) }); err != nil {
			return err
		}
		took := time.Since(began)
		fmt.Printf("all nodes ready and of one mind %s after; ", took.Round(10*time.Millisecond))
		c.want(took <= 5*time.Second, "%s: of one mind only %s after", how.name, took)
		if err := c.verdict(people, since, load, flawless); err != nil {
			return err
		}
	}
	return nil
}

// noticed waits until all nodes call what they know of others stale, and says how long that took.
func (c *cluster) noticed(ctx context.Context) error {
	began := time.Now()
	err := c.degraded(ctx)
	fmt.Printf("said to be stale by all nodes %s after; ", time.Since(began).Round(10*time.Millisecond))
	return err
}

const (
	flawless = true  // no beat may be answered 5xx
	retried  = false // a node was away: a beat may need another one
)

// verdict ends the load and tells how many were told offline who never were.
func (c *cluster) verdict(people []person, since time.Time, load *crowd, strict bool) error {
	time.Sleep(5 * time.Second) // what is behind is written
	told := load.end()
	gone, twice, err := c.offline(people, since)
	fmt.Printf("false transitions %d, recorded twice %d\n    %s\n", gone, twice, told)
	c.want(gone == 0, "%d changes to offline of people who never left", gone)
	c.want(twice == 0, "%d changes recorded twice", twice)
	c.want(load.lost.Load() == 0, "%d beats lost", load.lost.Load())
	c.want(!strict || load.broken.Load() == 0, "%d beats answered 5xx", load.broken.Load())
	return err
}

// databaseAway stops PostgreSQL for a minute. What was acknowledged before and after must be there.
func (c *cluster) databaseAway(ctx context.Context, people []person) error {
	since, load := time.Now(), c.beating(part(people), 30*time.Second)
	writers, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	renamed := people[len(people)-20:]
	acked, tried := make([]int, len(renamed)), make([]int, len(renamed))
	for i, p := range renamed {
		group.Go(func() {
			for writers.Err() == nil {
				tried[i]++
				code, _, err := c.ask(ctx, http.MethodPut, fmt.Sprintf("%s/api/users/admin/users/%d/", c.nodes[i%3], p.id), c.admin,
					fmt.Sprintf(`{"first_name":"n%d"}`, tried[i]))
				if err == nil && code == http.StatusOK {
					acked[i] = tried[i]
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	time.Sleep(5 * time.Second)
	c.mu.Lock()
	from := len(c.lines)
	c.mu.Unlock()
	if err := syscall.Kill(c.pid("postgres"), syscall.SIGINT); err != nil {
		return err
	}
	if err := c.noticed(ctx); err != nil {
		return err
	}
	var logins, lists []time.Duration
	wrong := 0
	for !c.said(from, "postgres is started again") && ctx.Err() == nil {
		began := time.Now()
		resp, err := c.client.Post(c.nodes[len(logins)%3]+"/api/users/login/", "application/json", strings.NewReader(`{"username":"ann","password":"Sekrit-pass-1"}`))
		if err == nil {
			resp.Body.Close()
			if !c.said(from, "postgres is started again") && (resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "") {
				wrong++
			}
		}
		logins = append(logins, time.Since(began))
		began = time.Now()
		if code, _, err := c.ask(ctx, http.MethodGet, c.nodes[len(logins)%3]+"/api/v1/counts", c.admin, ""); err != nil || code != http.StatusOK {
			wrong++
		}
		lists = append(lists, time.Since(began))
		time.Sleep(250 * time.Millisecond)
	}
	began := time.Now()
	if err := c.await(ctx, func() bool { return c.agree(ctx) }); err != nil {
		return err
	}
	fmt.Printf("all nodes ready %s after its return; ", time.Since(began).Round(10*time.Millisecond))
	time.Sleep(2 * time.Second)
	stop()
	group.Wait()
	slices.Sort(logins)
	slices.Sort(lists)
	lost := 0
	for i, p := range renamed {
		n, err := c.number(`SELECT substr(first_name, 2)::bigint FROM users WHERE id = $1`, p.id)
		if err != nil {
			return err
		}
		if n < int64(acked[i]) {
			lost++
		}
	}
	fmt.Printf("%d logins refused with 503 and Retry-After (p50 %s, longest %s), counts read (longest %s), %d of both answered otherwise; of %d accounts being renamed %d lost an acknowledged name\n    ",
		len(logins), share(logins, 0.5), share(logins, 1), share(lists, 1), wrong, len(renamed), lost)
	c.want(wrong == 0, "%d logins or counts answered otherwise while the database was away", wrong)
	c.want(lost == 0, "%d acknowledged names lost", lost)
	return c.verdict(people, since, load, flawless)
}

// acts throws people out at node a while their sockets are open at b and their tokens known at c.
func (c *cluster) acts(ctx context.Context, people []person) error {
	const each = 40
	load := c.beating(people[4*each:], 4*time.Second)
	since := time.Now()
	for k, act := range []struct {
		name string
		do   func(p person) (int, []byte, error)
	}{
		{"logout", func(p person) (int, []byte, error) {
			return c.ask(ctx, http.MethodPost, c.nodes[0]+"/api/users/logout/", p.token, "{}")
		}},
		{"force-logout", func(p person) (int, []byte, error) { return c.actOn(ctx, p, http.MethodPost, "force-logout/") }},
		{"ban", func(p person) (int, []byte, error) { return c.actOn(ctx, p, http.MethodPost, "ban/") }},
		{"delete", func(p person) (int, []byte, error) { return c.actOn(ctx, p, http.MethodDelete, "") }},
	} {
		var sockets, tokens []time.Duration
		for _, p := range people[k*each : (k+1)*each] {
			closed, err := c.open(ctx, c.nodes[1], p)
			if err != nil {
				return err
			}
			if code, _, err := c.ask(ctx, http.MethodPost, c.nodes[2]+"/api/users/heartbeat/", p.token, "{}"); err != nil || code != http.StatusOK {
				return fmt.Errorf("a beat at node c before the act: %d %w", code, err)
			}
			if code, text, err := act.do(p); err != nil || code/100 != 2 {
				return fmt.Errorf("%s: %d %w %s", act.name, code, err, text)
			}
			acknowledged := time.Now()
			refused := make(chan time.Duration, 1)
			go func() {
				for ctx.Err() == nil {
					code, _, err := c.ask(ctx, http.MethodPost, c.nodes[2]+"/api/users/heartbeat/", p.token, "{}")
					if err == nil && (code == http.StatusUnauthorized || code == http.StatusForbidden) {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
				refused <- time.Since(acknowledged)
			}()
			select {
			case at := <-closed:
				sockets = append(sockets, max(0, at.Sub(acknowledged)))
			case <-time.After(30 * time.Second):
				return fmt.Errorf("%s: the socket of %d stays open at node b", act.name, p.id)
			}
			tokens = append(tokens, <-refused)
		}
		slices.Sort(sockets)
		slices.Sort(tokens)
		c.want(share(sockets, 1) <= 2*time.Second && share(tokens, 1) <= 2*time.Second, "%s: takes more than 2 s to reach the other nodes", act.name)
		fmt.Printf("  %s at node a, %d times: socket closed at b p50 %s, p99 %s, longest %s; token refused at c p50 %s, p99 %s, longest %s\n", act.name, each,
			share(sockets, 0.5), share(sockets, 0.99), share(sockets, 1), share(tokens, 0.5), share(tokens, 0.99), share(tokens, 1))
	}
	return c.verdict(people[4*each:], since, load, flawless)
}

func (c *cluster) actOn(ctx context.Context, p person, method, what string) (int, []byte, error) {
	return c.ask(ctx, method, fmt.Sprintf("%s/api/users/admin/users/%d/%s", c.nodes[0], p.id, what), c.admin, "{}")
}

// open opens somebody's own feed, and tells when it was closed.
func (c *cluster) open(ctx context.Context, node string, p person) (<-chan time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/feed?scope=users&users=%d", node, p.id), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("feed: %s", resp.Status)
	}
	closed := make(chan time.Time, 1)
	go func() {
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		closed <- time.Now()
	}()
	return closed, nil
}

// rolling restarts the nodes one after the other, as a new version is rolled out.
func (c *cluster) rolling(ctx context.Context, people []person) error {
	since, load := time.Now(), c.beating(people, shortBeat)
	for _, name := range []string{"node-a", "node-b", "node-c"} {
		began := time.Now()
		if err := c.restarted(ctx, name, syscall.SIGTERM); err != nil {
			return err
		}
		fmt.Printf("  %s is ready again %s after it was told to stop\n", name, time.Since(began).Round(100*time.Millisecond))
	}
	fmt.Print("  ")
	return c.verdict(people, since, load, retried)
}

// restarted ends a node and waits until it is back.
func (c *cluster) restarted(ctx context.Context, name string, by syscall.Signal) error {
	c.mu.Lock()
	from := len(c.lines)
	c.mu.Unlock()
	if err := syscall.Kill(c.pid(name), by); err != nil {
		return err
	}
	if err := c.await(ctx, func() bool { return c.said(from, name+" is started again") }); err != nil {
		return err
	}
	return c.await(ctx, func() bool { return c.agree(ctx) })
}

// nodeKilled kills node b. A tenth of those who beat there stay away; the others come back elsewhere.
func (c *cluster) nodeKilled(ctx context.Context, people []person) error {
	var stay, leave []person
	for i, p := range people {
		if i%3 == 1 && len(leave) < len(people)/30 {
			leave = append(leave, p)
		} else {
			stay = append(stay, p)
		}
	}
	for _, p := range leave {
		if code, _, err := c.ask(ctx, http.MethodPost, c.nodes[1]+"/api/users/heartbeat/", p.token, "{}"); err != nil || code != http.StatusOK {
			return fmt.Errorf("beat: %d %w", code, err)
		}
	}
	since, load := time.Now(), c.beating(stay, shortBeat)
	time.Sleep(3 * time.Second)
	if err := c.restarted(ctx, "node-b", syscall.SIGKILL); err != nil {
		return err
	}
	time.Sleep(2*shortLease + 25*time.Second) // a lease, one more for a fresh node, and what others left unrecorded
	gone, twice, err := c.offline(leave, since)
	if err != nil {
		return err
	}
	fmt.Printf("  %d who stayed away: %d went offline in the history, %d twice; of the %d others: ", len(leave), gone, twice, len(stay))
	c.want(gone == int64(len(leave)) && twice == 0, "of %d who left with the node %d went offline, %d twice", len(leave), gone, twice)
	return c.verdict(stay, since, load, retried)
}

// nodeStalled lets node c stand still for two leases.
func (c *cluster) nodeStalled(ctx context.Context, people []person) error {
	since, load := time.Now(), c.beating(people, shortBeat)
	time.Sleep(3 * time.Second)
	pid := c.pid("node-c")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(2 * shortLease)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return err
	}
	began := time.Now()
	if err := c.await(ctx, func() bool { return c.agree(ctx) }); err != nil {
		return err
	}
	fmt.Printf("  node c stood still for %s, of one mind with the others %s after; ", 2*shortLease, time.Since(began).Round(10*time.Millisecond))
	time.Sleep(shortLease)
	return c.verdict(people, since, load, retried)
}

// expiry lets a tenth fall silent at a time. Three nodes end their leases; everything is to be told once.
func (c *cluster) expiry(ctx context.Context, people []person) error {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	var feeds []*events
	for _, node := range c.nodes {
		feed, err := c.listenTo(listening, node)
		if err != nil {
			return err
		}
		feeds = append(feeds, feed)
	}
	const rounds = 5
	silent := len(people) / 10
	since, load := time.Now(), c.beating(people[rounds*silent:], shortBeat)
	var leaving []*crowd
	for i := range rounds {
		leaving = append(leaving, c.beating(people[i*silent:(i+1)*silent], shortBeat))
	}
	for _, group := range leaving {
		time.Sleep(2 * shortBeat)
		group.end()
	}
	time.Sleep(2*shortLease + 5*time.Second)
	gone := people[:rounds*silent]
	changes, twice, err := c.offline(gone, since)
	if err != nil {
		return err
	}
	fmt.Printf("  %d fell silent: %d changes to offline in the history, %d of them twice;", len(gone), changes, twice)
	c.want(changes == int64(len(gone)) && twice == 0, "of %d who fell silent %d went offline in the history, %d twice", len(gone), changes, twice)
	for i, feed := range feeds {
		once, otherwise := 0, 0
		for _, p := range gone {
			if told := feed.of(p.id); len(told) == 1 && strings.HasPrefix(told[0], "offline by timeout") && slices.Equal(told, feeds[0].of(p.id)) {
				once++
			} else {
				otherwise++
			}
		}
		fmt.Printf(" feed %c: %d once, %d otherwise (%d gaps);", 'a'+i, once, otherwise, feed.gaps)
		c.want(otherwise == 0, "the feed of node %c told %d people's end otherwise than once", 'a'+i, otherwise)
	}
	fmt.Print("\n  of those who beat on: ")
	return c.verdict(people[rounds*silent:], since, load, flawless)
}

// failover kills the master that Sentinel watches.
func (c *cluster) failover(ctx context.Context, people []person) error {
	since, load := time.Now(), c.beating(people, 10*time.Second)
	time.Sleep(3 * time.Second)
	began := time.Now()
	if err := extras[0].Process.Kill(); err != nil {
		return err
	}
	if err := c.noticed(ctx); err != nil {
		return err
	}
	if err := c.await(ctx, func() bool { return c.agree(ctx) }); err != nil {
		return err
	}
	fmt.Printf("all nodes ready and of one mind %s after the master was killed; ", time.Since(began).Round(10*time.Millisecond))
	return c.verdict(people, since, load, flawless)
}

// clocks is about nodes whose clocks are apart: nothing that anybody sees may tell.
func (c *cluster) clocks(ctx context.Context, people []person) error {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	var feeds []*events
	for _, node := range c.nodes {
		feed, err := c.listenTo(listening, node)
		if err != nil {
			return err
		}
		feeds = append(feeds, feed)
	}
	silent := people[:len(people)/20]
	since, load := time.Now(), c.beating(people[len(silent):], shortBeat)
	ended := map[int64]time.Time{}
	for i, p := range silent {
		if code, _, err := c.ask(ctx, http.MethodPost, c.nodes[i%3]+"/api/users/heartbeat/", p.token, "{}"); err != nil || code != http.StatusOK {
			return fmt.Errorf("beat: %d %w", code, err)
		}
		ended[int64(p.id)] = time.Now()
	}
	var refused atomic.Int64
	for i := range c.nodes { // signed in at one node, believed by all, at once
		var answer struct {
			Tokens struct{ Access, Refresh string }
		}
		_, text, err := c.ask(ctx, http.MethodPost, c.nodes[i]+"/api/users/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
		if err := errors.Join(err, json.Unmarshal(text, &answer)); err != nil {
			return err
		}
		for _, node := range c.nodes {
			if code, _, err := c.ask(ctx, http.MethodGet, node+"/api/v1/counts", answer.Tokens.Access, ""); err != nil || code != http.StatusOK {
				refused.Add(1)
			}
			if code, _, err := c.ask(ctx, http.MethodPost, node+"/api/users/refresh/", "", fmt.Sprintf(`{"refresh":%q}`, answer.Tokens.Refresh)); err != nil || code != http.StatusOK {
				refused.Add(1)
			}
		}
	}
	fmt.Printf("  of 18 tokens, access and refresh, from each node at each node: %d refused\n", refused.Load())
	c.want(refused.Load() == 0, "%d of 18 tokens refused", refused.Load())
	apart, ahead, err := c.shown(ctx, people[len(silent):][:60])
	if err != nil {
		return err
	}
	fmt.Printf("  last_seen and since as three nodes show them: at most %s apart, at most %s in the future\n", apart, ahead)
	c.want(apart <= 7*time.Second && ahead <= time.Second, // a beat every 6 s may come between what two nodes say
		"the nodes show times %s apart and %s in the future", apart, ahead)
	time.Sleep(2*shortLease + 5*time.Second)
	changes, twice, err := c.offline(silent, since)
	if err != nil {
		return err
	}
	early, late := time.Duration(0), time.Duration(0)
	for _, p := range silent {
		at, err := c.number(`SELECT coalesce(max(at), 0) FROM history WHERE user_id = $1 AND to_status = 'offline'`, p.id)
		if err != nil {
			return err
		}
		off := time.UnixMicro(at).Sub(ended[int64(p.id)].Add(shortLease))
		early, late = max(early, -off), max(late, off)
	}
	fmt.Printf("  %d fell silent: %d changes to offline, %d twice, at most %s early and %s late by the history;", len(silent), changes, twice,
		early.Round(10*time.Millisecond), late.Round(10*time.Millisecond))
	c.want(changes == int64(len(silent)) && twice == 0, "of %d who fell silent %d went offline, %d twice", len(silent), changes, twice)
	c.want(early <= time.Second && late <= 5*time.Second, "the history tells their end %s early or %s late", early, late)
	same := 0
	for _, p := range silent {
		if a := feeds[0].of(p.id); len(a) > 0 && slices.Equal(a, feeds[1].of(p.id)) && slices.Equal(a, feeds[2].of(p.id)) {
			same++
		}
	}
	fmt.Printf(" the three feeds say the same, in the same order, of %d of them\n  of those who beat on: ", same)
	c.want(same == len(silent), "the feeds say the same of %d of %d people", same, len(silent))
	return c.verdict(people[len(silent):], since, load, flawless)
}

// shown compares what the nodes show of people: how far apart at most, and how far in the future.
func (c *cluster) shown(ctx context.Context, people []person) (apart, ahead time.Duration, err error) {
	for _, p := range people {
		var first, last [2]time.Time
		for i, node := range c.nodes {
			var at struct {
				LastSeen time.Time `json:"last_seen"`
				Since    time.Time `json:"since"`
			}
			code, text, err := c.ask(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/presence/%d", node, p.id), c.admin, "")
			if err := errors.Join(err, json.Unmarshal(text, &at)); err != nil || code != http.StatusOK || at.Since.IsZero() {
				return 0, 0, fmt.Errorf("presence of %d: %d %w %s", p.id, code, err, text)
			}
			for k, shown := range []time.Time{at.LastSeen, at.Since} {
				ahead = max(ahead, time.Until(shown))
				if i == 0 || shown.Before(first[k]) {
					first[k] = shown
				}
				if i == 0 || shown.After(last[k]) {
					last[k] = shown
				}
				apart = max(apart, last[k].Sub(first[k]))
			}
		}
	}
	return apart.Round(time.Millisecond), ahead.Round(time.Millisecond), nil
}
