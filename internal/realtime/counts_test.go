package realtime

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// numbers are what a reader holds who follows the protocol's rules: online, away.
func (v *view) numbers() string {
	if v.counts == nil {
		return "none"
	}
	return fmt.Sprintf("%d online, %d away", v.counts.Online, v.counts.Away)
}

// The counts come beside the users one watches, to whoever asks for them, and as they may know them.
func TestUsersAndTheCounts(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.hide(8, presence.Privacy{HideStatus: true})
		h.set(7, presence.Online)
		h.set(8, presence.Online)
		pause(time.Second)
		readers := map[string]*client{
			"a person":       h.dial(`{"t":"auth","token":"1","users":["7","8"],"observe":true,"counts":true}`),
			"staff":          h.dial(`{"t":"auth","token":"s2","users":["7","8"],"observe":true,"counts":true}`),
			"who hides":      h.dial(`{"t":"auth","token":"8","users":["7"],"observe":true,"counts":true}`),
			"who asks not":   h.dial(`{"t":"auth","token":"1","users":["7"],"observe":true}`),
			"nobody watched": h.dial(`{"t":"auth","token":"1","observe":true,"counts":true}`),
		}
		views := map[string]*view{}
		check := func(when string, want map[string]string) {
			t.Helper()
			for who, c := range readers {
				if views[who] == nil {
					views[who] = &view{}
				}
				views[who].apply(t, c.take())
				if got := views[who].numbers(); got != want[who] {
					t.Errorf("%s, to %s: %s, want %s", when, who, got, want[who])
				}
			}
		}
		check("at first", map[string]string{
			"a person": "1 online, 0 away", "staff": "2 online, 0 away", "who hides": "0 online, 0 away",
			"who asks not": "none", "nobody watched": "1 online, 0 away",
		})
		pause(2 * time.Second)
		h.set(7, presence.Away)
		pause(2 * time.Second)
		moved := map[string]string{
			"a person": "0 online, 1 away", "staff": "1 online, 1 away", "who hides": "0 online, 0 away",
			"who asks not": "none", "nobody watched": "0 online, 1 away",
		}
		check("after one left", moved)
		h.set(8, presence.Away)
		pause(3 * time.Second)
		for _, who := range []string{"a person", "nobody watched"} {
			readers[who].want("")
		}
		moved["staff"] = "0 online, 2 away"
		check("after one left who hides", moved)
		h.hide(1, presence.Privacy{HideStatus: true})
		pause(time.Second)
		moved["a person"], moved["nobody watched"] = "0 online, 0 away", "0 online, 0 away"
		check("after a reader hid", moved)
	})
}

// What others were told of the counts meanwhile, a reader who comes back to its cursor is told, too.
func TestCountsAfterABreak(t *testing.T) {
	for _, token := range []string{"1", "s1"} {
		in(t, func(t *testing.T) {
			h := newHouse(t)
			h.set(7, presence.Online)
			always := h.dial(`{"t":"auth","token":"` + token + `","scope":"counts","observe":true}`)
			auth := `{"t":"auth","token":"` + token + `","users":["7"],"observe":true,"counts":true`
			c := h.dial(auth + `}`)
			pause(2 * time.Second)
			var v view
			v.apply(t, c.take())
			c.say(`{"t":"leave"}`)
			pause(time.Second)
			h.set(8, presence.Online) // is not watched
			pause(5 * time.Second)
			c = h.dial(fmt.Sprintf(`%s,"resume":{"epoch":"%s","seq":%d}}`, auth, v.epoch, v.seq))
			pause(5 * time.Second)
			frames := c.take()
			if v.apply(t, frames); !frames[0].Resumed || v.numbers() != "2 online, 0 away" {
				t.Errorf("token %s: resumed %v, %s", token, frames[0].Resumed, v.numbers())
			}
			var other view
			if other.apply(t, always.take()); other.numbers() != "2 online, 0 away" {
				t.Errorf("token %s, without a break: %s", token, other.numbers())
			}
		})
	}
}

// A reader who was behind has the newest counts once there is room again, and no new picture for their sake.
func TestCountsOfASlowReader(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprintf(`"%d"`, 1001+i)
		}
		c := h.dial(`{"t":"auth","token":"1","observe":true,"counts":true,"users":[` + strings.Join(ids, ",") + `]}`)
		pause(time.Second)
		var v view
		v.apply(t, c.take())
		c.slow.Lock()
		for round := range 6 {
			for i := range ids {
				h.set(presence.UserID(1001+i), []presence.Status{presence.Online, presence.Away}[round%2])
			}
			pause(time.Second)
		}
		h.set(1001, presence.Online)
		pause(2 * time.Second)
		c.socket.mu.Lock()
		owed, lost := c.socket.owed, c.socket.lost
		c.socket.mu.Unlock()
		if !owed || lost {
			t.Fatalf("the reader is not behind with the counts alone: owed %v, lost %v", owed, lost)
		}
		c.slow.Unlock()
		pause(2 * time.Second)
		frames := c.take()
		v.apply(t, frames)
		for _, f := range frames {
			if f.T == "gap" {
				t.Errorf("told %s", f.text)
			}
		}
		if v.numbers() != "1 online, 999 away" || v.users["1001"].S != "online" || v.users["1002"].S != "away" {
			t.Errorf("%s, %+v, %+v", v.numbers(), v.users["1001"], v.users["1002"])
		}
	})
}
