package metrics

import "github.com/prometheus/client_golang/prometheus"

// Shared are the numbers about what several nodes share. A nil one is not told.
type Shared struct {
	EngineStale     func() bool   // presence_engine_stale: 1 while what other nodes hear is not known here
	EngineOutages   func() uint64 // presence_engine_outages_total
	EngineReadings  func() uint64 // presence_engine_readings_total: times everything was read anew
	EngineRestored  func() uint64 // presence_engine_restored_total: users written back after the engine's server lost them
	EngineRenewals  func() uint64 // presence_engine_renewals_total: leases renewed there
	EngineConflicts func() uint64 // presence_engine_conflicts_total: writes that another node came before

	StoreAway   func() bool   // presence_store_away
	StoreConns  func() int    // presence_store_connections
	StoreReruns func() uint64 // presence_store_reruns_total: acts begun again after a collision or a broken connection
}

// WatchShared tells w from now on. Call it once, while wiring up.
func (m *Metrics) WatchShared(w Shared) {
	for _, g := range []struct {
		name, help string
		read       func() bool
	}{
		{"presence_engine_stale", "1 while the shared engine's server is away and what other nodes hear is not known here.", w.EngineStale},
		{"presence_store_away", "1 while the shared database cannot be reached.", w.StoreAway},
	} {
		if g.read != nil {
			m.gauge(g.name, g.help, func() float64 {
				if g.read() {
					return 1
				}
				return 0
			})
		}
	}
	if w.StoreConns != nil {
		m.gauge("presence_store_connections", "Open connections to the shared database.", func() float64 { return float64(w.StoreConns()) })
	}
	for _, c := range []struct {
		name, help string
		read       func() uint64
	}{
		{"presence_engine_outages_total", "Times the shared engine's server went away.", w.EngineOutages},
		{"presence_engine_readings_total", "Times everything was read anew from the shared engine's server.", w.EngineReadings},
		{"presence_engine_restored_total", "Users written back after the shared engine's server had lost them.", w.EngineRestored},
		{"presence_engine_renewals_total", "Leases renewed in the shared engine's server.", w.EngineRenewals},
		{"presence_engine_conflicts_total", "Writes to the shared engine's server that another node came before.", w.EngineConflicts},
		{"presence_store_reruns_total", "Acts begun again after a collision or a broken connection.", w.StoreReruns},
	} {
		if c.read != nil {
			m.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help},
				func() float64 { return float64(c.read()) }))
		}
	}
}
