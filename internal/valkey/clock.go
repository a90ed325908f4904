package valkey

import (
	"sync/atomic"
	"time"
)

// clock is the shared clock of all nodes, in microseconds since the Unix epoch: the store's clock, read from
// time to time and carried on by this node's monotonic clock in between. Leases are measured with it and
// moments are shown with it, so a node whose own wall clock is wrong changes nothing.
type clock struct {
	now  func() time.Time // the node's clock
	mark atomic.Pointer[mark]
}

// mark says what the store's clock showed at a moment of the node's clock.
type mark struct {
	at     time.Time
	server int64
}

// reading is the shared clock at a moment of the node's clock. A zero moment means now.
func (c *clock) reading(at time.Time) int64 {
	if at.IsZero() {
		at = c.now()
	}
	m := c.mark.Load()
	return m.server + at.Sub(m.at).Microseconds()
}

func (c *clock) present() int64 { return c.reading(c.now()) }

// set takes over what the store's clock showed between two moments, and returns by how much the shared clock
// jumped. Answers that took long say too little about the time to be believed, unless there is no other.
func (c *clock) set(asked, answered time.Time, server int64) (jump time.Duration) {
	took := answered.Sub(asked)
	at := asked.Add(took / 2)
	known := c.mark.Load()
	if known != nil && took > 50*time.Millisecond {
		return 0
	}
	c.mark.Store(&mark{at: at, server: server})
	if known == nil {
		return 0
	}
	return time.Duration(server-known.server)*time.Microsecond - at.Sub(known.at)
}
