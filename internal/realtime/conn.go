package realtime

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// maxUsers is how many users one connection may watch.
	maxUsers = 10_000
	// maxQueued and maxMissed bound what waits for one connection: frames, then users whose newest state it is
	// owed. Together with the write under way they stay below 256 KiB.
	maxQueued = 160 << 10
	maxMissed = 2000
	// maxControl bounds the frames beside presence that wait for one connection.
	maxControl = 8 << 10
	// sendBuffer is what the system may hold of what was written. Left alone it grows to 4 MB for a reader who takes
	// nothing, who is also found out that much later.
	sendBuffer = 64 << 10
	// maxWrite is about how much one write takes.
	maxWrite = 32 << 10
)

// conn is one connection of either transport. Writing borrows a goroutine for as long as there is something to
// write.
type conn struct {
	// Static after construction.
	feed    *Feed
	net     net.Conn
	sse     bool
	address string
	opened  time.Time
	slot    int // of those that are looked at together; guarded by Feed.mu until it is in there

	// Static once ready is set: what auth said.
	caller  Caller // but for Expires, which see
	scope   string
	observe bool
	roster  bool // scope all without users in snaps
	counts  bool // the counts are told by hub.count
	ready   atomic.Bool

	// Guarded by hub.mu, held for writing.
	viewer presence.Viewer
	hits   []hit  // of the batch that is handed out
	place  uint64 // scope all: the engine's seq up to which the queue has every change

	// Owned by the goroutine of Feed.look.
	nextPing time.Time
	renewing bool

	expires atomic.Int64  // when the token ends, Unix nanoseconds
	via     atomic.Int64  // the backend on whose word its person was let in; 0: nobody's
	pinged  atomic.Uint64 // n of the ping that waits for an answer, 0 when none does
	pingAt  atomic.Int64  // when it was sent, Unix nanoseconds
	frames  atomic.Int64  // from the client, since the last look
	writing atomic.Int64  // when the write under way began, Unix nanoseconds; 0 when there is none
	told    atomic.Bool   // the session was told of the connection

	subs sync.Mutex // held while users are drawn or let go; taken before mu

	mu      sync.Mutex // guards the following fields
	control []*frame   // goes before everything else
	notes   notes      // go next
	queue   []*frame   // presence, in order
	queued  int        // bytes in queue
	waiting int        // bytes in control
	missed  map[presence.UserID]struct{}
	lost    bool // presence is not queued: a new picture comes
	gap     bool // and the reader is to be told
	owed    bool // the newest counts
	picture picture
	retired []func()          // of pictures that are dropped; the writing goroutine calls them
	ids     []presence.UserID // watched
	pending []presence.UserID // to be watched, with the next part of the picture
	behind  time.Time         // since when not everything fits; zero when it does
	flush   bool              // a goroutine is writing
	stuck   bool              // presence could not be read; look tries again
	ending  time.Time         // when the last frame was queued
	gone    bool              // nothing is written any more
	counted bool              // why it ends is
}

// put queues a frame of presence. It reports false when the reader is behind: the change is to be missed then.
func (c *conn) put(f *frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.lost || !c.ending.IsZero() {
		return true // nobody is there, or the picture to come has it
	}
	size := len(f.ws)
	if c.missed != nil || len(c.queue) > 0 && c.queued+size > maxQueued {
		return false
	}
	c.queue, c.queued = append(c.queue, f), c.queued+size
	c.wakeLocked()
	return true
}

// miss notes users whose newest state the reader is owed. When they are too many it gets a new picture.
func (c *conn) miss(users ...presence.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.lost || !c.ending.IsZero() {
		return
	}
	if c.missed == nil {
		c.missed = make(map[presence.UserID]struct{})
	}
	for _, user := range users {
		c.missed[user] = struct{}{}
	}
	c.feed.stats.coalesced.Add(uint64(len(users)))
	c.behindLocked()
	if len(c.missed) > maxMissed {
		c.loseLocked()
	}
	c.wakeLocked()
}

// owe notes that the reader is owed the newest counts.
func (c *conn) owe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.lost || !c.ending.IsZero() {
		return
	}
	c.owed = true
	c.behindLocked()
	c.wakeLocked()
}

// lose gives the reader up on what it has: it is told of the gap and gets a new picture.
func (c *conn) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ready.Load() || !c.ending.IsZero() {
		return
	}
	c.loseLocked()
	c.wakeLocked()
}

func (c *conn) loseLocked() {
	if c.lost {
		return
	}
	c.feed.stats.resyncs.Add(1)
	c.lost, c.gap = true, true
	c.queue, c.queued, c.missed = nil, 0, nil
	c.dropLocked()
	c.pending = append(c.pending, c.ids...)
	slices.Sort(c.pending)
	c.pending = slices.Compact(c.pending)
	c.behindLocked()
}

func (c *conn) behindLocked() {
	if c.behind.IsZero() {
		c.behind = c.feed.cfg.Now()
	}
}

// say queues a frame beside presence. A reader who lets too many of them wait is cut.
func (c *conn) say(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		return
	}
	size := len(f.bytes(c.sse))
	if c.waiting+size > maxControl {
		c.gone = true
		go c.cut("reads no answers")
		return
	}
	c.control, c.waiting = append(c.control, f), c.waiting+size
	c.wakeLocked()
}

// end says goodbye and closes, from any goroutine and without waiting. The first goodbye counts.
func (c *conn) end(why goodbye, retry *[2]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.ending.IsZero() {
		return
	}
	c.ending = c.feed.cfg.Now()
	c.endedLocked(why)
	c.queue, c.queued, c.missed, c.pending = nil, 0, nil, nil
	c.lost, c.gap, c.owed = false, false, false
	c.dropLocked()
	code, reason := goodbyes[why].code, goodbyes[why].reason
	bye := plain(wire.FeedBye{T: "bye", Code: code, Reason: reason, RetryMS: retry})
	if !c.sse {
		bye.ws = appendClose(bye.ws, code, reason)
	}
	bye.last = true
	c.control = append(c.control, bye)
	c.wakeLocked()
}

// endedLocked counts why the connection ends: the first reason is the one.
func (c *conn) endedLocked(why goodbye) {
	if !c.counted {
		c.counted = true
		c.feed.stats.ends[why].Add(1)
	}
}

func (c *conn) wakeLocked() {
	if !c.flush && !c.gone {
		c.flush = true
		go c.write()
	}
}

// write writes until there is nothing more. Each buffer is whole frames, and a write holds the connection's lock,
// so that it can stand beside what the WebSocket library writes.
func (c *conn) write() {
	defer c.retire()
	var out [][]byte
	for {
		frames, step := c.take()
		switch step {
		case rest:
			return
		case draw:
			f, ok := c.draw()
			if !ok {
				return
			}
			if f == nil {
				continue
			}
			frames = []*frame{f}
		}
		out = out[:0]
		size := 0
		for _, f := range frames {
			out = append(out, f.bytes(c.sse))
			size += len(out[len(out)-1])
		}
		buffers := net.Buffers(out)
		c.writing.Store(c.feed.cfg.Now().UnixNano())
		_, err := buffers.WriteTo(c.net)
		c.writing.Store(0)
		if err != nil {
			c.stop()
			return
		}
		c.feed.stats.sent.Add(uint64(len(frames)))
		c.feed.stats.bytes.Add(uint64(size))
		c.feed.cfg.Metrics.Streams.Sent.Add(float64(len(frames)))
		if frames[len(frames)-1].last {
			c.hangUp()
			return
		}
	}
}

type step uint8

const (
	rest step = iota
	send
	draw
)

// take returns what is to be written next: frames, or nothing when a part of a picture is to be drawn, or when
// there is nothing to do.
func (c *conn) take() ([]*frame, step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
	case len(c.control) > 0:
		frames := c.control
		c.control, c.waiting = nil, 0
		return frames, send
	case c.notes.any():
		return c.notes.take(), send
	case c.picture.open, c.lost:
		return nil, draw
	case len(c.queue) > 0:
		n, size := 0, 0
		for ; n < len(c.queue) && (n == 0 || size+len(c.queue[n].ws) <= maxWrite); n++ {
			size += len(c.queue[n].ws)
		}
		frames := c.queue[:n:n]
		if c.queue, c.queued = c.queue[n:], c.queued-size; len(c.queue) == 0 {
			c.queue = nil
		}
		return frames, send
	case c.missed != nil, len(c.pending) > 0, c.owed:
		return nil, draw
	default:
		c.behind = time.Time{}
	}
	c.flush = false
	return nil, rest
}

// dropLocked lets the picture go that is under way. Whoever draws it may be in the middle of it.
func (c *conn) dropLocked() {
	if c.picture.done != nil {
		c.retired = append(c.retired, c.picture.done)
	}
	c.picture = picture{}
}

// retire ends the iterators of dropped pictures. The writing goroutine calls it at its end, and whoever lets a
// connection go that nobody writes to.
func (c *conn) retire() {
	c.mu.Lock()
	if c.gone && !c.flush {
		c.dropLocked()
	}
	retired := c.retired
	c.retired = nil
	c.mu.Unlock()
	for _, done := range retired {
		done()
	}
}

// boundWrites bounds what the system holds of what is written.
func boundWrites(c net.Conn) {
	if tcp, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // one that cannot be bounded is no worse than before
	}
}

// hangUp ends our side after the last frame and gives the client a moment to read it: closing at once would throw away
// what is under way.
func (c *conn) hangUp() {
	c.mu.Lock()
	c.gone, c.flush = true, false
	c.mu.Unlock()
	_ = c.net.SetReadDeadline(time.Now().Add(c.feed.times.goodbye))
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = c.net.Close()
}

// stop closes the connection under a writer or reader, which does the rest.
func (c *conn) stop() {
	c.mu.Lock()
	c.gone, c.flush = true, false
	c.queue, c.control, c.missed, c.pending = nil, nil, nil, nil
	c.mu.Unlock()
	_ = c.net.Close()
}

// forget lets everything go that waits for a connection whose reader has ended.
func (c *conn) forget() {
	c.mu.Lock()
	c.endedLocked(endGone)
	c.gone = true
	c.queue, c.control, c.missed, c.pending = nil, nil, nil, nil
	writing := c.flush
	c.mu.Unlock()
	if !writing {
		c.retire()
	}
}
