package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// A node of before the chain appends lines as it always did, while new ones append theirs: the audit is whole all the
// same, and a line that is changed afterwards is found.
func TestLinesOfAnOlderNodeAreSealed(t *testing.T) {
	url := newDatabase(t)
	s := openAt(t, url, slow)
	const writers, each = 3, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			older, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			defer older.Close(context.Background())
			for i := range each {
				_, err := older.Exec(t.Context(), `INSERT INTO audit (actor_id, action, target_id, target_name, before, after, reason, ip_address,
					user_agent, request_id, at) VALUES ($1, 'ban', $2, $3, '', '{"x":"é"}', 'spam', '192.0.2.1', 'curl', 'r', $4)`,
					w, i, fmt.Sprint("older ", i), time.Now().UnixMicro())
				if err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for i := range each {
				err := s.Durable(t.Context(), func(tx presence.Tx) error {
					return tx.AppendAudit(presence.AuditEntry{Actor: 1, Action: "ban", Target: presence.UserID(i), TargetName: "newer", At: time.Now()})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	alter(t, url, `INSERT INTO audit (actor_id, action, target_id, at) VALUES (1, '', 2, 0)`) // with nothing in it
	const lines = 2*writers*each + 1
	v, err := presence.VerifyAudit(t.Context(), s)
	if err != nil || v.Entries != lines {
		t.Fatalf("%d lines, %v; want %d", v.Entries, err, lines)
	}
	head, err := s.AuditHead(t.Context())
	if err != nil || head != v.Head() {
		t.Errorf("the head is %+v, want %+v: %v", head, v.Head(), err)
	}
	alter(t, url, `UPDATE audit SET reason = 'ham' WHERE id = (SELECT min(id) FROM audit WHERE reason = 'spam')`)
	if _, err := presence.VerifyAudit(t.Context(), s); err == nil {
		t.Error("a changed line is not found")
	}
}
