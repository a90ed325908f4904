package tracker

import (
	"context"
	"time"

	"github.com/offchat/presence"
)

const (
	// sampleEvery is how often people are counted, for the peak of a minute.
	sampleEvery = time.Second
	// maxMinutes bounds the minutes that wait while the store is away: a day.
	maxMinutes = 24 * 60
)

// sampler counts people once a second and hands the store one row a minute. Minutes in which nobody counted,
// because no server ran or it stood still, get no row: a gap is a gap. It is used by one goroutine of Run, and by
// Flush after it.
type sampler struct {
	minute  presence.Minute
	waiting []presence.Minute
}

// sample counts, and writes down the minutes that are over.
func (t *Tracker) sample(ctx context.Context) error {
	s := &t.samples
	if t.shared != nil && t.shared.Stale() {
		return t.recordMinutes(ctx) // others may know better
	}
	counts, err := t.Counts(ctx)
	if err != nil {
		return err
	}
	at := t.now().UTC().Truncate(time.Minute)
	if !s.minute.At.Equal(at) {
		s.over()
		s.minute = presence.Minute{At: at}
	}
	if !s.minute.Links.Known { // once a minute: it looks at every session
		if s.minute.Links, err = t.Links(ctx); err != nil {
			return err
		}
	}
	s.minute.Counts, s.minute.PeakOnline = counts, max(s.minute.PeakOnline, counts.Online)
	return t.recordMinutes(ctx)
}

// Links implements presence.LinkCounter. They are not Known where the engine cannot count them.
func (t *Tracker) Links(ctx context.Context) (presence.Links, error) {
	counter, ok := t.Engine.(presence.LinkCounter)
	if !ok {
		return presence.Links{}, nil
	}
	return counter.Links(ctx)
}

// over puts the minute under way to those that wait to be written.
func (s *sampler) over() {
	if s.minute.At.IsZero() {
		return
	}
	s.waiting = append(s.waiting, s.minute)
	if n := len(s.waiting) - maxMinutes; n > 0 {
		s.waiting = s.waiting[n:]
	}
	s.minute = presence.Minute{}
}

func (t *Tracker) recordMinutes(ctx context.Context) error {
	store, ok := t.store.(presence.ReportStore)
	if !ok {
		t.samples.waiting = nil
		return nil
	}
	for len(t.samples.waiting) > 0 {
		if err := store.RecordCounts(ctx, t.samples.waiting[0]); err != nil {
			return err
		}
		t.samples.waiting = t.samples.waiting[1:]
	}
	return nil
}

// flushSamples writes the minute under way, too.
func (t *Tracker) flushSamples(ctx context.Context) error {
	t.samples.over()
	return t.recordMinutes(ctx)
}
