// Command stall halts a server (SIGSTOP) for longer than its clients' silence may last, while they go on sending
// heartbeats, and counts the changes of status that follow when it runs again. There must be none: a process
// that did not listen cannot say that nobody spoke.
//
// It prints one line of figures, and exits with 1 when somebody changed status.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/internal/sqlite"
)

var (
	people       = flag.Int("users", 200, "people who send heartbeats")
	stops        = flag.Int("stops", 2, "how often the server is halted")
	halt         = flag.Duration("halt", 10*time.Second, "for how long")
	offlineAfter = flag.Duration("offline-after", 12*time.Second, "the server's PRESENCE_OFFLINE_AFTER")
	interval     = flag.Duration("interval", 3*time.Second, "the server's PRESENCE_HEARTBEAT_INTERVAL, and the people's")
	binary       = flag.String("binary", "", "the server; default: built from this tree")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	t := &trial{}
	err := t.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stall:", err)
	}
	fmt.Printf("stall: halts=%d of %v offline-after=%v interval=%v people=%d heartbeats=%d failed=%d slowest=%v told=%d recorded=%d offline-in-the-end=%d\n",
		t.halts, *halt, *offlineAfter, *interval, *people, t.beats.Count(), t.failed.Load(), t.beats.Max().Round(time.Millisecond),
		t.told.Load(), t.recorded, t.offline)
	if err != nil || t.told.Load() != 0 || t.recorded != 0 || t.offline != 0 {
		os.Exit(1)
	}
}

// trial is what is counted.
type trial struct {
	halts    int
	beats    loadgen.Histogram
	failed   atomic.Int64
	told     atomic.Int64 // changes that the listener heard of after everybody was in
	recorded int          // and that are in the history
	offline  int          // people who are not online in the end

	users []int64
}

func (t *trial) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "presence-stall-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		if *binary, err = child.Build(ctx, dir); err != nil {
			return err
		}
	}
	data := filepath.Join(dir, "data")
	server, err := child.Start(ctx, child.Options{
		Binary: *binary, Data: data, CPU: child.AnyCPU, Log: filepath.Join(dir, "log"),
		Env: []string{"PRESENCE_OFFLINE_AFTER=" + offlineAfter.String(), "PRESENCE_HEARTBEAT_INTERVAL=" + interval.String()},
	})
	if err != nil {
		return err
	}
	from, err := t.play(ctx, server)
	if err != nil {
		server.Kill()
		return err
	}
	to := time.Now()
	if err := server.Stop(); err != nil {
		return err
	}
	return t.lookUp(ctx, filepath.Join(data, "presence.db"), from, to)
}

// play signs everybody in, halts the server, and lets people go on until whoever had been taken for silent would
// have been told. It returns since when nobody was to change.
func (t *trial) play(ctx context.Context, server *child.Server) (since time.Time, err error) {
	api := loadgen.NewAPI(server.URL, 8)
	defer api.Close()
	watcher, err := api.Register(ctx, "the-watcher", "a password for the trial")
	if err != nil {
		return since, err
	}
	var settled atomic.Bool
	listener, err := api.Listen(watcher.Access, func(c loadgen.Change) {
		if settled.Load() {
			t.told.Add(1)
			fmt.Fprintln(os.Stderr, c.Username, "is told to be", c.Status)
		}
	})
	if err != nil {
		return since, err
	}
	defer listener.Close()
	beating, stop := context.WithCancel(ctx)
	defer stop()
	group, err := t.signIn(beating, api, server.URL)
	if err != nil {
		return since, err
	}
	if err := t.keepBeating(beating, group, server.URL, watcher.Access); err != nil {
		return since, err
	}
	wait(ctx, *interval)
	since = time.Now()
	settled.Store(true)
	for ; t.halts < *stops && ctx.Err() == nil; t.halts++ {
		if err := halted(ctx, server, *halt); err != nil {
			return since, err
		}
		wait(ctx, *halt/2)
	}
	wait(ctx, *offlineAfter+2*(*interval))
	settled.Store(false)
	for _, user := range t.users {
		if status, err := api.OnlineStatus(ctx, watcher.Access, user); err != nil || status != "online" {
			t.offline++
		}
	}
	stop()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return since, err
	}
	return since, ctx.Err()
}

// signIn registers everybody, a few at a time; each sends heartbeats from then on, over a connection of their own.
func (t *trial) signIn(ctx context.Context, api *loadgen.API, url string) (*errgroup.Group, error) {
	beating := &errgroup.Group{}
	registering, joined := errgroup.WithContext(ctx)
	registering.SetLimit(4)
	var mu sync.Mutex // guards t.users
	for i := range *people {
		registering.Go(func() error {
			in, err := api.Register(joined, fmt.Sprintf("person-%d", i), "a password for the trial")
			if err != nil {
				return err
			}
			mu.Lock()
			t.users = append(t.users, in.User)
			mu.Unlock()
			return t.keepBeating(ctx, beating, url, in.Access)
		})
	}
	return beating, registering.Wait()
}

// keepBeating sends somebody's heartbeats until ctx ends.
func (t *trial) keepBeating(ctx context.Context, group *errgroup.Group, url, token string) error {
	conn, err := loadgen.NewConn(url)
	if err == nil {
		group.Go(func() error { return t.beat(ctx, conn, token) })
	}
	return err
}

func (t *trial) beat(ctx context.Context, conn *loadgen.Conn, token string) error {
	defer conn.Close()
	ticker := time.NewTicker(*interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		began := time.Now()
		err := conn.Heartbeat(ctx, token)
		switch {
		case err == nil:
			t.beats.Add(time.Since(began))
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			t.failed.Add(1)
			if loadgen.StatusOf(err) == http.StatusUnauthorized {
				return err
			}
		}
	}
}

// halted stops the server's process for so long. It always lets it go on.
func halted(ctx context.Context, server *child.Server, d time.Duration) error {
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	wait(ctx, d)
	return server.Signal(syscall.SIGCONT)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// lookUp counts the changes in the history.
func (t *trial) lookUp(ctx context.Context, database string, from, to time.Time) error {
	store, err := sqlite.Open(ctx, database, sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	for _, user := range t.users {
		changes, err := store.History(ctx, presence.UserID(user), from, to, 1000)
		if err != nil {
			return err
		}
		t.recorded += len(changes)
	}
	return nil
}
