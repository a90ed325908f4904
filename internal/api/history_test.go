package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// clockTime is a time of the day of the tests: "09:30".
func clockTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", "2026-03-04 "+text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// told is a list of changes: "1 09:00 offline>online login".
func told(t *testing.T, text string) (list []presence.Change) {
	t.Helper()
	for _, line := range strings.Split(text, ", ") {
		if line == "" {
			continue
		}
		var c presence.Change
		var at, move, cause string
		if _, err := fmt.Sscan(line, &c.Version, &at, &move, &cause); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		from, to, _ := strings.Cut(move, ">")
		c.From, _ = presence.ParseStatus(from)
		c.To, _ = presence.ParseStatus(to)
		c.Cause, _ = presence.ParseCause(cause)
		c.At = clockTime(t, at)
		list = append(list, c)
	}
	return list
}

func shown(list []wire.Interval) string {
	var words []string
	for _, one := range list {
		words = append(words, fmt.Sprintf("%s-%s %s", one.From.Format("15:04"), one.To.Format("15:04"), one.Status))
	}
	return strings.Join(words, ", ")
}

// TestIntervals: between 08:00 and 12:00.
func TestIntervals(t *testing.T) {
	for _, one := range []struct{ name, before, changes, created, want string }{
		{
			"somebody who came and went", "4 07:00 online>offline logout", "5 09:00 offline>online login, 6 10:00 online>offline timeout", "01:00",
			"08:00-09:00 offline, 09:00-10:00 online, 10:00-12:00 offline",
		},
		{"nothing changed in between", "4 07:00 offline>online login", "", "01:00", "08:00-12:00 online"},
		{"the first change ever says what was before", "", "1 09:00 offline>online login", "01:00", "08:00-09:00 offline, 09:00-12:00 online"},
		{"what came before is not kept any more", "", "7 09:00 offline>online login", "01:00", "08:00-09:00 unknown, 09:00-12:00 online"},
		{"nothing was ever written down", "", "", "01:00", "08:00-12:00 unknown"},
		{"made in between", "", "1 10:00 offline>online login", "09:00", "08:00-09:00 unknown, 09:00-10:00 offline, 10:00-12:00 online"},
		{
			"a change is missing", "4 07:00 online>offline logout", "5 09:00 offline>online login, 7 11:00 offline>online login", "01:00",
			"08:00-09:00 offline, 09:00-11:00 unknown, 11:00-12:00 online",
		},
		{
			"two are missing, and the words agree", "4 07:00 online>offline logout", "5 09:00 offline>online login, 8 11:00 online>away idle", "01:00",
			"08:00-09:00 offline, 09:00-11:00 unknown, 11:00-12:00 away",
		},
		{"a change at the very beginning", "4 07:00 online>offline logout", "5 08:00 offline>online login", "01:00", "08:00-12:00 online"},
	} {
		t.Run(one.name, func(t *testing.T) {
			got := intervals(told(t, one.before), told(t, one.changes), clockTime(t, one.created), clockTime(t, "08:00"), clockTime(t, "12:00"))
			if shown(got) != one.want {
				t.Errorf("got  %s\nwant %s", shown(got), one.want)
			}
		})
	}
}

// TestDays: stretches are cut at the midnights of the zone, and the sums agree with the range whatever the clocks do.
func TestDays(t *testing.T) {
	for _, one := range []struct {
		zone, from, to string
		dates          string
	}{
		{"UTC", "2026-03-04T22:00:00Z", "2026-03-06T01:00:00Z", "2026-03-04 2026-03-05 2026-03-06"},
		{"Asia/Kabul", "2026-03-04T19:00:00Z", "2026-03-04T20:00:00Z", "2026-03-04 2026-03-05"},
		{"America/New_York", "2026-03-08T04:00:00Z", "2026-03-09T05:00:00Z", "2026-03-07 2026-03-08 2026-03-09"},
		{"Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-24T22:00:00Z", "2026-04-23 2026-04-24 2026-04-25"}, // no midnight on the 24th
	} {
		t.Run(one.zone, func(t *testing.T) {
			zone, err := time.LoadLocation(one.zone)
			if err != nil {
				t.Skip("no time zones here")
			}
			from, _ := time.Parse(time.RFC3339, one.from)
			to, _ := time.Parse(time.RFC3339, one.to)
			half := from.Add(to.Sub(from) / 2)
			story := wire.History{From: from, To: to}
			sumUp(&story, []wire.Interval{{From: from, To: half, Status: "online"}, {From: half, To: to, Status: "away"}}, zone)
			var dates []string
			days, at := wire.Totals{}, from
			for _, day := range story.Days {
				dates = append(dates, day.Date)
				days.OnlineSeconds += day.Totals.OnlineSeconds
				days.AwaySeconds += day.Totals.AwaySeconds
				for _, stretch := range day.Intervals {
					if !stretch.From.Equal(at) || !stretch.To.After(at) {
						t.Errorf("after %v comes %v to %v", at, stretch.From, stretch.To)
					}
					at = stretch.To
				}
			}
			if got := strings.Join(dates, " "); got != one.dates {
				t.Errorf("days %s, want %s", got, one.dates)
			}
			if days != story.Totals || !at.Equal(to) || story.Totals.OnlineSeconds != int64(half.Sub(from)/time.Second) {
				t.Errorf("days sum up to %+v, all to %+v, the last ends at %v", days, story.Totals, at)
			}
		})
	}
}

// TestHistory asks for what the tracker really wrote down.
func TestHistory(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	day := time.Date(2026, 5, 6, 0, 0, 0, 0, time.UTC)
	var changes []presence.Change
	status := presence.Offline
	for i, to := range []presence.Status{presence.Online, presence.Away, presence.Online, presence.Offline} {
		changes = append(changes, presence.Change{
			User: 7, From: status, To: to, Cause: presence.CauseActivity, At: day.Add(time.Duration(9+i) * time.Hour), Version: uint64(i + 1),
		})
		status = to
	}
	if err := s.store.RecordChanges(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	h := want[wire.History](s, 200, "GET", "/api/v1/users/7/history?from=2026-05-06T00:00:00Z&to=2026-05-08T00:00:00Z", s.login("boss").Access, "")
	if want := (wire.Totals{OnlineSeconds: 2 * 3600, AwaySeconds: 3600, OfflineSeconds: 45 * 3600}); h.Totals != want {
		t.Errorf("totals %+v, want %+v", h.Totals, want)
	}
	if len(h.Days) != 2 || h.DaysSeen != 1 || h.LongestS != 3600 || h.Truncated || len(h.Days[0].Intervals) != 5 {
		t.Errorf("history %+v", h)
	}
}
