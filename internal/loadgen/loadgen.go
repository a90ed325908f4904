// Package loadgen plays people who use a presence server: they register, sign in, send heartbeats, listen on
// WebSockets, fall silent, come back and log out, over real HTTP connections. It measures what they get.
//
// It decides who does what when, and how that is measured. It knows the server only by its wire contract and
// imports nothing of it. How progress and report are shown it leaves to its callers.
package loadgen

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options say what is played. Check tells which values are possible.
type Options struct {
	URL   string // of the server: http://host:port
	Users int    // 1 to 1,000,000
	// Interval is how often each person sends a heartbeat; the beats of all are spread evenly over it. 0: as
	// fast as Workers connections can.
	Interval time.Duration
	// Duration is how long it goes on once everybody is signed in.
	Duration time.Duration
	// Ramp spreads the sign-ins over this time; 0: as fast as SignInWorkers can.
	Ramp time.Duration
	// Sockets is the share of people, 0 to 1, who have a WebSocket open.
	Sockets float64
	// Churn is the share of people, 0 to 1, who go every minute: two in three log out and are back soon, one
	// falls silent until after the timeout.
	Churn float64
	// MeasureOffline people fall silent in the end, to see when the server notices. At most 50: more at once
	// look like an outage to a server that knows the difference.
	MeasureOffline int

	SignInWorkers int // who sign in at the same time, 1 to 1,000
	Workers       int // connections that heartbeats go over, 1 to 10,000

	// Prefix begins all names. What follows is drawn anew for each run, so that each makes its own people,
	// unless KeepNames: then the names are the same each time, and so is Password.
	Prefix    string
	KeepNames bool
	Password  string

	// Leave ends without logging anybody out.
	Leave bool

	// PID is the server's process and Ops its operators' address (http://host:port); either tells its memory.
	PID int
	Ops string
}

// Check says what is wrong with the options, or nil.
func (o *Options) Check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil:
		return fmt.Errorf("the address %q is not of the form http://host:port", o.URL)
	case o.Users < 1 || o.Users > 1_000_000:
		return errors.New("users: 1 to 1,000,000")
	case o.Interval < 0 || o.Interval > time.Hour || o.Interval > 0 && o.Interval < 100*time.Millisecond:
		return errors.New("interval: 0, or 100ms to 1h")
	case o.Duration < 0 || o.Duration > 30*24*time.Hour:
		return errors.New("duration: up to 720h")
	case o.Ramp < 0 || o.Ramp > 24*time.Hour:
		return errors.New("ramp: up to 24h")
	case !share(o.Sockets):
		return errors.New("sockets is a share of the users: 0 to 1")
	case !share(o.Churn):
		return errors.New("churn is a share of the users: 0 to 1")
	case o.MeasureOffline < 0 || o.MeasureOffline > 50:
		return errors.New("measure-offline: 0 to 50")
	case o.SignInWorkers < 1 || o.SignInWorkers > 1000:
		return errors.New("sign-in-workers: 1 to 1,000")
	case o.Workers < 1 || o.Workers > 10_000:
		return errors.New("workers: 1 to 10,000")
	case o.Prefix == "" || len(o.Prefix) > 60:
		return errors.New("prefix: 1 to 60 characters")
	case o.KeepNames && o.Password == "":
		return errors.New("names that are kept need the password they had before")
	}
	return nil
}

func share(v float64) bool { return v >= 0 && v <= 1 }

// Loopback reports whether the server is on this machine.
func (o *Options) Loopback() bool {
	u, err := url.Parse(o.URL)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// Generator is one run. Run is called once; Snapshot may be called from any goroutine meanwhile.
type Generator struct {
	// Static after New.
	opts     Options
	api      *API
	people   []*person
	byName   map[string]*person
	beating  []*person // people and the listener
	listener *person   // has the first socket, and asks when there are no sockets
	errands  *errands

	// Written before the goroutines that read them start.
	start        time.Time
	offlineAfter time.Duration // what the server says
	toldInterval time.Duration

	phase    atomic.Pointer[string]
	steady   atomic.Bool  // everybody is signed in
	settled  atomic.Int64 // people whose first sign-in is over, well or not
	online   atomic.Int64 // people who are signed in
	failed   atomic.Int64 // people who could never sign in
	missed   atomic.Int64 // heartbeats that were not sent because their turn came too late
	calls    [kinds]calls
	late     Histogram // from when a heartbeat was due to when it was sent
	sockets  socketCounts
	allIn    chan struct{} // closed when everybody's first sign-in is over
	baseline struct {      // when everybody was in
		at    time.Time
		beats uint64
	}
	memory   [3]*Usage // before, with everybody in, in the end
	memoryNo string    // why not
	offline  *offlineReport
}

// New prepares a run.
func New(o Options) (*Generator, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	stem := o.Prefix + "-"
	if !o.KeepNames {
		stem += strings.ToLower(rand.Text()[:5]) + "-"
	}
	g := &Generator{
		opts: o, api: NewAPI(o.URL, o.SignInWorkers+2), byName: make(map[string]*person, o.Users),
		errands: newErrands(), allIn: make(chan struct{}),
	}
	add := func(name string) *person {
		p := &person{name: name, password: o.Password}
		if !o.KeepNames {
			sum := sha256.Sum256(append(secret, name...)) // kept nowhere: nobody signs in as them again
			p.password = base64.RawURLEncoding.EncodeToString(sum[:18])
		}
		g.byName[name] = p
		return p
	}
	g.listener = add(stem + "listener")
	g.listener.socketed = o.Sockets > 0
	for i := range o.Users {
		p := add(fmt.Sprintf("%s%04d", stem, i+1))
		p.socketed = int(float64(i+1)*o.Sockets) > int(float64(i)*o.Sockets)
		g.people = append(g.people, p)
	}
	g.beating = append(slices.Clone(g.people), g.listener)
	g.setPhase("connecting")
	return g, nil
}

func (g *Generator) setPhase(name string) { g.phase.Store(&name) }

// Run plays until the duration is over or ctx ends, and reports. It fails only when it could not begin, or
// when nobody could sign in; the report is good as far as it got even then.
func (g *Generator) Run(ctx context.Context) (Report, error) {
	defer g.api.Close()
	g.start = time.Now()
	g.look(ctx, 0)
	if err := g.begin(ctx); err != nil {
		return g.report(false), err
	}
	playing, stop := context.WithCancel(ctx)
	defer stop()
	group, playing := errgroup.WithContext(playing)
	todo := make(chan errand)
	group.Go(func() error { return g.errands.run(playing, todo) })
	for range g.opts.SignInWorkers {
		group.Go(func() error { return g.runErrands(playing, todo) })
	}
	for worker := range min(g.opts.Workers, len(g.beating)) {
		group.Go(func() error { return g.beat(playing, worker) })
	}
	g.signIn(playing)
	if playing.Err() == nil {
		group.Go(func() error { return g.churn(playing) })
		g.play(playing)
	}
	early := ctx.Err() != nil
	g.look(context.WithoutCancel(ctx), 2)
	stop()
	err := group.Wait() // everybody has finished what they were doing
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	r := g.report(early)
	g.end(context.WithoutCancel(ctx))
	r.Calls = g.callReports() // now with the logouts
	if err == nil && r.SignIns.Count == 0 && !early {
		err = errors.New("nobody could sign in")
	}
	return r, err
}

// begin signs the listener in, so that what is wrong with the server is known before hundreds try.
func (g *Generator) begin(ctx context.Context) error {
	in, err := g.enter(ctx, g.listener)
	if err != nil {
		return fmt.Errorf("%s: %w", g.opts.URL, err)
	}
	g.offlineAfter, g.toldInterval = in.OfflineAfter, in.HeartbeatInterval
	g.listener.take(in)
	g.listener.arrived = true
	if !g.listener.socketed {
		return nil
	}
	if err := g.open(ctx, g.listener); err != nil {
		return fmt.Errorf("%s: WebSocket: %w", g.opts.URL, err)
	}
	return nil
}

// signIn lets everybody arrive and returns when they have, or ctx ends.
func (g *Generator) signIn(ctx context.Context) {
	g.setPhase("signing in")
	now := time.Now()
	for i, p := range g.people {
		g.errands.add(errand{at: now.Add(g.opts.Ramp * time.Duration(i) / time.Duration(len(g.people))), p: p, do: arrive})
	}
	select {
	case <-ctx.Done():
	case <-g.allIn:
	}
	g.baseline.at, g.baseline.beats = time.Now(), g.calls[heartbeatEarly].ok.Count()
	g.steady.Store(true)
	g.look(context.WithoutCancel(ctx), 1)
}

// play lets the time pass, and measures near its end how soon silence is noticed.
func (g *Generator) play(ctx context.Context) {
	g.setPhase("running")
	over := time.Now().Add(g.opts.Duration)
	if g.opts.MeasureOffline > 0 && g.offlineAfter > 0 {
		wait(ctx, time.Until(over)-g.offlineAfter-offlinePatience)
		g.measureOffline(ctx)
	}
	wait(ctx, time.Until(over))
}

// end lets everybody log out, and closes what is open.
func (g *Generator) end(ctx context.Context) {
	if !g.opts.Leave {
		g.setPhase("logging out")
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		queue := make(chan *person)
		var workers sync.WaitGroup
		for range g.opts.SignInWorkers {
			workers.Go(func() {
				for p := range queue {
					g.logOut(ctx, p)
				}
			})
		}
		for _, p := range g.beating {
			if p.state != out && p.state != gone {
				queue <- p
			}
		}
		close(queue)
		workers.Wait()
	}
	for _, p := range g.beating {
		p.hangUp()
	}
	g.sockets.running.Wait()
}

// look notes what the server uses: 0 before, 1 with everybody in, 2 in the end.
func (g *Generator) look(ctx context.Context, when int) {
	var u Usage
	var err error
	switch {
	case g.opts.PID > 0:
		u, err = ProcessUsage(g.opts.PID)
	case g.opts.Ops != "":
		u, err = opsUsage(ctx, g.opts.Ops)
	default:
		g.memoryNo = "not measured: name the server's process with --pid, or its operators' address with --ops"
		return
	}
	if err != nil {
		g.memoryNo = "not measured: " + err.Error()
		return
	}
	g.memory[when] = &u
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
