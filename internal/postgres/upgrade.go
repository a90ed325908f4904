package postgres

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// Schema returns the newest migration that a database has seen, 0 for none, and the newest that this program knows. It
// changes nothing.
func Schema(ctx context.Context, url string) (applied, newest int64, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	provider, db, err := newProvider(config)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	applied, err = appliedSchema(ctx, conn)
	return applied, known(provider), err
}

func appliedSchema(ctx context.Context, conn *pgx.Conn) (applied int64, err error) {
	var has bool
	err = conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, goose.DefaultTablename).Scan(&has)
	if err != nil || !has {
		return 0, err
	}
	err = conn.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied`).Scan(&applied)
	return applied, err
}

// tellUpgrade says that the tables of a database that has some are about to change.
func tellUpgrade(ctx context.Context, conn *pgx.Conn, newest int64, log *slog.Logger) error {
	applied, err := appliedSchema(ctx, conn)
	if err == nil && applied > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "the tables of the database are brought to this version; nodes of the version before go on working, "+
			"and the way back to what was in it is your own backup (pg_dump, or a base backup with WAL)",
			slog.Int64("from", applied), slog.Int64("to", newest))
	}
	return err
}
