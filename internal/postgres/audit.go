package postgres

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

var (
	_ presence.AuditChain = (*Store)(nil)
	_ presence.AuditTx    = (*tx)(nil)
)

const sealedColumns = `id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at,
	salts, digests, hash`

// AuditSealed implements presence.AuditChain.
func (s *Store) AuditSealed(ctx context.Context, after int64, limit int) (lines []presence.SealedAudit, err error) {
	err = s.each(ctx, "read audit", `SELECT `+sealedColumns+` FROM audit WHERE id > $1 ORDER BY id LIMIT $2`,
		[]any{after, all(limit)}, func() { lines = []presence.SealedAudit{} },
		func(row scanner) error {
			one, err := scanSealed(row)
			lines = append(lines, one)
			return err
		})
	return lines, err
}

func scanSealed(row scanner) (one presence.SealedAudit, err error) {
	var salts, digests, hash []byte
	err = row.Scan(append(intoAudit(&one.AuditEntry), &salts, &digests, &hash)...)
	one.Seal = readSeal(salts, digests, hash)
	return one, err
}

// readSeal takes a seal as it is stored. What is too short stays zero, which is no seal.
func readSeal(salts, digests, hash []byte) (s presence.AuditSeal) {
	copy(s.Salts[:], salts)
	copy(s.Digests[0][:], digests)
	if len(digests) > len(s.Digests[0]) {
		copy(s.Digests[1][:], digests[len(s.Digests[0]):])
	}
	copy(s.Hash[:], hash)
	return s
}

// AuditHead implements presence.AuditChain.
func (s *Store) AuditHead(ctx context.Context) (head presence.AuditHead, err error) {
	var hash []byte
	err = s.row(ctx, "read the head of the audit", `SELECT entries, hash FROM audit_head WHERE id = 1`, nil, &head.Entries, &hash)
	copy(head.Hash[:], hash)
	return head, err
}

// AppendAudit implements presence.Tx. The entry gets its ID and its seal here. Nodes append one after another: who
// has the head has it until its act is over.
func (t *tx) AppendAudit(e presence.AuditEntry) error {
	const op = "append audit"
	for _, text := range []*string{&e.Action, &e.TargetName, &e.Before, &e.After, &e.Reason, &e.IP, &e.UserAgent, &e.RequestID} {
		*text = kept(*text) // the seal is of what is stored
	}
	var head presence.AuditHead
	var hash []byte
	err := t.row(op, `SELECT entries, hash FROM audit_head WHERE id = 1 FOR UPDATE`, nil, &head.Entries, &hash)
	if err != nil {
		return presence.E(presence.Internal, op, err)
	}
	copy(head.Hash[:], hash)
	seal := presence.SealAudit(head.Hash, &e, newSalts())
	_, err = t.exec(op, `
		WITH line AS (
			INSERT INTO audit (actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent,
				request_id, at, salts, digests, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14))
		UPDATE audit_head SET entries = entries + 1, hash = $14 WHERE id = 1`,
		int64(e.Actor), e.Action, int64(e.Target), e.TargetName, e.Before, e.After, e.Reason, e.IP, e.UserAgent, e.RequestID,
		micros(e.At), seal.Salts[:], joined(&seal), seal.Hash[:])
	return err
}

func newSalts() (salts presence.AuditSalts) {
	_, _ = rand.Read(salts[:]) // never fails
	return salts
}

func joined(s *presence.AuditSeal) []byte { return append(s.Digests[0][:], s.Digests[1][:]...) }

// EraseAudit implements presence.AuditTx.
func (t *tx) EraseAudit(user presence.UserID) (int, error) {
	const op = "erase from the audit"
	n, err := t.exec(op, `
		UPDATE audit SET
			target_name = CASE WHEN target_id = $1 THEN $2 ELSE target_name END,
			before = CASE WHEN target_id = $1 THEN '' ELSE before END,
			after = CASE WHEN target_id = $1 THEN '' ELSE after END,
			reason = CASE WHEN target_id = $1 THEN '' ELSE reason END,
			ip_address = CASE WHEN actor_id = $1 THEN '' ELSE ip_address END,
			user_agent = CASE WHEN actor_id = $1 THEN '' ELSE user_agent END,
			request_id = CASE WHEN actor_id = $1 THEN '' ELSE request_id END,
			salts = CASE WHEN target_id = $1 THEN $3::bytea ELSE substr(salts, 1, 16) END
				|| CASE WHEN actor_id = $1 THEN $3::bytea ELSE substr(salts, 17, 16) END
		WHERE actor_id = $1 OR target_id = $1`, int64(user), presence.ErasedName(user), make([]byte, 16))
	return int(n), err
}

// sealAudit seals the lines of before there were seals, and begins the chain. It does so once; of several nodes
// one does it, and nobody appends meanwhile.
func sealAudit(ctx context.Context, conn *pgx.Conn) error {
	begun := func(q interface {
		QueryRow(ctx context.Context, text string, args ...any) pgx.Row
	},
	) (bool, error) {
		var one int
		err := q.QueryRow(ctx, `SELECT 1 FROM audit_head WHERE id = 1`).Scan(&one)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	}
	if done, err := begun(conn); done || err != nil {
		return err
	}
	work, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer work.Rollback(context.WithoutCancel(ctx)) // once it is committed this does nothing
	if _, err := work.Exec(ctx, `LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return err
	}
	if done, err := begun(work); done || err != nil {
		return err
	}
	var head presence.AuditHead
	for after := int64(0); ; {
		var lines []presence.SealedAudit
		err := eachRow(ctx, work, `SELECT `+sealedColumns+` FROM audit WHERE id > $1 ORDER BY id LIMIT 1000`, []any{after}, func(row scanner) error {
			one, err := scanSealed(row)
			lines = append(lines, one)
			return err
		})
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			break
		}
		for i := range lines {
			seal := presence.SealAudit(head.Hash, &lines[i].AuditEntry, newSalts())
			_, err := work.Exec(ctx, `UPDATE audit SET salts = $2, digests = $3, hash = $4 WHERE id = $1`,
				lines[i].ID, seal.Salts[:], joined(&seal), seal.Hash[:])
			if err != nil {
				return err
			}
			head, after = presence.AuditHead{Entries: head.Entries + 1, Hash: seal.Hash}, lines[i].ID
		}
	}
	if _, err := work.Exec(ctx, `INSERT INTO audit_head (id, entries, hash) VALUES (1, $1, $2)`, head.Entries, head.Hash[:]); err != nil {
		return err
	}
	return work.Commit(ctx)
}
