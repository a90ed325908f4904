// Command feed puts the live feed under the load and the faults that its promises speak of, against the real server as
// a process of its own: thousands of readers whose server is killed under them, one that does not read beside many
// that do, one change told to a thousand, backends that ask for a thousand people at once, and ten thousand sockets on
// which nothing happens.
//
//	go run ./bench/feed -what restart -feeds 5000
//	go run ./bench/feed -what slow
//	go run ./bench/feed -what all
//
// It prints one line of figures for each part, and exits with 1 when a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/offchat/presence/bench/child"
)

// trials are what -what names, in the order of all.
var trials = []struct {
	name  string
	feeds int // unless -feeds says otherwise
	run   func(context.Context, *stage, int) error
}{
	{"restart", 5000, restart},
	{"slow", 100, slow},
	{"fanout", 1000, fanout},
	{"query", 0, query},
	{"pings", 10_000, pings},
}

func main() {
	var names []string
	for _, t := range trials {
		names = append(names, t.name)
	}
	what := flag.String("what", "all", strings.Join(names, ", ")+", or all")
	feeds := flag.Int("feeds", 0, "how many connections; 0: what each trial is about")
	binary := flag.String("binary", "", "the server; default: built from this tree")
	flag.Parse()
	if *what != "all" && !slices.Contains(names, *what) {
		fmt.Fprintf(os.Stderr, "feed: -what is %s, or all\n", strings.Join(names, ", "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *what, *feeds, *binary)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "feed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what string, feeds int, binary string) error {
	dir, err := os.MkdirTemp("", "presence-feed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary == "" {
		if binary, err = child.Build(ctx, dir); err != nil {
			return err
		}
	}
	var broken []error
	for _, t := range trials {
		if what != "all" && what != t.name {
			continue
		}
		n := t.feeds
		if feeds > 0 {
			n = feeds
		}
		began := time.Now()
		if err := t.run(ctx, &stage{binary: binary, dir: dir, out: os.Stdout}, n); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", t.name, err))
		}
		fmt.Fprintf(os.Stderr, "feed: %s took %v\n", t.name, time.Since(began).Round(time.Second))
	}
	return errors.Join(broken...)
}
