package realtime

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// openStream makes a stream of server-sent events of a request. The connection is taken over from net/http, whose
// buffers and time limits are made for answers that end.
func (f *Feed) openStream(w http.ResponseWriter, r *http.Request, p proof, caller Caller) error {
	if p.token == "" {
		return &presence.Error{
			Kind: presence.Unauthenticated, Op: "open feed", Code: "not_authenticated", Tell: "Authentication credentials were not provided.",
		}
	}
	want, err := readWish(r)
	if err == nil {
		err = want.check(caller)
	}
	if err != nil {
		return err
	}
	now := f.cfg.Now()
	c := &conn{feed: f, sse: true, address: f.cfg.Address(r), opened: now, nextPing: now.Add(rand.N(f.times.comment))}
	place := &conn{address: c.address}
	if err := f.add(place); err != nil {
		return err
	}
	if err := f.full(caller.User); err != nil {
		f.release(place)
		return err
	}
	head := streamHead(w.Header())
	if c.net, _, err = http.NewResponseController(w).Hijack(); err != nil {
		f.release(place)
		return presence.E(presence.Internal, "open feed", err)
	}
	_ = c.net.SetDeadline(noDeadline)
	boundWrites(c.net)
	f.stats.streams.Add(1)
	f.cfg.Metrics.Streams.Events.Inc()
	f.replace(place, c)
	c.say(&frame{sse: head})
	if err := c.enter(r.Context(), p, caller, want); err != nil { // the last place went to somebody else
		c.end(byeBusy, &[2]int64{1000, 10_000})
	}
	go c.listen()
	return nil
}

// full reports, as an error, that a user has no room for another connection.
func (f *Feed) full(user presence.UserID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.byUser[user]) >= f.cfg.PerUser {
		return errBusy
	}
	return nil
}

// streamHead is the answer's head with what the server around us has set, and the first lines of the stream.
func streamHead(h http.Header) []byte {
	h["Content-Type"] = []string{"text/event-stream"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Accel-Buffering"] = []string{"no"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Connection"] = []string{"close"}
	delete(h, "Content-Length")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // into memory
	b.WriteString("\r\nretry: 3000\n\n")
	return b.Bytes()
}

// readWish reads what a stream wants from the address and the header that browsers send when they come back.
func readWish(r *http.Request) (wish, error) {
	query := r.URL.Query()
	want := wish{scope: query.Get("scope"), observe: true, roster: query.Get("roster") == "true", counts: query.Get("counts") == "true"}
	if want.scope == "" {
		want.scope = wire.FeedScopeUsers
	}
	if list := query.Get("users"); list != "" {
		var err error
		if want.users, err = parseIDs(strings.Split(list, ",")); err != nil {
			return want, err
		}
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = query.Get("since")
	}
	want.resume = parseCursor(last)
	return want, nil
}

// parseCursor reads what cursorText wrote. What is none is as no cursor: the reader gets a picture.
func parseCursor(text string) *wire.FeedCursor {
	epoch, seq, ok := strings.Cut(text, "-")
	if !ok || len(text) > 64 {
		return nil
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return nil
	}
	return &wire.FeedCursor{Epoch: epoch, Seq: n}
}

// listen waits for the end of a stream; its client has nothing to say.
func (c *conn) listen() {
	defer c.closed()
	var nothing [64]byte
	for {
		if _, err := c.net.Read(nothing[:]); err != nil {
			return
		}
		if c.frames.Add(1) > maxFramesPerLook {
			return
		}
	}
}
