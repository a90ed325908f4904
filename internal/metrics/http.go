package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTP is http_request_duration_seconds{route,method,code} and what belongs to it.
type HTTP struct {
	// Panics is http_panics_total: handlers that fell over and were answered with 500.
	Panics prometheus.Counter
	// Refused is http_requests_refused_total: turned away before any handler saw them.
	Refused prometheus.Counter

	durations *prometheus.HistogramVec
	// resolved spares the lookup by label, which costs several times as much as the observation: it is
	// written once per combination and read by every request.
	resolved sync.Map // requestKey -> prometheus.Observer
}

type requestKey struct {
	route, method string
	code          int
}

func newHTTP(f factory) *HTTP {
	h := &HTTP{
		Panics:  f.counter("http_panics_total", "Requests whose handler fell over."),
		Refused: f.counter("http_requests_refused_total", "Requests turned away before any handler saw them."),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "From the request's head to the end of its handler.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method", "code"}),
	}
	f.reg.MustRegister(h.durations)
	return h
}

// Observe counts one answered request. route must be the pattern that matched, never the path itself: paths
// are without number. Methods that are not HTTP's own count as "other".
func (h *HTTP) Observe(route, method string, code int, took time.Duration) {
	key := requestKey{route, boundedMethod(method), code}
	known, ok := h.resolved.Load(key)
	if !ok {
		known, _ = h.resolved.LoadOrStore(key, h.durations.WithLabelValues(route, key.method, strconv.Itoa(code)))
	}
	known.(prometheus.Observer).Observe(took.Seconds())
}

func boundedMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return method
	default:
		return "other"
	}
}
