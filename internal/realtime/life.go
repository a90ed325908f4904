package realtime

import (
	"context"
	"log/slog"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// times are those of connections; tests use others.
type times struct {
	look    time.Duration // how often connections are looked at
	auth    time.Duration // for the first frame
	ping    time.Duration // between pings
	pong    time.Duration // to answer one
	comment time.Duration // between comments of an event stream
	stuck   time.Duration // a write that takes so long is given up
	behind  time.Duration // a reader that is behind for so long is sent away
	goodbye time.Duration // for the last frame to be taken
	renew   time.Duration // how long before its end a token is to be renewed
}

var usualTimes = times{
	look: time.Second, auth: 10 * time.Second, ping: 25 * time.Second, pong: 10 * time.Second, comment: 15 * time.Second,
	stuck: 10 * time.Second, behind: time.Minute, goodbye: time.Second, renew: time.Minute,
}

// timesFor are the usual times with pings that are well answered within a lease (0: not told), however short: an open
// connection keeps its person online.
func timesFor(lease time.Duration) times {
	t := usualTimes
	if lease > 0 {
		t.ping, t.pong = min(t.ping, lease/3), min(t.pong, lease/4)
	}
	return t
}

var noDeadline time.Time

// goodbye is why a connection ends.
type goodbye uint8

// The goodbyes, as docs/protocol.md lists them, and the ends without one.
const (
	byeBye goodbye = iota
	byeBadFrame
	byeRestart
	byeBusy
	byeSessionOver
	byeTokenExpired
	byeUnauthenticated
	byeForbidden
	byeSilent
	byeTooFast
	byeTooSlow
	endStuck // it took nothing, not even a goodbye
	endGone  // the client, or the network, ended it
	ends     // how many there are
)

var goodbyes = [ends]struct {
	code   uint16
	reason string
}{
	byeBye: {1000, "bye"}, byeBadFrame: {1008, "bad_frame"}, byeRestart: {1012, "restart"}, byeBusy: {1013, "busy"},
	byeSessionOver: {4001, "session_over"}, byeTokenExpired: {4002, "token_expired"}, byeUnauthenticated: {4003, "unauthenticated"},
	byeForbidden: {4004, "forbidden"}, byeSilent: {4005, "silent"}, byeTooFast: {4006, "too_fast"}, byeTooSlow: {4008, "too_slow"},
	endStuck: {0, "stuck"}, endGone: {0, "gone"},
}

// lookSlots is in how many parts the connections are looked at: each once a second, not all at once.
const lookSlots = 20

// look looks at every connection each second: pings, tokens, the silent and the stuck.
func (f *Feed) look(ctx context.Context) error {
	ticker := time.NewTicker(f.times.look / lookSlots)
	defer ticker.Stop()
	var all []*conn
	last, patient := f.cfg.Now(), time.Time{}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		now := f.cfg.Now()
		if now.Sub(last) > f.times.look+presence.StallAfter {
			patient = now.Add(f.times.pong) // we stood still: nobody's silence counts that we could not hear
		}
		last = now
		all = f.inSlot(n%lookSlots, all[:0])
		for _, c := range all {
			if c.net != nil {
				c.look(now, now.Before(patient))
			}
		}
		clear(all)
		if n%(60*lookSlots) == 0 {
			f.tickets.sweep()
		}
	}
}

// look sees to one connection.
func (c *conn) look(now time.Time, patient bool) {
	t := &c.feed.times
	c.frames.Store(0)
	c.mu.Lock()
	ending, behind := c.ending, c.behind
	if c.stuck {
		c.stuck = false
		c.wakeLocked()
	}
	c.mu.Unlock()
	writing := c.writing.Load()
	pinged := c.pinged.Load() != 0 && !patient && now.UnixNano()-c.pingAt.Load() > int64(t.pong)
	expires := c.expires.Load() - now.UnixNano()
	switch {
	case !ending.IsZero():
		if now.Sub(ending) >= t.goodbye {
			_ = c.net.Close()
		}
	case writing != 0 && now.UnixNano()-writing > int64(t.stuck):
		c.cut("takes nothing")
	case !c.ready.Load():
		if now.Sub(c.opened) >= t.auth {
			c.end(byeUnauthenticated, nil)
		}
	case expires <= 0:
		c.end(byeTokenExpired, &[2]int64{0, 1000})
	case pinged:
		c.end(byeSilent, &[2]int64{0, 5000})
	case !behind.IsZero() && now.Sub(behind) > t.behind:
		c.feed.stats.slow.Add(1)
		c.feed.cfg.Metrics.Streams.Dropped.Inc()
		c.end(byeTooSlow, &[2]int64{5000, 30_000})
	default:
		c.keep(now, time.Duration(expires))
	}
}

// keep does what is due on a connection that is well.
func (c *conn) keep(now time.Time, expires time.Duration) {
	t := &c.feed.times
	if !c.sse && expires <= t.renew {
		if !c.renewing {
			c.renewing = true
			c.say(plain(wire.FeedRenew{T: "renew", InMS: expires.Milliseconds()}))
		}
	} else {
		c.renewing = false
	}
	if now.Before(c.nextPing) {
		return
	}
	if c.sse {
		c.nextPing = now.Add(t.comment)
		c.say(&frame{sse: []byte(":\n\n")})
		return
	}
	if c.pinged.Load() == 0 {
		c.nextPing = now.Add(t.ping)
		c.ping(now)
	}
}

// ping asks the client for a sign of life, and tells it the cursor when it has everything up to there.
func (c *conn) ping(now time.Time) {
	h := c.feed.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := uint64(now.UnixMilli())
	p := wire.FeedPing{T: "ping", N: n}
	c.mu.Lock()
	if !c.lost && !c.picture.open && len(c.queue) == 0 && c.missed == nil {
		p.Seq = h.positionLocked(c.viewer.Staff).Seq
	}
	c.mu.Unlock()
	c.pingAt.Store(now.UnixNano())
	c.pinged.Store(n)
	c.say(plain(p))
}

// SessionEnded closes the connections of a session that is over, soon and without waiting. With EverySession the account
// changed: it may not be allowed here any more, or see less. It has the form of auth.Service.OnSessionEnd.
//
// When the API token of a backend ends, so do the connections of those it let in: they may come back with what they are
// given by somebody who still may.
func (f *Feed) SessionEnded(user presence.UserID, session presence.SessionID) {
	if user < 0 {
		window := f.window()
		for _, c := range f.through(user) {
			c.end(byeTokenExpired, window)
		}
	}
	mine := f.of(user)
	if len(mine) == 0 {
		return
	}
	why, retry, staff := byeSessionOver, (*[2]int64)(nil), false
	if session == presence.EverySession && f.cfg.Account != nil {
		active, isStaff, err := f.cfg.Account(context.Background(), user)
		switch {
		case err != nil:
			f.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "account of a feed cannot be read", slog.Int64("user", int64(user)), slog.Any("err", err))
		case active: // the sessions that ended are told one by one
			why, retry, staff = byeTokenExpired, &[2]int64{0, 1000}, isStaff
		}
	}
	for _, c := range mine {
		switch {
		case session != presence.EverySession && c.caller.Session != session:
		case why == byeTokenExpired && c.caller.Staff == staff:
		default:
			c.end(why, retry)
		}
	}
}

// PrivacyChanged makes open feeds follow what a user hides. Call it after Config.Privacy answers anew.
func (f *Feed) PrivacyChanged(user presence.UserID) { f.hub.privacyChanged(user) }

// window is when clients may come back after a restart: 2 ms for each of them, so that they do not all come at once.
func (f *Feed) window() *[2]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &[2]int64{500, min(max(2000, 2*int64(len(f.conns))), 60_000)}
}

// drain sends everybody away and waits until they are gone.
func (f *Feed) drain() {
	f.mu.Lock()
	f.draining = true
	f.mu.Unlock()
	window := f.window()
	for _, c := range f.list(nil) {
		if c.net != nil {
			c.end(byeRestart, window)
		}
	}
	late := time.AfterFunc(2*f.times.goodbye, func() {
		for _, c := range f.list(nil) {
			if c.net != nil {
				_ = c.net.Close()
			}
		}
	})
	defer late.Stop()
	f.open.Wait()
}
