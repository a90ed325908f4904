// Package migrate carries everything from the embedded database into a PostgreSQL database, whole and verified.
//
// It decides in which order tables go, how values of one kind of database become those of the other, and when both
// sides count as equal. What the tables mean it does not know: whatever the schemas of both sides have is carried,
// and what only the source has is an error, so that nothing stays behind in silence.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Table is what became of one table.
type Table struct {
	Name string `json:"table"`
	Rows int64  `json:"rows"`
	// Checksum is that of all rows, in no order; the same on both sides.
	Checksum uint64 `json:"checksum"`
}

// Report is what a copy came to.
type Report struct {
	Tables []Table `json:"tables"`
	// Before: everything was there already, from an earlier run; nothing was written.
	Before bool `json:"before"`
}

// Rows is how many rows there are in all.
func (r Report) Rows() (n int64) {
	for _, t := range r.Tables {
		n += t.Rows
	}
	return n
}

var (
	// ErrOccupied: the target holds something else.
	ErrOccupied = errors.New("the target database is not empty, and not a copy of this source: use an empty database")
	// ErrInUse: servers are connected to the target.
	ErrInUse = errors.New("servers are running on the target database: stop them first")
)

// Progress is told after every few thousand rows. Rows of a table are read twice: copied, then verified.
type Progress func(table string, done, total int64)

// Copy carries the SQLite database at path into the PostgreSQL database at url. Both must have the newest tables, and
// nobody may use either. It is one transaction: after an error, or an interruption, nothing has happened. Run again
// after it succeeded, it finds that and writes nothing.
func Copy(ctx context.Context, path, url string, progress Progress) (Report, error) {
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_query_only=1")
	if err != nil {
		return Report{}, err
	}
	defer db.Close()
	source, err := db.BeginTx(ctx, nil) // one moment, whatever happens
	if err != nil {
		return Report{}, fmt.Errorf("read the source: %w", err)
	}
	defer source.Rollback() // nothing to keep
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return Report{}, fmt.Errorf("reach the target: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// Rows take as long as they take.
	if _, err := conn.Exec(ctx, `SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'`); err != nil {
		return Report{}, err
	}
	if err := alone(ctx, conn); err != nil {
		return Report{}, err
	}
	target, err := conn.Begin(ctx)
	if err != nil {
		return Report{}, err
	}
	defer target.Rollback(context.WithoutCancel(ctx)) // after a commit it does nothing
	c := &copier{source: source, target: target, progress: progress}
	report, err := c.run(ctx)
	if err != nil {
		return Report{}, err
	}
	if report.Before {
		return report, nil
	}
	if err := target.Commit(ctx); err != nil {
		return Report{}, fmt.Errorf("commit: %w", err)
	}
	_, err = conn.Exec(ctx, "ANALYZE")
	return report, err
}

// leaving is how long connections of a server that has just ended may be seen.
const leaving = 3 * time.Second

// alone makes sure that no server works on the target.
func alone(ctx context.Context, conn *pgx.Conn) error {
	for until := time.Now().Add(leaving); ; {
		var others int
		err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'presence' AND pid <> pg_backend_pid()`).Scan(&others)
		switch {
		case err != nil || others == 0:
			return err
		case time.Now().After(until):
			return ErrInUse
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

type copier struct {
	source   *sql.Tx
	target   pgx.Tx
	progress Progress
}

// table is one that both sides have.
type table struct {
	name    string
	columns []column
	rows    int64
}

type column struct {
	name     string
	kind     string // in PostgreSQL: bigint, smallint, boolean, text, bytea
	identity bool
}

// dropped are columns that only the embedded database needs: a page has its number there.
var dropped = map[string]bool{"presence_pages.id": true}

func (c *copier) run(ctx context.Context) (Report, error) {
	tables, err := c.tables(ctx)
	if err != nil {
		return Report{}, err
	}
	occupied, err := c.occupied(ctx, tables)
	if err != nil {
		return Report{}, err
	}
	if occupied {
		report, err := c.verify(ctx, tables)
		if errors.Is(err, errDiffers) {
			return Report{}, fmt.Errorf("%w (%w)", ErrOccupied, err)
		}
		report.Before = true
		return report, err
	}
	for _, t := range tables {
		if err := c.fill(ctx, t); err != nil {
			return Report{}, fmt.Errorf("copy %s: %w", t.name, err)
		}
	}
	if err := c.count(ctx); err != nil {
		return Report{}, err
	}
	return c.verify(ctx, tables)
}

// tables are those of the source, users first: the others hang on them.
func (c *copier) tables(ctx context.Context) (tables []table, err error) {
	names, err := column1(c.source.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table'
		AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' AND name <> 'user_counts' ORDER BY name <> 'users', name`))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t := table{name: name}
		if err := c.source.QueryRowContext(ctx, `SELECT count(*) FROM `+quote(name)).Scan(&t.rows); err != nil {
			return nil, err
		}
		there := map[string]column{}
		rows, err := c.target.Query(ctx, `SELECT column_name, data_type, is_identity = 'YES' FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = $1`, name)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var one column
			if err := rows.Scan(&one.name, &one.kind, &one.identity); err != nil {
				return nil, err
			}
			there[one.name] = one
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
		if len(there) == 0 {
			return nil, fmt.Errorf("the target has no table %s: bring both sides to the same version first", name)
		}
		columns, err := column1(c.source.QueryContext(ctx, `SELECT name FROM pragma_table_info(?)`, name))
		if err != nil {
			return nil, err
		}
		for _, one := range columns {
			known, ok := there[one]
			if !ok && !dropped[name+"."+one] {
				return nil, fmt.Errorf("the target has no column %s.%s: bring both sides to the same version first", name, one)
			}
			if ok {
				t.columns = append(t.columns, known)
			}
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func column1(rows *sql.Rows, err error) (values []string, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

// occupied reports whether anybody is in the target: then it is compared, and never written over.
func (c *copier) occupied(ctx context.Context, tables []table) (occupied bool, err error) {
	for _, t := range tables {
		if _, err := c.target.Exec(ctx, `LOCK TABLE `+quote(t.name)+` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return false, fmt.Errorf("lock %s: %w", t.name, err)
		}
	}
	err = c.target.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM audit)`).Scan(&occupied)
	return occupied, err
}

// fill copies one table. Triggers rest meanwhile: there is nobody to tell, and counts are made at the end.
func (c *copier) fill(ctx context.Context, t table) error {
	name := quote(t.name)
	for _, text := range []string{`DELETE FROM ` + name, `ALTER TABLE ` + name + ` DISABLE TRIGGER USER`} {
		if _, err := c.target.Exec(ctx, text); err != nil {
			return err
		}
	}
	rows, err := c.source.QueryContext(ctx, `SELECT `+t.list()+` FROM `+name)
	if err != nil {
		return err
	}
	defer rows.Close()
	reader := &reader{rows: rows, table: t, each: func(done int64) { c.progress(t.name, done, 2*t.rows) }}
	n, err := c.target.CopyFrom(ctx, pgx.Identifier{t.name}, t.names(), reader)
	if err != nil {
		return err
	}
	if n != t.rows {
		return fmt.Errorf("%d rows came over of %d", n, t.rows)
	}
	if _, err := c.target.Exec(ctx, `ALTER TABLE `+name+` ENABLE TRIGGER USER`); err != nil {
		return err
	}
	return c.continueIDs(ctx, t)
}

// continueIDs has new rows numbered after the highest number that was ever given.
func (c *copier) continueIDs(ctx context.Context, t table) error {
	for _, one := range t.columns {
		if !one.identity {
			continue
		}
		var last int64
		err := c.source.QueryRowContext(ctx, `SELECT coalesce(max(`+quote(one.name)+`), 0) FROM `+quote(t.name)).Scan(&last)
		if err != nil {
			return err
		}
		var given sql.NullInt64
		err = c.source.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = ?`, t.name).Scan(&given)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if last = max(last, given.Int64); last > 0 {
			_, err = c.target.Exec(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), $3)`, t.name, one.name, last)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// count makes the counters of accounts, which the triggers keep from then on.
func (c *copier) count(ctx context.Context) error {
	for _, text := range []string{`DELETE FROM user_counts`, `INSERT INTO user_counts (status, role, n)
		SELECT status, role, count(*) FROM users WHERE deleted_at = 0 GROUP BY status, role`} {
		if _, err := c.target.Exec(ctx, text); err != nil {
			return fmt.Errorf("count accounts: %w", err)
		}
	}
	return nil
}

var errDiffers = errors.New("the two sides differ")

// verify reads both sides and compares number and checksum of every table.
func (c *copier) verify(ctx context.Context, tables []table) (report Report, err error) {
	for _, t := range tables {
		here, err := c.sumSource(ctx, t)
		if err != nil {
			return report, fmt.Errorf("verify %s: %w", t.name, err)
		}
		there, err := c.sumTarget(ctx, t)
		if err != nil {
			return report, fmt.Errorf("verify %s: %w", t.name, err)
		}
		if here != there {
			return report, fmt.Errorf("%w in %s: %d rows with checksum %x here, %d with %x there", errDiffers, t.name,
				here.Rows, here.Checksum, there.Rows, there.Checksum)
		}
		c.progress(t.name, 2*t.rows, 2*t.rows)
		report.Tables = append(report.Tables, here)
	}
	return report, nil
}

func (c *copier) sumSource(ctx context.Context, t table) (sum Table, err error) {
	rows, err := c.source.QueryContext(ctx, `SELECT `+t.list()+` FROM `+quote(t.name))
	if err != nil {
		return sum, err
	}
	defer rows.Close()
	sum.Name = t.name
	r := &reader{rows: rows, table: t, each: func(int64) {}}
	for r.Next() {
		values, err := r.Values()
		if err != nil {
			return sum, err
		}
		sum.add(values)
	}
	return sum, r.Err()
}

func (c *copier) sumTarget(ctx context.Context, t table) (sum Table, err error) {
	rows, err := c.target.Query(ctx, `SELECT `+t.list()+` FROM `+quote(t.name))
	if err != nil {
		return sum, err
	}
	defer rows.Close()
	sum.Name = t.name
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return sum, err
		}
		if sum.add(values); sum.Rows%progressRows == 0 {
			c.progress(t.name, t.rows+sum.Rows, 2*t.rows)
		}
	}
	return sum, rows.Err()
}

// add adds a row. The sum does not depend on the order of rows; that of values is the table's.
func (t *Table) add(values []any) {
	h := fnv.New64a()
	for _, v := range values {
		switch v := v.(type) {
		case int16:
			fmt.Fprintf(h, "i%d;", v)
		case int32:
			fmt.Fprintf(h, "i%d;", v)
		case int64:
			fmt.Fprintf(h, "i%d;", v)
		case bool:
			fmt.Fprintf(h, "b%t;", v)
		case string:
			fmt.Fprintf(h, "t%d:%s;", len(v), v)
		case []byte:
			fmt.Fprintf(h, "x%d:%s;", len(v), v)
		case float64:
			fmt.Fprintf(h, "f%v;", v)
		case nil:
			fmt.Fprint(h, "n;")
		default:
			panic(fmt.Sprintf("migrate: a %T in %s", v, t.Name))
		}
	}
	t.Rows++
	t.Checksum += h.Sum64()
}

func (t table) names() []string {
	names := make([]string, len(t.columns))
	for i, one := range t.columns {
		names[i] = one.name
	}
	return names
}

func (t table) list() string {
	names := t.names()
	for i := range names {
		names[i] = quote(names[i])
	}
	return strings.Join(names, ", ")
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// progressRows is after how many rows the progress is told.
const progressRows = 10_000

// reader hands rows of the source over as the target takes them. It implements pgx.CopyFromSource.
type reader struct {
	rows  *sql.Rows
	table table
	each  func(done int64)
	done  int64
	err   error
}

// Next implements pgx.CopyFromSource.
func (r *reader) Next() bool { return r.err == nil && r.rows.Next() }

// Values implements pgx.CopyFromSource.
func (r *reader) Values() ([]any, error) {
	values, into := make([]any, len(r.table.columns)), make([]any, len(r.table.columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := r.rows.Scan(into...); err != nil {
		r.err = err
		return nil, err
	}
	for i, one := range r.table.columns {
		v, err := converted(values[i], one.kind)
		if err != nil {
			r.err = fmt.Errorf("%s.%s: %w", r.table.name, one.name, err)
			return nil, r.err
		}
		values[i] = v
	}
	if r.done++; r.done%progressRows == 0 {
		r.each(r.done)
	}
	return values, nil
}

// Err implements pgx.CopyFromSource.
func (r *reader) Err() error { return errors.Join(r.err, r.rows.Err()) }

// converted makes a value of the embedded database one of PostgreSQL.
func converted(v any, kind string) (any, error) {
	switch v := v.(type) {
	case nil:
		if kind == "bytea" { // an empty blob may come as nothing
			return []byte{}, nil
		}
		return nil, nil
	case int64:
		if kind == "boolean" {
			return v != 0, nil
		}
		if slices.Contains([]string{"bigint", "integer", "smallint"}, kind) {
			return v, nil
		}
	case float64:
		if kind == "double precision" {
			return v, nil
		}
	case string:
		if kind == "text" {
			return kept(v), nil
		}
	case []byte:
		switch kind {
		case "bytea":
			return append([]byte{}, v...), nil // never nil, which would be NULL; nor the driver's own memory
		case "text":
			return kept(string(v)), nil
		}
	}
	return nil, fmt.Errorf("a %T does not fit into a column of type %s", v, kind)
}

// kept is a text as PostgreSQL can keep it: with a question mark in a diamond for each character that it cannot.
func kept(text string) string {
	if utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}
