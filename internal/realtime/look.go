package realtime

import (
	"context"
	"log/slog"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// maxLooked is how many users a reader of scope all may look at: as many as fit on a screen, and some.
	maxLooked = 200
	// seenEvery is how often it is told when those were seen last, where that moved.
	seenEvery = 3 * time.Second
	// accountsEvery is the least pause between two words that accounts changed.
	accountsEvery = 250 * time.Millisecond
)

// notes are frames of which the newest says it all: one that was not sent yet is replaced, so a slow reader is owed
// four at most. They belong to a connection's mu.
type notes struct {
	accounts, seen, job, times *frame
	looked                     []looked // what seen is about; a seen that is replaced would be lost, so none is made while one waits
}

// looked is what a reader was told of a user it looks at.
type looked struct {
	user    presence.UserID
	ls      int64
	devices int
	held    bool
}

func (n *notes) any() bool {
	return n.accounts != nil || n.seen != nil || n.job != nil || n.times != nil
}

func (n *notes) take() (frames []*frame) {
	for _, f := range []*frame{n.times, n.accounts, n.seen, n.job} {
		if f != nil {
			frames = append(frames, f)
		}
	}
	n.accounts, n.seen, n.job, n.times = nil, nil, nil, nil
	return frames
}

// AccountsChanged tells the readers of scope all, soon and without waiting, that Config.Accounts answers anew.
func (f *Feed) AccountsChanged() {
	select {
	case f.hub.accounts <- struct{}{}:
	default: // somebody said so already
	}
}

// SetTold changes what clients are told of the policy, and tells it to all who are connected.
func (f *Feed) SetTold(t Told) {
	f.told.Store(&t)
	frame := plain(wire.FeedTimes{
		T: "times", HeartbeatMS: t.HeartbeatInterval.Milliseconds(), IdleAfterMS: t.IdleAfter.Milliseconds(), OfflineAfterMS: t.OfflineAfter.Milliseconds(),
	})
	for _, c := range f.list(nil) {
		if c.ready.Load() {
			c.note(func(n *notes) { n.times = frame })
		}
	}
}

// Job tells the readers of scope all how far a job is, without waiting. Who is slow is told the newest of several.
func (f *Feed) Job(told wire.FeedJob) {
	frame := plain(told)
	for _, c := range f.hub.members(f.hub.all) {
		c.note(func(n *notes) { n.job = frame })
	}
}

// tellLooked tells readers of scope all what does not come with changes of status: accounts, and when those on the
// screen were seen last.
func (h *hub) tellLooked(ctx context.Context) error {
	seen := time.NewTicker(seenEvery)
	defer seen.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-seen.C:
			for _, c := range h.members(h.all) {
				c.tellSeen(ctx, false)
			}
		case <-h.accounts:
			f := plain(wire.FeedAccounts{T: "accounts", Version: h.feed.cfg.Accounts()})
			for _, c := range h.members(h.all) {
				c.note(func(n *notes) { n.accounts = f })
			}
			if err := sleep(ctx, accountsEvery); err != nil {
				return err
			}
		}
	}
}

// note changes the notes of a connection and has them sent.
func (c *conn) note(change func(*notes)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		return
	}
	if change(&c.notes); c.notes.any() {
		c.wakeLocked()
	}
}

// lookAt replaces the users that the reader looks at, and tells of all of them at once.
func (c *conn) lookAt(users []presence.UserID) {
	c.note(func(n *notes) {
		n.looked, n.seen = make([]looked, len(users)), nil
		for i, user := range users {
			n.looked[i] = looked{user: user, ls: -1}
		}
	})
	c.tellSeen(context.Background(), true) // a connection outlives its request
}

// tellSeen tells of those looked at who were seen since, or have other devices; first: even if there are none.
func (c *conn) tellSeen(ctx context.Context, first bool) {
	c.mu.Lock()
	waiting := c.notes.seen != nil
	was := c.notes.looked // replaced, never modified
	c.mu.Unlock()
	if waiting || len(was) == 0 && !first {
		return
	}
	users := make([]presence.UserID, len(was))
	for i := range was {
		users[i] = was[i].user
	}
	port := c.feed.cfg.Presence
	states, err := port.State(ctx, users)
	if err != nil {
		c.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed cannot read who was seen", slog.Any("err", err))
		return
	}
	devices, err := port.Devices(ctx, users)
	if err != nil {
		c.feed.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "feed cannot read devices", slog.Any("err", err))
		return
	}
	told := wire.FeedSeen{T: "seen", Now: c.feed.cfg.Now().UnixMilli(), IDs: []string{}, LS: []int64{}, Devices: []int{}, Held: []int{}}
	is := make([]looked, len(was))
	for i := range was {
		is[i] = looked{user: users[i], devices: devices[i], held: states[i].Held}
		if !states[i].LastSeen.IsZero() {
			is[i].ls = states[i].LastSeen.UnixMilli()
		}
		if is[i] != was[i] {
			told.IDs, told.LS, told.Devices = append(told.IDs, idText(users[i])), append(told.LS, is[i].ls), append(told.Devices, devices[i])
			held := 0
			if is[i].held {
				held = 1
			}
			told.Held = append(told.Held, held)
		}
	}
	if len(told.IDs) == 0 && !first {
		return
	}
	f := plain(told)
	c.note(func(n *notes) {
		if len(n.looked) == len(was) && (len(was) == 0 || &n.looked[0] == &was[0]) { // else the reader looks elsewhere by now
			n.looked, n.seen = is, f
		}
	})
}
