package realtime

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// end returns the code of the close frame, 0 while the connection is open.
func (c *client) end() uint16 {
	c.take()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && c.code == 0 {
		return 1006
	}
	return c.code
}

func (h *house) status(user presence.UserID) presence.Presence {
	h.t.Helper()
	states, err := h.engine.State(h.t.Context(), []presence.UserID{user})
	if err != nil {
		h.t.Fatal(err)
	}
	return states[0]
}

func TestAnOpenSocketKeepsOnline(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"7"}`)
		pause(20 * time.Minute)
		if p := h.status(7); p.Status != presence.Online || p.Version != 1 {
			t.Fatalf("after 20 minutes: %+v", p)
		}
		c.say(`{"t":"idle"}`)
		pause(5 * time.Minute)
		if p := h.status(7); p.Status != presence.Away || p.Version != 2 {
			t.Errorf("idle: %+v", p)
		}
		c.say(`{"t":"active"}`)
		if p := h.status(7); p.Status != presence.Online {
			t.Errorf("active: %+v", p)
		}
		_ = c.net.Close()
		pause(9 * time.Second)
		if p := h.status(7); p.Status != presence.Online {
			t.Errorf("within the leave grace: %+v", p)
		}
		pause(2 * time.Second)
		if p := h.status(7); p.Status != presence.Offline || p.Cause != presence.CauseDisconnect {
			t.Errorf("after the leave grace: %+v", p)
		}
	})
}

// A client that comes back while nobody is in front of it shows nobody online, not even for a moment.
func TestAnIdleClientMakesNobodyOnline(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		staff := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true}`)
		pause(time.Second)
		staff.take()
		h.dial(`{"t":"auth","token":"7","idle":true}`)
		pause(time.Second)
		frames := staff.want("delta")
		if got := frames[0].Users; len(got) != 1 || got[0].S != "away" || got[0].From != "offline" {
			t.Errorf("told: %+v", got)
		}
	})
}

func TestLeaveStartsTheGraceAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"7"}`)
		pause(time.Second)
		c.take()
		c.say(`{"t":"leave"}`)
		frames := c.take()
		if bye := frames[len(frames)-1]; bye.T != "bye" || bye.Reason != "bye" || bye.RetryMS != nil {
			t.Errorf("answer: %+v", frames)
		}
		pause(11 * time.Second)
		if p := h.status(7); p.Status != presence.Offline {
			t.Errorf("after leave: %+v", p)
		}
	})
}

func TestObserversMakeNobodyPresent(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"7","observe":true}`)
		c.say(`{"t":"active"}`)
		pause(time.Minute)
		if p := h.status(7); p.Version != 0 || !p.LastSeen.IsZero() {
			t.Errorf("an observer: %+v", p)
		}
	})
}

// How connections end that do not keep to the protocol, or may not be here.
func TestGoodbyes(t *testing.T) {
	many := make([]string, 10_001)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d"`, i+1)
	}
	cases := []struct {
		name, auth string
		say        []string
		after      time.Duration
		code       uint16
		reason     string
	}{
		{"no auth within 10 s", "", nil, 11 * time.Second, 4003, "unauthenticated"},
		{"auth just in time", "", nil, 9 * time.Second, 0, ""},
		{"a bad token", `{"t":"auth","token":"x"}`, nil, 0, 4003, "unauthenticated"},
		{"no token", `{"t":"auth"}`, nil, 0, 4003, "unauthenticated"},
		{"a bad ticket", `{"t":"auth","ticket":"x"}`, nil, 0, 4003, "unauthenticated"},
		{"everybody, for a user", `{"t":"auth","token":"7","scope":"all"}`, nil, 0, 4004, "forbidden"},
		{"a scope there is not", `{"t":"auth","token":"7","scope":"none"}`, nil, 0, 1008, "bad_frame"},
		{"something else first", `{"t":"sub","users":["1"]}`, nil, 0, 1008, "bad_frame"},
		{"auth twice", `{"t":"auth","token":"7"}`, []string{`{"t":"auth","token":"7"}`}, 0, 1008, "bad_frame"},
		{"no JSON", `{"t":"auth","token":"7"}`, []string{`hello`}, 0, 1008, "bad_frame"},
		{"a list", `{"t":"auth","token":"7"}`, []string{`[]`}, 0, 1008, "bad_frame"},
		{"ids as numbers", `{"t":"auth","token":"7"}`, []string{`{"t":"sub","users":[1]}`}, 0, 1008, "bad_frame"},
		{"an id that is none", `{"t":"auth","token":"7","users":["-1"]}`, nil, 0, 1008, "bad_frame"},
		{"an id with a zero before", `{"t":"auth","token":"7","users":["01"]}`, nil, 0, 1008, "bad_frame"},
		{"too many users", `{"t":"auth","token":"7","users":[` + strings.Join(many, ",") + `]}`, nil, 0, 1008, "bad_frame"},
		{"a large frame", `{"t":"auth","token":"7"}`, []string{`{"t":"idle","token":"` + strings.Repeat("x", 64<<10) + `"}`}, 0, 1008, "bad_frame"},
		{"another sort of frame", `{"t":"auth","token":"7"}`, []string{`{"t":"dance"}`}, 0, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t)
				client := h.dial(c.auth)
				for _, frame := range c.say {
					client.say(frame)
				}
				pause(c.after)
				frames := client.take()
				if got := client.end(); got != c.code {
					t.Fatalf("closed with %d, want %d: %+v", got, c.code, frames)
				}
				if c.reason != "" && frames[len(frames)-1].Reason != c.reason {
					t.Errorf("last frame %+v, want the reason %s", frames[len(frames)-1], c.reason)
				}
			})
		})
	}
}

func TestErrorsThatTheConnectionSurvives(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		many := make([]string, 10_000)
		for i := range many {
			many[i] = fmt.Sprintf(`"%d"`, i+1)
		}
		all := `"users":[` + strings.Join(many, ",") + `]`
		c := h.dial(`{"t":"auth","token":"1","observe":true,` + all + `}`)
		frames := c.take()
		if len(frames) != 11 || !frames[1].Full || frames[2].Full || !frames[9].More || frames[10].More {
			t.Fatalf("a picture of 10,000 users: %d frames, %s", len(frames), types(frames))
		}
		c.say(`{"t":"sub",` + all + `}`) // all of them again is none more
		c.say(`{"t":"sub","users":["10001"]}`)
		if got := c.want("error")[0]; got.Code != "too_many_users" || got.Re != "sub" {
			t.Errorf("one more: %+v", got)
		}
		c.say(`{"t":"unsub","users":["1"]}`)
		c.say(`{"t":"sub","users":["10001"]}`)
		if got := c.want("snap")[0]; got.statuses() != "10001:offline" {
			t.Errorf("in its place: %+v", got)
		}
		c = h.dial(`{"t":"auth","token":"1","scope":"counts"}`)
		c.take()
		c.say(`{"t":"sub","users":["1"]}`)
		c.say(`{"t":"dance"}`)
		if got := c.want("error error"); got[0].Code != "wrong_scope" || got[1].Code != "unknown_frame" {
			t.Errorf("errors: %+v", got)
		}
	})
}

func TestSilentAndTalkative(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		deaf, loud := h.dial(`{"t":"auth","token":"7"}`), h.dial(`{"t":"auth","token":"8"}`)
		deaf.mu.Lock()
		deaf.deaf = true
		deaf.mu.Unlock()
		pause(26 * time.Second)
		deaf.say(`{"t":"pong","n":1}`) // not the answer
		pause(8 * time.Second)
		if deaf.end() != 0 {
			t.Fatal("closed before it had 10 s to answer")
		}
		pause(3 * time.Second)
		if deaf.end() != 4005 {
			t.Errorf("no answer to a ping: %d", deaf.end())
		}
		for range 201 {
			if loud.socket.got() {
				loud.say(`{"t":"active"}`)
			}
		}
		pause(time.Millisecond)
		if loud.end() != 4006 {
			t.Errorf("201 frames in a second: %d", loud.end())
		}
	})
}

// A client asks whether the link is alive, and is answered; that keeps nobody online who does not answer us.
func TestAClientsPing(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"7"}`)
		c.mu.Lock()
		c.deaf = true
		c.mu.Unlock()
		c.take()
		c.say(`{"t":"ping","n":42}`)
		if got := string(c.want("pong")[0].text); got != fmt.Sprintf(`{"t":"pong","n":42,"now":%d}`, time.Now().UnixMilli()) {
			t.Errorf("answer: %s", got)
		}
		for range 40 {
			pause(time.Second)
			c.say(`{"t":"ping","n":1}`)
		}
		if c.end() != 4005 {
			t.Errorf("asks and does not answer: %d", c.end())
		}
	})
}

func TestTokens(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.life = 5 * time.Minute
		kept, lost := h.dial(`{"t":"auth","token":"7"}`), h.dial(`{"t":"auth","token":"8"}`)
		pause(3*time.Minute + 50*time.Second)
		for _, f := range kept.take() {
			if f.T == "renew" {
				t.Fatal("asked for a new token too early")
			}
		}
		pause(20 * time.Second)
		if frames := kept.take(); !strings.HasPrefix(types(frames), "renew") {
			t.Fatalf("a minute before the end: %s", types(frames))
		}
		kept.say(`{"t":"token","token":"8"}`)
		kept.say(`{"t":"token","token":"7.1"}`)
		kept.say(`{"t":"token","token":"7"}`)
		got := kept.want("error error token")
		if got[0].Code != "token_refused" || got[2].Expires != time.Now().Add(5*time.Minute).UnixMilli() {
			t.Errorf("renewed: %+v", got)
		}
		pause(time.Minute)
		if kept.end() != 0 || lost.end() != 4002 {
			t.Errorf("renewed %d, not renewed %d", kept.end(), lost.end())
		}
	})
}

func TestTheEndOfASession(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config, _ *times) {
			c.Account = nil
		})
		one, other := h.dial(`{"t":"auth","token":"7.1"}`), h.dial(`{"t":"auth","token":"7.2"}`)
		pause(time.Second)
		h.feed.SessionEnded(7, 7001)
		pause(time.Millisecond)
		if one.end() != 4001 || other.end() != 0 {
			t.Errorf("one session over: %d, the other %d", one.end(), other.end())
		}
		h.feed.SessionEnded(7, presence.EverySession)
		pause(time.Millisecond)
		if other.end() != 4001 {
			t.Errorf("the account changed: %d", other.end())
		}
		_, err := h.engine.Signal(t.Context(), presence.Signal{User: 7, Session: 7003, Kind: presence.Logout, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		late := h.dial(`{"t":"auth","token":"7.3"}`)
		pause(time.Millisecond)
		if late.end() != 4001 {
			t.Errorf("a session that ended while its token was checked: %d", late.end())
		}
	})
}

func TestAChangedRoleComesBackAnew(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config, _ *times) {
			c.Account = func(context.Context, presence.UserID) (bool, bool, error) { return true, false, nil }
		})
		staff, plain := h.dial(`{"t":"auth","token":"s7","scope":"all"}`), h.dial(`{"t":"auth","token":"7"}`)
		pause(time.Second)
		h.feed.SessionEnded(7, presence.EverySession)
		pause(time.Millisecond)
		if staff.end() != 4002 || plain.end() != 0 {
			t.Errorf("no staff any more: %d, never was: %d", staff.end(), plain.end())
		}
	})
}

func TestCaps(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config, _ *times) { c.PerUser, c.PerAddress = 2, 4 })
		first := h.dial(`{"t":"auth","token":"7"}`)
		h.dial(`{"t":"auth","token":"7"}`)
		third := h.dial(`{"t":"auth","token":"7"}`)
		pause(time.Millisecond)
		frames := third.take()
		if third.end() != 1013 || frames[0].RetryMS == nil {
			t.Errorf("the third of two: %+v", frames)
		}
		_ = first.net.Close()
		pause(time.Millisecond)
		if again := h.dial(`{"t":"auth","token":"7"}`); again.end() != 0 {
			t.Error("a place that is free again is not given")
		}
		h.dial("")
		h.dial("")
		if err := h.feed.add(&conn{address: "192.0.2.1"}); presence.KindOf(err) != presence.Throttled {
			t.Errorf("a fifth connection from one address: %v", err)
		}
	})
}

// A restart sends everybody away with a window, and nobody goes offline because of it.
func TestDrain(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		clients := []*client{h.dial(`{"t":"auth","token":"7"}`), h.dial(`{"t":"auth","token":"8"}`), h.dial("")}
		pause(time.Second)
		clients[0].take()
		clients[1].slow.Lock() // takes nothing any more
		defer clients[1].slow.Unlock()
		h.stop()
		frames := clients[0].take()
		bye := frames[len(frames)-1]
		if bye.Reason != "restart" || bye.RetryMS == nil || bye.RetryMS[0] >= bye.RetryMS[1] || clients[0].end() != 1012 || clients[2].end() != 1012 {
			t.Errorf("goodbye %+v, codes %d %d", bye, clients[0].end(), clients[2].end())
		}
		if p := h.status(7); p.Status != presence.Online {
			t.Errorf("after the restart: %+v", p)
		}
		if err := h.feed.add(&conn{}); presence.KindOf(err) != presence.Unavailable {
			t.Errorf("a connection during the restart: %v", err)
		}
	})
}

// A slow reader costs a bounded amount, and others nothing; what it missed it is told as the newest state, or as a
// new picture, and when it takes nothing at all it is cut.
func TestSlowReader(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		auth := `{"t":"auth","token":"s%d","scope":"all","observe":true}`
		var clients []*client
		for i := range 100 {
			clients = append(clients, h.dial(fmt.Sprintf(auth, i+1)))
		}
		pause(time.Second)
		views := make([]view, len(clients))
		slow := clients[0]
		views[0].apply(t, slow.take())
		slow.slow.Lock()
		change := func(users, rounds int) {
			for n := range rounds {
				for u := range users {
					h.set(presence.UserID(1000+u), []presence.Status{presence.Online, presence.Away}[n%2])
				}
				pause(100 * time.Millisecond)
			}
		}
		change(100, 50)
		held := func() int {
			slow.socket.mu.Lock()
			defer slow.socket.mu.Unlock()
			return slow.socket.queued + 16*len(slow.socket.missed)
		}
		if got := held(); got < maxQueued/2 || got > 256<<10 {
			t.Errorf("%d bytes wait for the slow reader", got)
		}
		slow.slow.Unlock()
		pause(time.Second)
		views[0].apply(t, slow.take())
		want := h.status(1000).Version
		if views[0].stale || views[0].users["1000"].V != want || views[0].users["1099"].V != want {
			t.Errorf("after catching up: %+v, want version %d", views[0].users["1000"], want)
		}
		slow.slow.Lock()
		change(maxMissed+500, 3)
		if got := held(); got > 256<<10 {
			t.Errorf("%d bytes wait for a reader that is far behind", got)
		}
		slow.slow.Unlock()
		pause(time.Second)
		frames := slow.take()
		views[0].apply(t, frames)
		if !strings.Contains(types(frames), "gap snap") || len(views[0].users) != maxMissed+500 {
			t.Errorf("far behind: %s, %d users", types(frames), len(views[0].users))
		}
		slow.slow.Lock()
		change(10, 3)
		pause(12 * time.Second)
		slow.slow.Unlock()
		if slow.end() != 1006 || h.feed.Stats().Dropped != 1 {
			t.Errorf("took nothing for 10 s: %d, dropped %d", slow.end(), h.feed.Stats().Dropped)
		}
		seq := h.feed.hub.at.Seq
		for i, c := range clients[1:] {
			v := &views[i+1]
			v.apply(t, c.take())
			if v.seq != seq || v.stale || c.end() != 0 {
				t.Fatalf("another reader is at %d of %d, stale %t, code %d", v.seq, seq, v.stale, c.end())
			}
		}
	})
}

// Whoever stays behind is sent away in the end, with a reason when there is room for one.
func TestForeverBehind(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(_ *Config, times *times) {
			times.behind, times.stuck, times.goodbye = 5*time.Second, time.Hour, time.Hour
		})
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true}`)
		pause(time.Second)
		c.take()
		c.slow.Lock()
		for n := range 40 {
			for u := range 100 {
				h.set(presence.UserID(1000+u), []presence.Status{presence.Online, presence.Away}[n%2])
			}
			pause(100 * time.Millisecond)
		}
		pause(7 * time.Second)
		c.slow.Unlock()
		frames := c.take()
		bye := frames[len(frames)-1]
		if c.end() != 4008 || bye.Reason != "too_slow" || bye.RetryMS == nil || h.feed.Stats().Coalesced == 0 {
			t.Errorf("closed with %d, last frame %+v", c.end(), bye)
		}
	})
}

func TestTickets(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		once, err := h.feed.tickets.issue(7, "7")
		if err != nil {
			t.Fatal(err)
		}
		if c := h.dial(`{"t":"auth","ticket":"` + once + `"}`); c.end() != 0 {
			t.Error("a good ticket is refused")
		}
		if c := h.dial(`{"t":"auth","ticket":"` + once + `"}`); c.end() != 4003 {
			t.Error("a ticket is good twice")
		}
		old, _ := h.feed.tickets.issue(7, "7")
		over, _ := h.feed.tickets.issue(8, "8")
		pause(59 * time.Second)
		h.mu.Lock()
		h.over["8"] = true
		h.mu.Unlock()
		if c := h.dial(`{"t":"auth","ticket":"` + over + `"}`); c.end() != 4003 {
			t.Error("a ticket outlives its session")
		}
		pause(time.Second)
		if c := h.dial(`{"t":"auth","ticket":"` + old + `"}`); c.end() != 4003 {
			t.Error("a ticket is good after a minute")
		}
		for range maxTicketsPerUser {
			_, err = h.feed.tickets.issue(9, "9")
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err = h.feed.tickets.issue(9, "9"); presence.KindOf(err) != presence.Throttled {
			t.Errorf("one ticket too many: %v", err)
		}
		pause(2 * time.Minute)
		if n := len(h.feed.tickets.good); n != 0 {
			t.Errorf("%d tickets are kept after their time", n)
		}
	})
}

// What is appended by hand is what package wire says.
func TestFramesAreThoseOfPackageWire(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_123)
	change := presence.Change{
		Seq: 12, User: 7, From: presence.Away, To: presence.Online, Cause: presence.CauseAdmin, Actor: 3, Node: `a"b`,
		At: at, LastSeen: at.Add(time.Second), Version: 5,
	}
	b := &batch{changes: []presence.Change{change}, staff: wire.FeedCursor{Epoch: "e", Seq: 12}}
	after := uint64(11)
	user := wire.FeedUser{
		ID: "7", S: "online", LS: at.Add(time.Second).UnixMilli(), Since: at.UnixMilli(), V: 5, C: "admin", From: "away", By: "3", Node: `a"b`,
	}
	counts := presence.Counts{Online: 1, Away: 2, Offline: 3}
	wireCounts := &wire.FeedCounts{Online: 1, Away: 2, Offline: 3}
	held := presence.Presence{User: 8, Held: true}
	for _, c := range []struct {
		got  *frame
		want any
	}{
		{b.whole(11, &counts), wire.FeedDelta{T: "delta", Seq: 12, After: &after, Users: []wire.FeedUser{user}, Counts: wireCounts}},
		{
			snapFrame(wire.FeedCursor{Epoch: "e", Seq: 9}, appendUser(nil, &held), true, true, &counts),
			wire.FeedSnap{T: "snap", Epoch: "e", Seq: 9, Full: true, More: true, Users: []wire.FeedUser{{ID: "8", S: "offline", Held: true}}, Counts: wireCounts},
		},
	} {
		want, err := json.Marshal(c.want)
		if err != nil {
			t.Fatal(err)
		}
		var one, two any
		if json.Unmarshal(payloadOf(c.got.ws), &one) != nil || json.Unmarshal(want, &two) != nil || fmt.Sprint(one) != fmt.Sprint(two) {
			t.Errorf("%s\nwant\n%s", payloadOf(c.got.ws), want)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"t":"auth","token":"1","users":["1","2"],"resume":{"epoch":"a","seq":1},"scope":"all"}`))
	f.Add([]byte(`{"t":"pong","n":18446744073709551615}`))
	f.Add([]byte("{\"t\":\"sub\",\"users\":[\"\",\"9223372036854775808\"]}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		req, ids, err := parseFrame(payload)
		if err != nil {
			return
		}
		if req.T == "" || len(ids) > len(req.Users) {
			t.Errorf("%q: %+v %v", payload, req, ids)
		}
		for _, id := range ids {
			if id <= 0 {
				t.Errorf("%q: id %d", payload, id)
			}
		}
		cursor := parseCursor(string(payload))
		if cursor != nil && len(cursor.Epoch) > 64 {
			t.Errorf("%q: cursor %+v", payload, cursor)
		}
	})
}
