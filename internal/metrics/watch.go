package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/offchat/presence"
)

// Watched are the numbers that parts of a server keep themselves. A nil one is not told. All are called at
// every scrape, from any goroutine, and must answer at once.
type Watched struct {
	Users func() presence.Counts // presence_users{status}

	// How silence turns into offline.
	Stalls       func() uint64 // presence_stalls_total: times the process stood still and leases were extended
	BreakerTrips func() uint64 // presence_breaker_trips_total
	BreakerOpen  func() bool   // presence_breaker_open: 1 while mass expiry waits

	// Sign-ins, presence_logins_total{result}.
	LoginsAccepted, LoginsRefused, LoginsThrottled func() int64

	Registrations  func() int64 // presence_registrations_total
	TokensRefused  func() int64 // presence_tokens_refused_total
	HashRuns       func() int64 // presence_password_hashes_total
	HashesRefused  func() int64 // presence_password_hashes_refused_total: the queue was too long
	SessionLoads   func() int64 // presence_session_loads_total: checks that had to ask the store
	CachedSessions func() int   // presence_sessions_cached

	StoreActs, StoreCommits func() uint64 // presence_store_acts_total, presence_store_commits_total
}

// Watch tells w from now on. Call it once, while wiring up.
func (m *Metrics) Watch(w Watched) {
	if w.Users != nil {
		m.reg.MustRegister(&users{counts: w.Users})
	}
	for _, c := range []struct {
		name, help, result string
		read               func() int64
	}{
		{"presence_stalls_total", "Times the process stood still and leases were extended.", "", signed(w.Stalls)},
		{"presence_breaker_trips_total", "Times the mass-expiry breaker opened.", "", signed(w.BreakerTrips)},
		{"presence_logins_total", "Sign-ins by result.", "accepted", w.LoginsAccepted},
		{"presence_logins_total", "Sign-ins by result.", "refused", w.LoginsRefused},
		{"presence_logins_total", "Sign-ins by result.", "throttled", w.LoginsThrottled},
		{"presence_registrations_total", "Accounts that people made for themselves.", "", w.Registrations},
		{"presence_tokens_refused_total", "Requests whose token was not good.", "", w.TokensRefused},
		{"presence_password_hashes_total", "Password hashes computed.", "", w.HashRuns},
		{"presence_password_hashes_refused_total", "Callers sent away because the queue for hashes was too long.", "", w.HashesRefused},
		{"presence_session_loads_total", "Token checks that had to ask the store for the session.", "", w.SessionLoads},
		{"presence_store_acts_total", "Writes that got an answer from the disk.", "", signed(w.StoreActs)},
		{"presence_store_commits_total", "Transactions they needed.", "", signed(w.StoreCommits)},
	} {
		if c.read == nil {
			continue
		}
		labels := prometheus.Labels{}
		if c.result != "" {
			labels["result"] = c.result
		}
		m.reg.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: c.name, Help: c.help, ConstLabels: labels},
			func() float64 { return float64(c.read()) }))
	}
	if w.CachedSessions != nil {
		m.gauge("presence_sessions_cached", "Sessions kept in memory.", func() float64 { return float64(w.CachedSessions()) })
	}
	if w.BreakerOpen != nil {
		m.gauge("presence_breaker_open", "1 while the mass-expiry breaker holds expiry back.", func() float64 {
			if w.BreakerOpen() {
				return 1
			}
			return 0
		})
	}
}

func (m *Metrics) gauge(name, help string, read func() float64) {
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

func signed(read func() uint64) func() int64 {
	if read == nil {
		return nil
	}
	return func() int64 { return int64(read()) }
}

// users reads all three numbers in one go, so that their sum is right in every scrape.
type users struct{ counts func() presence.Counts }

var usersDesc = prometheus.NewDesc("presence_users", "Known users by status.", []string{"status"}, nil)

// Describe implements prometheus.Collector.
func (u *users) Describe(ch chan<- *prometheus.Desc) { ch <- usersDesc }

// Collect implements prometheus.Collector.
func (u *users) Collect(ch chan<- prometheus.Metric) {
	c := u.counts()
	for status, n := range map[presence.Status]int{
		presence.Online: c.Online, presence.Away: c.Away, presence.Offline: c.Offline,
	} {
		ch <- prometheus.MustNewConstMetric(usersDesc, prometheus.GaugeValue, float64(n), status.String())
	}
}
