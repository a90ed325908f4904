package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Check is one thing that has to work for the server to be of use. Run returns why it does not; it may be
// called from any goroutine and should honour ctx. Its error is shown to operators: it must hold no secret.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Readiness knows whether the server should be sent requests: it is starting, then ready while its checks
// pass, and in the end draining. The zero value is starting and has no checks.
type Readiness struct {
	started atomic.Bool // Start was called

	mu     sync.Mutex // guards the following fields
	phase  string     // "" (starting), phaseReady, phaseDraining
	checks []Check
	last   report
	asked  time.Time // when last was made
}

const (
	phaseReady    = "ready"
	phaseDraining = "draining"

	// checkTimeout bounds one round of checks; checkEvery is for how long its outcome is reused, so that
	// strangers who ask often do not load what is checked.
	checkTimeout = 2 * time.Second
	checkEvery   = time.Second
)

// Start makes the server ready, as far as its checks pass. Until then a Server answers everything but the
// health routes with 503.
func (r *Readiness) Start(checks ...Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == phaseDraining {
		return // told to stop before it began
	}
	r.phase, r.checks, r.asked = phaseReady, checks, time.Time{}
	r.started.Store(true)
}

// Started reports whether Start was called.
func (r *Readiness) Started() bool { return r.started.Load() }

// Drain makes the server not ready for good.
func (r *Readiness) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phaseDraining
}

// Degraded makes an error of a check one that does not make the server not ready: it is worse off, and still
// better than none. It is told, and everything goes on.
func Degraded(err error) error {
	if err == nil {
		return nil
	}
	return degraded{err}
}

type degraded struct{ error }

func (d degraded) Unwrap() error { return d.error }

// report is the answer of /readyz; strangers get only the status.
type report struct {
	Status string    `json:"status"` // statusReady, statusDegraded or statusNotReady
	Checks []outcome `json:"checks,omitempty"`
}

const (
	statusReady    = "ready"
	statusDegraded = "degraded"
	statusNotReady = "not ready"
)

type outcome struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// state runs the checks, or reuses their last outcome. Callers at the same time share one round.
func (r *Readiness) state(ctx context.Context) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != phaseReady {
		reason := r.phase
		if reason == "" {
			reason = "starting"
		}
		return report{statusNotReady, []outcome{{Name: "server", Reason: reason}}}
	}
	if !r.asked.IsZero() && time.Since(r.asked) < checkEvery {
		return r.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	now := report{statusReady, []outcome{{Name: "server", OK: true}}}
	for _, check := range r.checks {
		result := outcome{Name: check.Name, OK: true}
		if err := check.Run(ctx); err != nil {
			result.OK, result.Reason = false, err.Error()
			if !errors.As(err, new(degraded)) {
				now.Status = statusNotReady
			} else if now.Status == statusReady {
				now.Status = statusDegraded
			}
		}
		now.Checks = append(now.Checks, result)
	}
	r.last, r.asked = now, time.Now()
	return now
}

// health answers the health routes. Reasons are told to the machine itself only: a request through a proxy,
// even one on this machine, comes from somebody else.
func (s *Server) health(x *exchange, r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/livez":
		r.Pattern = r.URL.Path
		live(x, r)
	case "/readyz":
		r.Pattern = r.URL.Path
		s.ready.answer(x, r, x.direct && loopback(r.RemoteAddr))
	default:
		return false
	}
	return true
}

// live says that the process answers. It asks nobody: a store that is away is no reason to kill the process.
func live(w http.ResponseWriter, r *http.Request) {
	if onlyReads(w, r) {
		answerJSON(w, http.StatusOK, `{"status":"ok"}`)
	}
}

func (r *Readiness) answer(w http.ResponseWriter, req *http.Request, details bool) {
	if !onlyReads(w, req) {
		return
	}
	now := r.state(req.Context())
	status := http.StatusOK
	if now.Status == statusNotReady {
		status = http.StatusServiceUnavailable
		w.Header()["Retry-After"] = []string{"5"}
	}
	if !details {
		now.Checks = nil
	}
	body, err := json.Marshal(now)
	if err != nil {
		panic(err) // strings and booleans
	}
	answerJSON(w, status, string(body))
}

func onlyReads(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header()["Allow"] = []string{"GET, HEAD"}
	answerJSON(w, http.StatusMethodNotAllowed, `{"detail":"Method not allowed."}`)
	return false
}

func loopback(remote string) bool {
	from, err := netip.ParseAddrPort(remote)
	return err == nil && from.Addr().Unmap().IsLoopback()
}
