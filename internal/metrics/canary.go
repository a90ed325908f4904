package metrics

import "github.com/prometheus/client_golang/prometheus"

// Canary is what the canary accounts measure (package canary). The numbers are there only while canaries fly.
type Canary struct {
	Beats    prometheus.Counter // presence_canary_heartbeats_total
	Flaps    prometheus.Counter // presence_canary_flaps_total: shown as gone while it was there
	Ghosts   prometheus.Counter // presence_canary_ghosts_total: shown online long after its lease
	Failures prometheus.Counter // presence_canary_failures_total: it was not served
	// OnlineDelay is presence_canary_online_delay_seconds: from the answer to a beat until another sees it online.
	OnlineDelay prometheus.Histogram
	// OfflineDelay is presence_canary_offline_delay_seconds: from the end of a lease until another sees it.
	OfflineDelay prometheus.Histogram
}

// Canary registers the canaries' numbers. Call it once at most.
func (m *Metrics) Canary() *Canary {
	f := factory{m.reg}
	delay := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}})
		m.reg.MustRegister(h)
		return h
	}
	return &Canary{
		Beats:        f.counter("presence_canary_heartbeats_total", "Heartbeats of the steady canary that were answered."),
		Flaps:        f.counter("presence_canary_flaps_total", "Times a canary was shown as gone while it was there."),
		Ghosts:       f.counter("presence_canary_ghosts_total", "Times a canary was shown online long after its lease had ended."),
		Failures:     f.counter("presence_canary_failures_total", "Requests of canaries that failed."),
		OnlineDelay:  delay("presence_canary_online_delay_seconds", "From the answer to a heartbeat until another account sees it."),
		OfflineDelay: delay("presence_canary_offline_delay_seconds", "From the end of a lease until another account sees it."),
	}
}
