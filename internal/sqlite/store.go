// Package sqlite keeps accounts, sessions, revocations, history, logs and presence in one SQLite file.
//
// It decides how writes reach the disk (one writer, two classes of durability, group commit), what the
// tables and indexes are, and when a file is not fit to work with. What may be written, by whom and when, it
// leaves to its callers; presence itself to the engines.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	driver "modernc.org/sqlite"

	"github.com/offchat/presence"
)

// Options are what may be different. The zero value is good.
type Options struct {
	// Log gets what an operator may act on: failed commits above all. Default: nothing is logged.
	Log *slog.Logger
	// Readers is how many queries run at once, 1 to 64. Default 4.
	Readers int
	// Patience is how long a write waits for its turn before it is Unavailable. Default 5 s.
	Patience time.Duration
	// BeforeUpgrade, if there is one, is called before the tables of a file that has some are brought from one
	// migration to another, while they are as they were. Its error keeps the file as it is, and Open returns it.
	BeforeUpgrade func(ctx context.Context, from, to int64) error
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	return o
}

// Store implements presence.Store on one file. All methods but Close may be called from any goroutine.
type Store struct {
	// Static after construction.
	path    string
	writeDB *sql.DB
	write   *writer
	read    *reader

	closing sync.Once
	closed  error // what the first Close returned
}

var _ presence.Store = (*Store)(nil)

// Open opens the database file, or makes it (mode 0600; the directory is the caller's), and brings its
// tables up to date. It refuses a file that is damaged, belongs to another program or was written by a newer
// version of this one, and then changes nothing in it. Only one process should have it open.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if opts.Readers < 1 || opts.Readers > 64 {
		return nil, fmt.Errorf("sqlite: %d readers; 1 to 64 are possible", opts.Readers)
	}
	// Half the time of a commit on ext4, and no less durable. It is not there on every system.
	_, _ = driver.Fdatasync(true)

	file, err := prepareFile(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s, err := open(ctx, file, opts)
	if err != nil {
		file.removeIfNew()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// writing are the settings of the writer's connection: 64 MiB of cache, for the indexes of a million users; the
// log is folded into the file every 16 MiB and cut back to 64 MiB when it grew beyond.
const writing = "_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(4000)&_pragma=journal_size_limit(67108864)" +
	"&_txlock=immediate"

func open(ctx context.Context, file dataFile, opts Options) (*Store, error) {
	writeDB, err := sql.Open("sqlite", file.dsn(writing))
	if err != nil {
		return nil, err
	}
	writeDB.SetMaxOpenConns(1)
	conn, err := prepareSchema(ctx, writeDB, file, opts)
	if err != nil {
		return nil, errors.Join(err, writeDB.Close())
	}
	readDB, err := sql.Open("sqlite", file.dsn("_query_only=1"))
	if err != nil {
		return nil, errors.Join(err, conn.Close(), writeDB.Close())
	}
	readDB.SetMaxOpenConns(opts.Readers)
	readDB.SetMaxIdleConns(opts.Readers)

	s := &Store{path: file.path, writeDB: writeDB, write: newWriter(conn, opts.Log, opts.Patience), read: newReader(readDB)}
	go s.write.run() // until Close
	return s, nil
}

// Durable implements presence.Store. A panic in act undoes it and reaches the caller.
func (s *Store) Durable(ctx context.Context, act func(presence.Tx) error) error {
	return s.write.durable(ctx, func(t *tx) error { return act(t) })
}

// Ping implements presence.Store. It fails when reading or writing is over.
func (s *Store) Ping(ctx context.Context) error {
	if failure := s.write.failure.Load(); failure != nil {
		return failure
	}
	var one int
	return s.read.row(ctx, "ping", `SELECT 1`, nil, func(row scanner) error { return row.Scan(&one) })
}

// Check reads the whole file and returns an error when its structure is broken anywhere. It takes about 5 ms
// for each MiB, while everything else goes on.
func (s *Store) Check(ctx context.Context) error {
	return fault("check store", checkPages(ctx, s.read.db, s.path))
}

// Failed is closed when the disk failed to flush a commit. The store then refuses all writes, because it
// could not tell any more which of them would survive; the process should say so and end. Why is what Ping
// returns.
func (s *Store) Failed() <-chan struct{} { return s.write.failed }

// Full reports since when there is no room on the disk, and whether that is so.
func (s *Store) Full() (since time.Time, full bool) {
	if at := s.write.full.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}

// Probe writes one page that says what it said before, and returns once it is safe on disk: so that the end of
// a full disk is noticed when nobody else writes.
func (s *Store) Probe(ctx context.Context) error {
	return s.write.durable(ctx, func(t *tx) error {
		_, err := t.exec("probe", "PRAGMA user_version = 0")
		return err
	})
}

// Stats are counters since Open.
type Stats struct {
	// Acts counts writes that got an answer from the disk, Commits how many transactions they needed.
	Acts, Commits uint64
	// Refused counts writes that found no room on the disk.
	Refused uint64
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	return Stats{Acts: s.write.acts.Load(), Commits: s.write.commits.Load(), Refused: s.write.refused.Load()}
}

// Close implements presence.Store: waiting writes finish, the log is folded into the file. Closing twice is
// the same as once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.write.close()
		s.closed = fault("close store", errors.Join(s.read.close(), s.write.conn.Close(), s.writeDB.Close()))
	})
	return s.closed
}
