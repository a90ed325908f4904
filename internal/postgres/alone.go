package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// aloneLock is the name of the lock of a server that must be the only one ("only one").
const aloneLock = 0x6f6e6c79206f6e65

// errNotAlone: another server has the database for itself.
var errNotAlone = errors.New("another server uses this database alone, with presence in its own memory; " +
	"for several servers, give each of them engine, too")

// Alone makes sure that no other server that asks for the same works on the database, until release. It holds a
// connection of its own, past any pooler's limits; where that breaks, because the database restarts, the promise
// ends with it.
func (s *Store) Alone(ctx context.Context) (release func() error, err error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	var got bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1::bigint)`, int64(aloneLock)).Scan(&got)
	if err == nil && !got {
		err = errNotAlone
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return func() error {
		_ = conn.Close(context.Background()) // a connection that is broken has let go already
		return nil
	}, nil
}
