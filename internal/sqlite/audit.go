package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"

	"github.com/offchat/presence"
)

var (
	_ presence.AuditChain = (*Store)(nil)
	_ presence.AuditTx    = (*tx)(nil)
)

const sealedColumns = `id, actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent, request_id, at,
	salts, digests, hash`

// AuditSealed implements presence.AuditChain.
func (s *Store) AuditSealed(ctx context.Context, after int64, limit int) ([]presence.SealedAudit, error) {
	lines := []presence.SealedAudit{}
	err := s.read.each(ctx, "read audit", `SELECT `+sealedColumns+` FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2`,
		[]any{after, all(limit)}, func(row scanner) error {
			one, err := scanSealed(row)
			lines = append(lines, one)
			return err
		})
	return lines, err
}

func scanSealed(row scanner) (one presence.SealedAudit, err error) {
	e := &one.AuditEntry
	var salts, digests, hash []byte
	err = row.Scan(&e.ID, &e.Actor, &e.Action, &e.Target, &e.TargetName, &e.Before, &e.After, &e.Reason, &e.IP,
		&e.UserAgent, &e.RequestID, (*moment)(&e.At), &salts, &digests, &hash)
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
	err = s.read.row(ctx, "read the head of the audit", auditHead, nil, func(row scanner) error { return row.Scan(&head.Entries, &hash) })
	copy(head.Hash[:], hash)
	return head, err
}

const auditHead = `SELECT entries, hash FROM audit_head WHERE id = 1`

// AppendAudit implements presence.Tx. The entry gets its ID and its seal here.
func (t *tx) AppendAudit(e presence.AuditEntry) error {
	const op = "append audit"
	var head presence.AuditHead
	var hash []byte
	if err := t.row(op, auditHead, nil, func(row scanner) error { return row.Scan(&head.Entries, &hash) }); err != nil {
		return presence.E(presence.Internal, op, err)
	}
	copy(head.Hash[:], hash)
	seal := presence.SealAudit(head.Hash, &e, newSalts())
	_, err := t.exec(op, `
		INSERT INTO audit (actor_id, action, target_id, target_name, before, after, reason, ip_address, user_agent,
			request_id, at, salts, digests, hash)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`,
		int64(e.Actor), e.Action, int64(e.Target), e.TargetName, e.Before, e.After, e.Reason, e.IP, e.UserAgent,
		e.RequestID, micros(e.At), seal.Salts[:], joined(&seal), seal.Hash[:])
	if err != nil {
		return err
	}
	_, err = t.exec(op, `UPDATE audit_head SET entries = ?1, hash = ?2 WHERE id = 1`, head.Entries+1, seal.Hash[:])
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
	type line struct {
		id            int64
		actor, target presence.UserID
		salts         []byte
	}
	var lines []line
	err := t.each(op, `SELECT id, actor_id, target_id, salts FROM audit WHERE actor_id = ?1 OR target_id = ?1`, []any{int64(user)},
		func(row scanner) error {
			var one line
			err := row.Scan(&one.id, &one.actor, &one.target, &one.salts)
			lines = append(lines, one)
			return err
		})
	if err != nil {
		return 0, err
	}
	for _, one := range lines {
		var salts presence.AuditSalts
		copy(salts[:], one.salts)
		if one.target == user {
			clear(salts[:16])
			_, err = t.exec(op, `UPDATE audit SET target_name = ?2, before = '', after = '', reason = '', salts = ?3 WHERE id = ?1`,
				one.id, presence.ErasedName(user), salts[:])
		}
		if err == nil && one.actor == user {
			clear(salts[16:])
			_, err = t.exec(op, `UPDATE audit SET ip_address = '', user_agent = '', request_id = '', salts = ?2 WHERE id = ?1`, one.id, salts[:])
		}
		if err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}

// sealAudit seals the lines of before there were seals, and begins the chain. It does so once.
func sealAudit(ctx context.Context, conn *sql.Conn) error {
	var entries int64
	err := conn.QueryRowContext(ctx, `SELECT entries FROM audit_head WHERE id = 1`).Scan(&entries)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	work, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer work.Rollback() // once it is committed this does nothing
	var head presence.AuditHead
	for after := int64(0); ; {
		rows, err := work.QueryContext(ctx, `SELECT `+sealedColumns+` FROM audit WHERE id > ?1 ORDER BY id LIMIT 1000`, after)
		var lines []presence.SealedAudit
		err = eachRow(rows, err, func(row scanner) error {
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
			_, err := work.ExecContext(ctx, `UPDATE audit SET salts = ?2, digests = ?3, hash = ?4 WHERE id = ?1`,
				lines[i].ID, seal.Salts[:], joined(&seal), seal.Hash[:])
			if err != nil {
				return err
			}
			head, after = presence.AuditHead{Entries: head.Entries + 1, Hash: seal.Hash}, lines[i].ID
		}
	}
	if _, err := work.ExecContext(ctx, `INSERT INTO audit_head (id, entries, hash) VALUES (1, ?1, ?2)`, head.Entries, head.Hash[:]); err != nil {
		return err
	}
	return work.Commit()
}
