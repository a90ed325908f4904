package loadgen

import (
	"container/heap"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// act is what somebody does now and then.
type act uint8

const (
	arrive     act = iota // sign in for the first time
	leave                 // log out, to come back soon
	comeBack              // sign in again
	fallSilent            // say nothing until after the timeout
	speak                 // say something again
	listen                // open a WebSocket
)

// errand is something that somebody has to do at some time.
type errand struct {
	at time.Time
	p  *person
	do act
}

// errands are those that are not due yet, or wait for a worker. Its methods may be called from any goroutine.
type errands struct {
	wake chan struct{} // there is a new first one

	mu    sync.Mutex // guards the following field
	queue errandHeap
}

func newErrands() *errands { return &errands{wake: make(chan struct{}, 1)} }

func (e *errands) add(one errand) {
	e.mu.Lock()
	heap.Push(&e.queue, one)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// take removes the first errand when it is due; otherwise it says how long until it is.
func (e *errands) take(now time.Time) (one errand, due bool, in time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		return errand{}, false, time.Hour
	}
	if in = e.queue[0].at.Sub(now); in > 0 {
		return errand{}, false, in
	}
	return heap.Pop(&e.queue).(errand), true, 0
}

// run hands every errand to a worker when it is due, until ctx ends.
func (e *errands) run(ctx context.Context, workers chan<- errand) error {
	for {
		one, due, in := e.take(time.Now())
		if due {
			select {
			case workers <- one:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		timer := time.NewTimer(in)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

type errandHeap []errand

func (h errandHeap) Len() int           { return len(h) }
func (h errandHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h errandHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *errandHeap) Push(x any)        { *h = append(*h, x.(errand)) }
func (h *errandHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// runErrands is one of those who run errands.
func (g *Generator) runErrands(ctx context.Context, todo <-chan errand) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case one := <-todo:
			if one.p.measured.Load() {
				continue
			}
			if !one.p.begin() {
				one.at = time.Now().Add(20 * time.Millisecond)
				g.errands.add(one)
				continue
			}
			g.runErrand(ctx, one)
			one.p.end()
		}
	}
}

// runErrand does one thing of somebody who has time for it. What does not fit what they are up to is dropped.
func (g *Generator) runErrand(ctx context.Context, one errand) {
	p := one.p
	switch {
	case one.do == arrive || one.do == comeBack && p.state == out:
		g.comeIn(ctx, one)
	case one.do == leave && p.state == in:
		if g.logOut(ctx, p); p.state == out {
			g.errands.add(errand{at: time.Now().Add(someOf(8 * time.Second)), p: p, do: comeBack})
		}
	case one.do == fallSilent && p.state == in:
		p.state = silent
		p.loginSent.Store(0) // the heartbeat that ends it is no login
		g.errands.add(errand{at: time.Now().Add(g.offlineAfter + someOf(15*time.Second)), p: p, do: speak})
	case one.do == speak && p.state == silent:
		p.state = in // and the next heartbeat is theirs
	case one.do == listen && p.state != out && p.state != gone:
		g.listenAgain(ctx, p)
	}
}

const (
	// maxTries is how often somebody tries to sign in at a server that is busy or away.
	maxTries = 100
	// firstTries is how often when nothing else is known to work.
	firstTries = 5
)

// comeIn signs somebody in, or plans another try.
func (g *Generator) comeIn(ctx context.Context, one errand) {
	p := one.p
	got, err := g.enter(ctx, p)
	if err == nil {
		p.take(got)
		g.online.Add(1)
		p.tries = 0
		g.isIn(p)
		if p.socketed {
			g.listenAgain(ctx, p)
		}
		return
	}
	p.loginSent.Store(0)
	if ctx.Err() != nil {
		return
	}
	var refused *StatusError
	again := time.Second
	p.tries++
	most := firstTries
	if g.online.Load() > 0 {
		most = maxTries
	}
	if errors.As(err, &refused) {
		busy := refused.Status == http.StatusTooManyRequests || refused.Status >= 500
		if again = max(refused.RetryAfter, time.Second); busy && p.tries < maxTries {
			g.errands.add(errand{at: time.Now().Add(someOf(again)), p: p, do: one.do})
			return
		}
	} else if p.tries < most {
		g.errands.add(errand{at: time.Now().Add(someOf(again)), p: p, do: one.do})
		return
	}
	p.state = gone
	if !p.arrived {
		g.failed.Add(1)
	}
	g.isIn(p)
}

// isIn notes that somebody's first sign-in is over.
func (g *Generator) isIn(p *person) {
	if p.arrived {
		return
	}
	p.arrived = true
	if g.settled.Add(1) == int64(len(g.people)) {
		close(g.allIn)
	}
}
