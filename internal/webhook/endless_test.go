package webhook

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/offchat/presence/wire"
)

// endless answers at once, with a body that goes on for as long as somebody reads it.
type endless struct{ pace time.Duration }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &trickle{r.Context(), e.pace}}, nil
}

// trickle is one byte at a time, as a connection brings it: until its request ends.
type trickle struct {
	ctx  context.Context
	pace time.Duration
}

func (b *trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(b.pace):
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *trickle) Close() error { return nil }

// TestAnAnswerWithoutEndIsReadNoFurther: neither a slow body nor a long one holds an attempt longer than its time, and
// as the status is known, it counts.
func TestAnAnswerWithoutEndIsReadNoFurther(t *testing.T) {
	for pace, longest := range map[time.Duration]time.Duration{
		time.Second:      sendTimeout,
		time.Microsecond: maxAnswer * time.Microsecond,
	} {
		inTime(t, nil, func(c *Config) { c.Transport = endless{pace} }, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
			begun := time.Now()
			d, err := h.Test(t.Context(), Actor{}, number(made.ID))
			if took := time.Since(begun); err != nil || d.State != "succeeded" || took > longest {
				t.Errorf("a byte every %v: %+v after %v, %v", pace, d, took, err)
			}
		})
	}
}
