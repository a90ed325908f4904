package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/offchat/presence"
)

// There is no default password. While there is no admin who may sign in, whoever started the server is
// given a token that makes one, once.

// setupLife is how long a set-up token is good that all nodes must know.
const setupLife = 24 * time.Hour

// BeginSetup returns a new set-up token, and whether one is needed; the one before it is void. Only its hash
// is kept, in memory. Where several nodes share the store, whichever of them is asked must know it: there it is
// sealed, and good for a day or until there is an admin.
func (s *Service) BeginSetup(ctx context.Context) (token string, needed bool, err error) {
	has, err := s.store.HasAdmin(ctx)
	if err != nil || has {
		return "", false, presence.E(presence.Internal, "begin set-up", err)
	}
	if s.neighbours.store != nil {
		return s.Sealer("set-up").Seal(nil, setupLife), true, nil
	}
	var raw [32]byte
	if err := s.random(raw[:]); err != nil {
		return "", false, err
	}
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(token))
	s.setupMu.Lock()
	defer s.setupMu.Unlock()
	s.setup = &sum
	return token, true, nil
}

// CompleteSetup makes the first admin and signs it in. It works once, and only while no admin exists.
// Errors: Forbidden CodeSetupToken; Conflict CodeSetupDone; those of Register.
func (s *Service) CompleteSetup(ctx context.Context, token string, n NewAccount, from presence.Origin) (presence.Account, Tokens, error) {
	if !s.setupFits(token) {
		return presence.Account{}, Tokens{}, &presence.Error{
			Kind: presence.Forbidden, Op: "set up", Code: CodeSetupToken, Tell: "This set-up link is not valid (any more)",
		}
	}
	n.Role, n.Status = presence.RoleAdmin, presence.AccountActive
	a, err := n.account(s.now(), 1)
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	a.EmailVerified = true
	if a.PasswordHash, err = s.passwords.hash(ctx, n.Password); err != nil {
		return presence.Account{}, Tokens{}, err
	}
	made, tokens, err := s.begin(ctx, a, from, func(tx presence.Tx, a *presence.Account) error {
		others, err := tx.AdminsBesides(a.ID) // of several at once, the acts let one through
		if err != nil {
			return err
		}
		if others > 0 {
			return &presence.Error{Kind: presence.Conflict, Op: "set up", Code: CodeSetupDone, Tell: "There is an admin already"}
		}
		return tx.AppendAudit(created(0, a, from))
	})
	if err == nil || isKind(err, presence.Conflict) && codeOf(err) == CodeSetupDone {
		s.closeSetup()
	}
	return made, tokens, err
}

func (s *Service) setupFits(token string) bool {
	if s.neighbours.store != nil {
		_, ok := s.Sealer("set-up").Open(token)
		return ok
	}
	sum := sha256.Sum256([]byte(token))
	s.setupMu.Lock()
	defer s.setupMu.Unlock()
	return s.setup != nil && subtle.ConstantTimeCompare(s.setup[:], sum[:]) == 1
}

func (s *Service) closeSetup() {
	s.setupMu.Lock()
	defer s.setupMu.Unlock()
	s.setup = nil
}
