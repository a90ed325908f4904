package sqlite

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/offchat/presence"
)

// TestListsAreReadAlongAnIndex: what is quick with ten accounts must not sort a million.
func TestListsAreReadAlongAnIndex(t *testing.T) {
	s := openNew(t)
	err := s.Durable(t.Context(), func(tx presence.Tx) error {
		for i := range 100 {
			a := account(fmt.Sprint("user", i))
			if i%50 == 0 {
				a.Status = presence.AccountPending
			}
			if i%25 == 0 {
				a.Role = presence.RoleAdmin
			}
			if err := tx.InsertAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter presence.AccountFilter
		order  presence.AccountOrder
		index  string
		sorts  bool
	}{
		{presence.AccountFilter{}, presence.NewestCreated, "users_created_at", false},
		{presence.AccountFilter{}, presence.OldestCreated, "users_created_at", false},
		{presence.AccountFilter{}, presence.UsernameUp, "users_username", false},
		{presence.AccountFilter{}, presence.UsernameDown, "users_username", false},
		{presence.AccountFilter{}, presence.EmailUp, "users_email", false},
		{presence.AccountFilter{}, presence.IDDown, "", false},
		{presence.AccountFilter{Status: "active"}, presence.NewestCreated, "users_status", false},
		{presence.AccountFilter{Role: "admin"}, presence.NewestCreated, "users_role", false},
		{presence.AccountFilter{Status: "active", Role: "admin"}, presence.NewestCreated, "users_role", false},
		{presence.AccountFilter{Status: "active"}, presence.UsernameUp, "users_username", false}, // most match: walk
		{presence.AccountFilter{Status: "pending"}, presence.UsernameUp, "users_status", true},   // few match: sort those
	} {
		err := s.read.together(t.Context(), "plan", func(q *sql.Tx) error {
			l, err := plan(t.Context(), q, c.filter, c.order)
			if err != nil {
				return err
			}
			var steps []string
			rows, err := q.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT u.id FROM users u WHERE "+strings.Join(l.where, " AND ")+
				" ORDER BY "+l.order, l.args...)
			err = eachRow(rows, err, func(row scanner) error {
				var id, parent, unused int
				var step string
				err := row.Scan(&id, &parent, &unused, &step)
				steps = append(steps, step)
				return err
			})
			got := strings.Join(steps, "; ")
			if !strings.Contains(got, c.index) || c.sorts != strings.Contains(got, "TEMP B-TREE") {
				t.Errorf("%+v in order %d: %s; want index %q, sorting %v", c.filter, c.order, got, c.index, c.sorts)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"straße", "STRAßE", "STRAẞE"},
		{"ёлка", "ЁЛКА", "Ёлка"},
		{"ΟΔΥΣΣΕΎΣ", "οδυσσεύς", "οδυσσεύσ"},
		{
			"kelvin",
			"\u212aELVIN",
		},
		{"i", "I"},
		{"پری"},
		{"", ""},
		{"a b", "A\x1fB"},
	} {
		for _, text := range same[1:] {
			if fold(text) != fold(same[0]) {
				t.Errorf("%q and %q fold to %q and %q", same[0], text, fold(same[0]), fold(text))
			}
		}
	}
	for _, pair := range [][2]string{{"a", "á"}, {"е", "ё"}, {"o", "0"}, {"ی", "ب"}} {
		if fold(pair[0]) == fold(pair[1]) {
			t.Errorf("%q and %q fold to the same", pair[0], pair[1])
		}
	}
}

// TestUsersTable: whoever queries the database finds the founding document's columns, and indexes on both.
func TestUsersTable(t *testing.T) {
	s := openNew(t)
	for _, column := range strings.Fields(`id username email first_name last_name avatar bio role status is_active is_staff
		email_verified password online_status last_seen date_joined created_at updated_at`) {
		var n int
		if err := s.read.db.QueryRow(`SELECT count(*) FROM pragma_table_info('users') WHERE name = ?`,
			column).Scan(&n); err != nil || n != 1 {
			t.Errorf("column %s: %d, %v", column, n, err)
		}
	}
	for _, column := range []string{"online_status", "last_seen"} {
		var n int
		err := s.read.db.QueryRow(`SELECT count(*) FROM pragma_index_list('users') AS l, pragma_index_info(l.name) AS i
			WHERE i.seqno = 0 AND i.name = ? AND l.partial = 0`, column).Scan(&n)
		if err != nil || n != 1 {
			t.Errorf("indexes on %s: %d, %v", column, n, err)
		}
	}
}
