package api

import (
	"context"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// quarter is the step in which a week is read: every time zone's hours begin at one.
const quarter = 15 * time.Minute

func (h *Handler) registerWeek() {
	add(h, operation{
		id: "get_week", method: get, path: "/history/week", tag: "Statistics", need: Staff, scopes: presence.ScopeAdminRead,
		summary: "How many people are online at which hour of which day of the week, on average",
		text:    "From what was recorded every minute. An hour in which no server was ever looking is null.",
	}, h.week)
}

func (h *Handler) week(ctx context.Context, c *call, in *struct {
	Weeks int    `query:"weeks" minimum:"1" maximum:"12" default:"4" doc:"How many weeks back."`
	Zone  string `query:"tz" default:"UTC" maxLength:"64" doc:"The time zone of the hours, as the IANA database calls it." example:"Asia/Kabul"`
},
) (*reply[wire.Week], error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || in.Zone == "Local" {
		return nil, invalid("query", "tz", "there is no such time zone", "a name of the IANA database")
	}
	to := c.now.UTC()
	from := to.Add(-time.Duration(in.Weeks) * 7 * 24 * time.Hour).Truncate(quarter)
	recorded, err := h.Store.Concurrency(ctx, from, to, quarter)
	if err != nil {
		return nil, err
	}
	var sums [7][24]struct {
		online  float64
		minutes int
	}
	for _, one := range recorded {
		local := one.At.In(zone)
		sum := &sums[local.Weekday()][local.Hour()]
		sum.online += one.Online * float64(one.Minutes)
		sum.minutes += one.Minutes
	}
	answered := wire.Week{From: stamp(from), To: stamp(c.now), Days: make([]wire.WeekDay, len(sums))}
	for day := range sums {
		answered.Days[day].Hours = make([]*float64, len(sums[day]))
		answered.Days[day].Minutes = make([]int, len(sums[day]))
		for hour, sum := range sums[day] {
			if answered.Days[day].Minutes[hour] = sum.minutes; sum.minutes > 0 {
				answered.Days[day].Hours[hour] = tenth(sum.online / float64(sum.minutes))
			}
		}
	}
	return answer(answered), nil
}
