package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence/bench/child"
)

// The trials in small: the same program, the same checks, seconds instead of minutes.

// built is the server, built once for all tests.
var built = sync.OnceValues(func() (string, error) { return child.Build(context.Background(), builds) })

var builds string // a directory for it

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "presence-feed-test-")
	if err != nil {
		panic(err)
	}
	builds = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func openStage(t *testing.T) (*stage, *bytes.Buffer) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the server")
	}
	s := &stage{dir: t.TempDir()}
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	s.binary, s.out = binary, out
	return s, out
}

func TestNobodyMissesAChangeWhenConnectionsBreak(t *testing.T) {
	s, out := openStage(t)
	// Leases long enough for any machine; a wait for somebody who is taken for silent is for the program.
	if err := restartAt(t.Context(), s, 120, pace{lease: patience, moves: 20 * time.Millisecond, calm: 500 * time.Millisecond, back: 300 * time.Millisecond}); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestASlowReaderIsSentAwayAndOthersAreNot(t *testing.T) {
	s, out := openStage(t)
	if err := slowFor(t.Context(), s, 20, time.Second); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
