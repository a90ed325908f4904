package realtime

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func TestAWatcherGetsAPictureAndThenChanges(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		pause(time.Second)
		c := h.dial(`{"t":"auth","token":"1","users":["7","8"],"observe":true}`)
		frames := c.want("hello snap")
		if got := frames[1].statuses(); got != "7:online 8:offline" || !frames[1].Full || frames[1].More {
			t.Fatalf("snap: %+v", frames[1])
		}
		if u := frames[1].Users[0]; u.V != 0 || u.C != "" || u.LS == 0 || u.Since == 0 {
			t.Errorf("to somebody who is no staff: %+v", u)
		}
		h.signal(8, presence.Login)
		h.signal(9, presence.Login) // not watched
		pause(time.Second)
		if got := c.want("delta")[0]; got.statuses() != "8:online" || got.After != nil {
			t.Errorf("delta: %+v", got)
		}
		c.say(`{"t":"unsub","users":["8"]}`)
		c.say(`{"t":"sub","users":["9","7"]}`)
		if got := c.want("snap")[0]; got.statuses() != "9:online" || got.Full {
			t.Errorf("snap of what is new: %+v", got)
		}
		h.signal(8, presence.Logout)
		h.signal(7, presence.Logout)
		pause(time.Second)
		if got := c.want("delta")[0]; got.statuses() != "7:offline" {
			t.Errorf("delta: %+v", got)
		}
	})
}

func TestStaffGetEveryChangeInOrder(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true}`)
		pause(time.Second)
		var v view
		frames := c.want("hello snap snap")
		v.apply(t, frames)
		if v.users["7"].S != "online" || v.users["7"].C != "login" || v.users["7"].V != 1 || frames[1].Counts.Online != 1 {
			t.Fatalf("picture: %+v", frames[1:])
		}
		seq := v.seq
		for range 10 {
			h.set(7, presence.Away)
			h.set(7, presence.Online)
		}
		pause(time.Second)
		var told int
		for _, f := range c.take() {
			if f.T != "delta" || *f.After != seq || f.Seq != seq+uint64(len(f.Users)) {
				t.Fatalf("after %d: %+v", seq, f)
			}
			for i, u := range f.Users {
				if u.V != f.Users[0].V+uint64(i) || u.By != "99" || u.Node != "a" || u.From == u.S {
					t.Errorf("change %d: %+v", i, u)
				}
			}
			told, seq = told+len(f.Users), f.Seq
		}
		if told != 20 {
			t.Errorf("%d changes told, want 20", told)
		}
	})
}

// The first change goes out at once, the following ones at most every 50 ms.
func TestFlushAtOnceThenAtAPace(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"1","users":["7"],"observe":true}`)
		pause(time.Second)
		c.want("hello snap")
		h.set(7, presence.Online)
		c.want("delta")
		for range 5 {
			h.set(7, presence.Away)
			h.set(7, presence.Online)
			pause(9 * time.Millisecond)
		}
		c.want("")
		pause(6 * time.Millisecond)
		if got := c.want("delta")[0]; len(got.Users) != 1 || got.Users[0].S != "online" {
			t.Errorf("changes of one user are one: %+v", got)
		}
	})
}

func TestResume(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		for _, token := range []string{"1", "s1"} {
			h.set(7, presence.Online)
			c := h.dial(`{"t":"auth","token":"` + token + `","users":["7","8"],"observe":true}`)
			pause(time.Second)
			v := view{}
			v.apply(t, c.want("hello snap"))
			_ = c.net.Close()
			h.set(7, presence.Away)
			h.set(9, presence.Away)
			h.set(7, presence.Offline)
			pause(time.Minute)
			auth := fmt.Sprintf(`{"t":"auth","token":"%s","users":["7","8"],"observe":true,"resume":{"epoch":"%s","seq":%%d}}`, token, v.epoch)
			c = h.dial(fmt.Sprintf(auth, v.seq))
			frames := c.want("hello delta")
			if !frames[0].Resumed || frames[1].statuses() != "7:offline" {
				t.Errorf("%s resumed: %+v", token, frames)
			}
			v.apply(t, frames)
			h.set(7, presence.Online)
			h.set(8, presence.Online)
			pause(time.Second)
			v.apply(t, c.take())
			if v.users["7"].S != "online" || v.users["8"].S != "online" {
				t.Errorf("%s after resuming: %+v", token, v.users)
			}
			again := h.dial(fmt.Sprintf(auth, v.seq))
			if frames := again.want("hello"); !frames[0].Resumed {
				t.Errorf("%s with nothing missed: %+v", token, frames)
			}
			for what, forged := range map[string]string{
				"not yet reached":  fmt.Sprintf(auth, v.seq+1e12),
				"of another epoch": strings.Replace(fmt.Sprintf(auth, v.seq), v.epoch, "beef", 1),
			} {
				if frames := h.dial(forged).want("hello snap"); frames[0].Resumed || !frames[1].Full {
					t.Errorf("%s, %s: %+v", token, what, frames)
				}
			}
			h.set(8, presence.Offline)
		}
	})
}

func TestResumeOfEverybodyTellsEveryChange(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true}`)
		pause(time.Second)
		var v view
		v.apply(t, c.want("hello snap snap"))
		_ = c.net.Close()
		for range 3 {
			h.set(7, presence.Online)
			h.set(7, presence.Offline)
		}
		pause(time.Second)
		c = h.dial(fmt.Sprintf(`{"t":"auth","token":"s1","scope":"all","observe":true,"resume":{"epoch":"%s","seq":%d}}`, v.epoch, v.seq))
		d := c.want("hello delta")[1]
		if len(d.Users) != 6 || *d.After != v.seq || d.Seq != v.seq+6 {
			t.Errorf("replay: %+v", d)
		}
	})
}

// What a hidden user does reaches nobody but staff and the user: no frame, and no step of a seq.
func TestHiddenUsers(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.hide(7, presence.Privacy{HideStatus: true})
		h.hide(8, presence.Privacy{HideLastSeen: true})
		h.set(7, presence.Online)
		h.set(8, presence.Online)
		pause(time.Second)
		other := h.dial(`{"t":"auth","token":"1","users":["7","8","9"],"observe":true}`)
		staff := h.dial(`{"t":"auth","token":"s2","users":["7"],"observe":true}`)
		self := h.dial(`{"t":"auth","token":"7","users":["7","8"],"observe":true}`)
		blind := h.dial(`{"t":"auth","token":"7","scope":"counts"}`)
		for _, u := range other.want("hello snap")[1].Users {
			switch u.ID {
			case "7", "9":
				if u.S != "offline" || u.LS != 0 || u.Since != 0 {
					t.Errorf("hidden, or never seen: %+v", u)
				}
			case "8":
				if u.S != "online" || u.LS != 0 || u.Since != 0 {
					t.Errorf("last_seen hidden: %+v", u)
				}
			}
		}
		if got := staff.want("hello snap")[1].statuses(); got != "7:online" {
			t.Errorf("to staff: %s", got)
		}
		if got := self.want("hello snap")[1].statuses(); got != "7:online 8:offline" {
			t.Errorf("to themselves, who hides and does not see: %s", got)
		}
		if got := blind.want("hello snap")[1].Counts; got.Online != 0 || got.Away != 0 || got.Offline == 0 {
			t.Errorf("counts to who hides: %+v", got)
		}
		pause(time.Millisecond)
		before, _ := h.feed.hub.position(false)
		h.set(7, presence.Away)
		pause(time.Second)
		other.want("")
		staff.want("delta")
		self.want("delta")
		if after, _ := h.feed.hub.position(false); after.Seq-before.Seq != uint64(time.Second.Microseconds()) {
			t.Errorf("the seq of those who are no staff moved by %d in a second", after.Seq-before.Seq)
		}
		h.set(8, presence.Away)
		pause(time.Second)
		self.want("")
		if u := other.want("delta")[0].Users[0]; u.S != "away" || u.LS != 0 || u.Since != 0 {
			t.Errorf("last_seen hidden: %+v", u)
		}
		h.hide(7, presence.Privacy{})
		pause(time.Second)
		if got := other.want("delta")[0].statuses(); got != "7:away" {
			t.Errorf("shown again: %s", got)
		}
		if got := self.want("gap snap")[1].statuses(); got != "7:away 8:away" {
			t.Errorf("sees again: %s", got)
		}
		h.hide(7, presence.Privacy{HideStatus: true})
		pause(time.Second)
		if u := other.want("delta")[0].Users[0]; u.S != "offline" || u.LS != 0 || u.Since != 0 {
			t.Errorf("hides again: %+v", u)
		}
	})
}

// Whoever hid while a watcher was away is hidden from the watcher who comes back; what they did meanwhile is not told.
func TestResumeKeepsPrivacy(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.set(7, presence.Online)
		h.hide(8, presence.Privacy{HideStatus: true})
		c := h.dial(`{"t":"auth","token":"1","users":["7","8"],"observe":true}`)
		pause(time.Second)
		var v view
		v.apply(t, c.want("hello snap"))
		_ = c.net.Close()
		h.hide(7, presence.Privacy{HideStatus: true})
		h.set(8, presence.Online)
		pause(time.Second)
		c = h.dial(fmt.Sprintf(`{"t":"auth","token":"1","users":["7","8"],"observe":true,"resume":{"epoch":"%s","seq":%d}}`, v.epoch, v.seq))
		frames := c.want("hello delta")
		if got := frames[1]; got.statuses() != "7:offline" || got.Users[0].LS != 0 {
			t.Errorf("resumed: %+v", got)
		}
		h.hide(1, presence.Privacy{HideLastSeen: true})
		c = h.dial(fmt.Sprintf(`{"t":"auth","token":"1","users":["7"],"observe":true,"resume":{"epoch":"%s","seq":%d}}`, v.epoch, v.seq))
		c.want("hello snap")
	})
}

func TestVariantsAreWhatTheRuleSays(t *testing.T) {
	flags := []bool{false, true}
	change := presence.Change{
		User: 7, From: presence.Away, To: presence.Online, Cause: presence.CauseLogin,
		At: time.UnixMilli(1000), LastSeen: time.UnixMilli(2000), Version: 5,
	}
	for n := range 64 {
		flag := func(bit int) bool { return flags[n>>bit&1] }
		v := presence.Viewer{User: 1, Staff: flag(0), Privacy: presence.Privacy{HideStatus: flag(1), HideLastSeen: flag(2)}}
		if flag(3) {
			v.User = 7
		}
		hidden := presence.Privacy{HideStatus: flag(4), HideLastSeen: flag(5)}
		want := changed(&change).For(v, hidden)
		as := variantFor(v, 7, hidden)
		if as == nothing {
			if want != (presence.Presence{User: 7}) {
				t.Errorf("%+v %+v: nothing is told, the rule allows %+v", v, hidden, want)
			}
			continue
		}
		b := &batch{changes: []presence.Change{change}, items: make([][variants][]byte, 1)}
		if got := string(b.item(hit{0, as})); got != string(appendUser(nil, &want)) {
			t.Errorf("%+v %+v: %s, the rule says %s", v, hidden, got, appendUser(nil, &want))
		}
	}
}

func TestCounts(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.set(7, presence.Online)
		c := h.dial(`{"t":"auth","token":"1","scope":"counts","observe":true}`)
		if got := c.want("hello snap")[1]; got.Counts.Online != 1 || len(got.Users) != 0 || !got.Full {
			t.Fatalf("snap: %+v", got)
		}
		pause(2 * time.Second)
		c.take()
		for range 20 {
			h.set(7, presence.Away)
			h.set(8, presence.Online)
			h.set(8, presence.Offline)
			h.set(8, presence.Online)
		}
		pause(2 * time.Second)
		if got := c.want("delta")[0]; got.Counts.Online != 1 || got.Counts.Away != 1 || len(got.Users) != 0 {
			t.Errorf("counts: %+v", got)
		}
	})
}
