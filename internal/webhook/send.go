package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// firstPause is how long to wait after the first failure; each further one doubles it, up to longestPause.
	firstPause   = 5 * time.Second
	longestPause = time.Hour
	// longestRetryAfter bounds what a receiver may ask for.
	longestRetryAfter = 24 * time.Hour

	maxAnswer  = 16 << 10 // bytes of an answer that are read
	maxExcerpt = 1 << 10  // bytes of it that are kept
	maxError   = 300      // bytes of what went wrong
)

// errNotNow: nothing more is to be sent to this webhook for now.
var errNotNow = errors.New("not now")

// answer is what came of an attempt.
type answer struct {
	presence.WebhookAttempt
	retryAfter time.Duration
	// cut: we ended it ourselves, because the server stops.
	cut bool
}

func (a *answer) good() bool { return a.HTTPStatus >= 200 && a.HTTPStatus <= 299 }

// deliver tries a delivery once and writes down what came of it. It returns errNotNow when the next one has to wait.
func (s *Service) deliver(ctx context.Context, hook *presence.Webhook, d *presence.WebhookDelivery) error {
	a := s.attempt(ctx, hook, d)
	if a.cut {
		return errNotNow // it stays pending, and the next start tries again
	}
	then := s.outcome(hook, d, &a)
	s.count(hook, d, &a, &then)
	err := s.Store.RecordWebhookAttempt(context.WithoutCancel(ctx), d.ID, a.WebhookAttempt, then)
	if presence.KindOf(err) == presence.NotFound {
		return errNotNow // the webhook was deleted meanwhile
	}
	if err != nil {
		return err
	}
	if !a.good() {
		return errNotNow
	}
	return nil
}

// outcome decides what an attempt leads to.
func (s *Service) outcome(hook *presence.Webhook, d *presence.WebhookDelivery, a *answer) presence.WebhookOutcome {
	now := s.Now()
	p := hook.Progress
	if a.good() {
		p.Failures, p.FailingSince, p.NextAt, p.LastSuccessAt = 0, time.Time{}, time.Time{}, stamp(now)
		return presence.WebhookOutcome{State: presence.WebhookSucceeded, Progress: &p}
	}
	if p.Failures++; p.FailingSince.IsZero() {
		p.FailingSince = stamp(a.At)
	}
	p.LastFailureAt, p.LastError = stamp(now), a.Error
	p.NextAt = stamp(now.Add(max(backoff(p.Failures), min(a.retryAfter, longestRetryAfter))))
	then := presence.WebhookOutcome{State: presence.WebhookPending, Progress: &p}
	switch {
	case a.HTTPStatus == http.StatusGone:
		then.State, then.Disable = presence.WebhookFailed, presence.WebhookGone
	case now.Sub(p.FailingSince) >= s.DisableAfter:
		then.State, then.Disable = presence.WebhookFailed, presence.WebhookFailing
	case now.Sub(d.CreatedAt) >= giveUpAfter:
		then.State, then.Lost = presence.WebhookFailed, true
	}
	return then
}

// backoff is how long to wait after so many failures in a row: 5 s, 10 s, 20 s and so on up to an hour, of each a
// random part between half and all of it.
func backoff(failures int) time.Duration {
	whole := longestPause
	if failures <= 10 {
		whole = min(whole, firstPause<<(failures-1))
	}
	return whole/2 + rand.N(whole/2+1)
}

// count tells metrics and log.
func (s *Service) count(hook *presence.Webhook, d *presence.WebhookDelivery, a *answer, then *presence.WebhookOutcome) {
	if a.good() {
		s.Metrics.Succeeded.Inc()
		s.Metrics.Events.Add(float64(d.Events))
		return
	}
	s.Metrics.Failed.Inc()
	who := []slog.Attr{
		slog.Int64("webhook", hook.ID), slog.String("host", hostOf(hook.URL)), slog.Int("failures", then.Progress.Failures),
		slog.String("err", a.Error),
	}
	ctx := context.Background()
	switch {
	case then.Disable == presence.WebhookGone:
		s.Metrics.Disabled.Inc()
		s.Log.LogAttrs(ctx, slog.LevelWarn, "webhook taken out of service: its receiver says that it is gone", who...)
	case then.Disable == presence.WebhookFailing:
		s.Metrics.Disabled.Inc()
		s.Log.LogAttrs(ctx, slog.LevelError, "webhook taken out of service: it failed for too long",
			append(who, slog.Time("since", then.Progress.FailingSince))...)
	case then.Lost:
		s.Metrics.Dropped.Add(float64(d.Events))
		s.Log.LogAttrs(ctx, slog.LevelError, "a webhook delivery is given up; its receiver is told of a gap",
			append(who, slog.Int("events", d.Events))...)
	case then.Progress.Failures == 1:
		s.Log.LogAttrs(ctx, slog.LevelWarn, "a webhook fails; its deliveries wait and are tried again", who...)
	}
}

// hostOf is what logs may know of an address: the rest may be secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// attempt sends a delivery once.
func (s *Service) attempt(ctx context.Context, hook *presence.Webhook, d *presence.WebhookDelivery) answer {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		pause(limited, sendGrace)
		cancel()
	})()

	begun := s.Now()
	a := answer{WebhookAttempt: presence.WebhookAttempt{At: stamp(begun)}}
	err := s.send(limited, hook, d, &a)
	a.Duration = s.Now().Sub(begun)
	switch {
	case err != nil:
		a.cut = ctx.Err() != nil && errors.Is(err, context.Canceled)
		a.Error = reason(err)
	case !a.good():
		a.Error = "the receiver answered " + strconv.Itoa(a.HTTPStatus)
		if a.HTTPStatus >= 300 && a.HTTPStatus < 400 {
			a.Error += "; redirects are not followed"
		}
	}
	a.Error = printable(a.Error, maxError)
	return a
}

func (s *Service) send(ctx context.Context, hook *presence.Webhook, d *presence.WebhookDelivery, a *answer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	signatures, err := sign(hook, d, a.At)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "OffChat-Presence/"+s.Version)
	r.Header.Set(wire.WebhookIDHeader, d.MessageID)
	r.Header.Set(wire.WebhookTimestampHeader, strconv.FormatInt(a.At.Unix(), 10))
	r.Header.Set(wire.WebhookSignatureHeader, signatures)
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a.HTTPStatus = resp.StatusCode
	a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), a.At)
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status says it all, whatever becomes of the rest
	a.Response = printable(string(text), maxExcerpt)
	return nil
}

// sign signs with the secret, and with the one before while that is good.
func sign(hook *presence.Webhook, d *presence.WebhookDelivery, at time.Time) (string, error) {
	key, err := wire.ParseWebhookSecret(hook.Secret)
	if err != nil {
		return "", err
	}
	signatures := wire.SignWebhook(key, d.MessageID, at, d.Body)
	if hook.OldSecret != "" && at.Before(hook.OldSecretUntil) {
		if key, err = wire.ParseWebhookSecret(hook.OldSecret); err != nil {
			return "", err
		}
		signatures += " " + wire.SignWebhook(key, d.MessageID, at, d.Body)
	}
	return signatures, nil
}

// retryAfter reads the header (RFC 9110, 10.2.3); 0 where it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// reason says why there was no answer, without the address: that may be secret.
func reason(err error) string {
	if known := (*url.Error)(nil); errors.As(err, &known) {
		err = known.Err
	}
	unresolved := (*net.DNSError)(nil)
	switch {
	case errors.Is(err, errRefused):
		text := err.Error()
		return text[max(0, strings.Index(text, errRefused.Error())):]
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Sprintf("no answer within %v", sendTimeout)
	case errors.As(err, &unresolved) && unresolved.IsNotFound:
		return "there is no host of this name"
	default:
		return err.Error()
	}
}

// printable keeps at most so many bytes of a text that others wrote, as a text of one or more lines.
func printable(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
	if len(clean) <= most {
		return clean
	}
	return strings.ToValidUTF8(clean[:most], "")
}
