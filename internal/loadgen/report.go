package loadgen

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Latency is how long something took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func latencyOf(h *Histogram) *Latency {
	if h.Count() == 0 {
		return nil
	}
	return &Latency{ms(h.Quantile(0.5)), ms(h.Quantile(0.9)), ms(h.Quantile(0.99)), ms(h.Max())}
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

func (l *Latency) String() string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  max %s", short(l.P50), short(l.P90), short(l.P99), short(l.Max))
}

// short is a number of milliseconds with the digits that matter.
func short(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.2f ms", ms)
	}
}

// Rate is how many of something there were in how long.
type Rate struct {
	Count     uint64  `json:"count"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

func rateOf(count uint64, took time.Duration) Rate {
	r := Rate{Count: count, Seconds: took.Seconds()}
	if took > 0 {
		r.PerSecond = float64(count) / took.Seconds()
	}
	return r
}

// Calls is one kind of calls.
type Calls struct {
	Kind    string            `json:"kind"`
	OK      uint64            `json:"ok"`
	Errors  map[string]uint64 `json:"errors,omitempty"` // by status, or a word where there was no answer
	Latency *Latency          `json:"latency,omitempty"`
}

// Sockets is what the WebSockets saw.
type Sockets struct {
	Open     int64  `json:"open"`     // in the end
	Lost     int64  `json:"lost"`     // ended by the server
	Messages uint64 `json:"messages"` // seen by all of them
	// From a call to the moment a listening socket heard of the change it made.
	LoginSent     *Latency `json:"login_sent_to_seen,omitempty"`
	LoginAnswered *Latency `json:"login_answered_to_seen,omitempty"`
	LogoutSent    *Latency `json:"logout_sent_to_seen,omitempty"`
}

// Memory is the server's memory, in bytes, and its CPU time while everybody was in.
type Memory struct {
	Before   int64   `json:"before_bytes"`
	SignedIn int64   `json:"signed_in_bytes"`
	End      int64   `json:"end_bytes"`
	CPU      float64 `json:"cpu_seconds"`
}

// Report is what a run has shown.
type Report struct {
	URL        string         `json:"url"`
	Users      int            `json:"users"`
	Interval   float64        `json:"interval_seconds"`
	EndedEarly bool           `json:"ended_early"`
	SignIns    Rate           `json:"sign_ins"`
	Failed     int64          `json:"could_not_sign_in"`
	Heartbeats Rate           `json:"heartbeats"`
	Late       *Latency       `json:"sent_late,omitempty"` // by this program: heartbeats after their time
	Missed     int64          `json:"rounds_missed"`
	Calls      []Calls        `json:"calls"`
	Sockets    *Sockets       `json:"sockets,omitempty"`
	Offline    *offlineReport `json:"offline,omitempty"`
	Memory     *Memory        `json:"memory,omitempty"`
	MemoryNote string         `json:"memory_note,omitempty"`
	// EnoughFor is how many people the heartbeats of this run would do for, each at the interval the server
	// asks for; only when they were sent as fast as possible.
	EnoughFor int `json:"enough_for_users,omitempty"`
}

func (g *Generator) report(early bool) Report {
	now := time.Now()
	r := Report{
		URL: g.opts.URL, Users: len(g.people), Interval: g.opts.Interval.Seconds(), EndedEarly: early,
		Failed: g.failed.Load(), Missed: g.missed.Load(), Late: latencyOf(&g.late), Offline: g.offline,
	}
	came := uint64(g.settled.Load() - g.failed.Load())
	steadyFrom := g.baseline.at
	if steadyFrom.IsZero() {
		steadyFrom = now
	}
	r.SignIns = rateOf(came, steadyFrom.Sub(g.start))
	r.Heartbeats = rateOf(g.calls[heartbeat].ok.Count(), now.Sub(steadyFrom))
	if g.opts.Interval == 0 && g.toldInterval > 0 {
		r.EnoughFor = int(r.Heartbeats.PerSecond * g.toldInterval.Seconds())
	}
	r.Calls = g.callReports()
	if g.listener.socketed {
		s := &g.sockets
		r.Sockets = &Sockets{
			s.open.Load(), s.lost.Load(), s.messages.Load(),
			latencyOf(&s.loginSent), latencyOf(&s.loginAnswered), latencyOf(&s.logoutSent),
		}
	}
	r.Memory, r.MemoryNote = g.memoryReport()
	return r
}

func (g *Generator) callReports() (all []Calls) {
	for k := range g.calls {
		c := &g.calls[k]
		c.mu.Lock()
		errors := maps.Clone(c.errors)
		c.mu.Unlock()
		if c.ok.Count() > 0 || len(errors) > 0 {
			all = append(all, Calls{kindNames[k], c.ok.Count(), errors, latencyOf(&c.ok)})
		}
	}
	return all
}

func (g *Generator) memoryReport() (*Memory, string) {
	before, in, end := g.memory[0], g.memory[1], g.memory[2]
	if before == nil || in == nil || end == nil {
		return nil, g.memoryNo
	}
	return &Memory{before.RSS, in.RSS, end.RSS, (end.CPU - in.CPU).Seconds()}, ""
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-15s %s\n", name, fmt.Sprintf(format, args...))
	}
	if r.EndedEarly {
		line("note", "ended early")
	}
	line("sign-ins", "%d in %.1f s: %.1f/s", r.SignIns.Count, r.SignIns.Seconds, r.SignIns.PerSecond)
	if r.Failed > 0 {
		line("", "%d could not sign in", r.Failed)
	}
	line("heartbeats", "%d in %.1f s: %.1f/s", r.Heartbeats.Count, r.Heartbeats.Seconds, r.Heartbeats.PerSecond)
	if r.EnoughFor > 0 {
		line("", "enough for about %d people at the interval the server asks for", r.EnoughFor)
	}
	if r.Late != nil && r.Late.P99 > 100 {
		line("", "this program was too busy: it sent them late, %s", r.Late)
	}
	if r.Missed > 0 {
		line("", "%d rounds left out: the server took longer than an interval", r.Missed)
	}
	b.WriteString("\n")
	for _, c := range r.Calls {
		fmt.Fprintf(&b, "%-26s %9d ok   %s\n", c.Kind, c.OK, c.Latency)
		for _, status := range slices.Sorted(maps.Keys(c.Errors)) {
			fmt.Fprintf(&b, "%26s %9d %s\n", "", c.Errors[status], status)
		}
	}
	b.WriteString("\n")
	r.printRest(line)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) printRest(line func(name, format string, args ...any)) {
	if s := r.Sockets; s != nil {
		line("websockets", "%d open, %d lost, %d messages seen", s.Open, s.Lost, s.Messages)
		line("  login", "sent to seen      %s", s.LoginSent)
		line("", "answered to seen  %s", s.LoginAnswered)
		line("  logout", "sent to seen      %s", s.LogoutSent)
	}
	if o := r.Offline; o != nil {
		line("offline", "%d of %d told after %g s of silence, %d too early, by %s", o.Told, o.Measured, o.OfflineAfter, o.Early, o.By)
		line("", "late by  %s", o.Lateness)
	} else {
		line("offline", "not measured")
	}
	if m := r.Memory; m != nil {
		line("server memory", "%.1f MB before, %.1f MB with everybody in, %.1f MB in the end", mb(m.Before), mb(m.SignedIn), mb(m.End))
		if n := int64(r.Users); n >= 1000 && m.SignedIn > m.Before { // with few it is password hashes, not people
			line("", "%.1f KB a user", float64(m.SignedIn-m.Before)/1024/float64(n))
		}
		line("server CPU", "%.2f s while everybody was in", m.CPU)
		if r.Heartbeats.Count > 0 && r.Sockets == nil { // else it went into telling the sockets
			line("", "%.1f s for a million heartbeats", m.CPU/float64(r.Heartbeats.Count)*1e6)
		}
		return
	}
	line("server memory", "%s", r.MemoryNote)
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// Snapshot is a run as it is at the moment.
type Snapshot struct {
	Phase                  string
	Users, Settled, Online int
	Beats, Errors          uint64
	P99                    time.Duration // of heartbeats
	Sockets                int
	Messages               uint64
}

// Snapshot tells how far the run is.
func (g *Generator) Snapshot() Snapshot {
	s := Snapshot{
		Phase: *g.phase.Load(), Users: len(g.people), Settled: int(g.settled.Load()),
		Online: int(g.online.Load()), Beats: g.calls[heartbeat].ok.Count() + g.calls[heartbeatEarly].ok.Count(),
		P99: g.calls[heartbeat].ok.Quantile(0.99), Sockets: int(g.sockets.open.Load()), Messages: g.sockets.messages.Load(),
	}
	for k := range g.calls {
		s.Errors += g.calls[k].failures()
	}
	return s
}
