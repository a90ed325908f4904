// Command crash kills a server under load, again and again, and looks after each restart whether anything that
// was acknowledged is gone.
//
// While the server runs, people register, log in and out, send heartbeats, and an admin makes, approves,
// suspends, bans, activates, changes, logs out and deletes them; every answer is written down here. Then SIGKILL, a
// restart on the same data, and the comparison: accounts as they were left, ended sessions refused, live ones
// good, everybody who was online online, nobody else, and no change of status told or recorded by the restart.
// It prints one line of figures, and exits with 1 when something was lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/internal/loadgen"
)

var (
	cycles  = flag.Int("cycles", 20, "how often the server is killed")
	workers = flag.Int("workers", 8, "who act at the same time")
	least   = flag.Duration("least", time.Second, "shortest time under load before a kill")
	most    = flag.Duration("most", 4*time.Second, "longest time under load before a kill")
	settled = flag.Duration("settled", time.Second, "how long before the kill somebody must have come online to be expected back online; statuses are written down within 1 s")
	binary  = flag.String("binary", "", "the server; default: built from this tree")
	keep    = flag.Bool("keep", false, "keep the data directory")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	t, err := run(ctx)
	stop()
	for _, line := range t.violations {
		fmt.Println("VIOLATION:", line)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
	}
	t.print()
	if err != nil || len(t.violations) > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context) (*trial, error) {
	t := &trial{acknowledged: map[string]int{}}
	dir, err := os.MkdirTemp("", "presence-crash-")
	if err != nil {
		return t, err
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "data in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	if t.binary = *binary; t.binary == "" {
		if t.binary, err = child.Build(ctx, dir); err != nil {
			return t, err
		}
	}
	t.data, t.log = filepath.Join(dir, "data"), filepath.Join(dir, "log")
	if err := child.MakeAdmin(ctx, t.binary, t.data, adminName, adminPassword); err != nil {
		return t, err
	}
	for t.cycle = 0; t.cycle < *cycles; t.cycle++ {
		if err := t.killOnce(ctx); err != nil {
			return t, fmt.Errorf("cycle %d: %w", t.cycle+1, err)
		}
	}
	return t, t.last(ctx)
}

const (
	adminName     = "the-admin"
	adminPassword = "an admin for the trial"
)

// trial is everything that is known across the cycles. Its maps and lists belong to the main goroutine; while
// people act, each worker keeps its own people and counts.
type trial struct {
	binary, data, log string
	cycle             int
	people            []*person

	boots        []time.Duration
	quiet        []interval // from each start of a process until people acted again
	killed       time.Time
	acknowledged map[string]int
	unsure       int // acts that were under way when the server died
	late         int // people who had been online for less than -settled and came back offline
	checks       int
	violations   []string
}

type interval struct{ from, to time.Time }

func (t *trial) violated(format string, args ...any) {
	t.violations = append(t.violations, fmt.Sprintf("cycle %d: ", t.cycle+1)+fmt.Sprintf(format, args...))
}

// killOnce is one cycle: start, compare, act, kill.
func (t *trial) killOnce(ctx context.Context) error {
	server, admin, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer admin.api.Close()
	t.act(ctx, server, admin)
	return ctx.Err()
}

// start boots the server and compares what it says with what is known.
func (t *trial) start(ctx context.Context) (*child.Server, *admin, error) {
	from := time.Now()
	server, err := child.Start(ctx, child.Options{
		// Nobody shall go offline by silence while this runs.
		Binary: t.binary, Data: t.data, CPU: child.AnyCPU, Env: []string{"PRESENCE_OFFLINE_AFTER=1h", "PRESENCE_LOG_LEVEL=warn"}, Log: t.log,
	})
	if err != nil {
		return nil, nil, err
	}
	t.boots = append(t.boots, server.Boot)
	api := loadgen.NewAPI(server.URL, *workers)
	in, err := api.Login(ctx, adminName, adminPassword)
	if err != nil {
		server.Kill()
		return nil, nil, err
	}
	a := &admin{api, in.Access}
	if err := t.compare(ctx, a); err != nil {
		server.Kill()
		return nil, nil, err
	}
	t.quiet = append(t.quiet, interval{from, time.Now()})
	t.checkLiveSessions(ctx, a)
	return server, a, nil
}

// act lets people act for a while and kills the server in the middle of it.
func (t *trial) act(ctx context.Context, server *child.Server, a *admin) {
	crowds := t.crowds(a)
	acting, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	for _, c := range crowds {
		go func() {
			c.act(acting)
			done <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-time.After(*least + rand.N(*most-*least+1)):
	}
	t.killed = time.Now()
	server.Kill()
	stop()
	for range crowds {
		<-done
	}
	t.people = t.people[:0]
	for _, c := range crowds {
		t.people = append(t.people, c.people...)
		t.violations = append(t.violations, c.violations...)
		t.unsure += c.unsure
		for what, n := range c.acknowledged {
			t.acknowledged[what] += n
		}
	}
}

// print writes the line of figures.
func (t *trial) print() {
	total := 0
	words := ""
	for _, what := range acts {
		if n := t.acknowledged[what]; n > 0 {
			total += n
			words += fmt.Sprintf(" %s=%d", what, n)
		}
	}
	slices.Sort(t.boots)
	var median, longest time.Duration
	if n := len(t.boots); n > 0 {
		median, longest = t.boots[n/2], t.boots[n-1]
	}
	fmt.Printf("crash: kills=%d acknowledged=%d (%s ) under-way=%d people=%d checks=%d online-under-%v-and-not-back=%d boot-p50=%dms boot-max=%dms violations=%d\n",
		t.cycle, total, words, t.unsure, len(t.people), t.checks, *settled, t.late, median.Milliseconds(), longest.Milliseconds(), len(t.violations))
}
