package memory_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
	"github.com/offchat/presence/internal/memory"
)

var setup = enginetest.Setup{Within: synctest.Test, Open: open}

func TestContract(t *testing.T) { enginetest.Run(t, setup) }

func FuzzAgainstModel(f *testing.F) {
	f.Add([]byte("a login, some beats, a long silence and a logout"))
	f.Fuzz(func(t *testing.T, program []byte) { enginetest.Play(t, setup, program) })
}

// open starts an engine inside a bubble of virtual time.
func open(t *testing.T, policy presence.Policy) *enginetest.Harness {
	h := &enginetest.Harness{
		Now:  time.Now,
		Tick: memory.Tick,
		Wait: func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		},
	}
	run := func(e *memory.Engine) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); e.Run(ctx) }()
		synctest.Wait()
		return func() { cancel(); <-ended }
	}
	engine := memory.New(policy, memory.WithNode("test"))
	stop := run(engine)
	t.Cleanup(func() { stop() })
	h.Engine = engine
	h.Restart = func() {
		stop()
		next := memory.New(policy, memory.WithNode("test"))
		restore(t, engine, next)
		engine = next
		h.Engine = next
		stop = run(next)
	}
	return h
}

// restore carries an engine over to the next one as the server does at a restart: by pages and rows.
func restore(t *testing.T, from, to *memory.Engine) {
	t.Helper()
	ctx := t.Context()
	var pages []presence.Page
	keep := func(_ context.Context, some []presence.Page) error {
		pages = append(pages, slices.Clone(some)...)
		return nil
	}
	for _, kind := range []presence.PageKind{presence.SeenPage, presence.SessionPage} {
		if err := from.Checkpoint(ctx, kind, keep); err != nil {
			t.Fatal(err)
		}
	}
	fill, err := to.Restore(pages)
	if err != nil {
		t.Fatal(err)
	}
	_, everybody, _ := from.Snapshot(ctx)
	err = to.Load(ctx, func(yield func(presence.Record) bool) {
		for p := range everybody {
			state, _, _ := from.Inspect(ctx, p.User)
			r := presence.Record{Presence: presence.Presence{User: p.User}, Hold: state.Hold}
			fill(&r)
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
