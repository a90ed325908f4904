package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// frame is any frame of the server.
type frame struct {
	T       string          `json:"t"`
	Epoch   string          `json:"epoch"`
	Seq     uint64          `json:"seq"`
	After   *uint64         `json:"after"`
	Full    bool            `json:"full"`
	More    bool            `json:"more"`
	Resumed bool            `json:"resumed"`
	Staff   bool            `json:"staff"`
	Users   []wire.FeedUser `json:"users"`
	Code    json.RawMessage `json:"code"` // a number in bye, a word in error
	Reason  string          `json:"reason"`
	RetryMS *[2]int64       `json:"retry_ms"`
}

// reader follows one feed as docs/protocol.md has it, comes back whenever it is sent away or cut off, and holds what
// it is told against what it was told before: no change may be missing, none may come twice.
type reader struct {
	// Static after construction.
	first   presence.UserID // of everybody there is
	tally   *tally
	listen  listen
	token   func(context.Context) (string, error)
	scope   string
	watched []presence.UserID // scope users
	observe bool
	back    time.Duration            // the longest wait before the first try to come back
	steady  map[presence.UserID]bool // who is to be online all the time

	mu      sync.Mutex // guards the following fields
	hangUp  func()     // nil while there is no connection
	whole   bool       // the picture is complete
	staff   bool
	cursor  wire.FeedCursor
	fence   uint64 // the cursor of the last picture
	drawn   int64  // when it was complete, Unix milliseconds: what happened before may be in it, and be told again
	held    []held // by number, from first
	retry   *[2]int64
	trouble string // of the last connection
}

// held is what a reader holds of somebody.
type held struct {
	version uint64
	since   int64
	status  wire.FeedStatus
}

// tally is what all readers have seen.
type tally struct {
	settled atomic.Bool // false: people are still coming in, and nobody's change is false

	resumed, resynced, told atomic.Int64
	missed, repeated, wrong atomic.Int64

	mu      sync.Mutex                        // guards the following fields
	opened  []time.Time                       // when connections were agreed to
	back    time.Time                         // when a reader was whole again, the last time
	reasons map[string]int                    // of goodbyes
	false   map[presence.UserID]wire.FeedUser // changes that were none
	example []string                          // of what was wrong
}

func (t *tally) blame(counter *atomic.Int64, say func() string) {
	if counter.Add(1) > 5 {
		return
	}
	text := say()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.example = append(t.example, text)
}

// run keeps the feed open until ctx ends.
func (r *reader) run(ctx context.Context, server string) {
	for tries := 0; ctx.Err() == nil; tries++ {
		token, err := r.token(ctx)
		if err == nil {
			err = r.listen(ctx, server, r.ask(token), r.opened, r.heard)
		}
		if r.closed(err) {
			tries = 0
		}
		wait(ctx, r.pause(tries))
	}
}

func (r *reader) ask(token string) ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := ask{token: token, scope: r.scope, observe: r.observe}
	for _, id := range r.watched {
		a.users = append(a.users, idText(id))
	}
	if r.cursor.Epoch != "" {
		at := r.cursor
		a.resume = &at
	}
	return a
}

func (r *reader) opened(hangUp func()) {
	r.tally.mu.Lock()
	r.tally.opened = append(r.tally.opened, time.Now())
	r.tally.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hangUp = hangUp
}

// closed notes the end of a connection and reports whether it had been whole.
func (r *reader) closed(err error) (whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.trouble = err.Error()
	}
	whole, r.whole, r.hangUp = r.whole, false, nil
	return whole
}

// pause is how long to wait before coming back: what the server said, else at random, and longer with each try.
func (r *reader) pause(tries int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if said := r.retry; said != nil {
		r.retry = nil
		return time.Duration(said[0]+rand.Int64N(said[1]-said[0]+1)) * time.Millisecond
	}
	return rand.N(min(max(r.back, time.Millisecond)<<min(tries, 3), 20*time.Second))
}

// cut ends the connection as a lost network does.
func (r *reader) cut() {
	r.mu.Lock()
	hangUp := r.hangUp
	r.mu.Unlock()
	if hangUp != nil {
		hangUp()
	}
}

func (r *reader) isWhole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole
}

// heard takes one frame.
func (r *reader) heard(payload []byte) {
	var f frame
	if err := json.Unmarshal(payload, &f); err != nil {
		r.tally.blame(&r.tally.wrong, func() string { return "no frame: " + string(payload[:min(len(payload), 200)]) })
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f.T {
	case "hello":
		r.staff = f.Staff
		if f.Resumed {
			r.tally.resumed.Add(1)
			r.completeLocked()
		}
	case "snap":
		r.snapLocked(&f)
	case "delta":
		r.deltaLocked(&f)
	case "ping":
		r.cursor.Seq = max(r.cursor.Seq, f.Seq)
	case "bye":
		r.tally.mu.Lock()
		r.tally.reasons[f.Reason]++
		r.tally.mu.Unlock()
		r.retry, r.trouble = f.RetryMS, string(payload)
	}
}

func (r *reader) completeLocked() {
	r.whole, r.trouble = true, ""
	r.tally.mu.Lock()
	r.tally.back = time.Now()
	r.tally.mu.Unlock()
}

func (r *reader) snapLocked(f *frame) {
	if f.Full {
		r.tally.resynced.Add(1)
		clear(r.held)
	}
	for i := range f.Users {
		r.steadyLocked(&f.Users[i])
		if one := r.of(&f.Users[i]); one != nil {
			*one = held{f.Users[i].V, f.Users[i].Since, f.Users[i].S}
		}
	}
	if !f.More {
		r.cursor, r.fence, r.drawn = wire.FeedCursor{Epoch: f.Epoch, Seq: f.Seq}, f.Seq, time.Now().UnixMilli()
		r.completeLocked()
	}
}

func (r *reader) deltaLocked(f *frame) {
	// A picture is ahead of its cursor: what is told right after it, also to who resumes there, may be in it already.
	overlap := r.cursor.Seq <= r.fence || f.After != nil && *f.After < r.fence
	if f.Seq <= r.cursor.Seq {
		if !overlap {
			r.tally.blame(&r.tally.repeated, func() string { return describe("the place of a delta came twice", r, f) })
		}
		return
	}
	if f.After != nil && *f.After > r.cursor.Seq {
		r.tally.blame(&r.tally.missed, func() string { return describe("a hole before a delta", r, f) })
	}
	each := f.After != nil && f.Seq-*f.After == uint64(len(f.Users)) // every change is an item
	for i := range f.Users {
		u := &f.Users[i]
		one := r.of(u)
		if one == nil {
			continue
		}
		r.steadyLocked(u)
		r.tally.told.Add(1)
		switch {
		case overlap || u.Since <= r.drawn:
		case u.V != 0 && u.V <= one.version, u.V == 0 && u.Since == one.since && u.S == one.status:
			r.tally.blame(&r.tally.repeated, func() string { return describe("a change came twice", r, f) })
		case each && u.V != one.version+1:
			r.tally.blame(&r.tally.missed, func() string { return describe("a change of somebody is missing", r, f) })
		}
		if u.V == 0 || u.V > one.version {
			*one = held{u.V, u.Since, u.S}
		}
	}
	r.cursor.Seq = f.Seq
}

// steadyLocked notes a change of somebody who has not changed.
func (r *reader) steadyLocked(u *wire.FeedUser) {
	if u.S == "online" || !r.tally.settled.Load() {
		return
	}
	if id := number(u.ID); r.steady[id] {
		r.tally.mu.Lock()
		r.tally.false[id] = *u
		r.tally.mu.Unlock()
	}
}

func (r *reader) of(u *wire.FeedUser) *held {
	if at := int(number(u.ID) - r.first); at >= 0 && at < len(r.held) {
		return &r.held[at]
	}
	return nil
}

func number(text string) presence.UserID {
	var n int64
	for _, c := range []byte(text) {
		n = 10*n + int64(c-'0')
	}
	return presence.UserID(n)
}

func describe(what string, r *reader, f *frame) string {
	text, _ := json.Marshal(f) // it was JSON before
	return what + ": scope " + r.scope + ", cursor " + cursorText(r.cursor) + ", frame " + string(text[:min(len(text), 400)])
}
