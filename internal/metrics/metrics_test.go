package metrics

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/offchat/presence"
)

func TestTwoServersFitIntoOneProcess(t *testing.T) {
	one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
	a, b := New(one, Build{Version: "1"}), New(two, Build{Version: "2"})
	a.Heartbeats.Recorded.Inc()
	b.Heartbeats.Refused.Inc()
	wantLines(t, one, `presence_heartbeats_total{result="recorded"} 1`, `presence_heartbeats_total{result="refused"} 0`)
	wantLines(t, two, `presence_heartbeats_total{result="recorded"} 0`, `presence_heartbeats_total{result="refused"} 1`)
}

func TestUsersAreReadAtEachScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	now := presence.Counts{Online: 3, Away: 1, Offline: 7}
	New(reg, Build{}).Watch(Watched{Users: func() presence.Counts { return now }})
	wantLines(t, reg, `presence_users{status="away"} 1`, `presence_users{status="offline"} 7`,
		`presence_users{status="online"} 3`)
	now.Online = 4
	wantLines(t, reg, `presence_users{status="online"} 4`)
}

func TestChangesAreCountedByDirectionAndCause(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := New(reg, Build{})
	m.Changed(presence.Change{From: presence.Online, To: presence.Offline, Cause: presence.CauseTimeout})
	wantLines(t, reg, `presence_transitions_total{cause="timeout",from="online",to="offline"} 1`)
}

func TestStrangeMethodsShareOneLabel(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := New(reg, Build{})
	for _, method := range []string{"BREW", "WHEN", "GET", "get"} {
		m.HTTP.Observe("/x", method, 405, time.Millisecond)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	for _, f := range families {
		if f.GetName() != "http_request_duration_seconds" {
			continue
		}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == "method" {
					methods = append(methods, l.GetValue())
				}
			}
		}
	}
	slices.Sort(methods)
	if !slices.Equal(methods, []string{"GET", "other"}) {
		t.Errorf("methods as labels: %q, want GET and other", methods)
	}
}

// TestNoMetricNamesAUser walks every label there is: the promise that a scrape tells nothing about a person.
func TestNoMetricNamesAUser(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := New(reg, Build{})
	m.Watch(everything())
	m.WatchFeed(everythingOfTheFeed())
	m.Changed(presence.Change{User: 4711})
	m.HTTP.Observe("/x", "GET", 200, 0)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"from", "to", "cause", "status", "result", "transport", "route", "method", "code",
		"version", "commit", "go", "le", "reason",
	}
	for _, f := range families {
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if !slices.Contains(allowed, l.GetName()) {
					t.Errorf("%s has a label %q that is not on the list", f.GetName(), l.GetName())
				}
			}
		}
	}
}

func TestEverythingWatchedIsTold(t *testing.T) {
	reg := prometheus.NewRegistry()
	New(reg, Build{Version: "1.2"}).Watch(everything())
	wantLines(t, reg, `presence_stalls_total 7`, `presence_breaker_open 1`, `presence_breaker_trips_total 7`,
		`presence_logins_total{result="refused"} 7`, `presence_logins_total{result="throttled"} 7`,
		`presence_registrations_total 7`, `presence_tokens_refused_total 7`, `presence_password_hashes_total 7`,
		`presence_password_hashes_refused_total 7`, `presence_session_loads_total 7`, `presence_sessions_cached 7`,
		`presence_store_acts_total 7`, `presence_store_commits_total 7`,
		`presence_build_info{commit="",go="",version="1.2"} 1`)
}

func TestTheFeedIsTold(t *testing.T) {
	reg := prometheus.NewRegistry()
	New(reg, Build{}).WatchFeed(everythingOfTheFeed())
	wantLines(t, reg, `presence_feed_bytes_total 7`, `presence_feed_resumed_total 7`, `presence_feed_pictures_total 7`,
		`presence_feed_coalesced_total 7`, `presence_feed_resyncs_total 7`, `presence_feed_closed_total{code="4008",reason="too_slow"} 7`,
		`presence_feed_closed_total{code="0",reason="gone"} 7`, `presence_feed_lag_seconds 0.5`, `presence_feed_behind 2`, `presence_feed_queue_bytes 4096`)
}

func everythingOfTheFeed() Feed {
	seventh := func() uint64 { return 7 }
	return Feed{
		Bytes: seventh, Resumed: seventh, Pictures: seventh, Coalesced: seventh, Resyncs: seventh,
		Lag: func() float64 { return 0.5 }, Behind: func() (int, int) { return 2, 4096 },
		Ends: []FeedEnd{{4008, "too_slow", seventh}, {0, "gone", seventh}},
	}
}

func TestCountingAHeartbeatAllocatesNothing(t *testing.T) {
	m := Discard()
	if n := testing.AllocsPerRun(1000, func() { m.Heartbeats.Recorded.Inc() }); n != 0 {
		t.Errorf("a heartbeat's counter allocates %v times", n)
	}
}

func everything() Watched {
	seven, seventh := func() int64 { return 7 }, func() uint64 { return 7 }
	return Watched{
		Users:  func() presence.Counts { return presence.Counts{Online: 1} },
		Stalls: seventh, BreakerTrips: seventh, BreakerOpen: func() bool { return true },
		LoginsAccepted: seven, LoginsRefused: seven, LoginsThrottled: seven, Registrations: seven, TokensRefused: seven,
		HashRuns: seven, HashesRefused: seven, SessionLoads: seven, CachedSessions: func() int { return 7 },
		StoreActs: seventh, StoreCommits: seventh,
	}
}

func BenchmarkObserveRequest(b *testing.B) {
	m := Discard()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.HTTP.Observe("POST /api/users/heartbeat/", "POST", 200, time.Millisecond)
		}
	})
}

// wantLines scrapes reg and looks for whole lines.
func wantLines(t *testing.T, reg *prometheus.Registry, lines ...string) {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range lines {
		if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
			t.Errorf("the scrape has no line %q", line)
		}
	}
}
