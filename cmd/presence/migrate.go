package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/migrate"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
)

type migrateCmd struct {
	From string `name:"from" required:"" placeholder:"sqlite:DIR" help:"Data directory of the server that is left."`
	To   string `name:"to" placeholder:"URL" help:"PostgreSQL database of the new ones, postgres://USER:PASSWORD@HOST/NAME; also PRESENCE_DATABASE and PRESENCE_DATABASE_FILE, which other users of the machine cannot read."`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Help is shown by --help.
func (migrateCmd) Help() string {
	return `Carries everything of the embedded database into an empty PostgreSQL database: accounts with their ids, passwords and privacy, sessions and revocations, API tokens, history, audit, settings, and who was seen when. The old server must be stopped, and none may run on the new database.

All of it comes over or nothing does: it is one transaction, and both sides are read again and compared, by number and checksum of every table, before it counts. It can be run again: it then says that everything is there. The source is left as it is.

Tokens stay good where the new servers get the old signing key.

Examples:

    presence migrate --from sqlite:/var/lib/presence --to postgres://presence:PASSWORD@db.example.org/presence
    presence serve --database postgres://db.example.org/presence --signing-key-file /var/lib/presence/signing.key`
}

// Run migrates.
func (c *migrateCmd) Run(p *process) error {
	dir, ok := strings.CutPrefix(c.From, "sqlite:")
	if !ok || dir == "" {
		return usageError{"--from: write sqlite:DIR, with the data directory of the server that is left"}
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() { // its database itself
		dir = filepath.Dir(dir)
	}
	flags := map[string]string{"data": dir}
	if c.To != "" {
		flags["database"] = c.To
	}
	cfg, err := config.Load(config.Input{Flags: flags, Environ: p.environ})
	if err != nil {
		return err
	}
	if cfg.Database == "" {
		return usageError{"--to: write the URL of the new database, or set PRESENCE_DATABASE"}
	}
	source := dataDir(cfg.Data)
	if !source.exists() {
		return fmt.Errorf("there is no data in %s", source)
	}
	unlock, err := source.lockWithin(p.ctx, lockPatience)
	if err != nil {
		return fmt.Errorf("%w; stop the server first", err)
	}
	defer unlock()
	report, err := migrateInto(p, cfg, source)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p, report)
	}
	return printMigration(p, report, source)
}

// migrateInto brings both sides to the newest tables, and copies.
func migrateInto(p *process, cfg *config.Config, source dataDir) (migrate.Report, error) {
	log := newLogger(cfg, p.stderr, max(levelOf(cfg), slog.LevelWarn))
	old, err := sqlite.Open(p.ctx, source.database(), sqlite.Options{Log: log})
	if err != nil {
		return migrate.Report{}, err
	}
	if err := old.Close(); err != nil {
		return migrate.Report{}, err
	}
	target, err := postgres.Open(p.ctx, string(cfg.Database), postgres.Options{Log: log, Conns: 2})
	if err != nil {
		return migrate.Report{}, err
	}
	if err := target.Close(); err != nil {
		return migrate.Report{}, err
	}
	var told migrate.Progress
	if show := progress(p); show != nil {
		told = func(table string, done, total int64) { show(table, int(done), int(total)) }
	}
	return migrate.Copy(p.ctx, source.database(), string(cfg.Database), told)
}

func printMigration(p *process, report migrate.Report, source dataDir) error {
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "TABLE\tROWS\tCHECKSUM\t")
	for _, t := range report.Tables {
		fmt.Fprintf(out, "%s\t%d\t%016x\t\n", t.Name, t.Rows, t.Checksum)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	what := "Copied and compared"
	if report.Before {
		what = "Everything was there already, compared"
	}
	fmt.Fprintf(p.stdout, "\n%s: %d rows in %d tables, the same on both sides.\n", what, report.Rows(), len(report.Tables))
	if _, err := os.Stat(source.key()); err == nil {
		fmt.Fprintf(p.stdout, "\nGive the new servers the old signing key, or everybody has to sign in again:\n\n    --signing-key-file %s\n", quoted(source.key()))
	}
	return nil
}
