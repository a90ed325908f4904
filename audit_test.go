package presence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// chain is a chain of n lines about user 7, with its head.
func chain(n int) (lines []presence.SealedAudit, head presence.AuditHead) {
	for i := range n {
		e := presence.AuditEntry{
			ID: int64(i*2 + 1), Actor: 1, Action: "ban", Target: 7, TargetName: "ada", Before: "{}", After: fmt.Sprint(i), Reason: "spam",
			Origin: presence.Origin{IP: "192.0.2.1", UserAgent: "curl", RequestID: "r"}, At: time.UnixMicro(int64(i) * 1e6).UTC(),
		}
		var salts presence.AuditSalts
		for k := range salts {
			salts[k] = byte(i + k + 1)
		}
		seal := presence.SealAudit(head.Hash, &e, salts)
		lines = append(lines, presence.SealedAudit{AuditEntry: e, Seal: seal})
		head = presence.AuditHead{Entries: int64(i + 1), Hash: seal.Hash}
	}
	return lines, head
}

func verify(lines []presence.SealedAudit, head presence.AuditHead) error {
	var v presence.AuditVerifier
	for i := range lines {
		if err := v.Line(&lines[i]); err != nil {
			return err
		}
	}
	return v.End(head)
}

func TestEveryChangeOfTheAuditIsFoundAtItsLine(t *testing.T) {
	type change = func(lines []presence.SealedAudit) []presence.SealedAudit
	at := func(i int, do func(one *presence.SealedAudit)) change {
		return func(lines []presence.SealedAudit) []presence.SealedAudit { do(&lines[i]); return lines }
	}
	for _, c := range []struct {
		name string
		do   change
		id   int64 // of the first bad line; 0: the end
	}{
		{"another actor", at(4, func(one *presence.SealedAudit) { one.Actor = 2 }), 9},
		{"another act", at(4, func(one *presence.SealedAudit) { one.Action = "bam" }), 9},
		{"another target", at(4, func(one *presence.SealedAudit) { one.Target = 8 }), 9},
		{"another time", at(4, func(one *presence.SealedAudit) { one.At = one.At.Add(time.Microsecond) }), 9},
		{"another name", at(4, func(one *presence.SealedAudit) { one.TargetName = "bob" }), 9},
		{"a text moved from one field to the next", at(4, func(one *presence.SealedAudit) { one.Before, one.After = "", one.Before+one.After }), 9},
		{"another reason", at(4, func(one *presence.SealedAudit) { one.Reason = "" }), 9},
		{"another address", at(4, func(one *presence.SealedAudit) { one.IP = "192.0.2.2" }), 9},
		{"another digest", at(4, func(one *presence.SealedAudit) { one.Seal.Digests[1][3]++ }), 9},
		{"no seal", at(4, func(one *presence.SealedAudit) { one.Seal = presence.AuditSeal{} }), 9},
		{"a line sealed anew", at(4, func(one *presence.SealedAudit) {
			one.Actor = 2
			one.Seal = presence.SealAudit(presence.AuditHash{}, &one.AuditEntry, one.Seal.Salts)
		}), 9},
		{"a line is missing", func(lines []presence.SealedAudit) []presence.SealedAudit { return slices.Delete(lines, 4, 5) }, 11},
		{"the first line is missing", func(lines []presence.SealedAudit) []presence.SealedAudit { return lines[1:] }, 3},
		{"two lines changed places", func(lines []presence.SealedAudit) []presence.SealedAudit {
			lines[4], lines[5] = lines[5], lines[4]
			lines[4].ID, lines[5].ID = 9, 11
			return lines
		}, 9},
		{"a line twice", func(lines []presence.SealedAudit) []presence.SealedAudit { return slices.Insert(lines, 4, lines[4]) }, 9},
		{"the newest is missing", func(lines []presence.SealedAudit) []presence.SealedAudit { return lines[:9] }, 0},
		{"erased, and nobody was", at(4, erase), 9},
		{"erased by half", at(4, func(one *presence.SealedAudit) { erase(one); one.Reason = "spam" }), 9},
	} {
		lines, head := chain(10)
		if err := verify(lines, head); err != nil {
			t.Fatalf("before: %v", err)
		}
		broken := (*presence.AuditBreak)(nil)
		if err := verify(c.do(lines), head); !errors.As(err, &broken) || broken.ID != c.id || broken.Reason == "" {
			t.Errorf("%s: %v, want a break at %d", c.name, err, c.id)
		}
	}
}

// erase takes what a line says about its target.
func erase(one *presence.SealedAudit) {
	one.TargetName, one.Before, one.After, one.Reason = presence.ErasedName(one.Target), "", "", ""
	clear(one.Seal.Salts[:16])
}

func TestAnErasedPersonDoesNotBreakTheAudit(t *testing.T) {
	lines, head := chain(10)
	e := presence.AuditEntry{ID: 100, Actor: 1, Action: presence.ActionErase, Target: 7, TargetName: presence.ErasedName(7), At: time.UnixMicro(1).UTC()}
	seal := presence.SealAudit(head.Hash, &e, presence.AuditSalts{1, 16: 1})
	head = presence.AuditHead{Entries: 11, Hash: seal.Hash}
	for i := range lines {
		erase(&lines[i])
	}
	lines = append(lines, presence.SealedAudit{AuditEntry: e, Seal: seal})
	if err := verify(lines, head); err != nil {
		t.Error(err)
	}
	lines[3].Actor = 9
	if err := verify(lines, head); err == nil || !strings.Contains(err.Error(), "line 7") {
		t.Errorf("who did it is still sealed: %v", err)
	}
}
