package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// migrationLock is the name of the lock that nodes take to migrate one after another ("presence").
	migrationLock = 0x70726573656e6365
	// oldest is the oldest PostgreSQL this works with.
	oldest = 140000
)

// prepareSchema looks whether the database is fit to work with and brings its tables up to date.
func prepareSchema(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) error {
	config = config.Copy()
	delete(config.RuntimeParams, "statement_timeout") // a migration may take long
	config.ConnectTimeout = openWithin
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := checkServer(ctx, conn, log); err != nil {
		return err
	}
	provider, db, err := newProvider(config)
	if err != nil {
		return err
	}
	defer db.Close()
	current, err := checkVersion(ctx, conn, known(provider))
	if err == nil && !current {
		err = migrate(ctx, conn, provider, log)
	}
	if err != nil {
		return err
	}
	return sealAudit(ctx, conn)
}

// checkServer refuses what this store cannot work with, and warns of what does not keep its promises.
func checkServer(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	var version int
	var encoding, fsync, full string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		current_setting('fsync'), current_setting('full_page_writes')`).Scan(&version, &encoding, &fsync, &full)
	switch {
	case err != nil:
		return err
	case version < oldest:
		return fmt.Errorf("the database is PostgreSQL %d; %d or newer is needed", version/10000, oldest/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s, which cannot hold every name; make one with ENCODING 'UTF8'", encoding)
	}
	if fsync != "on" || full != "on" {
		log.LogAttrs(ctx, slog.LevelWarn, "this database may lose what was acknowledged when the power fails",
			slog.String("fsync", fsync), slog.String("full_page_writes", full))
	}
	return nil
}

func newProvider(config *pgx.ConnConfig) (*goose.Provider, *sql.DB, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDB(*config)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return provider, db, nil
}

// known is the newest migration of this program.
func known(provider *goose.Provider) (version int64) {
	for _, source := range provider.ListSources() {
		version = max(version, source.Version)
	}
	return version
}

// checkVersion reports whether the tables are up to date. Newer ones are, unless they say that they need a
// program that knows more.
func checkVersion(ctx context.Context, conn *pgx.Conn, known int64) (current bool, err error) {
	var has, ours, taken bool
	// From one snapshot: another node may be at it, and what it makes appears all at once.
	err = conn.QueryRow(ctx, `SELECT coalesce(bool_or(relname = $1), false), coalesce(bool_or(relname = 'schema_needs'), false),
		coalesce(bool_or(relname = 'users'), false)
		FROM pg_class WHERE relname IN ($1, 'schema_needs', 'users') AND pg_table_is_visible(oid)`, goose.DefaultTablename).Scan(&has, &ours, &taken)
	switch {
	case err != nil:
		return false, err
	case taken && !(has && ours):
		return false, errors.New("the database belongs to another program: it has a table users already")
	case !has || !ours:
		return false, nil
	}
	var applied, needs int64
	err = conn.QueryRow(ctx, `SELECT (SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied),
		(SELECT coalesce(max(migration), 0) FROM schema_needs)`).Scan(&applied, &needs)
	if err == nil && needs > known {
		err = fmt.Errorf("the database was made ready for a newer version of this program (tables %d, known are %d); "+
			"start that version", needs, known)
	}
	return applied >= known, err
}

// migrate brings the tables up to date, while other nodes that start wait: the lock lies in a transaction, so
// that it is good through a pooler too and goes with whoever holds it.
func migrate(ctx context.Context, conn *pgx.Conn, provider *goose.Provider, log *slog.Logger) error {
	lock, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer lock.Rollback(context.WithoutCancel(ctx)) // lets go of it; there is nothing to undo
	// The holder sits idle in its transaction and the others wait, both for as long as the migration takes.
	_, err = lock.Exec(ctx, `SELECT set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`)
	if err != nil {
		return err
	}
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_xact_lock($1::bigint)`, int64(migrationLock)); err != nil {
		return err
	}
	if current, err := checkVersion(ctx, conn, known(provider)); err != nil || current {
		return err // another node has done it
	}
	if err := tellUpgrade(ctx, conn, known(provider), log); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
