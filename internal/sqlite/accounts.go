package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/offchat/presence"
)

// accountColumns are what scanAccount reads, in its order.
const accountColumns = `u.id, u.online_status, u.last_seen, u.status_since, u.status_cause, u.presence_version,
	u.deleted_at, u.status, u.role, u.is_active, u.is_staff, u.email_verified, u.username, u.email, u.first_name,
	u.last_name, u.avatar, u.bio, u.password, u.tokens_after, u.date_joined, u.created_at, u.updated_at,
	u.hide_status, u.hide_last_seen`

func scanAccount(row scanner) (presence.Account, error) {
	var a presence.Account
	err := row.Scan(&a.ID, word[presence.Status]{&a.OnlineStatus, presence.ParseStatus}, (*moment)(&a.LastSeen),
		(*moment)(&a.Since), word[presence.Cause]{&a.Cause, presence.ParseCause}, (*bits)(&a.Version),
		(*moment)(&a.DeletedAt), word[presence.AccountStatus]{&a.Status, presence.ParseAccountStatus},
		word[presence.Role]{&a.Role, presence.ParseRole}, &a.Active, &a.Staff, &a.EmailVerified, &a.Username, &a.Email,
		&a.FirstName, &a.LastName, &a.Avatar, &a.Bio, &a.PasswordHash, (*moment)(&a.TokensAfter),
		(*moment)(&a.JoinedAt), (*moment)(&a.CreatedAt), (*moment)(&a.UpdatedAt), &a.Privacy.HideStatus,
		&a.Privacy.HideLastSeen)
	return a, err
}

// Account implements presence.AccountReader.
func (s *Store) Account(ctx context.Context, id presence.UserID) (presence.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.id = ?1 AND u.deleted_at = 0`, int64(id))
}

// AccountByName implements presence.AccountReader.
func (s *Store) AccountByName(ctx context.Context, username string) (presence.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.username = ?1 AND u.deleted_at = 0`, username)
}

// AccountByEmail finds one by its exact e-mail address; accounts in the trash are NotFound.
func (s *Store) AccountByEmail(ctx context.Context, email string) (presence.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.email = ?1 AND u.deleted_at = 0`, email)
}

func (s *Store) account(ctx context.Context, text string, key any) (a presence.Account, err error) {
	err = s.read.row(ctx, "find account", text, []any{key}, func(row scanner) (err error) {
		a, err = scanAccount(row)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("find account", "User not found")
	}
	return a, err
}

// accountsByID keeps the order of the list it is given; SQLite walks the left side of a CROSS JOIN first.
const accountsByID = `SELECT ` + accountColumns + ` FROM json_each(?1) AS asked CROSS JOIN users u ON u.id = asked.value
	WHERE u.deleted_at = 0 ORDER BY asked.key`

// AccountsByID implements presence.AccountReader.
func (s *Store) AccountsByID(ctx context.Context, ids []presence.UserID) ([]presence.Account, error) {
	accounts := make([]presence.Account, 0, len(ids))
	err := s.read.each(ctx, "find accounts", accountsByID, []any{jsonIDs(ids)}, func(row scanner) error {
		a, err := scanAccount(row)
		accounts = append(accounts, a)
		return err
	})
	return accounts, err
}

// jsonIDs hands a list to a query as one argument, for json_each.
func jsonIDs[T ~int64](ids []T) string {
	if len(ids) == 0 {
		return "[]"
	}
	return string(must(json.Marshal(ids)))
}

// AccountCounts implements presence.AccountReader.
func (s *Store) AccountCounts(ctx context.Context) (map[presence.AccountStatus]int, int, error) {
	byStatus, total := map[presence.AccountStatus]int{}, 0
	err := s.read.each(ctx, "count accounts", `SELECT status, sum(n) FROM user_counts GROUP BY status HAVING sum(n) > 0`, nil,
		func(row scanner) error {
			var (
				status presence.AccountStatus
				n      int
			)
			err := row.Scan(word[presence.AccountStatus]{&status, presence.ParseAccountStatus}, &n)
			byStatus[status] = n
			total += n
			return err
		})
	return byStatus, total, err
}

// mayAdmin is presence.Account.IsAdmin and MaySignIn in SQL.
const mayAdmin = `(role = 'admin' OR is_staff = 1) AND is_active = 1 AND status = 'active' AND deleted_at = 0`

// HasAdmin implements presence.AccountReader.
func (s *Store) HasAdmin(ctx context.Context) (has bool, err error) {
	err = s.read.row(ctx, "look for an admin", `SELECT EXISTS (SELECT 1 FROM users WHERE `+mayAdmin+`)`, nil,
		func(row scanner) error { return row.Scan(&has) })
	return has, err
}

// AdminsBesides implements presence.Tx.
func (t *tx) AdminsBesides(id presence.UserID) (n int, err error) {
	err = t.row("count admins", `SELECT count(*) FROM users WHERE `+mayAdmin+` AND id <> ?1`, []any{int64(id)},
		func(row scanner) error { return row.Scan(&n) })
	return n, err
}

// Account implements presence.Tx.
func (t *tx) Account(id presence.UserID) (a presence.Account, err error) {
	err = t.row("find account", `SELECT `+accountColumns+` FROM users u WHERE u.id = ?1`, []any{int64(id)},
		func(row scanner) (err error) {
			a, err = scanAccount(row)
			return err
		})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("find account", "User not found")
	}
	return a, err
}

// InsertAccount implements presence.Tx.
func (t *tx) InsertAccount(a *presence.Account) error {
	var id any // NULL: the next one
	if a.ID < 0 {
		return &presence.Error{Kind: presence.Invalid, Op: "insert account", Field: "id", Tell: "An id is positive."}
	}
	if a.ID > 0 {
		id = int64(a.ID)
	}
	result, err := t.result("insert account", `
		INSERT INTO users (id, online_status, last_seen, status_since, status_cause, presence_version, deleted_at,
			status, role,
			is_active, is_staff, email_verified, username, email, first_name, last_name, avatar, bio, password, tokens_after,
			date_joined, created_at, updated_at, search, hide_status, hide_last_seen)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
			?25, ?26)`,
		id, a.OnlineStatus.String(), micros(a.LastSeen), micros(a.Since), a.Cause.String(), int64(a.Version),
		micros(a.DeletedAt), a.Status.String(), a.Role.String(), a.Active, a.Staff, a.EmailVerified, a.Username, a.Email,
		a.FirstName, a.LastName, a.Avatar, a.Bio, a.PasswordHash, micros(a.TokensAfter), micros(a.JoinedAt),
		micros(a.CreatedAt), micros(a.UpdatedAt), searchText(a), a.Privacy.HideStatus, a.Privacy.HideLastSeen)
	if err != nil {
		return t.refused("insert account", a, err)
	}
	given, err := result.LastInsertId()
	if err != nil {
		return t.fault("insert account", err)
	}
	a.ID = presence.UserID(given)
	return nil
}

// UpdateAccount implements presence.Tx.
func (t *tx) UpdateAccount(a *presence.Account) error {
	n, err := t.exec("update account", `
		UPDATE users SET deleted_at = ?2, status = ?3, role = ?4, is_active = ?5, is_staff = ?6, email_verified = ?7,
			username = ?8, email = ?9, first_name = ?10, last_name = ?11, avatar = ?12, bio = ?13, password = ?14,
			tokens_after = ?15, date_joined = ?16, updated_at = ?17, search = ?18,
			hide_status = ?19, hide_last_seen = ?20
		WHERE id = ?1`,
		int64(a.ID), micros(a.DeletedAt), a.Status.String(), a.Role.String(), a.Active, a.Staff, a.EmailVerified,
		a.Username, a.Email, a.FirstName, a.LastName, a.Avatar, a.Bio, a.PasswordHash, micros(a.TokensAfter),
		micros(a.JoinedAt), micros(a.UpdatedAt), searchText(a), a.Privacy.HideStatus, a.Privacy.HideLastSeen)
	if err != nil {
		return t.refused("update account", a, err)
	}
	if n == 0 {
		return notFound("update account", "User not found")
	}
	return nil
}

// refused says which rule an account breaks. SQLite names only the first that it happens to check.
func (t *tx) refused(op string, a *presence.Account, err error) error {
	if !isConstraint(err) {
		return err
	}
	var id, username, email bool
	looked := t.row(op, `
		SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1),
			EXISTS (SELECT 1 FROM users WHERE username = ?2 AND deleted_at = 0 AND id <> ?1),
			EXISTS (SELECT 1 FROM users WHERE email = ?3 AND deleted_at = 0 AND id <> ?1)`,
		[]any{int64(a.ID), a.Username, a.Email}, func(row scanner) error { return row.Scan(&id, &username, &email) })
	switch {
	case looked != nil:
		return looked
	case username:
		return conflict(op, "username", "Username already exists")
	case email:
		return conflict(op, "email", "Email already exists")
	case id:
		return conflict(op, "id", "There is an account with this id.")
	}
	return presence.E(presence.Internal, op, err)
}

// RemoveAccount implements presence.Tx.
func (t *tx) RemoveAccount(id presence.UserID) error {
	// The foreign keys take sessions, history, activities and the hold along.
	n, err := t.exec("remove account", `DELETE FROM users WHERE id = ?1`, int64(id))
	if err != nil {
		return err
	}
	if n == 0 {
		return notFound("remove account", "User not found")
	}
	_, err = t.exec("remove account", `DELETE FROM revoked_tokens WHERE user_id = ?1`, int64(id))
	return err
}
