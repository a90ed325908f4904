// Package django reads the database of the Django original and carries it into a store: accounts with their
// ids, password hashes and standing, the tokens that are refused, and people's activity.
//
// It decides what a row of the original means here, what is done with one that does not fit, and how to show
// afterwards that both sides agree. It leaves the writing to the store, and tokens and passwords to package
// auth, which reads what Django made.
package django

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Source is a Django database, open for reading. Everything is read from one snapshot, so that a site that is
// still running does not change between the import and the comparison. It is not for concurrent use.
type Source struct {
	db       *sql.DB
	snapshot *sql.Tx
	postgres bool
	tables   map[string][]column
	// Name is what was opened, without its password.
	Name string
}

type column struct{ name, kind string }

// Open opens the database at an address: sqlite:///FILE (or the path alone) or postgres://USER@HOST/NAME. It
// writes nothing there. Close the source.
func Open(ctx context.Context, address string) (*Source, error) {
	s := &Source{}
	driver, dsn := "sqlite", ""
	switch u, err := url.Parse(address); {
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"):
		if err != nil {
			return nil, errors.New("the address of the database cannot be read; it looks like postgres://USER:PASSWORD@HOST/NAME")
		}
		s.postgres, s.Name, driver, dsn = true, u.Redacted(), "pgx", address
	case strings.Contains(address, "://") && !strings.HasPrefix(address, "sqlite://"):
		return nil, fmt.Errorf("%s is neither sqlite:///FILE nor postgres://…: those are what can be read", strings.SplitN(address, ":", 2)[0])
	default:
		file, err := sqliteFile(address)
		if err != nil {
			return nil, err
		}
		s.Name = file
		location := url.URL{Scheme: "file", Path: file, RawQuery: sqliteReading}
		dsn = location.String()
	}
	var err error
	if s.db, err = sql.Open(driver, dsn); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Name, err)
	}
	s.db.SetMaxOpenConns(1)
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", s.Name, err), s.Close())
	}
	return s, nil
}

// sqliteReading opens a file that somebody else made: nothing is written, and what its schema brings along runs nothing
// that could do harm.
const sqliteReading = "mode=ro&_query_only=1&_pragma=busy_timeout(5000)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"

// maxText is how many characters of a field are read from a file. It is more than any field may have here.
const maxText = 64 << 10

// sqliteFile finds the file that an address means. Three slashes are followed by a path from here in some
// tools and by one from the root in others; the one that exists is meant.
func sqliteFile(address string) (string, error) {
	path := strings.TrimPrefix(address, "sqlite://")
	candidates := []string{path}
	if path != address && strings.HasPrefix(path, "/") {
		candidates = []string{strings.TrimPrefix(path, "/"), path}
	}
	for _, one := range candidates {
		if info, err := os.Stat(one); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return filepath.Abs(one)
		}
	}
	return "", fmt.Errorf("there is no database at %s", path)
}

func (s *Source) begin(ctx context.Context) (err error) {
	options := &sql.TxOptions{ReadOnly: s.postgres}
	if s.postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	if s.snapshot, err = s.db.BeginTx(ctx, options); err != nil {
		return err
	}
	if s.postgres {
		if _, err = s.snapshot.ExecContext(ctx, `SET LOCAL TIME ZONE 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
	}
	s.tables, err = s.readTables(ctx)
	return err
}

// Close lets the database go.
func (s *Source) Close() error {
	if s.snapshot != nil {
		_ = s.snapshot.Rollback() // nothing was written
	}
	return s.db.Close()
}

func (s *Source) readTables(ctx context.Context) (map[string][]column, error) {
	// Tables that hold their rows: a view of a file from elsewhere may have no end, and a virtual table be anything.
	text := `SELECT m.name, p.name, lower(p.type) FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.rootpage > 0 ORDER BY m.name, p.cid`
	if s.postgres {
		text = `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
			WHERE c.relkind IN ('r', 'v', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND pg_table_is_visible(c.oid)
			AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relnamespace <> 'information_schema'::regnamespace
			ORDER BY c.relname, a.attnum`
	}
	rows, err := s.snapshot.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tables := map[string][]column{}
	for rows.Next() {
		var table string
		var one column
		if err := rows.Scan(&table, &one.name, &one.kind); err != nil {
			return nil, err
		}
		tables[table] = append(tables[table], one)
	}
	return tables, rows.Err()
}

// table finds the first of the names that exists, "" when none does. Django calls a table after its app and
// model unless the model says otherwise.
func (s *Source) table(names ...string) string {
	for _, name := range names {
		if name != "" && len(s.tables[name]) > 0 {
			return name
		}
	}
	return ""
}

func (s *Source) tableNames() []string {
	var names []string
	for name := range s.tables {
		if !strings.HasPrefix(name, "sqlite_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// layout says in which column of a table each thing we want stands.
type layout struct {
	table   string
	columns []column       // as selected
	at      map[string]int // what we call it -> place among columns
	rest    []column       // that nobody asked for
}

// lay finds columns by what they may be called. Each want is our word for it, and the names to look for.
func (s *Source) lay(table string, wants [][]string) layout {
	l := layout{table: table, at: map[string]int{}}
	used := map[string]bool{}
	for _, want := range wants {
		for _, name := range want[1:] {
			i := slices.IndexFunc(s.tables[table], func(c column) bool { return c.name == name })
			if i < 0 {
				continue
			}
			used[name] = true
			if _, found := l.at[want[0]]; !found {
				l.at[want[0]] = len(l.columns)
				l.columns = append(l.columns, s.tables[table][i])
			}
		}
	}
	for _, c := range s.tables[table] {
		if !used[c.name] {
			l.rest = append(l.rest, c)
		}
	}
	return l
}

func (l *layout) has(what string) bool { _, ok := l.at[what]; return ok }

// lacks lists what was wanted and is not there.
func (l *layout) lacks(whats ...string) (missing []string) {
	for _, what := range whats {
		if !l.has(what) {
			missing = append(missing, what)
		}
	}
	return missing
}

// fields is one row, as text. A field that is NULL, or whose column is not there, is absent.
type fields struct {
	l      *layout
	values []sql.NullString
}

func (f *fields) get(what string) (string, bool) {
	i, ok := f.l.at[what]
	if !ok || !f.values[i].Valid {
		return "", false
	}
	return f.values[i].String, true
}

// each reads the rows of a table after a mark, in the order of their ids. Everything comes as text: what a
// database holds and what its columns claim to hold are two things, in SQLite above all.
func (s *Source) each(ctx context.Context, l *layout, after int64, row func(*fields) error) error {
	words := make([]string, len(l.columns))
	for i, c := range l.columns {
		words[i] = s.text(c)
	}
	text := "SELECT " + strings.Join(words, ", ") + " FROM " + quote(l.table)
	var args []any
	if l.has("id") {
		id := quote(l.columns[l.at["id"]].name)
		if after > 0 {
			mark := "?1"
			if s.postgres {
				mark = "$1"
			}
			text += " WHERE " + id + " > " + mark
			args = append(args, after)
		}
		text += " ORDER BY " + id
	}
	rows, err := s.snapshot.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", l.table, err)
	}
	defer rows.Close()
	one := fields{l: l, values: make([]sql.NullString, len(l.columns))}
	into := make([]any, len(l.columns))
	for i := range into {
		into[i] = &one.values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", l.table, err)
		}
		if err := row(&one); err != nil {
			return err
		}
	}
	return rows.Err()
}

// text is a column as text.
func (s *Source) text(c column) string {
	switch {
	case !s.postgres:
		return fmt.Sprintf("substr(CAST(%s AS TEXT), 1, %d)", quote(c.name), maxText)
	case c.kind == "inet":
		return "host(" + quote(c.name) + ")"
	default:
		return quote(c.name) + "::text"
	}
}

// filled counts the rows of a table, and for each column those in which it is not NULL.
func (s *Source) filled(ctx context.Context, table string, columns []column) (total int, filled []int, err error) {
	text := "SELECT count(*)"
	filled = make([]int, len(columns))
	into := []any{&total}
	for i, c := range columns {
		text += ", count(" + quote(c.name) + ")"
		into = append(into, &filled[i])
	}
	err = s.snapshot.QueryRowContext(ctx, text+" FROM "+quote(table)).Scan(into...)
	return total, filled, err
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
