// Package postgres keeps accounts, sessions, revocations, history, logs and presence in a PostgreSQL database
// that several nodes share.
//
// It decides what the tables and indexes are, how acts of several nodes are kept apart, how writes of the two
// classes of durability are committed, how large a batch is, and what callers are told while the database is
// away. What may be written, by whom and when, it leaves to its callers; presence itself to the engines;
// replication and backups to PostgreSQL.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/offchat/presence"
)

const (
	// connectWithin is how long a connection may take to come about while callers wait; or half their patience, where
	// that is more.
	connectWithin = time.Second
	// openWithin is the same while the store is opened: a database that is busy is still better than none.
	openWithin = 10 * time.Second
	// lockWithin is how long an act waits for another one before it starts again from the beginning. It is
	// shorter than the database's own look for deadlocks (1 s), and settles those too.
	lockWithin = 500 * time.Millisecond
	// idleWithin is how long the database keeps the locks of a node that has stopped in the middle of an act.
	idleWithin = 5 * time.Second
)

// Options are what may be different. The zero value is good.
type Options struct {
	// Log gets what an operator may act on: that the database is away or back above all. Default: nothing is
	// logged.
	Log *slog.Logger
	// Conns is how many connections a node has at most, 2 to 1000. Default 16. All nodes together must stay
	// below the database's max_connections.
	Conns int
	// Patience is how long one question to the database, or the wait for a free connection, may take before
	// the call is Unavailable, from 100 ms on. Default 2 s. Lists, batches and purges get fifteen times as long.
	Patience time.Duration
	// SimpleProtocol goes without prepared statements and settings of the connection, for poolers that hand
	// connections round between transactions (pgbouncer's transaction mode). Everything takes somewhat longer.
	SimpleProtocol bool
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Conns == 0 {
		o.Conns = 16
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Second
	}
	return o
}

func (o Options) check() error {
	if o.Conns < 2 || o.Conns > 1000 {
		return fmt.Errorf("%d connections; 2 to 1000 are possible", o.Conns)
	}
	if o.Patience < 100*time.Millisecond {
		return fmt.Errorf("patience of %v; 100ms and more are possible", o.Patience)
	}
	return nil
}

// Store implements presence.Store on a database. All methods but Close may be called from any goroutine.
type Store struct {
	// Static after construction.
	pool     *pgxpool.Pool
	log      *slog.Logger
	patience time.Duration
	long     time.Duration
	durable  string // begins a transaction of the durable class
	behind   string // begins one of the other class
	gate     *gate

	closed atomic.Bool
	count  struct{ acts, reruns, unknown atomic.Uint64 }
}

var _ presence.Store = (*Store)(nil)

// Open connects to the database that the URL names (postgres://user:password@host:5432/database?sslmode=…; all
// parameters and environment variables of libpq are understood) and brings its tables up to date. Nodes that
// start at once wait for each other. Tables that are newer than this program are fine unless they say that
// they are not for it. It fails when the database is away, is not UTF-8, or is PostgreSQL before 14.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	config, err := pgxpool.ParseConfig(url) // its errors leave the password out
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	configure(config, opts)
	if err := prepareSchema(ctx, config.ConnConfig, opts.Log); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		pool: pool, log: opts.Log, patience: opts.Patience, long: 15 * opts.Patience, gate: &gate{now: time.Now},
		durable: beginDurable, behind: beginBehind,
	}
	if opts.SimpleProtocol {
		limits := fmt.Sprintf(limitsInside, s.long.Milliseconds(), lockWithin.Milliseconds(), idleWithin.Milliseconds())
		s.durable, s.behind = beginDurable+limits, beginBehind+limits
	}
	if err := s.greet(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// configure turns what the URL says into what this store needs.
func configure(config *pgxpool.Config, opts Options) {
	config.MaxConns = int32(opts.Conns)
	config.MinConns = 0
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	within := max(connectWithin, opts.Patience/2)
	config.PingTimeout = within // a connection that was idle for a second is tried out first

	conn := config.ConnConfig
	conn.ConnectTimeout = within
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "presence"
	}
	if opts.SimpleProtocol {
		conn.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		conn.StatementCacheCapacity, conn.DescriptionCacheCapacity = 0, 0
		return
	}
	for name, limit := range map[string]time.Duration{
		"statement_timeout": 15 * opts.Patience, "lock_timeout": lockWithin, "idle_in_transaction_session_timeout": idleWithin,
	} {
		conn.RuntimeParams[name] = strconv.FormatInt(limit.Milliseconds(), 10)
	}
	conn.RuntimeParams["jit"] = "off" // compiling takes longer than any query here
}

// greet makes the first connection. One that takes too long is tried again for a while.
func (s *Store) greet(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	for {
		err := s.pool.Ping(limited)
		if err == nil || limited.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return fault("ping", err)
		}
	}
}

// Ping implements presence.Store.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", s.patience, func(ctx context.Context, c *pgxpool.Conn) error { return c.Ping(ctx) })
}

// Stats are counters since Open, and how the connections are used just now.
type Stats struct {
	// Acts counts durable acts that were committed, Reruns how often an act or a batch had to start again because
	// it collided with another or its connection broke, Unknown how many acts ended with CodeUnknown.
	Acts, Reruns, Unknown uint64
	// Conns of MaxConns connections are open, Idle of them unused. Waits counts how often somebody had to
	// wait for one.
	Conns, Idle, MaxConns int
	Waits                 int64
	// Away: the last caller found the database away.
	Away bool
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	pool := s.pool.Stat()
	return Stats{
		Acts: s.count.acts.Load(), Reruns: s.count.reruns.Load(), Unknown: s.count.unknown.Load(),
		Conns: int(pool.TotalConns()), Idle: int(pool.IdleConns()), MaxConns: int(pool.MaxConns()),
		Waits: pool.EmptyAcquireCount(), Away: s.gate.shut.Load(),
	}
}

// Close implements presence.Store: calls that are under way finish. Closing twice is the same as once.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.pool.Close()
	}
	return nil
}
