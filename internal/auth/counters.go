package auth

import "sync/atomic"

// Counters count what auth did since it was made. They only grow; read them from any goroutine.
type Counters struct {
	Logins          atomic.Int64 // sessions opened by a password
	LoginsFailed    atomic.Int64 // wrong name or password, closed account
	LoginsThrottled atomic.Int64 // refused before the password was looked at
	Registrations   atomic.Int64
	HashRuns        atomic.Int64 // runs of a password hash, for whatever reason
	HashesRefused   atomic.Int64 // waited longer than Hashing.Wait
	TokensRefused   atomic.Int64 // by Authenticate
	SessionLoads    atomic.Int64 // sessions read from the store
}

// Counters returns the counters of this Service.
func (s *Service) Counters() *Counters { return s.count }

// CachedSessions is how many sessions are in memory now.
func (s *Service) CachedSessions() int { return s.cache.size() }
