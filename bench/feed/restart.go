package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// lease is how long silence may last here: short enough that somebody who was taken for silent is told of within
	// the trial, long enough for everybody to come back from a restart on a machine that the trial keeps busy.
	lease = 90 * time.Second
	// feedsEach is how many connections one account has; a server takes 20.
	feedsEach = 16
	// movers are the people who come and go.
	movers = 20
)

// restart breaks the connections of thousands of readers in three ways, while people come and go: the network goes, the
// server is killed, the server is restarted as planned. Each time every reader comes back with its cursor, and in the end
// holds what the server holds; and those who are there all the time are never told to be gone.
func restart(ctx context.Context, s *stage, feeds int) error {
	return restartAt(ctx, s, feeds, pace{lease: lease, silence: lease + 5*time.Second, moves: 250 * time.Millisecond, calm: 3 * time.Second, back: 3 * time.Second})
}

// pace is how quickly things happen.
type pace struct {
	lease   time.Duration
	silence time.Duration // how long after a fault it is looked whether anybody is taken for silent
	moves   time.Duration // the pause between two changes of status
	calm    time.Duration // how long people move before and after a fault
	back    time.Duration // the longest that a client waits before its first try
}

func restartAt(ctx context.Context, s *stage, feeds int, p pace) error {
	defer s.close()
	quarter := max(feeds/4, 1)
	accounts := (quarter + feedsEach - 1) / feedsEach
	err := s.open(ctx, []string{"PRESENCE_OFFLINE_AFTER=" + p.lease.String(), "PRESENCE_HEARTBEAT_INTERVAL=5s"},
		group{"staff", 3 * accounts, presence.RoleModerator}, group{"admin", 1, presence.RoleAdmin},
		group{"beating", 200, presence.RoleUser}, group{"connected", accounts, presence.RoleUser},
		group{"moving", movers, presence.RoleUser}, group{"watching", accounts, presence.RoleUser})
	if err != nil {
		return err
	}
	c := s.crowd(quarter, p)
	ctx, leave := context.WithCancel(ctx)
	defer c.running.Wait()
	defer leave()
	beats := s.beat(ctx, s.groups["beating"], 5*time.Second)
	defer beats.Wait()
	defer leave()
	if err := c.comeIn(ctx); err != nil {
		return err
	}
	for _, fault := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"network", func(context.Context) error {
			for _, r := range c.readers {
				r.cut()
			}
			return nil
		}},
		{"kill", func(ctx context.Context) error {
			s.server.Kill()
			return s.start(ctx)
		}},
		{"planned", func(ctx context.Context) error {
			if err := s.server.Stop(); err != nil {
				return err
			}
			return s.start(ctx)
		}},
	} {
		if err := c.suffer(ctx, fault.name, fault.do); err != nil {
			return fmt.Errorf("%s: %w", fault.name, err)
		}
	}
	return nil
}

// crowd is all readers, and what they have seen.
type crowd struct {
	*stage
	pace
	tally   *tally
	readers []*reader
	running sync.WaitGroup
	want    int // how many people are to be there all the time
	moved   int // how often somebody was asked to come or go; belongs to move
}

// crowd makes a quarter of the readers staff who watch everybody, a quarter people who are present by their connection
// and watch some, and a quarter of each over server-sent events.
func (s *stage) crowd(quarter int, p pace) *crowd {
	c := &crowd{stage: s, pace: p, tally: &tally{reasons: map[string]int{}, false: map[presence.UserID]wire.FeedUser{}}}
	steady := map[presence.UserID]bool{}
	for _, name := range []string{"beating", "connected"} {
		for _, p := range s.groups[name] {
			steady[p.id] = true
		}
	}
	var watched []presence.UserID
	for _, name := range []string{"moving", "beating"} {
		for _, p := range s.groups[name][:movers] {
			watched = append(watched, p.id)
		}
	}
	add := func(r *reader) {
		r.first, r.held, r.tally, r.steady = s.people[0].id, make([]held, len(s.people)), c.tally, steady
		r.back = p.back
		c.readers = append(c.readers, r)
	}
	by := func(p person) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return p.token, nil }
	}
	staff, watching, connected := s.groups["staff"], s.groups["watching"], s.groups["connected"]
	for i := range quarter {
		one := connected[i/feedsEach]
		device := fmt.Sprint("device ", i%feedsEach)
		add(&reader{listen: overWebSocket, scope: wire.FeedScopeAll, token: by(staff[i/feedsEach]), observe: true})
		add(&reader{listen: overEvents, scope: wire.FeedScopeAll, token: by(staff[len(staff)/3+i/feedsEach])})
		add(&reader{listen: overEvents, scope: wire.FeedScopeUsers, token: by(watching[i/feedsEach]), watched: watched})
		add(&reader{listen: overWebSocket, scope: wire.FeedScopeUsers, watched: watched, token: func(ctx context.Context) (string, error) {
			return s.ticket(ctx, one.id, device)
		}})
	}
	c.want = len(steady)
	return c
}

// patience is how long anything here may take that should take seconds.
const patience = 3 * time.Minute

// comeIn opens all feeds and waits until everybody is there.
func (c *crowd) comeIn(ctx context.Context) error {
	for i, r := range c.readers {
		c.running.Go(func() {
			wait(ctx, time.Duration(i)*time.Millisecond)
			r.run(ctx, c.address)
		})
	}
	if !until(ctx, patience, c.whole) {
		return c.notWhole()
	}
	if !until(ctx, patience, func() bool { return c.online() >= c.want }) {
		return fmt.Errorf("%d of %d people are online", c.online(), c.want)
	}
	c.tally.settled.Store(true)
	return nil
}

func (c *crowd) whole() bool {
	return !slices.ContainsFunc(c.readers, func(r *reader) bool { return !r.isWhole() })
}

func (c *crowd) notWhole() error {
	n, why := 0, ""
	for _, r := range c.readers {
		if !r.isWhole() {
			n++
			r.mu.Lock()
			why = r.trouble
			r.mu.Unlock()
		}
	}
	return fmt.Errorf("%d of %d feeds are not whole; one of them: %s", n, len(c.readers), why)
}

func (c *crowd) online() (n int) {
	r := c.readers[0]
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.held {
		if one.status == "online" {
			n++
		}
	}
	return n
}

// suffer lets people move, does what breaks the connections, and looks at what came of it.
func (c *crowd) suffer(ctx context.Context, name string, fault func(context.Context) error) error {
	t := c.tally
	resumed, resynced, told := t.resumed.Load(), t.resynced.Load(), t.told.Load()
	moving, stop := context.WithCancel(ctx)
	var moves int
	var mover sync.WaitGroup
	mover.Go(func() { moves = c.move(moving) })
	defer mover.Wait()
	defer stop()
	wait(ctx, c.calm)
	t.mu.Lock()
	t.opened, t.reasons = nil, map[string]int{}
	t.mu.Unlock()
	began := time.Now()
	if err := fault(ctx); err != nil {
		return err
	}
	ready := time.Since(began)
	if !until(ctx, patience, func() bool {
		return t.resumed.Load()+t.resynced.Load()-resumed-resynced >= int64(len(c.readers)) && c.whole()
	}) {
		return c.notWhole()
	}
	wait(ctx, c.calm)
	stop()
	mover.Wait()
	wait(ctx, c.silence-time.Since(began)) // whoever were taken for silent would be told of by now
	differ, err := c.compare(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(c.out, "restart: fault=%s feeds=%d resumed=%d resynced=%d byes=%v ready-after=%v last-back-after=%v most-in-100ms=%d moves=%d told=%d missed=%d repeated=%d differ=%d false=%d\n",
		name, len(c.readers), t.resumed.Load()-resumed, t.resynced.Load()-resynced, t.reasons, ready.Round(time.Millisecond),
		t.back.Sub(began).Round(time.Millisecond), most(t.opened, 100*time.Millisecond), moves, t.told.Load()-told,
		t.missed.Load(), t.repeated.Load(), differ, len(t.false))
	for _, line := range t.example {
		fmt.Fprintln(c.out, "  ", line)
	}
	for _, u := range t.false {
		fmt.Fprintf(c.out, "   told, though it was not so: %+v\n", u)
	}
	if t.missed.Load()+t.repeated.Load()+t.wrong.Load()+int64(differ)+int64(len(t.false)) > 0 {
		return errors.New("a promise was broken")
	}
	return nil
}

// move has people come and go, one after the other, until ctx ends. A server that is away is asked again.
func (c *crowd) move(ctx context.Context) (moves int) {
	moving, admin := c.groups["moving"], c.groups["admin"][0]
	for ; ctx.Err() == nil; c.moved++ {
		if c.set(ctx, admin, moving[c.moved%len(moving)].id, c.moved/len(moving)%2 == 0) == nil {
			moves++
		}
		wait(ctx, c.pace.moves)
	}
	return moves
}

// compare counts the readers that hold something else than the server does, once nothing happens any more.
func (c *crowd) compare(ctx context.Context) (differ int, err error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	truth := &reader{
		first: c.people[0].id, held: make([]held, len(c.people)), tally: &tally{reasons: map[string]int{}}, listen: overWebSocket, scope: wire.FeedScopeAll, observe: true,
		token: func(context.Context) (string, error) { return c.groups["admin"][0].token, nil },
	}
	var running sync.WaitGroup
	running.Go(func() { truth.run(ctx, c.address) })
	defer running.Wait()
	defer done()
	if !until(ctx, patience, truth.isWhole) {
		return 0, errors.New("the server tells no picture")
	}
	agree := func() bool {
		differ = 0
		for _, r := range c.readers {
			if !r.agrees(truth) {
				differ++
			}
		}
		return differ == 0
	}
	until(ctx, 30*time.Second, agree)
	return differ, ctx.Err()
}

// agrees reports whether a reader holds what another one holds, as far as both may know.
func (r *reader) agrees(truth *reader) bool {
	truth.mu.Lock()
	want := slices.Clone(truth.held)
	truth.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scope == wire.FeedScopeAll {
		return slices.Equal(r.held, want)
	}
	for _, id := range r.watched {
		at := id - r.first
		if r.held[at].status != want[at].status || r.held[at].since != want[at].since {
			return false
		}
	}
	return true
}

// most is how many moments lie within any one window at most.
func most(moments []time.Time, window time.Duration) (n int) {
	slices.SortFunc(moments, time.Time.Compare)
	for from, to := 0, 0; to < len(moments); to++ {
		for moments[to].Sub(moments[from]) >= window {
			from++
		}
		n = max(n, to-from+1)
	}
	return n
}

func cursorText(c wire.FeedCursor) string { return fmt.Sprintf("%s-%d", c.Epoch, c.Seq) }
