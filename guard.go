package presence

import "time"

const (
	// StallAfter is how late an engine's tick may come before the gap counts as a stall of the process.
	StallAfter = 2 * time.Second
	// MaxBreakerWindow is how far the breaker looks ahead at most: see Policy.BreakerWindow.
	MaxBreakerWindow = 10 * time.Second
	// BreakerMinimum and BreakerShare: more users than the minimum, and more than one in BreakerShare of
	// those present, falling silent within the window is an outage, not a coincidence.
	BreakerMinimum = 50
	BreakerShare   = 5
)

// Stall returns by how much the lease clock must be put back when a tick that was meant to come after
// interval came after elapsed: the whole gap and one heartbeat when it is a stall, else nothing. Nobody's
// silence is counted while we could not listen, and everybody may speak again before it is.
func (p Policy) Stall(elapsed, interval time.Duration) time.Duration {
	if late := elapsed - interval; late > StallAfter {
		return late + p.HeartbeatInterval
	}
	return 0
}

// BreakerWindow is how far the breaker looks ahead: ten seconds with the usual lease of two minutes, and the
// same twelfth of a shorter one. Clients beat four times in a lease, so an outage makes a third of the people
// present fall silent within it, and daily life nobody who still beats.
func (p Policy) BreakerWindow() time.Duration { return min(MaxBreakerWindow, p.OfflineAfter/12) }

// Breaker is the mass-expiry breaker. When too many people fall due at once without having left, expiry by
// silence waits one lease: more likely we, or the network before us, stopped hearing than they stopped
// speaking. The zero value is ready. It is not safe for concurrent use; times are on the lease clock.
type Breaker struct {
	until time.Duration
	open  bool
	// Trips counts how often it opened.
	Trips uint64
}

// Holding reports whether expiry by silence has to wait at the moment now.
func (b *Breaker) Holding(now time.Duration) bool { return b.open && now < b.until }

// Spent reports, once, that the wait is over: everything overdue expires now, unjudged, so that nobody who
// is truly gone stays longer than two leases.
func (b *Breaker) Spent(now time.Duration) bool {
	if b.open && now >= b.until {
		b.open = false
		return true
	}
	return false
}

// Judge looks at how many of the present users fall silent within the window and opens the breaker for
// one lease when that is too many. It reports whether it is open.
func (b *Breaker) Judge(now, lease time.Duration, falling, present int) bool {
	if !b.open && falling > BreakerMinimum && falling*BreakerShare > present {
		b.open, b.until = true, now+lease
		b.Trips++
	}
	return b.open
}
