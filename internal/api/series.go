package api

import (
	"context"
	"math"
	"time"

	"github.com/offchat/presence/wire"
)

// ranges are how far back the series looks, and its steps.
var ranges = map[string]struct{ back, step time.Duration }{
	"1h":  {time.Hour, time.Minute},
	"6h":  {6 * time.Hour, 5 * time.Minute},
	"24h": {24 * time.Hour, 10 * time.Minute},
	"7d":  {7 * 24 * time.Hour, time.Hour},
	"30d": {30 * 24 * time.Hour, 4 * time.Hour},
}

func (h *Handler) concurrency(ctx context.Context, c *call, in *struct {
	Range string `query:"range" enum:"1h,6h,24h,7d,30d" default:"24h" doc:"How far back. The steps are 1 min, 5 min, 10 min, 1 h and 4 h."`
},
) (*reply[wire.Concurrency], error) {
	of := ranges[in.Range]
	to := c.now.UTC()
	from := to.Add(-of.back).Truncate(of.step)
	recorded, err := h.Store.Concurrency(ctx, from, to, of.step)
	if err != nil {
		return nil, err
	}
	changes, err := h.Store.Transitions(ctx, from, to, of.step)
	if err != nil {
		return nil, err
	}
	series := wire.Concurrency{Range: in.Range, StepSeconds: int(of.step / time.Second), AsOf: stamp(c.now)}
	place := func(at time.Time) int { return int(at.Sub(from) / of.step) }
	series.Items = make([]wire.ConcurrencyPoint, place(to)+1)
	for i := range series.Items {
		series.Items[i].At = from.Add(time.Duration(i) * of.step)
	}
	for _, one := range recorded {
		p := &series.Items[place(one.At)]
		p.Online, p.Away, p.Offline, p.PeakOnline = tenth(one.Online), tenth(one.Away), tenth(one.Offline), &one.PeakOnline
		if one.Linked > 0 {
			p.Devices, p.Connections = tenth(one.Devices), tenth(one.Connections)
		}
	}
	for _, one := range changes {
		p := &series.Items[place(one.At)]
		if p.Changes == nil {
			p.Changes = map[string]int{}
		}
		p.Changes[one.Cause.String()] = one.N
	}
	return answer(series), nil
}

// tenth rounds a mean.
func tenth(mean float64) *float64 {
	mean = math.Round(mean*10) / 10
	return &mean
}
