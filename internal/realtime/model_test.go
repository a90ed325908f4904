package realtime

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// Readers that come, go, resume, read slowly, subscribe and let go, while people change and hide, know in the end what
// the engine and the privacy rule say; nobody saw a version twice or out of order.
func TestReadersAgreeWithTheEngine(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T) { readersAgree(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

const modelUsers = 40

// reader is one reader of the model and what it has understood.
type reader struct {
	*client
	token, scope string
	view         view
	wants        map[presence.UserID]bool
	slowed       bool
}

func (r *reader) auth(resume bool) string {
	var words []string
	if r.scope == "users" {
		for id := range r.wants {
			words = append(words, fmt.Sprintf(`"%d"`, id))
		}
	}
	auth := fmt.Sprintf(`{"t":"auth","token":"%s","scope":"%s","observe":true,"users":[%s]`, r.token, r.scope, strings.Join(words, ","))
	if resume && r.view.epoch != "" && !r.view.stale {
		auth += fmt.Sprintf(`,"resume":{"epoch":"%s","seq":%d}`, r.view.epoch, r.view.seq)
	}
	return auth + "}"
}

func (r *reader) brake(on bool) {
	if on != r.slowed {
		r.slowed = on
		if on {
			r.slow.Lock()
		} else {
			r.slow.Unlock()
		}
	}
}

func readersAgree(t *testing.T, random *rand.Rand) {
	h := newHouse(t, func(_ *Config, times *times) { times.stuck, times.behind = time.Hour, time.Hour })
	someone := func() presence.UserID { return presence.UserID(1 + random.IntN(modelUsers)) }
	var readers []*reader
	for i, token := range []string{"1", "2", "s3", "s4", "5", "s6"} {
		r := &reader{token: token, scope: "users", wants: map[presence.UserID]bool{}}
		if i%3 == 2 {
			r.scope = "all"
		} else {
			for range 15 {
				r.wants[someone()] = true
			}
		}
		r.client = h.dial(r.auth(false))
		readers = append(readers, r)
	}
	for range 400 {
		r := readers[random.IntN(len(readers))]
		switch random.IntN(9) {
		case 0:
			h.hide(someone(), presence.Privacy{HideStatus: random.IntN(2) == 0, HideLastSeen: random.IntN(3) == 0})
		case 1:
			r.brake(random.IntN(2) == 0)
		case 2:
			if id := someone(); r.scope == "users" && !r.wants[id] {
				r.wants[id] = true
				r.say(fmt.Sprintf(`{"t":"sub","users":["%d"]}`, id))
			}
		case 3:
			if id := someone(); r.scope == "users" && r.wants[id] {
				delete(r.wants, id)
				r.say(fmt.Sprintf(`{"t":"unsub","users":["%d"]}`, id))
			}
		case 4:
			if random.IntN(4) == 0 { // the link breaks; what it understood until then is what it resumes with
				r.brake(false)
				pause(time.Second)
				r.view.apply(t, r.take())
				_ = r.net.Close()
				pause(time.Duration(random.IntN(200)) * time.Millisecond)
				for range random.IntN(5) {
					h.set(someone(), presence.Status(random.IntN(3)))
				}
				r.client = h.dial(r.auth(true))
			}
		default:
			for range random.IntN(30) {
				h.set(someone(), presence.Status(random.IntN(3)))
			}
		}
		pause(time.Duration(random.IntN(60)) * time.Millisecond)
		if !r.slowed {
			r.view.apply(t, r.take())
		}
	}
	for _, r := range readers {
		r.brake(false)
		pause(2 * time.Second)
		r.view.apply(t, r.take())
		if code := r.end(); code != 0 {
			t.Fatalf("reader %s was closed with %d", r.token, code)
		}
		h.compare(r)
	}
}

// compare checks what a reader understood against what it may know.
func (h *house) compare(r *reader) {
	h.t.Helper()
	viewer := r.socket.viewer
	for id := range presence.UserID(modelUsers) {
		id++
		if r.scope == "users" && !r.wants[id] {
			continue
		}
		p := h.status(id)
		if r.scope == "all" && p.Version == 0 {
			continue // nobody the engine knows
		}
		p = p.For(viewer, h.feed.cfg.Privacy(id))
		got := r.view.users[fmt.Sprint(id)]
		since := int64(0)
		if !p.Since.IsZero() {
			since = p.Since.UnixMilli()
		}
		// last_seen moves on without a change; what matters is whether it is given.
		if string(got.S) != p.Status.String() || (got.LS == 0) != p.LastSeen.IsZero() || got.Since != since || viewer.Staff && got.V != p.Version {
			h.t.Errorf("reader %s (%s) holds %+v of user %d, and may know %+v", r.token, r.scope, got, id, p)
		}
	}
}
