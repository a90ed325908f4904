package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/offchat/presence"
)

// list is a query for accounts: which, in what order, and how many of them there are where that is known
// without looking at them.
type list struct {
	where []string
	args  []any
	order string
	// total is how many match, when counted; nobody: none can.
	total   int
	counted bool
}

// walkFrom is how large a share of all accounts (one in so many) must match a filter before walking the
// order's own index is quicker than sorting the matches.
const walkFrom = 20

// orders are the orders in SQL. Each has an index; the id at its end is part of every index.
var orders = map[presence.AccountOrder]string{
	presence.NewestCreated: "u.created_at DESC, u.id DESC",
	presence.OldestCreated: "u.created_at, u.id",
	presence.UsernameUp:    "u.username, u.id",
	presence.UsernameDown:  "u.username DESC, u.id DESC",
	presence.EmailUp:       "u.email, u.id",
	presence.EmailDown:     "u.email DESC, u.id DESC",
	presence.IDUp:          "u.id",
	presence.IDDown:        "u.id DESC",
}

// Accounts implements presence.AccountReader.
func (s *Store) Accounts(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder, offset, limit int) (
	page []presence.Account, total int, err error,
) {
	const op = "list accounts"
	page = []presence.Account{}
	err = s.read.together(ctx, op, func(q *sql.Tx) error {
		l, err := plan(ctx, q, f, order)
		if err != nil {
			return err
		}
		if total = l.total; l.counted && offset >= total {
			return nil
		}
		var ids []presence.UserID
		if l.counted {
			ids, err = l.ids(ctx, q, offset, limit)
		} else {
			ids, err = l.ids(ctx, q, 0, 0)
			total, ids = len(ids), cut(ids, offset, limit)
		}
		if err == nil && len(ids) > 0 {
			page, err = accountsOf(ctx, q, ids)
		}
		return err
	})
	return page, total, err
}

// AccountIDs implements presence.AccountReader.
func (s *Store) AccountIDs(ctx context.Context, f presence.AccountFilter,
	order presence.AccountOrder,
) (ids []presence.UserID, err error) {
	ids = []presence.UserID{}
	err = s.read.together(ctx, "list account ids", func(q *sql.Tx) error {
		l, err := plan(ctx, q, f, order)
		if err == nil && (!l.counted || l.total > 0) {
			ids, err = l.ids(ctx, q, 0, 0)
		}
		return err
	})
	return ids, err
}

// plan decides how a list is found. SQLite keeps no statistics here, so that plans do not change behind our
// back; the counters know better anyway.
func plan(ctx context.Context, q *sql.Tx, f presence.AccountFilter, order presence.AccountOrder) (list, error) {
	l := list{where: []string{"u.deleted_at = 0"}, order: orders[order], counted: f.Search == ""}
	if l.order == "" {
		l.order = orders[presence.NewestCreated]
	}
	var all, status, role int
	err := q.QueryRowContext(ctx, `
		SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE status = ?1),
			0), coalesce(sum(n) FILTER (WHERE role = ?2), 0),
			coalesce(sum(n) FILTER (WHERE (?1 = '' OR status = ?1) AND (?2 = '' OR role = ?2)), 0)
		FROM user_counts`, f.Status, f.Role).Scan(&all, &status, &role, &l.total)
	if err != nil {
		return l, err
	}
	if l.total == 0 {
		l.counted = true
		return l, nil
	}
	byCreation := order == presence.NewestCreated || order == presence.OldestCreated
	rare := func(n int) bool { return byCreation || n < all/walkFrom }
	if f.Status != "" {
		l.add("u.status = ?", f.Status, rare(status) && (f.Role == "" || status <= role))
	}
	if f.Role != "" {
		l.add("u.role = ?", f.Role, rare(role) && (f.Status == "" || role < status))
	}
	if f.Search == "" {
		return l, nil
	}
	return l, l.narrow(ctx, q, fold(f.Search), max(all/walkFrom, 1000))
}

// narrow adds a search. Looking through everybody is done once, in the index that holds just the search
// texts: few matches are then taken by id, many are met soon enough on the way along the order.
func (l *list) narrow(ctx context.Context, q *sql.Tx, needle string, few int) error {
	var ids []presence.UserID
	n, alone := 0, len(l.where) == 1
	rows, err := q.QueryContext(ctx,
		"SELECT id FROM users INDEXED BY users_search WHERE deleted_at = 0 AND instr(search, ?) > 0", needle)
	err = eachRow(rows, err, func(row scanner) error {
		if n++; n > few {
			return nil
		}
		var id presence.UserID
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	switch {
	case err != nil:
		return err
	case n <= few:
		l.add("u.id IN (SELECT value FROM json_each(?))", jsonIDs(ids), true)
	default:
		l.add("instr(u.search, ?) > 0", needle, true)
	}
	if alone || n == 0 {
		l.total, l.counted = n, true
	}
	return nil
}

// add adds a condition. One that is not to be looked up in an index gets a plus, which SQLite takes so.
func (l *list) add(condition string, arg any, indexed bool) {
	if !indexed {
		condition = "+" + condition
	}
	l.where, l.args = append(l.where, condition), append(l.args, arg)
}

// ids finds a page of ids. The accounts come after: sorting whole rows costs more than fetching those of a page.
func (l *list) ids(ctx context.Context, q *sql.Tx, offset, limit int) ([]presence.UserID, error) {
	if offset = max(offset, 0); limit <= 0 {
		limit = -1 // all
	}
	ids := make([]presence.UserID, 0, 64)
	rows, err := q.QueryContext(ctx,
		"SELECT u.id FROM users u WHERE "+strings.Join(l.where, " AND ")+" ORDER BY "+l.order+" LIMIT ? OFFSET ?",
		append(l.args, limit, offset)...)
	err = eachRow(rows, err, func(row scanner) error {
		var id presence.UserID
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// cut is the page of what was found in all; limit 0 means all.
func cut(ids []presence.UserID, offset, limit int) []presence.UserID {
	ids = ids[min(max(offset, 0), len(ids)):]
	if limit > 0 {
		ids = ids[:min(limit, len(ids))]
	}
	return ids
}

// accountsOf fetches accounts in the order of their ids.
func accountsOf(ctx context.Context, q *sql.Tx, ids []presence.UserID) ([]presence.Account, error) {
	accounts := make([]presence.Account, 0, len(ids))
	rows, err := q.QueryContext(ctx, accountsByID, jsonIDs(ids))
	err = eachRow(rows, err, func(row scanner) error {
		a, err := scanAccount(row)
		accounts = append(accounts, a)
		return err
	})
	return accounts, err
}
