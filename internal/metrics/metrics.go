// Package metrics decides what is told to Prometheus, under which name and with which labels. When to count
// is left to the parts that count.
//
// What happens often has a field, resolved when it is built: counting a heartbeat is one atomic addition,
// with no lookup by label. What a part counts itself anyway is read when somebody scrapes (see Watch). No
// label ever names a user, and every label has a small fixed set of values. Names carry one prefix, base
// units and _total, as the Prometheus conventions have it.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/offchat/presence"
)

// Metrics is what is told of one server. Everything may be used from any goroutine. Give each server a
// registry of its own, so that several fit into one process.
type Metrics struct {
	Heartbeats Heartbeats
	Streams    Streams
	Store      Store
	HTTP       *HTTP
	Webhooks   *Webhooks
	// DetectionDelay is presence_detection_delay_seconds: from the end of a lease to the change that said so.
	DetectionDelay prometheus.Histogram

	transitions *prometheus.CounterVec
	reg         prometheus.Registerer
}

// Heartbeats is presence_heartbeats_total by result.
type Heartbeats struct {
	Recorded     prometheus.Counter // renewed a lease
	Refused      prometheus.Counter // no valid token
	Inactive     prometheus.Counter // the account may not be online
	Closed       prometheus.Counter // its session was ended while it was under way
	Invalid      prometheus.Counter // could not be read
	Unavailable  prometheus.Counter // we could not take it
	OtherSignals prometheus.Counter // presence_activity_total: other signals than heartbeats
}

// Streams is the live connections.
type Streams struct {
	WebSocket prometheus.Gauge   // presence_stream_clients{transport="websocket"}
	Events    prometheus.Gauge   // presence_stream_clients{transport="sse"}
	Sent      prometheus.Counter // presence_stream_messages_total
	Dropped   prometheus.Counter // presence_stream_dropped_total: readers cut off for being too slow
}

// Store is what is written behind.
type Store struct {
	Errors  prometheus.Counter // presence_store_errors_total
	Backlog prometheus.Gauge   // presence_store_backlog: changes not written down yet
}

// Build is what presence_build_info tells.
type Build struct{ Version, Commit, Go string }

// New registers everything that is counted here, and the Go runtime's own metrics, with reg. It panics when
// reg has them already: that is a mistake in our own wiring.
func New(reg prometheus.Registerer, b Build) *Metrics {
	f := factory{reg}
	m := &Metrics{
		Heartbeats: newHeartbeats(f),
		Streams:    newStreams(f),
		Store: Store{
			Errors:  f.counter("presence_store_errors_total", "Writes behind that failed, to be tried again."),
			Backlog: f.gauge("presence_store_backlog", "Changes that are not written down yet."),
		},
		HTTP:     newHTTP(f),
		Webhooks: newWebhooks(f),
		DetectionDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "presence_detection_delay_seconds", Help: "From the end of a lease to the change that said so.",
			Buckets: []float64{.01, .025, .05, .075, .1, .15, .25, .5, 1, 2.5, 10, 60},
		}),
		transitions: f.counters("presence_transitions_total", "Changes of status by direction and cause.",
			"from", "to", "cause"),
		reg: reg,
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "presence_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	reg.MustRegister(info, m.DetectionDelay, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Discard is a Metrics that nobody scrapes, for tests and for one-off commands.
func Discard() *Metrics { return New(prometheus.NewRegistry(), Build{}) }

// Changed counts a change of status. Changes are rare beside heartbeats, so this looks its labels up.
func (m *Metrics) Changed(c presence.Change) {
	m.transitions.WithLabelValues(c.From.String(), c.To.String(), c.Cause.String()).Inc()
}

func newHeartbeats(f factory) Heartbeats {
	v := f.counters("presence_heartbeats_total", "Heartbeats by result.", "result")
	return Heartbeats{
		Recorded: v.WithLabelValues("recorded"), Refused: v.WithLabelValues("refused"),
		Inactive: v.WithLabelValues("inactive"), Closed: v.WithLabelValues("closed"),
		Invalid: v.WithLabelValues("invalid"), Unavailable: v.WithLabelValues("unavailable"),
		OtherSignals: f.counter("presence_activity_total", "Signals besides heartbeats."),
	}
}

func newStreams(f factory) Streams {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "presence_stream_clients", Help: "Open live connections by transport.",
	}, []string{"transport"})
	f.reg.MustRegister(v)
	return Streams{
		WebSocket: v.WithLabelValues("websocket"), Events: v.WithLabelValues("sse"),
		Sent:    f.counter("presence_stream_messages_total", "Messages handed to live connections."),
		Dropped: f.counter("presence_stream_dropped_total", "Live connections cut off for reading too slowly."),
	}
}

// factory makes and registers metrics in one step.
type factory struct{ reg prometheus.Registerer }

func (f factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	f.reg.MustRegister(c)
	return c
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	f.reg.MustRegister(g)
	return g
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	f.reg.MustRegister(v)
	return v
}
