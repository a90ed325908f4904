// Package presence is the rule: who is online, away or offline, since when and why.
//
// It holds the nouns (status, signal, session, lease, hold, change, account), the one function that decides
// what a signal does to a person's presence (Policy.Next), and the ports that adapters implement (Engine,
// Store). Everything here is a pure function of state, signal and time: the package reads no clock, starts
// no goroutine, takes no lock and talks to nothing. Every other package is an adapter named after what it
// talks to, and every arrow points here.
package presence
