package main

import (
	"fmt"
	"io"
	"time"

	"github.com/offchat/presence/internal/loadgen"
)

type benchCmd struct {
	URL           string        `name:"url" default:"http://127.0.0.1:8000" help:"The server."`
	Users         int           `name:"users" default:"500" help:"How many people take part."`
	Interval      time.Duration `name:"interval" default:"30s" help:"How often each sends a heartbeat, spread evenly; 0: as fast as it goes."`
	Duration      time.Duration `name:"duration" default:"2m" help:"How long it goes on once everybody is signed in."`
	Ramp          time.Duration `name:"ramp" default:"0s" help:"Spread the sign-ins over this time; 0: as fast as the server takes them."`
	Sockets       float64       `name:"sockets" default:"0.1" help:"Share of the people who have a WebSocket open, 0 to 1."`
	Churn         float64       `name:"churn" default:"0.02" help:"Share of the people who go every minute, to come back soon: most log out, some fall silent. 0 to 1."`
	SignInWorkers int           `name:"sign-in-workers" default:"8" help:"How many sign in at the same time."`
	Workers       int           `name:"workers" default:"32" help:"How many connections heartbeats go over."`
	MeasureOff    int           `name:"measure-offline" default:"20" help:"How many fall silent in the end, to see when the server notices; 0 to 50."`
	Prefix        string        `name:"prefix" default:"bench" help:"How their names begin; a part drawn for each run and a number follow."`
	KeepNames     bool          `name:"keep-names" help:"Leave the drawn part out: the same people each time. Needs --password-stdin."`
	PasswordStdin bool          `name:"password-stdin" help:"Read their password from standard input; otherwise each has one that is kept nowhere."`
	Leave         bool          `name:"leave" help:"Do not log anybody out in the end; they go offline by silence."`
	PID           int           `name:"pid" placeholder:"PID" help:"Process of the server, for its memory and CPU time."`
	Ops           string        `name:"ops" placeholder:"URL" help:"Its operators' address, for the same: http://127.0.0.1:9100."`
	JSON          bool          `name:"json" help:"Print the report as JSON."`
	Yes           bool          `name:"yes" help:"Do it to a server on another machine, too."`
}

// Help is shown by --help.
func (benchCmd) Help() string {
	return `It plays people against a running server, over real connections: they register, sign in, send heartbeats, listen, leave and come back. While it runs the lists are live, so it is a demo too. It makes accounts, and they stay: use a data directory you can throw away. An interrupt ends it early, with the report; a second one at once.

Examples:

    presence bench --users 500
    presence bench --users 50 --interval 0 --duration 30s --sockets 0 --churn 0 --pid "$(pgrep -x presence)"
    presence bench --users 10000 --sockets 1 --ramp 5m --duration 10m --ops http://127.0.0.1:9100 --json`
}

// Run plays and prints the report.
func (c *benchCmd) Run(p *process) error {
	opts := loadgen.Options{
		URL: c.URL, Users: c.Users, Interval: c.Interval, Duration: c.Duration, Ramp: c.Ramp, Sockets: c.Sockets, Churn: c.Churn,
		MeasureOffline: c.MeasureOff, SignInWorkers: c.SignInWorkers, Workers: c.Workers,
		Prefix: c.Prefix, KeepNames: c.KeepNames, Leave: c.Leave, PID: c.PID, Ops: c.Ops,
	}
	switch {
	case c.KeepNames != c.PasswordStdin:
		return usageError{"--keep-names and --password-stdin go together: people who are there already have a password"}
	case c.PasswordStdin:
		password, err := passwordLine(p.stdin)
		if err != nil {
			return err
		}
		opts.Password = password
	}
	if err := opts.Check(); err != nil {
		return usageError{err.Error()}
	}
	if !opts.Loopback() && !c.Yes {
		return usageError{c.URL + " is not on this machine; --yes if you may load it"}
	}
	generator, err := loadgen.New(opts)
	if err != nil {
		return err
	}
	stop := showProgress(p.stderr, generator)
	report, err := generator.Run(p.ctx)
	stop()
	if err != nil && report.SignIns.Count == 0 {
		if loadgen.StatusOf(err) == 0 {
			err = fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return err
	}
	if c.JSON {
		if err := printJSON(p, &report); err != nil {
			return err
		}
	} else if err := report.Print(p.stdout); err != nil {
		return err
	}
	return err
}

const (
	redrawEvery = 500 * time.Millisecond // one line, rewritten, on a terminal
	lineEvery   = 5 * time.Second        // lines elsewhere
)

// showProgress shows how far a run is until the function it returns is called.
func showProgress(out io.Writer, g *loadgen.Generator) (stop func()) {
	every, begin, end := lineEvery, "", "\n"
	if isTerminal(out) {
		every, begin, end = redrawEvery, "\r", "\x1b[K"
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		began, last, lastAt := time.Now(), g.Snapshot(), time.Now()
		for {
			select {
			case <-done:
				if begin != "" {
					fmt.Fprint(out, begin, end)
				}
				return
			case now := <-ticker.C:
				s := g.Snapshot()
				rate := float64(s.Beats-last.Beats) / now.Sub(lastAt).Seconds()
				fmt.Fprint(out, begin, progressLine(s, now.Sub(began), rate), end)
				last, lastAt = s, now
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func progressLine(s loadgen.Snapshot, elapsed time.Duration, beatsPerSecond float64) string {
	line := fmt.Sprintf("%s  %s  %d/%d in  %.0f beats/s", elapsed.Round(time.Second), s.Phase, s.Online, s.Users, beatsPerSecond)
	if s.P99 > 0 {
		line += fmt.Sprintf("  p99 %s", s.P99.Round(10*time.Microsecond))
	}
	if s.Sockets > 0 {
		line += fmt.Sprintf("  %d sockets  %d messages", s.Sockets, s.Messages)
	}
	if s.Errors > 0 {
		line += fmt.Sprintf("  %d errors", s.Errors)
	}
	return line
}
