package presence

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strconv"
)

// The audit is a chain: each line carries a hash of what it says and of the line before, so that a line that is
// changed, removed, added or moved later breaks it from there on. What a line says about persons goes into the
// hash by way of two salted digests: so a person can be erased without breaking the chain, which still tells
// what was done, when, by which number to which number. Somebody who can write the whole database can also write
// a whole new chain: keep the hash of the head elsewhere (it is in every backup, and `presence audit verify`
// prints it).

// AuditSalts are two random halves: for what a line says about its subject, and about where it came from. A half
// that is zero was erased.
type AuditSalts [32]byte

// AuditHash is a line's place in the chain.
type AuditHash [sha256.Size]byte

// AuditSeal is what a line carries besides what it says.
type AuditSeal struct {
	Salts AuditSalts
	// Digests are of the subject (the target's name, before, after and the reason) and of the origin (address,
	// user agent, request).
	Digests [2][sha256.Size]byte
	Hash    AuditHash
}

// SealedAudit is a line with its seal. One that has none has a zero Hash.
type SealedAudit struct {
	AuditEntry
	Seal AuditSeal
}

// AuditHead is the end of the chain.
type AuditHead struct {
	Entries int64
	Hash    AuditHash
}

// AuditChain is a store that keeps the audit as a chain. Its Durable's Tx is an AuditTx, whose AppendAudit seals
// each line. The behaviour is pinned by internal/storetest.
type AuditChain interface {
	// AuditSealed returns at most limit lines with an ID above after, oldest first.
	AuditSealed(ctx context.Context, after int64, limit int) ([]SealedAudit, error)
	// AuditHead returns the end of the chain.
	AuditHead(ctx context.Context) (AuditHead, error)
}

// AuditTx is what an act of an AuditChain may do besides.
type AuditTx interface {
	// EraseAudit takes out of every line what it says about a user: names and texts where they are the target,
	// address and user agent where they are the actor. It returns how many lines that were.
	EraseAudit(user UserID) (lines int, err error)
}

// ActionErase is the audit's word for the erasure of a person; lines about them may be empty from then on.
const ActionErase = "erase"

// ErasedName stands in the audit for somebody who was erased.
func ErasedName(user UserID) string { return "erased user " + strconv.FormatInt(int64(user), 10) }

// SealAudit seals a line that comes after prev. The times of the line must have microseconds.
func SealAudit(prev AuditHash, e *AuditEntry, salts AuditSalts) AuditSeal {
	s := AuditSeal{Salts: salts, Digests: [2][sha256.Size]byte{subjectDigest(salts, e), originDigest(salts, e)}}
	s.Hash = s.hash(prev, e)
	return s
}

func (s *AuditSeal) hash(prev AuditHash, e *AuditEntry) AuditHash {
	h := sha256.New()
	h.Write([]byte("presence audit line 1"))
	h.Write(prev[:])
	var number [8]byte
	for _, n := range []int64{int64(e.Actor), int64(e.Target), e.At.UnixMicro()} {
		binary.BigEndian.PutUint64(number[:], uint64(n))
		h.Write(number[:])
	}
	h.Write([]byte(e.Action)) // the last of variable length: nothing can move across its end
	sum := sha256.Sum256(h.Sum(nil))
	h.Reset()
	h.Write(sum[:])
	h.Write(s.Digests[0][:])
	h.Write(s.Digests[1][:])
	return AuditHash(h.Sum(nil))
}

func subjectDigest(salts AuditSalts, e *AuditEntry) [sha256.Size]byte {
	return digest(salts[:16], e.TargetName, e.Before, e.After, e.Reason)
}

func originDigest(salts AuditSalts, e *AuditEntry) [sha256.Size]byte {
	return digest(salts[16:], e.IP, e.UserAgent, e.RequestID)
}

// digest hashes texts with their lengths, so that nothing can move from one to the next.
func digest(salt []byte, texts ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(salt)
	var length [8]byte
	for _, text := range texts {
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// AuditBreak is where a chain is broken, and how.
type AuditBreak struct {
	// ID is of the first line that is not as it was; 0: the end is missing.
	ID     int64
	Reason string
}

func (b *AuditBreak) Error() string {
	if b.ID == 0 {
		return "the audit is broken: " + b.Reason
	}
	return fmt.Sprintf("the audit is broken at line %d: %s", b.ID, b.Reason)
}

// AuditVerifier looks through a chain. Give it every line, oldest first, and then the head. The zero value is
// at the beginning.
type AuditVerifier struct {
	Entries int64
	Erased  int64 // lines of which something was erased
	hash    AuditHash
	last    int64

	// missing are erased persons of whom no line says yet that they were, with the first line about them.
	missing map[UserID]int64
	erased  map[UserID]bool
}

// Head is where the verifier has come.
func (v *AuditVerifier) Head() AuditHead { return AuditHead{Entries: v.Entries, Hash: v.hash} }

// Line looks at the next line.
func (v *AuditVerifier) Line(one *SealedAudit) error {
	e, s := &one.AuditEntry, &one.Seal
	broken := func(reason string) error { return &AuditBreak{ID: e.ID, Reason: reason} }
	if e.ID <= v.last {
		return broken("its number is not above that of the line before")
	}
	if s.Hash == (AuditHash{}) {
		return broken("it has no seal: it was not written by this program")
	}
	want := s.hash(v.hash, e)
	if subtle.ConstantTimeCompare(want[:], s.Hash[:]) != 1 {
		return broken("it does not follow the line before: it was changed, or a line before it was removed, added or moved")
	}
	subject, origin := !zero(s.Salts[:16]), !zero(s.Salts[16:])
	if subject && subjectDigest(s.Salts, e) != s.Digests[0] {
		return broken("what it says about its target was changed")
	}
	if origin && originDigest(s.Salts, e) != s.Digests[1] {
		return broken("where it says it came from was changed")
	}
	if !subject && (e.TargetName != ErasedName(e.Target) || e.Before+e.After+e.Reason != "") {
		return broken("it was erased and says something all the same")
	}
	if !origin && e.IP+e.UserAgent+e.RequestID != "" {
		return broken("its origin was erased and says something all the same")
	}
	if !subject {
		v.needErasure(e.Target, e.ID)
	}
	if !origin {
		v.needErasure(e.Actor, e.ID)
	}
	if !subject || !origin {
		v.Erased++
	}
	if e.Action == ActionErase {
		if v.erased == nil {
			v.erased = map[UserID]bool{}
		}
		v.erased[e.Target] = true
		delete(v.missing, e.Target)
	}
	v.Entries, v.hash, v.last = v.Entries+1, s.Hash, e.ID
	return nil
}

func (v *AuditVerifier) needErasure(user UserID, line int64) {
	if v.erased[user] {
		return
	}
	if v.missing == nil {
		v.missing = map[UserID]int64{}
	}
	if _, known := v.missing[user]; !known {
		v.missing[user] = line
	}
}

// End looks at the end of the chain.
func (v *AuditVerifier) End(head AuditHead) error {
	first := int64(0)
	for _, line := range v.missing {
		if first == 0 || line < first {
			first = line
		}
	}
	switch {
	case first != 0:
		return &AuditBreak{ID: first, Reason: "it was erased, and no later line says that the person was"}
	case head.Entries != v.Entries:
		return &AuditBreak{Reason: fmt.Sprintf("there are %d lines and there were %d: the newest were removed", v.Entries, head.Entries)}
	case head.Hash != v.hash:
		return &AuditBreak{Reason: "the last line is not the one that was written last"}
	}
	return nil
}

func zero(b []byte) bool {
	for _, one := range b {
		if one != 0 {
			return false
		}
	}
	return true
}

// VerifyAudit looks through a store's whole chain, lines that come meanwhile included. A broken chain is an
// *AuditBreak. Each good line is shown to those who want to see it.
func VerifyAudit(ctx context.Context, chain AuditChain, see ...func(*SealedAudit)) (v AuditVerifier, err error) {
	const some = 1000
	for {
		lines, err := chain.AuditSealed(ctx, v.last, some)
		if err != nil {
			return v, err
		}
		for i := range lines {
			if err := v.Line(&lines[i]); err != nil {
				return v, err
			}
			for _, look := range see {
				look(&lines[i])
			}
		}
		if len(lines) > 0 {
			continue
		}
		head, err := chain.AuditHead(ctx)
		if err != nil {
			return v, err
		}
		if head.Entries > v.Entries { // written since, or removed
			if lines, err = chain.AuditSealed(ctx, v.last, 1); err != nil {
				return v, err
			}
			if len(lines) > 0 {
				continue
			}
		}
		return v, v.End(head)
	}
}
