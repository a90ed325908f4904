package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// auditScenarios are the contract of presence.AuditChain, for stores that are one.
func auditScenarios() []scenario {
	list := []scenario{
		{"the audit is a chain, whoever appends at the same time", func(t *testing.T, h *Harness) {
			head := get[presence.AuditHead](t)(chain(h).AuditHead(t.Context()))
			same(t, "the head at first", head, presence.AuditHead{})
			const writers, each = 6, 10
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for i := range each {
						err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
							err := tx.AppendAudit(sealedLine(presence.UserID(w+1), fmt.Sprint("line ", i)))
							if err == nil && i%5 == 4 {
								return errOnPurpose // an act that is undone leaves no gap
							}
							return err
						})
						if err != nil && !errors.Is(err, errOnPurpose) {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			h.Store = h.Reopen()
			v, err := presence.VerifyAudit(t.Context(), chain(h))
			if err != nil || v.Entries != writers*each*4/5 || v.Erased != 0 {
				t.Errorf("%d lines, %v", v.Entries, err)
			}
			same(t, "the head", get[presence.AuditHead](t)(chain(h).AuditHead(t.Context())), v.Head())
		}},
		{"lines are sealed as they are stored, odd texts and all", func(t *testing.T, h *Harness) {
			e := sealedLine(3, "nul \x00 and \xff")
			e.At = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600))
			e.After = `{"x":"é"}`
			do(t, h.Store, func(tx presence.Tx) error {
				return errors.Join(tx.AppendAudit(e), tx.AppendAudit(presence.AuditEntry{}))
			})
			if v, err := presence.VerifyAudit(t.Context(), chain(h)); err != nil || v.Entries != 2 {
				t.Errorf("%d lines, %v", v.Entries, err)
			}
		}},
		{"what the audit says about a person can be erased, and the chain holds", func(t *testing.T, h *Harness) {
			do(t, h.Store, func(tx presence.Tx) error {
				about, by, other := sealedLine(7, "ada"), sealedLine(8, "bob"), sealedLine(9, "eve")
				by.Actor = 7
				return errors.Join(tx.AppendAudit(about), tx.AppendAudit(by), tx.AppendAudit(other))
			})
			do(t, h.Store, func(tx presence.Tx) error {
				n, err := tx.(presence.AuditTx).EraseAudit(7)
				if n != 2 {
					t.Errorf("%d lines were erased, want 2", n)
				}
				return errors.Join(err, tx.AppendAudit(presence.AuditEntry{
					Actor: 1, Action: presence.ActionErase, Target: 7, TargetName: presence.ErasedName(7), At: noon,
				}))
			})
			v, err := presence.VerifyAudit(t.Context(), chain(h))
			if err != nil || v.Entries != 4 || v.Erased != 2 {
				t.Errorf("%d lines, %d erased, %v", v.Entries, v.Erased, err)
			}
			lines := get[[]presence.SealedAudit](t)(chain(h).AuditSealed(t.Context(), 0, 10))
			want := []presence.AuditEntry{sealedLine(7, presence.ErasedName(7)), sealedLine(8, "bob"), sealedLine(9, "eve")}
			want[0].Before, want[0].After, want[0].Reason = "", "", ""
			want[1].Actor, want[1].Origin = 7, presence.Origin{}
			for i := range want {
				want[i].ID = lines[i].ID
				same(t, fmt.Sprint("line ", i), lines[i].AuditEntry, want[i])
			}
			same(t, "the last one alone", len(get[[]presence.SealedAudit](t)(chain(h).AuditSealed(t.Context(), lines[2].ID, 10))), 1)
		}},
	}
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.AuditChain); !ok {
				t.Skip("this store is no presence.AuditChain")
			}
			prove(t, h)
		}
	}
	return list
}

func chain(h *Harness) presence.AuditChain { return h.Store.(presence.AuditChain) }

func sealedLine(target presence.UserID, name string) presence.AuditEntry {
	return presence.AuditEntry{
		Actor: 1, Action: "ban", Target: target, TargetName: name, Before: `{"a":1}`, After: `{"a":2}`, Reason: "spam",
		Origin: presence.Origin{IP: "192.0.2.1", UserAgent: "curl", RequestID: "r"}, At: noon,
	}
}

// personScenarios are the contract of presence.PersonStore, for stores that are one.
func personScenarios() []scenario {
	return []scenario{
		{"all sessions of a person are found, ended or not", func(t *testing.T, h *Harness) {
			s, ok := h.Store.(presence.PersonStore)
			if !ok {
				t.Skip("this store is no presence.PersonStore")
			}
			ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
			rows := make([]presence.LoginSession, 3)
			for i := range rows {
				rows[i] = presence.LoginSession{
					ID: presence.SessionID(2000 + i), User: ada, CreatedAt: after(time.Duration(i) * time.Minute), ExpiresAt: after(time.Hour),
					IP: "192.0.2.1", UserAgent: "Firefox",
				}
			}
			rows[2].User = bob
			signIn(t, h.Store, rows...)
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.EndSession(rows[0].ID, presence.CauseLogout, after(5*time.Minute))
			})
			rows[0].EndedAt, rows[0].EndCause = after(5*time.Minute), presence.CauseLogout
			same(t, "sessions", get[[]presence.LoginSession](t)(s.SessionsOf(t.Context(), ada)), []presence.LoginSession{rows[1], rows[0]})
		}},
	}
}
