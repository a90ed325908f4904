package loadgen

import (
	"context"
	"time"
)

const (
	// offlinePatience is how much later than it should a server may tell that somebody is offline before
	// nobody waits any more.
	offlinePatience = 10 * time.Second
	// offlinePoll is how often a status is asked for when there is no socket to hear it from.
	offlinePoll = 50 * time.Millisecond
)

// offlineReport is how soon silence was noticed.
type offlineReport struct {
	Measured     int      `json:"measured"`
	OfflineAfter float64  `json:"offline_after_seconds"`
	By           string   `json:"by"` // "websocket", or "polling every 50 ms"
	Told         int      `json:"told"`
	Early        int      `json:"early"` // told before the time was over, counted from when the last heartbeat was sent
	Never        int      `json:"never"` // not told within 10 s of when it should
	Lateness     *Latency `json:"lateness,omitempty"`
}

// measureOffline has some people send a last heartbeat and then nothing, while the others go on, and waits
// until the server tells that they are offline.
func (g *Generator) measureOffline(ctx context.Context) {
	g.setPhase("measuring when silence is noticed")
	quiet := g.silence(ctx)
	if len(quiet) == 0 || ctx.Err() != nil {
		return
	}
	var last int64
	for _, p := range quiet {
		last = max(last, p.silentBy.Load())
	}
	deadline := g.start.Add(time.Duration(last) + g.offlineAfter + offlinePatience)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	by := "websocket"
	if !g.listener.socketed {
		by = "polling every 50 ms"
		// They cannot be offline earlier than this, short of a mistake, which the first look finds.
		wait(ctx, time.Until(deadline)-offlinePatience-time.Second)
	}
	for ctx.Err() == nil && !g.allTold(ctx, quiet) {
		wait(ctx, offlinePoll)
	}
	g.offline = g.offlineOf(quiet, by)
}

// silence chooses people without a socket who are in, and has each send a last heartbeat.
func (g *Generator) silence(ctx context.Context) (quiet []*person) {
	conn, err := NewConn(g.opts.URL)
	if err != nil {
		return nil
	}
	defer conn.Close()
	for _, p := range g.people {
		if len(quiet) == g.opts.MeasureOffline || ctx.Err() != nil {
			break
		}
		if p.socketed || !p.begin() {
			continue
		}
		if p.state == in && g.sendBeat(ctx, conn, p) == nil {
			p.state = silent
			p.offlineSeen.Store(0)
			p.measured.Store(true)
			quiet = append(quiet, p)
		}
		p.end()
	}
	return quiet
}

// allTold reports whether everybody's silence was noticed; it asks, when there is no socket to hear it from.
func (g *Generator) allTold(ctx context.Context, quiet []*person) bool {
	all := true
	for _, p := range quiet {
		if p.offlineSeen.Load() != 0 {
			continue
		}
		all = false
		if g.listener.socketed {
			continue
		}
		var status string
		err := g.timed(ask, func() (err error) {
			status, err = g.api.OnlineStatus(ctx, g.listener.tokens.Access, p.user)
			return err
		})
		if err == nil && status == "offline" {
			p.offlineSeen.Store(g.since(time.Now()))
		}
	}
	return all
}

func (g *Generator) offlineOf(quiet []*person, by string) *offlineReport {
	r := &offlineReport{Measured: len(quiet), OfflineAfter: g.offlineAfter.Seconds(), By: by}
	var late Histogram
	for _, p := range quiet {
		seen := p.offlineSeen.Load()
		switch {
		case seen == 0:
			r.Never++
			continue
		case seen < p.silentFrom.Load()+int64(g.offlineAfter):
			r.Early++
		}
		r.Told++
		late.Add(time.Duration(seen-p.silentBy.Load()) - g.offlineAfter)
	}
	r.Lateness = latencyOf(&late)
	return r
}
