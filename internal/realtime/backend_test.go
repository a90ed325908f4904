package realtime

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// A backend watches everybody as anybody may see them: it makes nobody present, and what people hide stays hidden.
func TestABackendWatchesEverybody(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		h.signal(8, presence.Login)
		h.hide(8, presence.Privacy{HideStatus: true})
		c := h.dial(`{"t":"auth","token":"b3","scope":"all"}`)
		pause(time.Second)
		var v view
		frames := c.want("hello snap snap delta")
		v.apply(t, frames)
		if hello := string(frames[0].text); !strings.Contains(hello, `"user":"-3"`) || !strings.Contains(hello, `"staff":false`) {
			t.Errorf("hello: %s", hello)
		}
		if v.users["7"].S != "online" || v.users["7"].V != 0 || v.users["8"].S != "offline" || v.users["8"].LS != 0 || frames[1].Counts.Online != 1 {
			t.Fatalf("picture: %+v", frames[1:])
		}
		if _, there := v.users["-3"]; there {
			t.Error("the backend is somebody")
		}
		h.signal(8, presence.Logout)
		h.signal(9, presence.Login)
		pause(time.Second)
		v.apply(t, c.take())
		if v.users["9"].S != "online" || v.users["9"].C != "" {
			t.Errorf("%+v", v.users["9"])
		}
		h.set(8, presence.Online)
		pause(2 * time.Second)
		for _, f := range c.take() {
			if f.T == "delta" && len(f.Users) > 0 {
				t.Errorf("told of somebody who hides: %s", f.text)
			}
		}
		h.hide(8, presence.Privacy{})
		pause(time.Second)
		v.apply(t, c.take())
		if v.users["8"].S != "online" {
			t.Errorf("after showing themselves: %+v", v.users["8"])
		}
	})
}

func TestABackendGoesOnFromItsCursor(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		h.hide(8, presence.Privacy{HideStatus: true})
		c := h.dial(`{"t":"auth","token":"b3","scope":"all"}`)
		pause(time.Second)
		var v view
		v.apply(t, c.take())
		c.say(`{"t":"leave"}`)
		h.signal(7, presence.Logout)
		h.signal(8, presence.Login)
		h.signal(9, presence.Login)
		pause(time.Second)
		c = h.dial(`{"t":"auth","token":"b3","scope":"all","resume":{"epoch":"` + v.epoch + `","seq":` + strconv.FormatUint(v.seq, 10) + `}}`)
		frames := c.take()
		if len(frames) < 2 || !frames[0].Resumed || frames[1].statuses() != "7:offline 9:online" {
			t.Errorf("%+v", frames)
		}
	})
}

// A user whom a backend lets in by a ticket is no staff in the feed, whatever they are elsewhere.
func TestATicketOfABackend(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		text, err := h.feed.tickets.add(ticket{proof: proof{"s7", "b3"}, user: 7, until: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		c := h.dial(`{"t":"auth","token":"` + text + `"}`)
		pause(time.Second)
		if hello := string(c.want("hello snap")[0].text); !strings.Contains(hello, `"user":"7"`) || !strings.Contains(hello, `"staff":false`) {
			t.Errorf("hello: %s", hello)
		}
		states, err := h.engine.State(t.Context(), []presence.UserID{7})
		if err != nil || states[0].Status != presence.Online {
			t.Errorf("%+v, %v", states, err)
		}
		other, _ := h.feed.tickets.add(ticket{proof: proof{"s7", "b3"}, user: 7, until: time.Now().Add(time.Minute)})
		c.say(`{"t":"token","token":"` + other + `"}`)
		c.want("token")
		if again := h.dial(`{"t":"auth","token":"` + text + `","scope":"all"}`); again.end() != 4003 {
			t.Error("a ticket is good twice")
		}
	})
}

// When a backend may let nobody in any more, its tickets are worth nothing, and those it let in are sent away to come
// back by somebody who may.
func TestARevokedTokenTakesAlongWhomItLetIn(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		buy := func(via string) string {
			text, err := h.feed.tickets.add(ticket{proof: proof{"7", via}, user: 7, until: time.Now().Add(maxTicketLife)})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		unused := buy("b3")
		through, other, own := h.dial(`{"t":"auth","token":"`+buy("b3")+`"}`), h.dial(`{"t":"auth","token":"`+buy("b4")+`"}`), h.dial(`{"t":"auth","token":"7"}`)
		moved := h.dial(`{"t":"auth","token":"` + buy("b3") + `"}`)
		moved.say(`{"t":"token","token":"` + buy("b4") + `"}`)
		pause(time.Second)
		h.mu.Lock()
		h.over["b3"] = true
		h.mu.Unlock()
		h.feed.SessionEnded(-3, presence.EverySession)
		pause(time.Millisecond)
		if through.end() != 4002 || other.end() != 0 || own.end() != 0 || moved.end() != 0 {
			t.Errorf("let in by the token that was revoked %d, by another one %d, by nobody %d, and by another one since %d",
				through.end(), other.end(), own.end(), moved.end())
		}
		if late := h.dial(`{"t":"auth","token":"` + unused + `"}`); late.end() != 4003 {
			t.Errorf("a ticket that was bought before: %d", late.end())
		}
	})
}

// What a backend lets in ends with the backend's token, however long the access token behind the ticket is good.
func TestATicketEndsWithItsBackend(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config, _ *times) {
			check := c.Authenticate
			c.Authenticate = func(ctx context.Context, token string, now time.Time) (Caller, error) {
				caller, err := check(ctx, token, now)
				if caller.Backend {
					caller.Expires = now.Add(2 * time.Minute)
				}
				return caller, err
			}
		})
		text, err := h.feed.tickets.add(ticket{proof: proof{"7", "b3"}, user: 7, until: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		c := h.dial(`{"t":"auth","token":"` + text + `"}`)
		pause(2*time.Minute + 2*time.Second)
		if c.end() != 4002 {
			t.Errorf("code %d", c.end())
		}
	})
}

func TestARevokedTokenClosesItsStreams(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"b3","scope":"counts"}`)
		pause(time.Second)
		c.take()
		h.feed.SessionEnded(-3, presence.EverySession)
		pause(time.Second)
		if c.end() != 4001 {
			t.Errorf("code %d", c.end())
		}
	})
}
