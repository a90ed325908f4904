package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/sqlite"
)

type backupCmd struct {
	Create  backupCreateCmd  `cmd:"" help:"Make a backup, of a running server or a stopped one."`
	List    backupListCmd    `cmd:"" help:"List the backups."`
	Verify  backupVerifyCmd  `cmd:"" help:"Read a backup whole and say whether it is good."`
	Restore backupRestoreCmd `cmd:"" help:"Put a backup in the place of the data. The server must be stopped."`
}

// Help is shown by --help.
func (backupCmd) Help() string {
	return `A backup is a directory with the database, the signing key and a manifest. It holds password hashes and the key that signs tokens: keep it where only you read. The server makes one every backup_every by itself and keeps backup_keep of them; these commands find them by the same settings.

Examples:

    presence backup create
    presence backup list
    presence backup verify
    presence backup restore presence-20261123T030000Z`
}

// errElsewhere: the data is not ours to copy.
var errElsewhere = errors.New("the data is in PostgreSQL (database): back it up by its own means, such as pg_dump or a replica")

// backupDir is where backups lie.
func backupDir(cfg *config.Config) string {
	if cfg.BackupDir != "" {
		return cfg.BackupDir
	}
	return filepath.Join(cfg.Data, "backups")
}

// backupSource is what is backed up.
func backupSource(cfg *config.Config) backup.Source {
	dir := dataDir(cfg.Data)
	source := backup.Source{Database: dir.database(), Key: dir.key(), Program: build().Version}
	if cfg.SigningKey != "" {
		source.Key = "" // what lies there is not what signs
	}
	source.Free = func(path string) (uint64, error) {
		free, _, err := space(path)
		return free, err
	}
	return source
}

type backupCreateCmd struct {
	settingFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help.
func (backupCreateCmd) Help() string {
	return `The server goes on meanwhile: everything it acknowledged before is in the backup. The copy is checked before it gets its name, and old ones stay; only the schedule removes any.

Examples:

    presence backup create
    presence backup create --backup-dir /mnt/nas/presence --json`
}

// Run makes a backup.
func (c *backupCreateCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	if cfg.Database != "" {
		return errElsewhere
	}
	if !dataDir(cfg.Data).exists() {
		return fmt.Errorf("there is no data in %s; say where the server keeps it with --data", cfg.Data)
	}
	if err := backup.HalfRestored(cfg.Data); err != nil {
		return err
	}
	made, err := backup.Create(p.ctx, backupSource(cfg), backupDir(cfg), now())
	if err != nil {
		return withCure(cfg, err)
	}
	if c.JSON {
		return printJSON(p, made)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n%d users, %s.\n", made.Path, made.Rows["users"], megabytes(made.Size()))
	return err
}

type backupListCmd struct {
	settingFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists backups.
func (c *backupListCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	list, err := backup.List(backupDir(cfg))
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []backup.Backup{}
		}
		return printJSON(p, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(p.stdout, "There are no backups in %s.\n", backupDir(cfg))
		return err
	}
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NAME\tMADE AT\tUSERS\tSIZE\tVERSION")
	for _, one := range list {
		if one.Problem != "" {
			fmt.Fprintf(out, "%s\t%s\n", one.Name(), one.Problem)
			continue
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\t%s\n", one.Name(), one.MadeAt.Format(time.RFC3339), one.Rows["users"], megabytes(one.Size()), one.Program)
	}
	return out.Flush()
}

type backupVerifyCmd struct {
	settingFlags
	Name string `arg:"" optional:"" help:"Name or path of the backup; the newest when it is missing."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run verifies a backup.
func (c *backupVerifyCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	path, err := findBackup(cfg, c.Name)
	if err != nil {
		return err
	}
	one, err := backup.Verify(p.ctx, path)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p, one)
	}
	_, err = fmt.Fprintf(p.stdout, "%s is good: every checksum, the structure of the database, and the rows of %d tables (%d users).\n",
		path, len(one.Rows), one.Rows["users"])
	return err
}

type backupRestoreCmd struct {
	settingFlags
	Name    string `arg:"" help:"Name or path of the backup."`
	KeepKey bool   `name:"keep-key" help:"Leave the signing key as it is. Tokens of now stay good where their sessions are in the backup."`
}

// Help is shown by --help.
func (backupRestoreCmd) Help() string {
	return `The backup is verified first. What is in the data directory now is kept aside, in a directory replaced-DATE beside it. Sessions that began after the backup are unknown afterwards: their people sign in again.

Examples:

    presence backup restore presence-20261123T030000Z
    presence backup restore /mnt/nas/presence/presence-20261123T030000Z --data /var/lib/presence`
}

// Run restores a backup.
func (c *backupRestoreCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	path, err := findBackup(cfg, c.Name)
	if err != nil {
		return err
	}
	if cfg.Database != "" {
		return errElsewhere
	}
	dir := dataDir(cfg.Data)
	if err := dir.make(); err != nil {
		return err
	}
	unlock, err := dir.lockWithin(p.ctx, lockPatience)
	if err != nil {
		return fmt.Errorf("%w; stop the server first", err)
	}
	defer unlock()
	aside, err := backup.Restore(p.ctx, path, backup.Target{Dir: cfg.Data, KeepKey: c.KeepKey || cfg.SigningKey != ""}, now())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s is the data now.\n", path)
	if aside != "" {
		fmt.Fprintf(p.stdout, "What was there lies in %s; remove it when you are sure.\n", aside)
	}
	return nil
}

// findBackup finds the backup that somebody means; an empty name means the newest.
func findBackup(cfg *config.Config, name string) (path string, err error) {
	dir := backupDir(cfg)
	if name == "" {
		newest, ok := backup.Newest(dir)
		if !ok {
			return "", fmt.Errorf("there are no backups in %s", dir)
		}
		return newest.Path, nil
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	for _, path := range []string{filepath.Join(dir, name), name} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no backup %s in %s; see: presence backup list", name, dir)
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// withCure says with a damaged database what to do about it.
func withCure(cfg *config.Config, err error) error {
	if !errors.Is(err, sqlite.ErrDamaged) {
		return err
	}
	data := ""
	if cfg.SourceOf("data").Level != config.Default {
		data = " --data " + quoted(cfg.Data)
	}
	newest, ok := backup.Newest(backupDir(cfg))
	if !ok {
		return fmt.Errorf("%w; there is no backup in %s: name one with: presence backup restore PATH%s", err, backupDir(cfg), data)
	}
	return fmt.Errorf("%w; the newest backup is of %s: presence backup restore %s%s", err, newest.MadeAt.Format(time.RFC3339), quoted(newest.Path), data)
}

// newSchedule makes a running server's backups.
func newSchedule(cfg *config.Config, log *slog.Logger) *backup.Schedule {
	return &backup.Schedule{Every: cfg.BackupEvery, Keep: cfg.BackupKeep, Dir: backupDir(cfg), Source: backupSource(cfg), Log: log}
}
