package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

var (
	_ presence.APITokenStore = (*Store)(nil)
	_ presence.APITokenTx    = (*tx)(nil)
)

const tokenColumns = `id, name, scopes, hash, hint, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by`

// tokenFields are where the columns go.
func tokenFields(t *presence.APIToken, hash *[]byte) []any {
	return []any{
		(*int64)(&t.ID), &t.Name,
		word[presence.Scope]{&t.Scopes, presence.ParseScope},
		hash, &t.Hint, (*int64)(&t.CreatedBy),
		(*moment)(&t.CreatedAt), (*moment)(&t.ExpiresAt), (*moment)(&t.LastUsedAt), (*moment)(&t.RevokedAt), (*int64)(&t.RevokedBy),
	}
}

func tokenHash(t *presence.APIToken, hash []byte) error {
	if copy(t.Hash[:], hash) != len(t.Hash) {
		return fmt.Errorf("the hash of API token %d has %d bytes", t.ID, len(hash))
	}
	return nil
}

// APITokens implements presence.APITokenStore.
func (s *Store) APITokens(ctx context.Context) (tokens []presence.APIToken, err error) {
	err = s.each(ctx, "list API tokens", `SELECT `+tokenColumns+` FROM api_tokens ORDER BY id`, nil,
		func() { tokens = []presence.APIToken{} },
		func(row scanner) error {
			var t presence.APIToken
			var hash []byte
			if err := row.Scan(tokenFields(&t, &hash)...); err != nil {
				return err
			}
			err := tokenHash(&t, hash)
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
	ids, moments := make([]int64, len(uses)), make([]int64, len(uses))
	for i, use := range uses {
		ids[i], moments[i] = int64(use.ID), micros(use.At)
	}
	return s.write(ctx, "record use of API tokens", func(ctx context.Context, c *pgx.Conn) error {
		// Locked in the order of their ids, so that two nodes do not wait for each other.
		_, err := c.Exec(ctx, `
			WITH locked AS MATERIALIZED (
				SELECT t.id, max(a.at) AS at FROM unnest($1::bigint[], $2::bigint[]) AS a (id, at) JOIN api_tokens t ON t.id = a.id
				GROUP BY t.id ORDER BY t.id
			), held AS MATERIALIZED (
				SELECT t.id FROM api_tokens t WHERE t.id IN (SELECT id FROM locked) ORDER BY t.id FOR NO KEY UPDATE
			)
			UPDATE api_tokens t SET last_used_at = l.at FROM locked l JOIN held h ON h.id = l.id
			WHERE t.id = l.id AND t.last_used_at < l.at`, ids, moments)
		return err
	})
}

// InsertAPIToken implements presence.APITokenTx.
func (t *tx) InsertAPIToken(one *presence.APIToken) error {
	return t.row("insert API token", `
		INSERT INTO api_tokens (name, scopes, hash, hint, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
		[]any{
			kept(one.Name), one.Scopes.String(), one.Hash[:], one.Hint, int64(one.CreatedBy), micros(one.CreatedAt), micros(one.ExpiresAt),
			micros(one.LastUsedAt), micros(one.RevokedAt), int64(one.RevokedBy),
		}, (*int64)(&one.ID))
}

// APIToken implements presence.APITokenTx. It locks the row.
func (t *tx) APIToken(id presence.APITokenID) (one presence.APIToken, err error) {
	const op = "find API token"
	var hash []byte
	err = t.row(op, `SELECT `+tokenColumns+` FROM api_tokens WHERE id = $1 FOR UPDATE`, []any{int64(id)}, tokenFields(&one, &hash)...)
	if err != nil {
		return one, missing(op, "There is no such token", err)
	}
	return one, t.fault(op, tokenHash(&one, hash))
}

// RevokeAPIToken implements presence.APITokenTx.
func (t *tx) RevokeAPIToken(id presence.APITokenID, by presence.UserID, at time.Time) error {
	if _, err := t.APIToken(id); err != nil {
		return err
	}
	_, err := t.exec("revoke API token", `UPDATE api_tokens SET revoked_at = $2, revoked_by = $3 WHERE id = $1 AND revoked_at = 0`,
		int64(id), micros(at), int64(by))
	return err
}

// GoodAPITokens implements presence.APITokenTx. Acts that count them come one after another.
func (t *tx) GoodAPITokens(now time.Time) (n int, err error) {
	const op = "count API tokens"
	if _, err := t.exec(op, `LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return 0, err
	}
	err = t.row(op, `SELECT count(*) FROM api_tokens WHERE revoked_at = 0 AND (expires_at = 0 OR expires_at > $1)`,
		[]any{micros(now)}, &n)
	return n, err
}

// ForgetAPITokens implements presence.APITokenTx.
func (t *tx) ForgetAPITokens(before time.Time) error {
	_, err := t.exec("forget API tokens", `
		DELETE FROM api_tokens WHERE revoked_at BETWEEN 1 AND $1::bigint - 1 OR expires_at BETWEEN 1 AND $1::bigint - 1`, micros(before))
	return err
}
