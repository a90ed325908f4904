package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/offchat/presence/wire"
)

// EventKind says what an Event is.
type EventKind string

// The kinds. A stream without a cursor, or one that lost something, begins anew: Reset, a Present for everybody, Synced;
// then come Changes.
const (
	Reset   EventKind = "reset"   // forget everybody: something was lost, or this is the beginning
	Present EventKind = "present" // somebody's state, as part of the picture
	Synced  EventKind = "synced"  // the picture is whole
	Change  EventKind = "change"  // somebody's state has changed
)

// Event is one thing that the feed tells.
type Event struct {
	Kind EventKind
	// User and State are those of a Present or a Change.
	User string
	State
	// From and Cause are told of a Change where the token may know (scope admin:read).
	From  Status
	Cause string
	// Cursor is where to go on after this event was handled: save it, and hand it to Since. It is empty in the middle
	// of a picture, which cannot be gone on with.
	Cursor string
}

// EventOption changes what Events tells.
type EventOption func(*stream)

// Since goes on after an event by its Cursor. The empty one is the beginning.
func Since(cursor string) EventOption { return func(s *stream) { s.cursor = cursor } }

// Only restricts the events to these people, by id; about 1,500 fit.
func Only(ids ...string) EventOption { return func(s *stream) { s.users = ids } }

const (
	// silence is how long the server may say nothing: it writes something every 15 s.
	silence = 45 * time.Second
	// Pauses before coming back are drawn from these bounds, growing with every try.
	firstReturn, lastReturn = 500 * time.Millisecond, 20 * time.Second
)

type stream struct {
	c      *Client
	users  []string
	cursor string
	tries  int // since something was last heard
}

// Events tells who is there and what changes, as it happens. It comes back by itself when the connection breaks and
// goes on where it was; what was lost meanwhile shows as a Reset. It ends when ctx does, when the loop is left, or with
// an error as its last element when there is no use in coming back, because the token is refused: a stream that ends
// silently would look like one in which nothing happens. It needs the scope read.
func (c *Client) Events(ctx context.Context, options ...EventOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &stream{c: c}
		for _, option := range options {
			option(s)
		}
		for ctx.Err() == nil {
			wait, err := s.follow(ctx, func(e Event) bool { return yield(e, nil) })
			if errors.Is(err, errLeft) || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
		}
	}
}

// errLeft: whoever listened does not any more.
var errLeft = errors.New("left")

// follow reads one connection to its end and says how long to wait before the next. An error means that there is none.
func (s *stream) follow(ctx context.Context, yield func(Event) bool) (wait time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	r, err := s.c.request(ctx, http.MethodGet, "/feed?"+s.query(), nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := s.c.http.Do(r)
	if err != nil {
		return s.pause(), nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		refusal := errorOf(resp)
		if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
			return max(refusal.RetryAfter, s.pause()), nil
		}
		return 0, refusal
	}
	in := bufio.NewReaderSize(&heard{resp.Body, func() { watch.Reset(silence) }}, 64<<10)
	for {
		id, data, err := readMessage(in)
		if err != nil {
			return s.pause(), nil
		}
		if wait, over, err := s.take(id, data, yield); over || err != nil {
			return wait, err
		}
	}
}

func (s *stream) query() string {
	q := url.Values{"scope": {wire.FeedScopeAll}}
	if len(s.users) > 0 {
		q = url.Values{"scope": {wire.FeedScopeUsers}, "users": {strings.Join(s.users, ",")}}
	}
	if s.cursor != "" {
		q.Set("since", s.cursor)
	}
	return q.Encode()
}

// pause grows with every try that heard nothing.
func (s *stream) pause() time.Duration {
	most := min(lastReturn, firstReturn<<min(s.tries, 10))
	s.tries++
	return firstReturn/2 + rand.N(most)
}

// heard calls f whenever something is read.
type heard struct {
	io.Reader
	f func()
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n > 0 {
		h.f()
	}
	return n, err
}

// readMessage reads up to the next message of the stream that has data (WHATWG HTML, 9.2.6).
func readMessage(in *bufio.Reader) (id string, data []byte, err error) {
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return "", nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && len(data) > 0:
			return id, data, nil
		case len(line) == 0:
			id = ""
		case string(name) == "id":
			id = string(value)
		case string(name) == "data":
			data = append(data, value...)
		}
	}
}

// frame is every frame of the feed that means something here.
type frame struct {
	T       string          `json:"t"`
	Full    bool            `json:"full"`
	More    bool            `json:"more"`
	Users   []wire.FeedUser `json:"users"`
	Code    int             `json:"code"`
	Reason  string          `json:"reason"`
	RetryMS *[2]int64       `json:"retry_ms"`
}

// take tells what a frame says. over says that the connection ends with it.
func (s *stream) take(id string, data []byte, yield func(Event) bool) (wait time.Duration, over bool, err error) {
	var f frame
	if json.Unmarshal(data, &f) != nil {
		return s.pause(), true, nil // half a frame, or no server of ours: begin again
	}
	switch f.T {
	case "hello":
		s.tries = 0
	case "snap":
		err = s.picture(&f, id, yield)
	case "delta":
		err = s.changes(&f, id, yield)
	case "bye":
		if f.RetryMS == nil {
			return 0, true, &Error{Status: http.StatusUnauthorized, Code: f.Reason, Message: fmt.Sprintf("the feed was closed with %d", f.Code)}
		}
		from, to := f.RetryMS[0], f.RetryMS[1]
		return time.Duration(from+rand.N(max(1, to-from+1))) * time.Millisecond, true, nil
	}
	return 0, err != nil, err
}

func (s *stream) picture(f *frame, id string, yield func(Event) bool) error {
	if f.Full {
		s.cursor = ""
		if !yield(Event{Kind: Reset}) {
			return errLeft
		}
	}
	for i := range f.Users {
		if !yield(eventOf(Present, &f.Users[i])) {
			return errLeft
		}
	}
	if f.More {
		return nil
	}
	s.cursor = id
	if !yield(Event{Kind: Synced, Cursor: id}) {
		return errLeft
	}
	return nil
}

// changes tells each change; the cursor moves with the last of them, so that whoever stops in between gets all again.
func (s *stream) changes(f *frame, id string, yield func(Event) bool) error {
	for i := range f.Users {
		e := eventOf(Change, &f.Users[i])
		if e.Cursor = s.cursor; i == len(f.Users)-1 && id != "" {
			e.Cursor = id
		}
		if !yield(e) {
			return errLeft
		}
	}
	if id != "" {
		s.cursor = id
	}
	return nil
}

func eventOf(kind EventKind, u *wire.FeedUser) Event {
	e := Event{Kind: kind, User: u.ID, State: State{Status: Status(u.S)}, From: Status(u.From), Cause: u.C}
	if u.LS > 0 {
		e.LastSeen = time.UnixMilli(u.LS).UTC()
	}
	if u.Since > 0 {
		e.Since = time.UnixMilli(u.Since).UTC()
	}
	return e
}
