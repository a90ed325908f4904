package loadgen

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// beat is one worker: it sends the heartbeats of its share of the people, each when it is due, over one
// connection. With an interval, person i of n is due at i/n of it; without one, as soon as it is their turn.
func (g *Generator) beat(ctx context.Context, worker int) error {
	conn, err := NewConn(g.opts.URL)
	if err != nil {
		return err
	}
	defer conn.Close()
	step := min(g.opts.Workers, len(g.beating))
	for due := time.Now(); ctx.Err() == nil; {
		round := 0
		for i := worker; i < len(g.beating) && ctx.Err() == nil; i += step {
			turn := due.Add(g.opts.Interval * time.Duration(i) / time.Duration(len(g.beating)))
			wait(ctx, time.Until(turn))
			if g.beatOne(ctx, conn, g.beating[i], turn) {
				round++
			}
		}
		due = g.nextRound(due)
		if g.opts.Interval == 0 && round == 0 {
			wait(ctx, 10*time.Millisecond) // nobody is in yet
		}
	}
	return ctx.Err()
}

// nextRound is when the next round begins. A server that was away for longer than an interval is not sent the
// beats of that time.
func (g *Generator) nextRound(due time.Time) time.Time {
	next := due.Add(g.opts.Interval)
	if g.opts.Interval == 0 {
		return time.Now()
	}
	for time.Since(next) > g.opts.Interval {
		next = next.Add(g.opts.Interval)
		g.missed.Add(1)
	}
	return next
}

// beatOne sends one person's heartbeat, if they are to send one. It reports whether it did.
func (g *Generator) beatOne(ctx context.Context, conn *Conn, p *person, due time.Time) bool {
	if ctx.Err() != nil || p.measured.Load() || !p.begin() {
		return false
	}
	defer p.end()
	now := time.Now()
	if p.state != in || now.Before(p.restUntil) {
		return false
	}
	if g.opts.Interval > 0 {
		g.late.Add(now.Sub(due))
	}
	_ = g.sendBeat(ctx, conn, p)
	return true
}

// sendBeat sends a heartbeat of somebody who is in, and does what the answer asks for.
func (g *Generator) sendBeat(ctx context.Context, conn *Conn, p *person) error {
	k := heartbeatEarly
	if g.steady.Load() {
		k = heartbeat
	}
	err := g.fresh(ctx, p)
	if err == nil {
		sent := time.Now()
		err = conn.Heartbeat(ctx, p.tokens.Access)
		answered := time.Now()
		g.calls[k].count(answered.Sub(sent), err)
		p.silentFrom.Store(g.since(sent))
		p.silentBy.Store(g.since(answered))
	}
	var refused *StatusError
	switch {
	case err == nil || !errors.As(err, &refused):
	case refused.Status == http.StatusUnauthorized, refused.Status == http.StatusForbidden:
		g.thrownOut(p)
	case refused.Status == http.StatusTooManyRequests, refused.Status == http.StatusServiceUnavailable:
		p.restUntil = time.Now().Add(max(refused.RetryAfter, time.Second))
	}
	return err
}

// thrownOut is when an admin, or the end of a token, took somebody's session. They come back, as people do.
func (g *Generator) thrownOut(p *person) {
	p.state = out
	g.online.Add(-1)
	p.hangUp()
	g.errands.add(errand{at: time.Now().Add(someOf(10 * time.Second)), p: p, do: comeBack})
}

// churn has people go, at even intervals: two in three log out, one falls silent.
func (g *Generator) churn(ctx context.Context) error {
	perMinute := g.opts.Churn * float64(len(g.people))
	if perMinute == 0 {
		return nil
	}
	ticker := time.NewTicker(max(time.Duration(float64(time.Minute)/perMinute), time.Millisecond))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		p := g.people[rand.IntN(len(g.people))]
		do := leave
		if n%3 == 2 && !p.socketed && g.offlineAfter > 0 { // an open socket is a sign of life
			do = fallSilent
		}
		g.errands.add(errand{at: time.Now(), p: p, do: do})
	}
}

// someOf is half of d to one and a half.
func someOf(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
