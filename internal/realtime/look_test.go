package realtime

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// last returns the last frame of a type as it came.
func last[T any](t *testing.T, frames []serverFrame, kind string) (v T, n int) {
	t.Helper()
	for _, f := range frames {
		if f.T != kind {
			continue
		}
		n++
		v = *new(T)
		if err := json.Unmarshal(f.text, &v); err != nil {
			t.Fatal(err)
		}
	}
	return v, n
}

// TestSeenOfThoseOnTheScreen: a beat changes no status, and who looks at the person is told of it all the same.
func TestSeenOfThoseOnTheScreen(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true,"roster":true}`)
		pause(time.Second)
		c.take()
		c.say(`{"t":"look","users":["7","8"]}`)
		first, n := last[wire.FeedSeen](t, c.take(), "seen")
		if n != 1 || strings.Join(first.IDs, " ") != "7 8" || first.Devices[0] != 1 || first.Devices[1] != 0 || first.LS[1] != 0 || first.LS[0] == 0 {
			t.Fatalf("the first look: %+v, %d frames", first, n)
		}
		pause(10 * time.Second)
		if _, n := last[wire.FeedSeen](t, c.take(), "seen"); n != 0 {
			t.Errorf("%d frames though nothing moved", n)
		}
		h.signal(7, presence.Heartbeat)
		at := time.Now().UnixMilli()
		pause(seenEvery)
		then, n := last[wire.FeedSeen](t, c.take(), "seen")
		if n != 1 || strings.Join(then.IDs, " ") != "7" || then.LS[0] != at || then.Now-then.LS[0] > seenEvery.Milliseconds() {
			t.Errorf("after a beat at %d: %+v", at, then)
		}
		c.say(`{"t":"look","users":[]}`)
		h.signal(7, presence.Heartbeat)
		pause(2 * seenEvery)
		if v, n := last[wire.FeedSeen](t, c.take(), "seen"); n != 1 || len(v.IDs) != 0 {
			t.Errorf("looking at nobody: %+v, %d frames", v, n)
		}
	})
}

func TestLookIsForStaffAndBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"1","users":["7"]}`)
		pause(time.Second)
		c.take()
		c.say(`{"t":"look","users":["7"]}`)
		if got := c.want("error")[0]; got.Code != "wrong_scope" || got.Re != "look" {
			t.Errorf("to somebody who is no staff: %+v", got)
		}
		boss := h.dial(`{"t":"auth","token":"s1","scope":"all"}`)
		pause(time.Second)
		boss.take()
		boss.say(`{"t":"look","users":["7"` + manyIDs(maxLooked) + `]}`)
		if got := boss.want("error")[0]; got.Code != "too_many_users" {
			t.Errorf("too many: %+v", got)
		}
	})
}

func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + idText(presence.UserID(1000+i)) + `"`)
	}
	return b.String()
}

// TestRosterReadersGetNoUsersInPictures: they hold the roster, and are told when they have to take it again.
func TestRosterReadersGetNoUsersInPictures(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		pause(time.Second)
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true,"roster":true}`)
		pause(time.Second)
		frames := c.want("hello snap")
		snap := frames[1]
		if snap.Full || snap.More || len(snap.Users) != 0 || snap.Counts == nil || snap.Counts.Online != 1 || snap.Seq != frames[0].Seq {
			t.Fatalf("snap: %+v", snap)
		}
		h.signal(8, presence.Login)
		pause(time.Second)
		if d := c.want("delta")[0]; *d.After != snap.Seq || d.statuses() != "8:online" {
			t.Errorf("delta: %+v", d)
		}
		c.socket.lose()
		pause(time.Second)
		if again := c.want("gap snap")[1]; again.Full || len(again.Users) != 0 {
			t.Errorf("after a gap: %+v", again)
		}
	})
}

// TestAccountsChanged: many changes at once are one word, with the newest version.
func TestAccountsChanged(t *testing.T) {
	in(t, func(t *testing.T) {
		version := "a-1"
		h := newHouse(t, func(c *Config, _ *times) { c.Accounts = func() string { return version } })
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true,"roster":true}`)
		other := h.dial(`{"t":"auth","token":"2","users":["7"],"observe":true}`)
		pause(time.Second)
		if hello, _ := last[wire.FeedHello](t, c.take(), "hello"); hello.Accounts != "a-1" {
			t.Errorf("hello: %+v", hello)
		}
		other.take()
		version = "a-9"
		for range 8 {
			h.feed.AccountsChanged()
		}
		pause(time.Second)
		frames := c.take()
		if got, n := last[wire.FeedAccounts](t, frames, "accounts"); n < 1 || n > 2 || got.Version != "a-9" {
			t.Errorf("%d frames, the last %+v", n, got)
		}
		other.want("")
	})
}

// TestACursorOfTheRosterIsGood though the feed has not handed out so far yet.
func TestACursorOfTheRosterIsGood(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		h.signal(7, presence.Login)
		pause(time.Second)
		h.signal(8, presence.Login) // handed out in a moment
		cursor, _, err := h.engine.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, _ := h.feed.hub.position(true)
		resume := func(seq uint64) serverFrame {
			text, _ := json.Marshal(wire.FeedRequest{T: "auth", Token: "s1", Scope: "all", Observe: true, Resume: &wire.FeedCursor{Epoch: at.Epoch, Seq: seq}})
			return h.dial(string(text)).take()[0]
		}
		if !resume(cursor.Seq).Resumed {
			t.Error("the roster's cursor is refused")
		}
		if resume(cursor.Seq + 1).Resumed {
			t.Error("a cursor of the future is taken")
		}
	})
}

// TestTransitionsSayEverything: what an events page shows is in the deltas of scope all.
func TestTransitionsSayEverything(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config, _ *times) {
			c.Device = func(user presence.UserID, session presence.SessionID) string { return "Firefox/Linux" }
		})
		c := h.dial(`{"t":"auth","token":"s1","scope":"all","observe":true,"roster":true}`)
		pause(time.Second)
		c.take()
		h.signal(7, presence.Login)
		pause(time.Second)
		u := c.want("delta")[0].Users[0]
		if u.ID != "7" || u.From != "offline" || u.S != "online" || u.C != "login" || u.Node != "a" || u.Dev != "Firefox/Linux" ||
			u.Sid != presence.SessionID(500_007).String() || u.Since != time.Now().Add(-time.Second).UnixMilli() || u.Held {
			t.Errorf("login: %+v", u)
		}
		until := time.Now().Add(time.Hour)
		if _, err := h.engine.Signal(t.Context(), presence.Signal{
			User: 7, Kind: presence.SetHold, Status: presence.Away, Until: until, Note: `at "lunch"`, Actor: 99, At: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		pause(time.Second)
		u = c.want("delta")[0].Users[0]
		if u.S != "away" || u.C != "admin" || u.By != "99" || !u.Held || u.Until != until.UnixMilli() || u.Note != `at "lunch"` || u.Sid != "" {
			t.Errorf("hold: %+v", u)
		}
	})
}
