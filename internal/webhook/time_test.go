package webhook

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/offchat/presence/wire"
)

// line is a receiver at the other end of a wire without sockets, so that it works in virtual time.
type line struct {
	mu    sync.Mutex
	times []time.Time
	// answer says what becomes of the n-th request, from 0.
	answer func(n int) (*http.Response, error)
	delay  time.Duration
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	n := len(l.times)
	l.times = append(l.times, time.Now())
	l.mu.Unlock()
	select {
	case <-time.After(l.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return l.answer(n)
}

// pauses are how long it took from each request to the next.
func (l *line) pauses() (list []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i < len(l.times); i++ {
		list = append(list, l.times[i].Sub(l.times[i-1]))
	}
	return list
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

func answered(status int, header ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: http.NoBody}, nil
}

// lookEvery is how often these tests look: they last for days.
const lookEvery = 5 * time.Minute

// inTime runs a test in virtual time, with a house whose deliveries go to a line.
func inTime(t *testing.T, l *line, change func(*Config), test func(t *testing.T, h *house, made wire.WebhookWithSecret)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config) {
			c.Transport = l
			if change != nil {
				change(c)
			}
		})
		made := h.hook("https://example.org/hook", func(n *wire.NewWebhook) { n.BatchSize = 2 })
		h.lookEvery = lookEvery
		stop := h.start()
		test(t, h, made)
		stop()
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPausesDoubleUpToAnHour(t *testing.T) {
	l := &line{answer: func(int) (*http.Response, error) { return answered(503) }}
	inTime(t, l, nil, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
		h.move(1)
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		whole := firstPause
		for i, pause := range l.pauses() {
			if pause < whole/2 || pause > whole+lookEvery {
				t.Errorf("pause %d is %v, want from %v to %v", i, pause, whole/2, whole)
			}
			whole = min(2*whole, longestPause)
		}
		if n := l.count(); n < 14 || n > 28 {
			t.Errorf("%d attempts in 8 hours", n)
		}
		w := h.get(made.ID)
		if w.Failures != l.count() || w.FailingSince == nil || w.NextAttemptAt == nil || w.DisableAt == nil ||
			!w.DisableAt.Equal(w.FailingSince.Add(h.DisableAfter)) || w.LastError != "the receiver answered 503" {
			t.Errorf("%d attempts: %+v", l.count(), w)
		}
	})
}

func TestAReceiverIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	l := &line{}
	l.answer = func(n int) (*http.Response, error) {
		switch n {
		case 0:
			return answered(429, "Retry-After", "600")
		case 1:
			return answered(503, "Retry-After", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
		case 2:
			return answered(503, "Retry-After", "99999999")
		default:
			return answered(204)
		}
	}
	inTime(t, l, nil, func(t *testing.T, h *house, _ wire.WebhookWithSecret) {
		h.move(1)
		time.Sleep(27 * time.Hour)
		synctest.Wait()
		for i, want := range []time.Duration{10 * time.Minute, 2 * time.Hour, longestRetryAfter} {
			if pause := l.pauses()[i]; pause < want-time.Second || pause > want+2*lookEvery {
				t.Errorf("pause %d is %v, want %v", i, pause, want)
			}
		}
		if l.count() != 4 {
			t.Errorf("%d attempts", l.count())
		}
	})
}

func TestAWebhookThatFailsForTooLongIsTakenOutOfService(t *testing.T) {
	l := &line{answer: func(int) (*http.Response, error) { return nil, errors.New("connection reset by peer") }}
	inTime(t, l, func(c *Config) { c.DisableAfter = 3 * time.Hour }, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
		h.move(1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if w := h.get(made.ID); w.State != "active" {
			t.Errorf("after two hours: %+v", w)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		w := h.get(made.ID)
		if w.State != "failing" || w.LastError != "connection reset by peer" || w.NextAttemptAt != nil {
			t.Errorf("after five: %+v", w)
		}
		n := l.count()
		h.move(1)
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if l.count() != n {
			t.Errorf("%d more attempts", l.count()-n)
		}
		if !strings.Contains(h.log.String(), "it failed for too long") || testutil.ToFloat64(h.Metrics.Disabled) != 1 {
			t.Errorf("%v were counted; log: %s", testutil.ToFloat64(h.Metrics.Disabled), h.log)
		}
	})
}

func TestADeliveryIsGivenUpAfterADayAndTheOthersHaveTheirTurn(t *testing.T) {
	l := &line{answer: func(int) (*http.Response, error) { return answered(400) }}
	inTime(t, l, nil, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
		h.move(3)
		for h.get(made.ID).Queued == 3 && h.get(made.ID).State == "active" {
			time.Sleep(10 * time.Minute)
			synctest.Wait()
		}
		l.mu.Lock()
		l.answer = func(int) (*http.Response, error) { return answered(204) }
		l.mu.Unlock()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		page, err := h.Deliveries(t.Context(), number(made.ID), "", 0, 10)
		if err != nil || len(page.Items) != 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		first, second := page.Items[1], page.Items[0]
		if first.State != "failed" || first.Attempts < 24 || first.AttemptAt.Sub(first.CreatedAt) < giveUpAfter {
			t.Errorf("the first: %+v", first)
		}
		detail, err := h.Delivery(t.Context(), number(made.ID), number(second.ID))
		if err != nil || second.State != "succeeded" || !strings.Contains(detail.Body, `"type":"gap"`) || !strings.Contains(detail.Body, `"missed":2`) {
			t.Errorf("the second: %+v, %v", detail, err)
		}
		if testutil.ToFloat64(h.Metrics.Dropped) != 2 {
			t.Errorf("%v events counted as dropped", testutil.ToFloat64(h.Metrics.Dropped))
		}
	})
}

func TestAnAnswerThatDoesNotComeIsAFailureAfterFifteenSeconds(t *testing.T) {
	l := &line{delay: time.Hour, answer: func(int) (*http.Response, error) { return answered(204) }}
	inTime(t, l, nil, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
		begun := time.Now()
		d, err := h.Test(t.Context(), Actor{}, number(made.ID))
		if err != nil || d.Error != "no answer within 15s" || time.Since(begun) != sendTimeout {
			t.Errorf("after %v: %+v, %v", time.Since(begun), d, err)
		}
	})
}

func TestAnAttemptThatTheEndCutsShortIsNoFailure(t *testing.T) {
	l := &line{delay: 10 * time.Second, answer: func(int) (*http.Response, error) { return answered(204) }}
	inTime(t, l, nil, func(t *testing.T, h *house, made wire.WebhookWithSecret) {
		h.move(1)
		time.Sleep(time.Second)
		synctest.Wait()
		stop := h.stopNow
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != sendGrace {
			t.Errorf("the end took %v", took)
		}
		if w := h.get(made.ID); w.Failures != 0 || w.Queued != 1 {
			t.Errorf("%+v", w)
		}
		due, err := h.store.DueWebhooks(t.Context(), "another", time.Now())
		if err != nil || !slices.Equal(due, []int64{number(made.ID)}) {
			t.Errorf("the lease was kept: %v, %v", due, err)
		}
	})
}

func TestTheQueueIsMeasured(t *testing.T) {
	l := &line{answer: func(int) (*http.Response, error) { return answered(500) }}
	inTime(t, l, nil, func(t *testing.T, h *house, _ wire.WebhookWithSecret) {
		h.move(5)
		time.Sleep(measureEvery + time.Second)
		synctest.Wait()
		if n := testutil.ToFloat64(h.Metrics.Queue); n != 5 {
			t.Errorf("queue %v, want 5", n)
		}
		if lag := testutil.ToFloat64(h.Metrics.Lag); lag < 9 || lag > 11 {
			t.Errorf("lag %v s, want 10", lag)
		}
	})
}
