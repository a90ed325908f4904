package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSeveralNodes is one house of three nodes through its days. Nobody of the crowd, who beat all the time, may ever be
// told offline, whatever is stopped, killed or emptied beneath them.
func TestSeveralNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL, Redis and three servers")
	}
	h := openHouse(t, "a", "b", "c")
	a, b, c := h.nodes[0], h.nodes[1], h.nodes[2]
	admin := h.firstAdmin()
	began := time.Now()
	members := h.people("crowd", 12)
	crowd := h.crowd(members)
	for _, n := range h.nodes {
		for _, m := range members {
			h.eventually(m.name+" is online at "+n.name, func() bool { return n.status(admin, m.UserID) == "online" })
		}
	}
	nobodyLeft := func(t *testing.T, during string) {
		t.Helper()
		crowd.flawless(during)
		for id, changes := range h.history(members, began) {
			for _, change := range changes {
				if !strings.HasPrefix(change, "online") {
					t.Errorf("%s: user %d: %v", during, id, changes)
				}
			}
		}
	}

	t.Run("what one node does holds at all", func(t *testing.T) { h.with(t).actsSpread(admin) })
	t.Run("a cursor and a ticket are good at every node", func(t *testing.T) { h.with(t).cursorsAndTickets(admin) })
	t.Run("the command line acts on the database and all nodes follow", func(t *testing.T) { h.with(t).commandLine(admin) })

	t.Run("the engine's server away, and back without its memory", func(t *testing.T) {
		h := h.with(t)
		h.redis.Stop(t)
		for _, n := range h.nodes {
			h.eventually("node "+n.name+" says what it lacks", func() bool { return n.health() == "degraded" })
		}
		h.beatsGoOn(crowd, 3*len(members))
		h.redis.Start(t)
		h.allReady()
		for _, n := range h.nodes {
			for _, m := range members {
				h.eventually(m.name+" is online at "+n.name, func() bool { return n.status(admin, m.UserID) == "online" })
			}
		}
		nobodyLeft(t, "the engine's server away")
	})
	t.Run("the engine's server emptied", func(t *testing.T) {
		h := h.with(t)
		if _, err := h.redis.Ask("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
		h.beatsGoOn(crowd, 3*len(members))
		h.allReady()
		nobodyLeft(t, "the engine's server emptied")
	})
	t.Run("the database away", func(t *testing.T) {
		h := h.with(t)
		h.postgres.Stop(t)
		h.eventually("a login is refused with a time to come back", func() bool {
			req, _ := http.NewRequest("POST", "http://"+b.address+"/api/users/login/", strings.NewReader(`{"username":"ann","password":"`+houseAdmin+`"}`))
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
		})
		h.beatsGoOn(crowd, 3*len(members))
		h.postgres.Start(t)
		h.allReady()
		h.eventually("logins work again", func() bool {
			code, _, err := b.ask("POST", "/api/users/login/", "", `{"username":"ann","password":"`+houseAdmin+`"}`)
			return err == nil && code == http.StatusOK
		})
		nobodyLeft(t, "the database away")
	})
	t.Run("a node killed", func(t *testing.T) {
		h := h.with(t)
		since := time.Now()
		lost := h.people("lost", 4)
		for _, m := range lost {
			b.must("POST", "/api/users/heartbeat/", m.token, "{}")
		}
		b.kill()
		for _, m := range lost {
			h.eventually(m.name+" is offline at the others", func() bool {
				return a.status(admin, m.UserID) == "offline" && c.status(admin, m.UserID) == "offline"
			})
		}
		h.eventually("each of them went once, and all of it was recorded", func() bool {
			found := h.history(lost, since)
			for _, m := range lost {
				if strings.Join(found[m.UserID], ", ") != "online by heartbeat, offline by timeout" {
					return false
				}
			}
			return true
		})
		b.launch()
		b.awaitReady()
		h.eventually("the new one knows them", func() bool {
			return b.status(admin, lost[0].UserID) == "offline" && b.status(admin, members[0].UserID) == "online"
		})
		nobodyLeft(t, "a node killed")
	})
	t.Run("a node that stands still for longer than a lease", func(t *testing.T) {
		h := h.with(t)
		_ = c.cmd.Process.Signal(syscall.SIGSTOP)
		h.beatsFor(crowd, members, leases+4*time.Second)
		_ = c.cmd.Process.Signal(syscall.SIGCONT)
		h.allReady()
		h.beatsGoOn(crowd, 2*len(members))
		nobodyLeft(t, "a node that stood still")
	})
	t.Run("a rolling restart", func(t *testing.T) {
		h := h.with(t)
		for _, n := range h.nodes {
			n.stop()
			n.launch()
			n.awaitReady()
		}
		h.beatsGoOn(crowd, 2*len(members))
		nobodyLeft(t, "a rolling restart")
	})
	crowd.stop()
	for _, m := range members {
		h.eventually(m.name+" left in the end, once", func() bool {
			changes := h.history([]member{m}, began)[m.UserID]
			return len(changes) == 2 && changes[1] == "offline by timeout"
		})
	}
}

// with is the house as a part of the test sees it: its failures are that part's.
func (h *house) with(t *testing.T) *house {
	view := *h
	view.t = t
	return &view
}

// firstAdmin makes the admin by the link that one node printed, at another one.
func (h *house) firstAdmin() (token string) {
	h.t.Helper()
	link := setupLink.FindStringSubmatch(h.nodes[0].log())
	if link == nil {
		h.t.Fatalf("no link:\n%s", h.nodes[0].log())
	}
	r := &running{t: h.t}
	code, body := r.form("http://"+h.nodes[1].address+"/setup", map[string]string{"token": link[1], "username": "ann", "password": houseAdmin})
	if code >= 400 {
		h.t.Fatalf("set-up at another node: %d %s", code, body)
	}
	if code, _ := r.form("http://"+h.nodes[2].address+"/setup", map[string]string{"token": link[1], "username": "eve", "password": houseAdmin}); code < 400 {
		h.t.Errorf("the link worked twice: %d", code)
	}
	return h.login(h.nodes[2], "ann", houseAdmin)
}

func (r *running) form(url string, fields map[string]string) (int, string) {
	var pairs []string
	for k, v := range fields {
		pairs = append(pairs, k+"="+v)
	}
	resp, err := client.Post(url, formType, strings.NewReader(strings.Join(pairs, "&")))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	return resp.StatusCode, text.String()
}

func (h *house) login(n *node, name, password string) (token string) {
	h.t.Helper()
	var answer struct{ Tokens struct{ Access string } }
	body := n.must("POST", "/api/users/login/", "", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password))
	if err := json.Unmarshal(body, &answer); err != nil || answer.Tokens.Access == "" {
		h.t.Fatalf("login: %s", body)
	}
	return answer.Tokens.Access
}

// beatsGoOn waits for so many more beats of a crowd.
func (h *house) beatsGoOn(c *crowd, more int) {
	h.t.Helper()
	from := c.beats.Load()
	h.eventually("the crowd beats", func() bool { return c.beats.Load() >= from+int64(more) })
}

// beatsFor lets so much time go by, in beats.
func (h *house) beatsFor(c *crowd, members []member, d time.Duration) {
	h.t.Helper()
	began := time.Now()
	for time.Since(began) < d {
		h.beatsGoOn(c, len(members))
	}
}

func (n *node) refuses(token string) bool {
	code, _, err := n.ask("POST", "/api/users/heartbeat/", token, "{}")
	return err == nil && code == http.StatusUnauthorized
}

// everywhere has a member known at every node, tokens cached and all.
func (h *house) everywhere(m member) {
	h.t.Helper()
	for _, n := range h.nodes {
		n.must("POST", "/api/users/heartbeat/", m.token, "{}")
	}
}

func (h *house) actsSpread(admin string) {
	a, b, c := h.nodes[0], h.nodes[1], h.nodes[2]
	people := h.people("acted", 5)
	for _, m := range people {
		h.everywhere(m)
	}
	out, banned, shy, chief, seer := people[0], people[1], people[2], people[3], people[4]

	open := b.stream(h, out.token, "?scope=users&users=1")
	a.must("POST", fmt.Sprintf("/api/users/admin/users/%d/force-logout/", out.UserID), admin, "{}")
	if !a.refuses(out.token) {
		h.t.Error("the node of the act itself takes the token")
	}
	h.eventually("force-logout at a: b and c refuse the token", func() bool { return b.refuses(out.token) && c.refuses(out.token) })
	for open.Scan() { // until it ends, or the test's time does
	}

	c.must("POST", fmt.Sprintf("/api/users/admin/users/%d/ban/", banned.UserID), admin, "{}")
	h.eventually("a ban at c: a and b refuse the token", func() bool {
		code, _, _ := a.ask("POST", "/api/users/heartbeat/", banned.token, "{}")
		other, _, _ := b.ask("POST", "/api/users/heartbeat/", banned.token, "{}")
		return code/100 == 4 && other/100 == 4
	})

	if got := a.status(seer.token, shy.UserID); got != "online" {
		h.t.Errorf("before hiding: %s", got)
	}
	b.must("PUT", "/api/v1/me/privacy", shy.token, `{"hide_status":true,"hide_last_seen":false}`)
	h.eventually("hidden at b: hidden at a and c", func() bool {
		return a.status(seer.token, shy.UserID) == "offline" && c.status(seer.token, shy.UserID) == "offline"
	})

	users := "/api/users/admin/users/?per_page=1"
	if code, _, _ := c.ask("GET", users, chief.token, ""); code != http.StatusForbidden {
		h.t.Errorf("a user lists accounts: %d", code)
	}
	a.must("PUT", fmt.Sprintf("/api/users/admin/users/%d/", chief.UserID), admin, `{"role":"admin"}`)
	h.eventually("made an admin at a: an admin at c", func() bool {
		code, _, _ := c.ask("GET", users, chief.token, "")
		return code == http.StatusOK
	})
	a.must("PUT", fmt.Sprintf("/api/users/admin/users/%d/", chief.UserID), admin, `{"role":"user"}`)
	h.eventually("no admin any more at a: none at c", func() bool {
		code, _, _ := c.ask("GET", users, chief.token, "")
		return code == http.StatusForbidden
	})
	b.must("POST", "/api/users/logout/", chief.token, "{}")
	h.eventually("logged out at b: out at a and c", func() bool { return a.refuses(chief.token) && c.refuses(chief.token) })
}

// stream opens the feed as an event stream, which ends with the test.
func (n *node) stream(h *house, token, query string) *bufio.Scanner {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+n.address+"/api/v1/feed"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("feed at %s: %d %s\n%s", n.name, resp.StatusCode, why, n.log())
	}
	return bufio.NewScanner(resp.Body)
}

// frames reads a stream up to a frame with these words and returns the last cursor and the frame.
func frames(t *testing.T, s *bufio.Scanner, words ...string) (cursor, frame string) {
	t.Helper()
	for s.Scan() {
		if id, ok := strings.CutPrefix(s.Text(), "id: "); ok {
			cursor = id
		}
		found := strings.HasPrefix(s.Text(), "data: ")
		for _, word := range words {
			found = found && strings.Contains(s.Text(), word)
		}
		if found {
			return cursor, s.Text()
		}
	}
	t.Fatalf("the stream ended before %v: %v", words, s.Err())
	return "", ""
}

func (h *house) cursorsAndTickets(admin string) {
	a, b, c := h.nodes[0], h.nodes[1], h.nodes[2]
	m := h.people("cursor", 1)[0]
	at := a.stream(h, admin, "?scope=all")
	id := fmt.Sprintf(`"id":"%d"`, m.UserID)
	frames(h.t, at, `"t":"snap"`)
	b.must("POST", "/api/users/heartbeat/", m.token, "{}")
	cursor, _ := frames(h.t, at, `"t":"delta"`, id, `"s":"online"`)
	b.must("POST", "/api/users/logout/", m.token, "{}")
	there := c.stream(h, admin, "?scope=all&since="+cursor)
	frames(h.t, there, `"t":"hello"`, `"resumed":true`)
	frames(h.t, there, `"t":"delta"`, id, `"s":"offline"`, `"c":"logout"`)

	var bought struct{ Ticket string }
	if err := json.Unmarshal(a.must("POST", "/api/v1/feed/ticket", admin, ""), &bought); err != nil {
		h.t.Fatal(err)
	}
	frames(h.t, b.stream(h, "", "?scope=all&ticket="+bought.Ticket), `"t":"hello"`)
	for _, n := range []*node{b, c} {
		if code, _, err := n.ask("GET", "/api/v1/feed?scope=all&ticket="+bought.Ticket, "", ""); code != http.StatusUnauthorized {
			h.t.Errorf("the ticket a second time, at %s: %d %v", n.name, code, err)
		}
	}
}

func (h *house) commandLine(admin string) {
	m := h.people("told", 1)[0]
	h.everywhere(m)
	presenceUser := func(stdin string, args ...string) {
		h.t.Helper()
		cmd := exec.CommandContext(h.t.Context(), os.Args[0], append([]string{"user"}, args...)...)
		cmd.Env, cmd.Stdin = append(h.environ(), asPresence+"=1"), strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			h.t.Fatalf("presence user %v: %v\n%s", args, err, out)
		}
	}
	presenceUser("Another-pass-1\n", "create", "zoe", "--password-stdin")
	presenceUser("", "ban", m.name)
	zoe, err := h.store.AccountByName(h.t.Context(), "zoe")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, n := range h.nodes {
		h.eventually("banned on the command line: refused and offline at "+n.name, func() bool {
			code, _, _ := n.ask("POST", "/api/users/heartbeat/", m.token, "{}")
			return code/100 == 4 && n.status(admin, m.UserID) == "offline"
		})
		h.eventually("made on the command line: known at "+n.name, func() bool { return n.status(admin, zoe.ID) == "offline" })
	}
	h.eventually("the ban is in the history, once", func() bool {
		return strings.Join(h.history([]member{m}, time.Time{})[m.UserID], ", ") == "online by heartbeat, offline by forced"
	})
}
