package auth

import (
	"context"
	"errors"
	"time"
)

// hashQueue lets as many password hashes run at once as there are workers and keeps everybody else in line,
// so that a crowd signing in takes neither all processors nor all memory from those who are signed in.
type hashQueue struct {
	slots chan struct{} // one a worker; goroutines wait in the order they came
	wait  time.Duration
	count *Counters
}

func newHashQueue(workers int, wait time.Duration, count *Counters) *hashQueue {
	return &hashQueue{slots: make(chan struct{}, workers), wait: wait, count: count}
}

var errQueueFull = errors.New("too many passwords to check")

// run calls hash when it is its turn. It gives up, without having called it, with Unavailable after the
// longest wait or when ctx ends.
func (q *hashQueue) run(ctx context.Context, hash func()) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	defer func() { <-q.slots }()
	q.count.HashRuns.Add(1)
	hash()
	return nil
}

func (q *hashQueue) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return unavailable("wait for password check", ctx.Err())
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(q.wait)
	defer patience.Stop()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-patience.C:
		q.count.HashesRefused.Add(1)
		return unavailable("wait for password check", errQueueFull)
	case <-ctx.Done():
		return unavailable("wait for password check", ctx.Err())
	}
}
