package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
)

type userCmd struct {
	Create      userCreateCmd   `cmd:"" help:"Make an account."`
	List        userListCmd     `cmd:"" help:"List accounts, with who is online."`
	Logout      userLogoutCmd   `cmd:"" help:"End all sessions of an account, at once and for good."`
	Suspend     userSuspendCmd  `cmd:"" help:"Suspend an account and end its sessions."`
	Ban         userBanCmd      `cmd:"" help:"Ban an account and end its sessions."`
	Activate    userActivateCmd `cmd:"" help:"Let a pending, suspended or banned account in again."`
	Export      userExportCmd   `cmd:"" help:"Print everything that is kept about a person, as JSON."`
	Erase       userEraseCmd    `cmd:"" help:"Remove a person for good, from the audit too."`
	SetPassword userPasswordCmd `cmd:"" help:"Give an account a new password and end its sessions."`
}

// Help is shown by --help.
func (userCmd) Help() string {
	return `These commands work on a running server and on a stopped one. They find the server by its data directory: give the same --data or --config as to "presence serve". With --database they work on the database that several servers share, and those follow within two seconds.

Examples:

    presence user create ann --role admin
    echo "$PASSWORD" | presence user create bob --email bob@example.com --password-stdin
    presence user list --status online
    presence user list --json
    presence user ban mallory --reason spam`
}

// serverFlags say which server is meant.
type serverFlags struct {
	File string  `name:"config" placeholder:"FILE" help:"TOML file with settings; also PRESENCE_CONFIG."`
	Data *string `name:"data" placeholder:"DIR" help:"Data directory of the server."`
	URL  *string `name:"database" placeholder:"URL" help:"PostgreSQL database of several servers; other users of the machine can read flags: prefer PRESENCE_DATABASE_FILE."`
	JSON bool    `name:"json" help:"Print JSON."`
}

type userCreateCmd struct {
	serverFlags
	Name          string `arg:"" help:"Username. Upper and lower case differ."`
	Role          string `name:"role" enum:"admin,moderator,user" default:"user" help:"admin, moderator or user."`
	Email         string `name:"email" help:"E-mail address; NAME@offchat.local when it is missing."`
	PasswordStdin bool   `name:"password-stdin" help:"Read the password from standard input instead of asking for it."`
}

// Help is shown by --help.
func (userCreateCmd) Help() string {
	return `The account is active at once. The password is asked for, or read from standard input; there is no flag for it, because other users of the machine can read flags.

Examples:

    presence user create ann --role admin
    presence user create ann --role admin --password-stdin < password.txt`
}

// Run makes the account.
func (c *userCreateCmd) Run(p *process) error {
	password, err := readPassword(p, c.PasswordStdin, c.Name)
	if err != nil {
		return err
	}
	return c.withServer(p, true, func(ctx context.Context, s *control.Client) error {
		user, err := s.Create(ctx, control.NewUser{Username: c.Name, Email: c.Email, Role: c.Role, Password: password})
		return c.show(p, user, err, fmt.Sprintf("Made %s (id %d, %s).", printable(user.Username), user.ID, user.Role))
	})
}

type userPasswordCmd struct {
	serverFlags
	Name          string `arg:"" help:"Username."`
	PasswordStdin bool   `name:"password-stdin" help:"Read the password from standard input instead of asking for it."`
}

// Run sets the password.
func (c *userPasswordCmd) Run(p *process) error {
	password, err := readPassword(p, c.PasswordStdin, c.Name)
	if err != nil {
		return err
	}
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		user, err := s.SetPassword(ctx, c.Name, password)
		return c.show(p, user, err, fmt.Sprintf("%s has a new password, and no sessions.", printable(user.Username)))
	})
}

type userLogoutCmd struct {
	serverFlags
	Name string `arg:"" help:"Username."`
}

// Run ends the sessions.
func (c *userLogoutCmd) Run(p *process) error {
	return c.act(p, c.Name, control.Logout, "", "%s has no sessions any more.")
}

type userSuspendCmd struct {
	serverFlags
	Name   string `arg:"" help:"Username."`
	Reason string `name:"reason" help:"Why; kept in the audit log."`
}

// Run suspends the account.
func (c *userSuspendCmd) Run(p *process) error {
	return c.act(p, c.Name, control.Suspend, c.Reason, "%s is suspended.")
}

type userBanCmd struct {
	serverFlags
	Name   string `arg:"" help:"Username."`
	Reason string `name:"reason" help:"Why; kept in the audit log."`
}

// Run bans the account.
func (c *userBanCmd) Run(p *process) error {
	return c.act(p, c.Name, control.Ban, c.Reason, "%s is banned.")
}

type userActivateCmd struct {
	serverFlags
	Name string `arg:"" help:"Username."`
}

// Run activates the account.
func (c *userActivateCmd) Run(p *process) error {
	return c.act(p, c.Name, control.Activate, "", "%s is active.")
}

func (f *serverFlags) act(p *process, name string, act control.Act, reason, done string) error {
	return f.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		user, err := s.Act(ctx, name, act, reason)
		return f.show(p, user, err, fmt.Sprintf(done, printable(user.Username)))
	})
}

func (f *serverFlags) show(p *process, user control.User, err error, sentence string) error {
	switch {
	case err != nil:
		return err
	case f.JSON:
		return printJSON(p, user)
	default:
		_, err := fmt.Fprintln(p.stdout, sentence)
		return err
	}
}

type userListCmd struct {
	serverFlags
	Status string `name:"status" enum:",online,away,offline" default:"" help:"Only those who are online, away or offline."`
}

// Run prints the list.
func (c *userListCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		users := s.Users(ctx, c.Status)
		if c.JSON {
			return printUsersJSON(p, users)
		}
		return printUsers(p, users)
	})
}

// flushRows is after how many rows the columns are measured anew, so that a million users need no memory.
const flushRows = 1000

func printUsers(p *process, users iter.Seq2[control.User, error]) error {
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ID\tUSERNAME\tROLE\tACCOUNT\tSTATUS\tLAST SEEN")
	rows := 0
	for u, err := range users {
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		seen := "never"
		if u.LastSeen != nil {
			seen = u.LastSeen.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\t%s\n", u.ID, printable(u.Username), u.Role, u.Status, u.OnlineStatus, seen)
		if rows++; rows%flushRows == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// printUsersJSON prints an array with one user a line. It ends half-way, and with an error, when the list does.
func printUsersJSON(p *process, users iter.Seq2[control.User, error]) error {
	before := "[\n  "
	for u, err := range users {
		if err != nil {
			return err
		}
		text, err := json.Marshal(u)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.stdout, "%s%s", before, text); err != nil {
			return err
		}
		before = ",\n  "
	}
	end := "\n]\n"
	if strings.HasPrefix(before, "[") {
		end = "[]\n"
	}
	_, err := fmt.Fprint(p.stdout, end)
	return err
}

// printable keeps a name from moving the cursor about or colouring the terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, name)
}

// usualPatience is for how long a server that has the data directory may not answer: it may just be starting
// or ending. It is asked again every connectPause.
const (
	usualPatience = 5 * time.Second
	connectPause  = 100 * time.Millisecond
)

// withServer asks the server that has the data directory; where there is none, this process becomes it for
// the time of the command. fresh allows a data directory that nobody has used yet.
func (f *serverFlags) withServer(p *process, fresh bool, do func(context.Context, *control.Client) error) error {
	flags := map[string]string{}
	if f.Data != nil {
		flags["data"] = *f.Data
	}
	if f.URL != nil {
		flags["database"] = *f.URL
	}
	cfg, err := config.Load(config.Input{Flags: flags, Environ: p.environ, File: f.File})
	if err != nil {
		return err
	}
	if cfg.Database != "" {
		return withDatabase(p, cfg, newLogger(cfg, p.stderr, max(levelOf(cfg), slog.LevelWarn)), do)
	}
	dir := dataDir(cfg.Data)
	if !fresh && !dir.exists() {
		return fmt.Errorf("there is no data in %s; say where the server keeps it with --data", dir)
	}
	client := control.Dial(dir.dialControl)
	patience := p.patience
	if patience == 0 {
		patience = usualPatience
	}
	for until := now().Add(patience); ; {
		a, err := openApp(p.ctx, cfg, newLogger(cfg, p.stderr, max(levelOf(cfg), slog.LevelWarn)), 0)
		if err == nil {
			return a.once(p.ctx, client, do)
		}
		if !errors.Is(err, errInUse) {
			return err
		}
		silent := client.Ping(p.ctx)
		if silent == nil {
			return do(p.ctx, client)
		}
		if now().After(until) || p.ctx.Err() != nil {
			return fmt.Errorf("%w; %w", err, silent)
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(connectPause):
		}
	}
}

// once runs the app for one command, which asks it as it would ask a server.
func (a *app) once(ctx context.Context, client *control.Client, do func(context.Context, *control.Client) error) error {
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	var result error
	err := a.run(ctx, func(ctx context.Context) error {
		defer finish()
		result = do(ctx, client)
		return nil
	})
	return errors.Join(result, err)
}
