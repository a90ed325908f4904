package metrics

import "github.com/prometheus/client_golang/prometheus"

// Webhooks is what is counted of deliveries to webhooks. Queue and Lag are of the whole store: every node that shares
// it tells the same.
type Webhooks struct {
	Succeeded, Failed prometheus.Counter // presence_webhook_attempts_total{result}
	Events            prometheus.Counter // presence_webhook_events_total: events that arrived
	Dropped           prometheus.Counter // presence_webhook_dropped_total: events that were given up
	Disabled          prometheus.Counter // presence_webhook_disabled_total: webhooks taken out of service
	Queue             prometheus.Gauge   // presence_webhook_queue: events that wait
	Lag               prometheus.Gauge   // presence_webhook_lag_seconds: for how long the oldest of them does
}

func newWebhooks(f factory) *Webhooks {
	attempts := f.counters("presence_webhook_attempts_total", "Attempts to deliver to a webhook by result.", "result")
	return &Webhooks{
		Succeeded: attempts.WithLabelValues("succeeded"), Failed: attempts.WithLabelValues("failed"),
		Events:   f.counter("presence_webhook_events_total", "Events that arrived at webhooks."),
		Dropped:  f.counter("presence_webhook_dropped_total", "Events for webhooks that were given up."),
		Disabled: f.counter("presence_webhook_disabled_total", "Webhooks that were taken out of service because they failed."),
		Queue:    f.gauge("presence_webhook_queue", "Events that wait to be delivered to webhooks."),
		Lag:      f.gauge("presence_webhook_lag_seconds", "For how long the oldest of them has waited."),
	}
}
