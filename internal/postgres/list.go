package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// list is a query for accounts: which, and in what order.
type list struct {
	where []string
	args  []any
	order string
	// counted: how many there are is known without looking at them.
	counted bool
}

// orders are the orders in SQL. Each has an index. Of those who are not in the trash, no two share a name or an
// address.
var orders = map[presence.AccountOrder]string{
	presence.NewestCreated: "u.created_at DESC, u.id DESC",
	presence.OldestCreated: "u.created_at, u.id",
	presence.UsernameUp:    "u.username",
	presence.UsernameDown:  "u.username DESC",
	presence.EmailUp:       "u.email",
	presence.EmailDown:     "u.email DESC",
	presence.IDUp:          "u.id",
	presence.IDDown:        "u.id DESC",
}

// plan writes a list down. It reports false when nobody can match.
func plan(f presence.AccountFilter, order presence.AccountOrder) (l list, possible bool) {
	l = list{where: []string{"u.deleted_at = 0"}, order: orders[order], counted: f.Search == ""}
	if l.order == "" {
		l.order = orders[presence.NewestCreated]
	}
	if f.Status != "" {
		if _, known := presence.ParseAccountStatus(f.Status); !known {
			return l, false
		}
		l.add("u.status = ", f.Status)
	}
	if f.Role != "" {
		if _, known := presence.ParseRole(f.Role); !known {
			return l, false
		}
		l.add("u.role = ", f.Role)
	}
	if f.Search != "" {
		if !keepable(f.Search) {
			return l, false
		}
		l.add("u.search LIKE ", containing(f.Search))
	}
	return l, true
}

func (l *list) add(condition string, arg any) {
	l.where = append(l.where, condition+l.arg(arg))
}

// arg adds an argument and returns how the query calls it.
func (l *list) arg(value any) string {
	l.args = append(l.args, value)
	return "$" + strconv.Itoa(len(l.args))
}

// Accounts implements presence.AccountReader.
func (s *Store) Accounts(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder, offset, limit int) (
	page []presence.Account, total int, err error,
) {
	if err := ctx.Err(); err != nil {
		return nil, 0, fault("list accounts", err)
	}
	if _, possible := plan(f, order); !possible {
		return []presence.Account{}, 0, nil
	}
	err = s.together(ctx, "list accounts", func(ctx context.Context, q pgx.Tx) error {
		page = []presence.Account{}
		if total, err = count(ctx, q, f); err != nil || max(offset, 0) >= total {
			return err
		}
		l, _ := plan(f, order)
		text := "SELECT " + accountColumns + " FROM (" + l.text(offset, limit) + ") AS page JOIN users u USING (id) ORDER BY " + l.order
		return eachRow(ctx, q, text, l.args, func(row scanner) error {
			page = append(page, presence.Account{})
			return row.Scan(intoAccount(&page[len(page)-1])...)
		})
	})
	return page, total, err
}

// count is how many match in all.
func count(ctx context.Context, q pgx.Tx, f presence.AccountFilter) (total int, err error) {
	l, _ := plan(f, presence.IDUp)
	if l.counted {
		err = q.QueryRow(ctx, `SELECT coalesce(sum(n), 0)::bigint FROM user_counts
			WHERE ($1 = '' OR status = $1) AND ($2 = '' OR role = $2)`, f.Status, f.Role).Scan(&total)
		return total, err
	}
	err = q.QueryRow(ctx, "SELECT count(*) FROM users u WHERE "+strings.Join(l.where, " AND "), l.args...).Scan(&total)
	return total, err
}

// text finds a page of ids. The accounts come after: an index has the ids, and passing over whole rows costs
// much more.
func (l *list) text(offset, limit int) string {
	text := "SELECT u.id FROM users u WHERE " + strings.Join(l.where, " AND ") + " ORDER BY " + l.order
	if limit > 0 {
		text += " LIMIT " + l.arg(limit)
	}
	if offset > 0 {
		text += " OFFSET " + l.arg(offset)
	}
	return text
}

// AccountIDs implements presence.AccountReader.
func (s *Store) AccountIDs(ctx context.Context, f presence.AccountFilter, order presence.AccountOrder) (
	ids []presence.UserID, err error,
) {
	if err := ctx.Err(); err != nil {
		return nil, fault("list account ids", err)
	}
	l, possible := plan(f, order)
	if !possible {
		return []presence.UserID{}, nil
	}
	err = s.each(ctx, "list account ids", l.text(0, 0), l.args, func() { ids = []presence.UserID{} },
		func(row scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, presence.UserID(id))
			return err
		})
	return ids, err
}
