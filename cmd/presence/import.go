package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/django"
	"github.com/offchat/presence/internal/metrics"
)

type importCmd struct {
	Django importDjangoCmd `cmd:"" help:"Carry over the database of the Django original."`
}

type importDjangoCmd struct {
	settingFlags
	From       string `name:"from" required:"" placeholder:"URL" help:"Database of the original: sqlite:///FILE, a path, or postgres://USER:PASSWORD@HOST/NAME."`
	DryRun     bool   `name:"dry-run" help:"Read and judge everything, write nothing."`
	Update     bool   `name:"update" help:"Where an account is here already and differs, take what the original says."`
	Timezone   string `name:"timezone" default:"UTC" placeholder:"Asia/Kabul" help:"Time zone of moments without an offset: TIME_ZONE of a site with USE_TZ=False."`
	UsersTable string `name:"users-table" placeholder:"NAME" help:"Table of the users, where it has an unusual name."`
	JSON       bool   `name:"json" help:"Print the whole report as JSON."`
}

// Help is shown by --help.
func (importDjangoCmd) Help() string {
	return `Reads the tables users, blacklisted_tokens, user_sessions and user_activities (and SimpleJWT's own blacklist) and writes nothing there. Ids, names, password hashes, roles, standing, join dates and last_seen come over as they are; people sign in with their old passwords. With the original's SECRET_KEY as signing_key, its live tokens go on working and its refused ones stay refused.

The server must be stopped. It can be run again: what was carried stays, what is new comes. Rows that do not fit are listed with the reason; the others come without them. It ends with a comparison of both sides, and exits with 1 when they differ.

Examples:

    presence import django --from sqlite:///db.sqlite3 --dry-run
    presence import django --from postgres://reader@db.example.org/offchat --data /var/lib/presence
    presence import django --from db.sqlite3 --json > report.json`
}

// errDiffers: the two sides do not agree after the import.
var errDiffers = errors.New("the two sides differ")

// Run imports.
func (c *importDjangoCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	place, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return usageError{fmt.Sprintf("--timezone: %q is no time zone; write UTC or a name such as Asia/Kabul", c.Timezone)}
	}
	source, err := django.Open(p.ctx, c.From)
	if err != nil {
		return err
	}
	defer source.Close()
	began := now()
	var report *django.Report
	err = withStore(p.ctx, p, cfg, func(ctx context.Context, store database) (err error) {
		report, err = django.Import(ctx, source, store, django.Options{
			DryRun: c.DryRun, Update: c.Update, Now: began, Place: place, UsersTable: c.UsersTable,
			Readable: auth.ReadsHash, Progress: progress(p),
		})
		return err
	})
	if report != nil && (err == nil || report.Users.Rows > 0) {
		if c.JSON {
			err = errors.Join(err, printJSON(p, report))
		} else {
			err = errors.Join(err, printImport(p, report, now().Sub(began)))
		}
	}
	if err == nil && !report.Agrees() && report.Counts[django.Kept] == 0 {
		err = errDiffers
	}
	return err
}

// withStore lends the configured store to a command that needs nothing else, while no server runs.
func withStore(ctx context.Context, p *process, cfg *config.Config, do func(context.Context, database) error) error {
	dir := dataDir(cfg.Data)
	if err := dir.make(); err != nil {
		return err
	}
	unlock, err := dir.lockWithin(ctx, lockPatience)
	if err != nil {
		return fmt.Errorf("%w; stop the server first", err)
	}
	defer unlock()
	if err := backup.HalfRestored(cfg.Data); err != nil {
		return err
	}
	log := newLogger(cfg, p.stderr, max(levelOf(cfg), slog.LevelWarn))
	var b backing
	if cfg.Database == "" {
		err = b.openSQLite(ctx, cfg, dir, metrics.Discard(), log)
	} else {
		err = b.openPostgres(ctx, cfg, log)
	}
	if err != nil {
		return errors.Join(withCure(cfg, err), b.close())
	}
	return errors.Join(do(ctx, b.store), b.close())
}

// progress tells a person at a terminal how far it is; into a file it tells nothing.
func progress(p *process) func(table string, done, total int) {
	if !isTerminal(p.stderr) {
		return nil
	}
	return func(table string, done, total int) {
		end := "\r"
		if done >= total {
			end = "\n"
		}
		fmt.Fprintf(p.stderr, "%-12s %d of %d%s", table, done, total, end)
	}
}

// shownFindings is how many findings of each grade are printed.
const shownFindings = 30

func printImport(p *process, r *django.Report, took time.Duration) error {
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	what := "Imported"
	if r.DryRun {
		what = "A dry run: nothing was written. This would be imported"
	}
	fmt.Fprintf(out, "%s from %s (%.1f s).\n\n", what, r.Source, took.Seconds())
	fmt.Fprintln(out, "TABLE\tROWS\tADDED\tUPDATED\tUNCHANGED\tKEPT\tREFUSED\tOVER\tCARRIED BEFORE")
	for _, t := range append([]django.Tally{r.Users, r.Sessions, r.Activities}, r.Tokens...) {
		if t.Table != "" {
			fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", t.Table, t.Rows, t.Added, t.Updated, t.Unchanged, t.Kept, t.Refused, t.Over, t.Before)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if n := r.Seemed["online"] + r.Seemed["away"]; n > 0 {
		fmt.Fprintf(p.stdout, "\n%d people were shown online or away there. Here they are with their next heartbeat.\n", n)
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(p.stdout, "\nLooked for and not found: %s.\n", strings.Join(r.Missing, ", "))
	}
	for i, left := range r.Left {
		if i == 0 {
			fmt.Fprintln(p.stdout, "\nColumns that have no place here stay behind:")
		}
		fmt.Fprintf(p.stdout, "  %s.%s (%d rows)\n", left.Table, left.Column, left.Rows)
	}
	printFindings(p, r)
	if r.DryRun {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nComparison of both sides, over all accounts that were carried:")
	fmt.Fprintln(out, "  FIELD\tTHERE\tHERE\tDIFFERING")
	for _, c := range r.Comparison {
		fmt.Fprintf(out, "  %s\t%s\t%s\t%d\n", c.What, c.There, c.Here, c.Differing)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "\n%s\n", r.Sentence())
	return err
}

func printFindings(p *process, r *django.Report) {
	for _, grade := range []struct {
		grade django.Grade
		title string
	}{
		{django.Refused, "Not carried over"},
		{django.Changed, "Carried over, but changed"},
		{django.Kept, "Here already and different"},
		{django.Noted, "Carried over as they were, but you should know"},
	} {
		n := r.Counts[grade.grade]
		if n == 0 {
			continue
		}
		fmt.Fprintf(p.stdout, "\n%s (%d):\n", grade.title, n)
		shown := 0
		for _, f := range r.Findings {
			if f.Grade != grade.grade {
				continue
			}
			if shown++; shown > shownFindings {
				fmt.Fprintf(p.stdout, "  … and %d more; --json lists all.\n", n-shownFindings)
				break
			}
			who := f.ID
			if f.Name != "" {
				who += " (" + f.Name + ")"
			}
			field := ""
			if f.Field != "" {
				field = f.Field + ": "
			}
			fmt.Fprintf(p.stdout, "  %s %s: %s%s\n", f.Table, who, field, f.Text)
		}
	}
}
