// Command presence is the server, and the command line that runs and administers it.
//
// It decides how the parts are put together (serve.go, top to bottom), what the commands are called and what
// they answer. It leaves everything else to the parts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
)

// Exit codes. They are part of the interface: scripts read them, and --help lists them.
const (
	exitOK          = 0
	exitFailed      = 1 // it was tried and refused, or the configuration is wrong
	exitUsage       = 2 // the command line itself is wrong
	exitUnreachable = 3 // nobody answers
	exitInUse       = 4 // another server has the data directory
)

// commands is the grammar of the command line.
type commands struct {
	Serve       serveCmd       `cmd:"" help:"Run the server."`
	User        userCmd        `cmd:"" help:"Make, list and administer accounts."`
	Token       tokenCmd       `cmd:"" help:"Make, list and revoke the API tokens of backends."`
	Config      configCmd      `cmd:"" help:"Show and check the configuration."`
	Audit       auditCmd       `cmd:"" help:"Look through what admins did, and prove that nobody changed it."`
	Backup      backupCmd      `cmd:"" help:"Make, list, verify and restore backups."`
	Webhook     webhookCmd     `cmd:"" help:"Make and watch webhooks: other servers that are told what happens."`
	Import      importCmd      `cmd:"" help:"Carry over the data of another system."`
	Migrate     migrateCmd     `cmd:"" help:"Carry everything from the embedded database into PostgreSQL."`
	Upgrade     upgradeCmd     `cmd:"" help:"Bring the data to this version before the server starts, or see what that would do."`
	Doctor      doctorCmd      `cmd:"" help:"Look at everything that usually goes wrong, and say what helps."`
	Support     supportCmd     `cmd:"" help:"Collect what somebody needs who helps you."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running server whether it is well."`
	Bench       benchCmd       `cmd:"" help:"Play people against a server: a load test, and a demo."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	Completion  completionCmd  `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	Man         manCmd         `cmd:"" hidden:"" help:"Print the manual page."`
}

// process is what a command gets of the outside world. Commands touch nothing else of it, so that tests can
// run several in one process.
type process struct {
	ctx            context.Context // ends at the first interrupt
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	// Set by tests: what serve calls when it is ready, how long commands wait for a server that has the
	// data directory and does not answer, and what stands for SIGHUP.
	opened   func(addresses)
	patience time.Duration
	hangup   <-chan os.Signal
}

const description = `Presence knows who is online, away or offline, since when and why.

Run "presence serve" and open what it prints. "presence COMMAND --help" explains each command with examples.

Exit codes: 0 done; 1 it failed, was refused, or the configuration is wrong; 2 the command line is wrong; 3 the server does not answer; 4 another server uses the data directory.`

const greeting = `Presence knows who is online, away or offline, since when and why.

  presence serve               run the server; it needs no configuration
  presence user create NAME    make an account
  presence user list           who there is, and who is online
  presence config show         every setting, and where it comes from
  presence bench --users 500   a crowd to look at

  presence --help              all commands
  presence COMMAND --help      one command, with examples
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second interrupt ends the process at once
	}()
	os.Exit(run(os.Args[1:], &process{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}))
}

// run does what one command line says and returns the exit code.
func run(args []string, p *process) (code int) {
	if len(args) == 0 {
		fmt.Fprint(p.stdout, greeting)
		return exitOK
	}
	line, err := parse(args, p)
	if early := earlyExit(0); errors.As(err, &early) {
		return int(early)
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "presence: %v\nRun \"%s --help\" for what there is.\n", err, commandOf(err))
		return exitUsage
	}
	return report(p, line.Run(p))
}

// parse reads the command line. --help is done in the middle of it and returned as an earlyExit.
func parse(args []string, p *process) (line *kong.Context, err error) {
	parser, err := newParser(p)
	if err != nil {
		panic(err) // a mistake in our own tags
	}
	defer func() {
		switch early := recover().(type) {
		case nil:
		case earlyExit:
			err = early
		default:
			panic(early)
		}
	}()
	return parser.Parse(args)
}

// earlyExit is how kong ends a command that it did itself.
type earlyExit int

func (e earlyExit) Error() string { return "done" }

func newParser(p *process) (*kong.Kong, error) {
	cli := commands{}
	cli.Serve.settingFlags = allSettings()
	cli.Config.Show.settingFlags = allSettings()
	cli.Config.Check.settingFlags = allSettings()
	cli.Import.Django.settingFlags = allSettings()
	for _, flags := range []*settingFlags{
		&cli.Upgrade.settingFlags, &cli.Doctor.settingFlags, &cli.Support.Bundle.settingFlags,
		&cli.Backup.Create.settingFlags, &cli.Backup.List.settingFlags, &cli.Backup.Verify.settingFlags, &cli.Backup.Restore.settingFlags,
	} {
		*flags = allSettings()
	}
	return kong.New(&cli,
		kong.Name("presence"), kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { panic(earlyExit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{
			Key: "settings", Title: "Settings:",
			Description: "Each is also a variable (PRESENCE_OFFLINE_AFTER) and a key of the TOML file (offline_after). " +
				"Flags beat variables, variables beat the file. Durations: 90s, 5m, 12h, 7d.",
		}}),
	)
}

// commandOf is the command a parse error is about, as far as it got.
func commandOf(err error) string {
	if known := (*kong.ParseError)(nil); errors.As(err, &known) && known.Context != nil {
		if selected := known.Context.Selected(); selected != nil {
			return "presence " + selected.Path()
		}
	}
	return "presence"
}

// usageError is a command line that parses and still makes no sense.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// report tells an error on standard error and finds its exit code.
func report(p *process, err error) int {
	var (
		problems config.Problems
		usage    usageError
	)
	if verdict := doctorVerdict(0); errors.As(err, &verdict) {
		return int(verdict) // it is told already
	}
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &problems):
		fmt.Fprintln(p.stderr, "presence: the configuration is refused:")
		for _, line := range strings.Split(problems.Error(), "\n") {
			fmt.Fprintln(p.stderr, "  "+line)
		}
		return exitFailed
	}
	fmt.Fprintf(p.stderr, "presence: %v\n", err)
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, control.ErrUnreachable), errors.Is(err, errNoAnswer):
		return exitUnreachable
	case errors.Is(err, errInUse):
		return exitInUse
	default:
		return exitFailed
	}
}
