package api

import (
	"context"
	"time"
	_ "time/tzdata" // small systems have no time zones of their own

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// maxHistory bounds what one answer looks back.
	maxHistory = 92 * 24 * time.Hour
	// maxChanges bounds the changes that one answer is computed from.
	maxChanges = 20_000
)

// unknown is the word for a stretch of time of which nothing was written down.
const unknown = "unknown"

type historyInput struct {
	UserPath
	HistoryInput
}

// HistoryInput is which stretch of time is asked for.
type HistoryInput struct {
	From time.Time `query:"from" required:"true" doc:"The beginning."`
	To   time.Time `query:"to" doc:"The end; now when it is absent or later. At most 92 days after from."`
	Zone string    `query:"tz" default:"UTC" maxLength:"64" doc:"The time zone of the days, as the IANA database calls it." example:"Asia/Kabul"`
}

func (h *Handler) history(ctx context.Context, c *call, in *historyInput) (*reply[wire.History], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	return h.historyOf(ctx, c, user, &in.HistoryInput)
}

func (h *Handler) historyOf(ctx context.Context, c *call, user presence.UserID, in *HistoryInput) (*reply[wire.History], error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || in.Zone == "Local" {
		return nil, invalid("query", "tz", "there is no such time zone", "a name of the IANA database")
	}
	from, to := stamp(in.From), stamp(in.To)
	if in.To.IsZero() || to.After(c.now) {
		to = stamp(c.now)
	}
	switch {
	case !from.Before(to):
		return nil, invalid("query", "from", "from must be before to, and past", "before "+to.Format(time.RFC3339))
	case to.Sub(from) > maxHistory:
		return nil, invalid("query", "from", "one answer looks back 92 days at most", "to - from <= 92 days")
	}
	a, err := h.Store.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	changes, err := h.Store.History(ctx, user, from, to, maxChanges+1)
	if err != nil {
		return nil, err
	}
	before, err := h.Store.LastChanges(ctx, user, from, 1)
	if err != nil {
		return nil, err
	}
	story := wire.History{From: from, To: to}
	if story.Truncated = len(changes) > maxChanges; story.Truncated {
		changes = changes[:maxChanges]
		story.To = stamp(changes[maxChanges-1].At)
	}
	stretches := intervals(before, changes, stamp(a.CreatedAt), story.From, story.To)
	sumUp(&story, stretches, zone)
	return answer(story), nil
}

// intervals tells what somebody was between two moments, from the changes in between and the last one before. A
// change says what was right before it, too: where that is not what the change before it led to, or its Version is
// not the next one, changes are missing and the time between the two is unknown. So is the time before the account
// was made, and before the first change that is kept, unless that is the first there ever was.
func intervals(before, changes []presence.Change, created, from, to time.Time) []wire.Interval {
	var list []wire.Interval
	add := func(end time.Time, status, cause string) {
		if end.After(from) {
			list = append(list, wire.Interval{From: from, To: end, Status: status, Cause: cause})
			from = end
		}
	}
	var last *presence.Change
	if len(before) > 0 {
		last = &before[0]
	} else if created.After(from) {
		add(earlier(created, to), unknown, "")
	}
	for i := range changes {
		next := &changes[i]
		at := stamp(next.At)
		switch {
		case last != nil && last.To == next.From && (last.Version+1 == next.Version || last.Version == 0):
			add(at, last.To.String(), last.Cause.String())
		case last == nil && next.Version == 1: // the first ever
			add(at, next.From.String(), "")
		default:
			add(at, unknown, "")
		}
		last = next
	}
	switch {
	case last != nil:
		add(to, last.To.String(), last.Cause.String())
	default:
		add(to, unknown, "")
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sumUp cuts the stretches at midnights and adds them up.
func sumUp(story *wire.History, stretches []wire.Interval, zone *time.Location) {
	story.Days = []wire.Day{}
	run := time.Duration(0) // online without a break
	for _, one := range stretches {
		length := one.To.Sub(one.From)
		count(&story.Totals, one.Status, length)
		if run = run + length; one.Status != presence.Online.String() {
			run = 0
		}
		story.LongestS = max(story.LongestS, int64(run/time.Second))
		for from := one.From; from.Before(one.To); {
			end := earlier(midnightAfter(from, zone), one.To)
			day := dayOf(story, from.In(zone).Format(time.DateOnly))
			day.Intervals = append(day.Intervals, wire.Interval{From: from, To: end, Status: one.Status, Cause: one.Cause})
			count(&day.Totals, one.Status, end.Sub(from))
			from = end
		}
	}
	for i := range story.Days {
		if t := &story.Days[i].Totals; t.OnlineSeconds+t.AwaySeconds > 0 {
			story.DaysSeen++
		}
	}
}

// dayOf finds the day of a date; stretches come in order, so it is the last one or a new one.
func dayOf(story *wire.History, date string) *wire.Day {
	if n := len(story.Days); n == 0 || story.Days[n-1].Date != date {
		story.Days = append(story.Days, wire.Day{Date: date, Intervals: []wire.Interval{}})
	}
	return &story.Days[len(story.Days)-1]
}

// midnightAfter is the next beginning of a day in a zone, whatever its clocks do that night.
func midnightAfter(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	next := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone).UTC()
	if !next.After(t) { // a midnight that does not exist
		next = t.Add(time.Hour)
	}
	return next
}

// count adds a length to the sum of its status. Sums are kept in whole seconds; what is cut off is less than one
// a stretch.
func count(t *wire.Totals, status string, length time.Duration) {
	n := int64(length.Round(time.Second) / time.Second)
	switch status {
	case presence.Online.String():
		t.OnlineSeconds += n
	case presence.Away.String():
		t.AwaySeconds += n
	case presence.Offline.String():
		t.OfflineSeconds += n
	default:
		t.UnknownSeconds += n
	}
}
