package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
)

// upgradesKept is how many backups of before the same upgrade stay: one that fails is begun again at every start.
const upgradesKept = 3

// backupBefore makes a backup before the tables of the embedded database change, and keeps the database as it is when it
// cannot. nil: nobody wants one.
func backupBefore(cfg *config.Config, log *slog.Logger) func(ctx context.Context, from, to int64) error {
	if cfg.BackupBeforeUpgrade == "off" {
		return nil
	}
	return func(ctx context.Context, from, to int64) error {
		began := now()
		source := backupSource(cfg)
		source.Why = fmt.Sprintf("upgrade from tables %d to %d", from, to)
		made, err := backup.Create(ctx, source, backupDir(cfg), began)
		if err != nil {
			return fmt.Errorf("this version changes the tables (%d to %d) and makes a backup first, which failed; nothing was changed: %w; "+
				"make room or name another directory with --backup-dir, or go without a way back with --backup-before-upgrade off", from, to, err)
		}
		log.LogAttrs(ctx, slog.LevelWarn, "the tables are brought to this version; a backup of before was made, which the version before can start from",
			slog.Int64("from", from), slog.Int64("to", to), slog.String("backup", made.Path), slog.Int64("bytes", made.Size()),
			slog.Int64("users", made.Rows["users"]), slog.Duration("took", now().Sub(began)))
		if _, err := backup.PruneAlike(backupDir(cfg), source.Why, upgradesKept); err != nil {
			log.LogAttrs(ctx, slog.LevelError, "old backups could not be removed", slog.String("dir", backupDir(cfg)), slog.Any("err", err))
		}
		return nil
	}
}

type upgradeCmd struct {
	settingFlags
	Check bool `name:"check" help:"Only tell what would be done. The server may be running."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help.
func (upgradeCmd) Help() string {
	return `The server does the same by itself when it starts: a backup first (backup_before_upgrade), then the tables. With this command it is done before, while the server is stopped, and --check tells what is coming before anything stops. The tables only go forwards; the way back is the backup and the version before.

Examples:

    presence upgrade --check
    presence upgrade --data /var/lib/presence`
}

// upgrade is what there is to do.
type upgrade struct {
	Version string `json:"version"`
	Schema  int64  `json:"schema"` // 0: there are no data yet
	Known   int64  `json:"known_schema"`
	Needed  bool   `json:"needed"`
	Backup  string `json:"backup,omitempty"` // the directory that gets one first; after the upgrade, the backup
}

// errNewerData: there is no way forwards from there.
var errNewerData = errors.New("the data were written by a newer version of this program")

// Run upgrades, or tells about it.
func (c *upgradeCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	plan, err := c.plan(p.ctx, cfg)
	if err != nil {
		return err
	}
	if plan.Needed && !c.Check {
		if err := withStore(p.ctx, p, cfg, func(context.Context, database) error { return nil }); err != nil {
			return err
		}
		if newest, ok := backup.Newest(backupDir(cfg)); ok && plan.Backup != "" && newest.Why != "" {
			plan.Backup = newest.Path
		}
	}
	if c.JSON {
		return printJSON(p, plan)
	}
	say := func(format string, a ...any) { fmt.Fprintf(p.stdout, format+"\n", a...) }
	switch {
	case plan.Schema == 0:
		say("There are no data yet; the first start makes them (tables %d).", plan.Known)
	case !plan.Needed:
		say("Nothing to do: the tables (%d) are those of this version (%s).", plan.Schema, plan.Version)
	case c.Check:
		say("The next start of this version (%s) brings the tables from %d to %d.", plan.Version, plan.Schema, plan.Known)
	default:
		say("The tables were brought from %d to %d.", plan.Schema, plan.Known)
	}
	if !plan.Needed {
		return nil
	}
	switch {
	case cfg.Database != "":
		say("Nodes of the version before go on working with them. Make a backup before: pg_dump, or a base backup.")
	case plan.Backup == "":
		say("No backup is made first (backup_before_upgrade is off): presence backup create")
	case c.Check:
		say("A backup is made first, in %s.", plan.Backup)
	default:
		say("To go back: stop the server, presence backup restore %s, and start the version before.", quoted(plan.Backup))
	}
	return nil
}

func (c *upgradeCmd) plan(ctx context.Context, cfg *config.Config) (plan upgrade, err error) {
	plan.Version = build().Version
	dir := dataDir(cfg.Data)
	switch {
	case cfg.Database != "":
		plan.Schema, plan.Known, err = postgres.Schema(ctx, string(cfg.Database))
	case dir.exists():
		plan.Schema, plan.Known, err = sqlite.Schema(ctx, dir.database())
	default:
		plan.Known = sqlite.KnownSchema()
	}
	if err != nil {
		return plan, withCure(cfg, err)
	}
	if cfg.Database == "" && plan.Schema > plan.Known {
		return plan, fmt.Errorf("%w (tables %d, known are %d): start that version, or restore a backup that this one knows (presence backup list)",
			errNewerData, plan.Schema, plan.Known)
	}
	plan.Needed = plan.Schema > 0 && plan.Schema < plan.Known
	if plan.Needed && cfg.Database == "" && cfg.BackupBeforeUpgrade != "off" {
		plan.Backup = backupDir(cfg)
	}
	return plan, nil
}
