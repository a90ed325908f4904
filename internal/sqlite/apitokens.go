package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/offchat/presence"
)

var (
	_ presence.APITokenStore = (*Store)(nil)
	_ presence.APITokenTx    = (*tx)(nil)
)

const tokenColumns = `id, name, scopes, hash, hint, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by`

func scanAPIToken(row scanner) (presence.APIToken, error) {
	var t presence.APIToken
	var hash []byte
	err := row.Scan(&t.ID, &t.Name, word[presence.Scope]{&t.Scopes, presence.ParseScope}, &hash, &t.Hint, &t.CreatedBy,
		(*moment)(&t.CreatedAt), (*moment)(&t.ExpiresAt), (*moment)(&t.LastUsedAt), (*moment)(&t.RevokedAt), &t.RevokedBy)
	if err == nil && copy(t.Hash[:], hash) != len(t.Hash) {
		err = fmt.Errorf("the hash of API token %d has %d bytes", t.ID, len(hash))
	}
	return t, err
}

// APITokens implements presence.APITokenStore.
func (s *Store) APITokens(ctx context.Context) ([]presence.APIToken, error) {
	tokens := []presence.APIToken{}
	err := s.read.each(ctx, "list API tokens", `SELECT `+tokenColumns+` FROM api_tokens ORDER BY id`, nil,
		func(row scanner) error {
			t, err := scanAPIToken(row)
			tokens = append(tokens, t)
			return err
		})
	return tokens, err
}

// RecordAPITokenUse implements presence.APITokenStore.
func (s *Store) RecordAPITokenUse(ctx context.Context, uses []presence.APITokenUse) error {
	if len(uses) == 0 {
		return nil
	}
	return s.write.behind(ctx, func(t *tx) error {
		for _, use := range uses {
			_, err := t.exec("record use of API token", `UPDATE api_tokens SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2`,
				int64(use.ID), micros(use.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// InsertAPIToken implements presence.APITokenTx.
func (t *tx) InsertAPIToken(one *presence.APIToken) error {
	const op = "insert API token"
	result, err := t.result(op, `
		INSERT INTO api_tokens (name, scopes, hash, hint, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
		one.Name, one.Scopes.String(), one.Hash[:], one.Hint, int64(one.CreatedBy), micros(one.CreatedAt), micros(one.ExpiresAt),
		micros(one.LastUsedAt), micros(one.RevokedAt), int64(one.RevokedBy))
	if err != nil {
		return err
	}
	id, err := result.LastInsertId()
	one.ID = presence.APITokenID(id)
	return t.fault(op, err)
}

// APIToken implements presence.APITokenTx.
func (t *tx) APIToken(id presence.APITokenID) (one presence.APIToken, err error) {
	err = t.row("find API token", `SELECT `+tokenColumns+` FROM api_tokens WHERE id = ?1`, []any{int64(id)},
		func(row scanner) (err error) {
			one, err = scanAPIToken(row)
			return err
		})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("find API token", "There is no such token")
	}
	return one, err
}

// RevokeAPIToken implements presence.APITokenTx.
func (t *tx) RevokeAPIToken(id presence.APITokenID, by presence.UserID, at time.Time) error {
	if _, err := t.APIToken(id); err != nil {
		return err
	}
	_, err := t.exec("revoke API token", `UPDATE api_tokens SET revoked_at = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_at = 0`,
		int64(id), micros(at), int64(by))
	return err
}

// GoodAPITokens implements presence.APITokenTx.
func (t *tx) GoodAPITokens(now time.Time) (n int, err error) {
	err = t.row("count API tokens", `SELECT count(*) FROM api_tokens WHERE revoked_at = 0 AND (expires_at = 0 OR expires_at > ?1)`,
		[]any{micros(now)}, func(row scanner) error { return row.Scan(&n) })
	return n, err
}

// ForgetAPITokens implements presence.APITokenTx.
func (t *tx) ForgetAPITokens(before time.Time) error {
	_, err := t.exec("forget API tokens", `
		DELETE FROM api_tokens WHERE revoked_at BETWEEN 1 AND ?1 - 1 OR expires_at BETWEEN 1 AND ?1 - 1`, micros(before))
	return err
}
