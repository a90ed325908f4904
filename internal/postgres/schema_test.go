package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/testserver"
)

// alter runs statements on a database beside any store.
func alter(t *testing.T, url string, texts ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, text := range texts {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNodesThatStartAtOnceMakeTheTablesOnce(t *testing.T) {
	for name, opts := range map[string]Options{"straight": slow, "through a pooler": {Patience: slow.Patience, SimpleProtocol: true}} {
		t.Run(name, func(t *testing.T) {
			url := testserver.SharedPostgres(t).Database(t, "")
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					s, err := Open(t.Context(), url, opts)
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					if err := s.Durable(t.Context(), insertOne(fmt.Sprint("node", i))); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			s := openAt(t, url, opts)
			if _, total, err := s.AccountCounts(t.Context()); total != 8 || err != nil {
				t.Errorf("%d accounts, %v", total, err)
			}
		})
	}
}

func TestAnOlderProgramWorksBesideANewerOne(t *testing.T) {
	url := newDatabase(t)
	alter(t, url, `ALTER TABLE users ADD COLUMN shoe_size int NOT NULL DEFAULT 42`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, true)`)
	s := openAt(t, url, slow)
	insert(t, s, account("ada"))
	if a, err := s.AccountByName(t.Context(), "ada"); a.Username != "ada" || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestADatabaseThatIsNotFitIsRefused(t *testing.T) {
	server := testserver.SharedPostgres(t)
	for _, c := range []struct {
		name string
		url  func() string
		says string
	}{
		{"of a newer version that says so", func() string {
			url := newDatabase(t)
			alter(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, true)`, `UPDATE schema_needs SET migration = 900`)
			return url
		}, "newer version of this program (tables 900"},
		{"of another program", func() string {
			url := server.Database(t, "")
			alter(t, url, `CREATE TABLE users (name text)`)
			return url
		}, "another program"},
		{"in another encoding", func() string {
			return server.Database(t, "template0 ENCODING 'LATIN1' LOCALE 'C'")
		}, "encoding is LATIN1"},
		{"that is not there", func() string { return server.URL("nowhere") }, "nowhere"},
		{"on a port where nobody listens", func() string { return "postgres://someone:sesame@127.0.0.1:1/presence" }, "refused"},
		{"with a URL that is none", func() string { return "postgres://someone:sesame@127.0.0.1:x/presence" }, "open store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(t.Context(), c.url(), slow)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %q, want %q", err, c.says)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("tells the password: %v", err)
			}
		})
	}
	for what, opts := range map[string]Options{"connections": {Conns: 1}, "patience": {Patience: 1}} {
		if s, err := Open(t.Context(), newDatabase(t), opts); err == nil {
			s.Close()
			t.Errorf("opened with impossible %s", what)
		}
	}
}

// TestLimitsHoldInEveryMode: whoever stops in the middle of an act, or waits in it, does not keep the others for
// long, and no act is less safe than the disk.
func TestLimitsHoldInEveryMode(t *testing.T) {
	url := newDatabase(t)
	alter(t, url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`)
	want := "5min 500ms 5s on" // the first is fifteen times the patience
	for name, opts := range map[string]Options{"straight": slow, "through a pooler": {Patience: slow.Patience, SimpleProtocol: true}} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, url, opts)
			err := s.act(t.Context(), func(tx *tx) error {
				var got string
				err := tx.row("look", `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
					current_setting('idle_in_transaction_session_timeout'), current_setting('synchronous_commit'))`, nil, &got)
				if got != want {
					t.Errorf("an act has %q, want %q", got, want)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUsersTable: whoever queries the database finds the founding document's columns, and indexes on both.
func TestUsersTable(t *testing.T) {
	s := openNew(t)
	for _, column := range strings.Fields(`id username email first_name last_name avatar bio role status is_active is_staff
		email_verified password online_status last_seen date_joined created_at updated_at`) {
		var n int
		err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM information_schema.columns WHERE table_name = 'users' AND column_name = $1`,
			column).Scan(&n)
		if err != nil || n != 1 {
			t.Errorf("column %s: %d, %v", column, n, err)
		}
	}
	for _, column := range []string{"online_status", "last_seen"} {
		var n int
		err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
			WHERE i.indrelid = 'users'::regclass AND a.attname = $1 AND i.indpred IS NULL`, column).Scan(&n)
		if err != nil || n != 1 {
			t.Errorf("indexes on %s: %d, %v", column, n, err)
		}
	}
}

// fill makes accounts 1 to n, one in fifty a moderator, one in ten pending, all as the benchmarks have them.
const fill = `
	INSERT INTO users (online_status, last_seen, status_since, status_cause, presence_version, status, role, username, email,
		first_name, last_name, password, date_joined, created_at, updated_at, search)
	SELECT CASE WHEN n % 3 = 0 THEN 'offline' ELSE 'online' END, $2 + n, $2, 'login', 1,
		CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'active' END, CASE WHEN n % 50 = 0 THEN 'moderator' ELSE 'user' END,
		'user' || n, 'user' || n || '@example.org', 'First' || (n % 1000), 'Last' || (n % 777), 'argon2id$' || repeat('0', 80),
		$2 + n, $2 + n, $2 + n, 'USER' || n || chr(31) || 'USER' || n || '@EXAMPLE.ORG' || chr(31) || 'FIRST' || (n % 1000) || chr(31) || 'LAST' || (n % 777)
	FROM generate_series(1, $1::bigint) AS n`

// TestListsAreReadAlongAnIndex: what is quick with ten accounts must not sort a million.
func TestListsAreReadAlongAnIndex(t *testing.T) {
	s := openNew(t)
	if _, err := s.pool.Exec(t.Context(), fill, 20_000, micros(noon)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Exec(t.Context(), `VACUUM ANALYZE users`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter presence.AccountFilter
		order  presence.AccountOrder
		index  string
	}{
		{presence.AccountFilter{}, presence.NewestCreated, "users_created_at"},
		{presence.AccountFilter{}, presence.OldestCreated, "users_created_at"},
		{presence.AccountFilter{}, presence.UsernameUp, "users_username"},
		{presence.AccountFilter{}, presence.UsernameDown, "users_username"},
		{presence.AccountFilter{}, presence.EmailUp, "users_email"},
		{presence.AccountFilter{}, presence.IDDown, "users_pkey"},
		{presence.AccountFilter{Status: "pending"}, presence.NewestCreated, "users_status"},
		{presence.AccountFilter{Role: "moderator"}, presence.NewestCreated, "users_role"},
		{presence.AccountFilter{Status: "active"}, presence.UsernameUp, "users_username"},
	} {
		l, _ := plan(c.filter, c.order)
		var steps []string
		text := l.text(40, 20) // writes the arguments down, so it comes first
		err := eachRow(t.Context(), s.pool, "EXPLAIN "+text, l.args, func(row scanner) error {
			var step string
			err := row.Scan(&step)
			steps = append(steps, step)
			return err
		})
		if got := strings.Join(steps, "\n"); err != nil || !strings.Contains(got, c.index) || strings.Contains(got, "Sort") {
			t.Errorf("%+v in order %d: %v\n%s\nwant %s without sorting", c.filter, c.order, err, got, c.index)
		}
	}
}
