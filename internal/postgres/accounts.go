package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// accountColumns are what scanAccount reads, in its order.
const accountColumns = `u.id, u.online_status, u.last_seen, u.status_since, u.status_cause, u.presence_version,
	u.deleted_at, u.status, u.role, u.is_active, u.is_staff, u.email_verified, u.username, u.email, u.first_name,
	u.last_name, u.avatar, u.bio, u.password, u.tokens_after, u.date_joined, u.created_at, u.updated_at, u.hide_status,
	u.hide_last_seen`

func intoAccount(a *presence.Account) []any {
	return []any{
		(*int64)(&a.ID),
		word[presence.Status]{&a.OnlineStatus, presence.ParseStatus},
		(*moment)(&a.LastSeen),
		(*moment)(&a.Since),
		word[presence.Cause]{&a.Cause, presence.ParseCause},
		(*bits)(&a.Version),
		(*moment)(&a.DeletedAt),
		word[presence.AccountStatus]{&a.Status, presence.ParseAccountStatus},
		word[presence.Role]{&a.Role, presence.ParseRole},
		&a.Active, &a.Staff, &a.EmailVerified, &a.Username, &a.Email,
		&a.FirstName, &a.LastName, &a.Avatar, &a.Bio, &a.PasswordHash, (*moment)(&a.TokensAfter),
		(*moment)(&a.JoinedAt), (*moment)(&a.CreatedAt), (*moment)(&a.UpdatedAt),
		&a.Privacy.HideStatus, &a.Privacy.HideLastSeen,
	}
}

// Account implements presence.AccountReader.
func (s *Store) Account(ctx context.Context, id presence.UserID) (presence.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.id = $1 AND u.deleted_at = 0`, int64(id))
}

// AccountByName implements presence.AccountReader.
func (s *Store) AccountByName(ctx context.Context, username string) (presence.Account, error) {
	if !keepable(username) {
		return presence.Account{}, notFound("find account", "User not found")
	}
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.username = $1 AND u.deleted_at = 0`, username)
}

// AccountByEmail finds one by its exact e-mail address; accounts in the trash are NotFound.
func (s *Store) AccountByEmail(ctx context.Context, email string) (presence.Account, error) {
	if !keepable(email) {
		return presence.Account{}, notFound("find account", "User not found")
	}
	return s.account(ctx, `SELECT `+accountColumns+` FROM users u WHERE u.email = $1 AND u.deleted_at = 0`, email)
}

func (s *Store) account(ctx context.Context, text string, key any) (a presence.Account, err error) {
	err = s.row(ctx, "find account", text, []any{key}, intoAccount(&a)...)
	return a, missing("find account", "User not found", err)
}

// accountsByID keeps the order of the list it is given.
const accountsByID = `SELECT ` + accountColumns + ` FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (id, place)
	JOIN users u ON u.id = asked.id WHERE u.deleted_at = 0 ORDER BY asked.place`

// AccountsByID implements presence.AccountReader.
func (s *Store) AccountsByID(ctx context.Context, ids []presence.UserID) (accounts []presence.Account, err error) {
	err = s.each(ctx, "find accounts", accountsByID, []any{numbers(ids)},
		func() { accounts = make([]presence.Account, 0, len(ids)) },
		func(row scanner) error {
			accounts = append(accounts, presence.Account{})
			return row.Scan(intoAccount(&accounts[len(accounts)-1])...)
		})
	if err != nil {
		return nil, err
	}
	return accounts, nil
}

// numbers hands a list to a query as one argument.
func numbers[T ~int64](ids []T) []int64 {
	plain := make([]int64, len(ids))
	for i, id := range ids {
		plain[i] = int64(id)
	}
	return plain
}

// AccountCounts implements presence.AccountReader.
func (s *Store) AccountCounts(ctx context.Context) (byStatus map[presence.AccountStatus]int, total int, err error) {
	err = s.each(ctx, "count accounts", `SELECT status, sum(n)::bigint FROM user_counts GROUP BY status HAVING sum(n) > 0`, nil,
		func() { byStatus, total = map[presence.AccountStatus]int{}, 0 },
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
const mayAdmin = `(role = 'admin' OR is_staff) AND is_active AND status = 'active' AND deleted_at = 0`

// HasAdmin implements presence.AccountReader.
func (s *Store) HasAdmin(ctx context.Context) (has bool, err error) {
	err = s.row(ctx, "look for an admin", `SELECT EXISTS (SELECT 1 FROM users WHERE `+mayAdmin+`)`, nil, &has)
	return has, err
}

// Classes of locks that are named after something, the first of their two numbers ("OF" and one more byte).
const (
	adminsLock  = 0x4f4601
	tokenLock   = 0x4f4602
	webhookLock = 0x4f4604
)

// lockAccount keeps an account as it is until the act is over. Sessions and the like may still be given to it.
const lockAccount = `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`

// AdminsBesides implements presence.Tx. Of acts that ask, one runs at a time: so of two that each take the
// other's admin away, the second finds that it is about to take the last one.
func (t *tx) AdminsBesides(id presence.UserID) (n int, err error) {
	err = t.locked("count admins", `SELECT pg_advisory_xact_lock($1::int, 0)`, []any{adminsLock},
		`SELECT count(*) FROM users WHERE `+mayAdmin+` AND id <> $1`, []any{int64(id)}, &n)
	return n, err
}

// Account implements presence.Tx.
func (t *tx) Account(id presence.UserID) (a presence.Account, err error) {
	err = t.row("find account", `SELECT `+accountColumns+` FROM users u WHERE u.id = $1 FOR NO KEY UPDATE`,
		[]any{int64(id)}, intoAccount(&a)...)
	return a, missing("find account", "User not found", err)
}

// insertAccount leaves a name that is taken to the caller instead of making it an error, which would end the
// transaction. An id that is given moves the sequence of ids beyond it. That must never go back while others
// draw from it: so a few ids are drawn, and only a long way, which nobody draws meanwhile, is jumped.
const insertAccount = `
	INSERT INTO users (id, online_status, last_seen, status_since, status_cause, presence_version, deleted_at, status, role,
		is_active, is_staff, email_verified, username, email, first_name, last_name, avatar, bio, password, tokens_after,
		date_joined, created_at, updated_at, search, hide_status, hide_last_seen)
	VALUES (coalesce($1::bigint, nextval('users_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
		$17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
	ON CONFLICT DO NOTHING
	RETURNING id, CASE WHEN $1::bigint IS NULL THEN 0 ELSE (
		SELECT CASE WHEN $1::bigint <= drawn THEN 0
			WHEN $1::bigint - drawn > 10000 THEN setval('users_id_seq', $1::bigint)
			ELSE (SELECT max(nextval('users_id_seq')) FROM generate_series(1, $1::bigint - drawn)) END
		FROM (SELECT last_value - (NOT is_called)::int AS drawn FROM users_id_seq) AS ids) END`

// InsertAccount implements presence.Tx. Errors: Conflict with Field username, email or id; Invalid with Field
// username or email for a text that the database cannot hold.
func (t *tx) InsertAccount(a *presence.Account) error {
	const op = "insert account"
	if err := checkNames(op, a); err != nil {
		return err
	}
	var id *int64 // NULL: the next one
	if a.ID < 0 {
		return &presence.Error{Kind: presence.Invalid, Op: op, Field: "id", Tell: "An id is positive."}
	}
	if a.ID > 0 {
		id = (*int64)(&a.ID)
	}
	var given, moved int64
	err := t.row(op, insertAccount, []any{
		id, a.OnlineStatus.String(), micros(a.LastSeen), micros(a.Since), a.Cause.String(), int64(a.Version),
		micros(a.DeletedAt), a.Status.String(), a.Role.String(), a.Active, a.Staff, a.EmailVerified, a.Username, a.Email,
		kept(a.FirstName), kept(a.LastName), kept(a.Avatar), kept(a.Bio), kept(a.PasswordHash), micros(a.TokensAfter),
		micros(a.JoinedAt), micros(a.CreatedAt), micros(a.UpdatedAt), searchText(a), a.Privacy.HideStatus, a.Privacy.HideLastSeen,
	}, &given, &moved)
	if errors.Is(err, pgx.ErrNoRows) {
		return t.inTheWay(op, a)
	}
	if err == nil {
		a.ID = presence.UserID(given)
	}
	return err
}

// updateAccount leaves a name that is taken, as insertAccount does. Somebody who takes it at this very moment
// makes an error, and the act is run again.
const updateAccount = `
	UPDATE users u SET deleted_at = $2, status = $3, role = $4, is_active = $5, is_staff = $6, email_verified = $7,
		username = $8, email = $9, first_name = $10, last_name = $11, avatar = $12, bio = $13, password = $14,
		tokens_after = $15, date_joined = $16, updated_at = $17, search = $18, hide_status = $19, hide_last_seen = $20
	WHERE u.id = $1 AND ($2::bigint <> 0 OR NOT EXISTS (SELECT 1 FROM users o WHERE o.username = $8 AND o.deleted_at = 0 AND o.id <> $1)
		AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email = $9 AND o.deleted_at = 0 AND o.id <> $1))`

// UpdateAccount implements presence.Tx. Errors: NotFound, and those of InsertAccount.
func (t *tx) UpdateAccount(a *presence.Account) error {
	const op = "update account"
	if err := checkNames(op, a); err != nil {
		return err
	}
	n, err := t.exec(op, updateAccount,
		int64(a.ID), micros(a.DeletedAt), a.Status.String(), a.Role.String(), a.Active, a.Staff, a.EmailVerified,
		a.Username, a.Email, kept(a.FirstName), kept(a.LastName), kept(a.Avatar), kept(a.Bio), kept(a.PasswordHash),
		micros(a.TokensAfter), micros(a.JoinedAt), micros(a.UpdatedAt), searchText(a), a.Privacy.HideStatus, a.Privacy.HideLastSeen)
	if err != nil || n == 1 {
		return err
	}
	if err := t.exists(op, a.ID); err != nil {
		return err
	}
	return t.inTheWay(op, a)
}

// inTheWay says what keeps an account from being written.
func (t *tx) inTheWay(op string, a *presence.Account) error {
	var id, username, email bool
	err := t.row(op, `
		SELECT EXISTS (SELECT 1 FROM users WHERE id = $1),
			EXISTS (SELECT 1 FROM users WHERE username = $2 AND deleted_at = 0 AND id <> $1),
			EXISTS (SELECT 1 FROM users WHERE email = $3 AND deleted_at = 0 AND id <> $1)`,
		[]any{int64(a.ID), a.Username, a.Email}, &id, &username, &email)
	switch {
	case err != nil:
		return err
	case username:
		return conflict(op, "username", "Username already exists")
	case email:
		return conflict(op, "email", "Email already exists")
	case id && op == "insert account":
		return conflict(op, "id", "There is an account with this id.")
	}
	return t.fault(op, errGone)
}

// checkNames refuses names that cannot be kept as they are: another one in their place would be a surprise.
func checkNames(op string, a *presence.Account) error {
	for field, text := range map[string]string{"username": a.Username, "email": a.Email} {
		if !keepable(text) {
			return &presence.Error{Kind: presence.Invalid, Op: op, Field: field, Tell: "Null characters are not allowed."}
		}
	}
	return nil
}

// exists reports as NotFound an account that is not there.
func (t *tx) exists(op string, id presence.UserID) error {
	var there bool
	err := t.row(op, `SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)`, []any{int64(id)}, &there)
	if err == nil && !there {
		err = notFound(op, "User not found")
	}
	return err
}

// RemoveAccount implements presence.Tx.
func (t *tx) RemoveAccount(id presence.UserID) error {
	// The foreign keys take sessions, history, activities and the hold along.
	n, err := t.exec("remove account", `DELETE FROM users WHERE id = $1`, int64(id))
	if err != nil {
		return err
	}
	if n == 0 {
		return notFound("remove account", "User not found")
	}
	_, err = t.exec("remove account", `DELETE FROM revoked_tokens WHERE user_id = $1`, int64(id))
	return err
}
