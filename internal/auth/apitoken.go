package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// Tokens of backends. A token is 43 random characters between a prefix, by which scanners find leaked ones, and a
// checksum, by which a mistyped one is told from a revoked one without asking anybody. The good ones are all in memory, by hash:
// a check is one SHA-256 block and one look into a map that is never written to, only replaced.

const (
	// APITokenPrefix begins every token of a backend: "OffChat Presence token".
	APITokenPrefix = "opt_"
	// secretDigits of 62 are 256 bits.
	secretDigits   = 43
	checksumDigits = 6
	apiTokenLength = len(APITokenPrefix) + secretDigits + checksumDigits // 53: one block of SHA-256
	hintLength     = len(APITokenPrefix) + 6

	digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	// keptAfterEnd is for how long a revoked or expired token stays in the list.
	keptAfterEnd = 90 * 24 * time.Hour
	// maxTokenLife bounds the expiry of a token that has one.
	maxTokenLife = 3650 * 24 * time.Hour
	// askAgain is how often a well-formed token that nobody knows may make us look into the store: another node may
	// have made it.
	askAgain = time.Second
	// rereadEvery is how often the list is read again, for what other nodes have revoked.
	rereadEvery = 5 * time.Second
	// usesEvery is how often last uses are written down.
	usesEvery = time.Minute
)

// CodeScope is the code of the Forbidden error about a token that lacks a scope.
const CodeScope = "scope"

// neverExpires stands for the expiry of a token that has none, where one is asked for.
var neverExpires = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// backend is a token that works, or did until a moment ago.
type backend struct {
	// Static after construction.
	token   presence.APIToken
	expires int64 // Unix microseconds; the largest number for never

	revoked atomic.Bool  // never false again
	used    atomic.Int64 // Unix microseconds
	written atomic.Int64 // the value of used that was stored last
}

// backends are the tokens that work.
type backends struct {
	good  atomic.Pointer[map[[32]byte]*backend]
	asked atomic.Int64 // when a stranger made us look last, Unix nanoseconds

	reading sync.Mutex // held from before the store is read until good is replaced
}

// IsAPIToken reports whether a bearer token is one of a backend, by its prefix.
func IsAPIToken(token string) bool { return strings.HasPrefix(token, APITokenPrefix) }

// AuthenticateAPI checks the token of a backend at the moment now. The usual case allocates nothing, waits for nobody
// and touches no disk. The error is Unauthenticated.
func (s *Service) AuthenticateAPI(ctx context.Context, token string, now time.Time) (Identity, error) {
	if len(token) != apiTokenLength || !IsAPIToken(token) {
		return Identity{}, s.refuseAPI("This is not an API token.")
	}
	var text [apiTokenLength]byte
	copy(text[:], token)
	hash := sha256.Sum256(text[:])
	b := s.backend(hash)
	if b == nil {
		if body, sum := token[:apiTokenLength-checksumDigits], token[apiTokenLength-checksumDigits:]; checksum(body) != sum {
			return Identity{}, s.refuseAPI("This is not an API token: a character is wrong or missing.")
		}
		if b = s.lookAgain(ctx, hash, now); b == nil {
			return Identity{}, s.refuseAPI("This API token is not known, or was revoked.")
		}
	}
	at := now.UnixMicro()
	switch {
	case b.revoked.Load():
		return Identity{}, s.refuseAPI("This API token is not known, or was revoked.")
	case at >= b.expires:
		return Identity{}, s.refuseAPI("This API token has expired.")
	}
	if at-b.used.Load() >= int64(time.Second/time.Microsecond) { // a busy token's entry is not written at every call
		b.used.Store(at)
	}
	id := Identity{User: b.token.ID.Actor(), Expires: neverExpires, backend: b}
	if !b.token.ExpiresAt.IsZero() {
		id.Expires = b.token.ExpiresAt
	}
	return id, nil
}

func (s *Service) refuseAPI(tell string) error {
	s.count.TokensRefused.Add(1)
	return &presence.Error{Kind: presence.Unauthenticated, Op: "check API token", Code: CodeTokenInvalid, Tell: tell}
}

func (s *Service) backend(hash [32]byte) *backend {
	if good := s.backends.good.Load(); good != nil {
		return (*good)[hash]
	}
	return nil
}

// lookAgain reads the list again for a token that is not on it, at most once a second whoever asks.
func (s *Service) lookAgain(ctx context.Context, hash [32]byte, now time.Time) *backend {
	last := s.backends.asked.Load()
	if now.UnixNano()-last < int64(askAgain) || !s.backends.asked.CompareAndSwap(last, now.UnixNano()) {
		return nil
	}
	if err := s.LoadAPITokens(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "API tokens could not be read again", slog.Any("err", err))
	}
	return s.backend(hash)
}

// LoadAPITokens reads the tokens of backends from the store. Until the first call none works. A store that is no
// presence.APITokenStore has none. Connections of tokens that are gone are told so (OnSessionEnd).
func (s *Service) LoadAPITokens(ctx context.Context) error {
	store, ok := s.store.(presence.APITokenStore)
	if !ok {
		return nil
	}
	gone, err := s.readAPITokens(ctx, store)
	for _, b := range gone {
		s.tellEnded(b.token.ID.Actor(), presence.EverySession)
	}
	return err
}

// readAPITokens replaces the map, and returns those that are not in it any more. Readings come one after another: who
// revokes reads once more after the act, so the last map that is put in place has it.
func (s *Service) readAPITokens(ctx context.Context, store presence.APITokenStore) (gone []*backend, err error) {
	s.backends.reading.Lock()
	defer s.backends.reading.Unlock()
	rows, err := store.APITokens(ctx)
	if err != nil {
		return nil, presence.E(presence.Internal, "read API tokens", err)
	}
	before := s.goodAPITokens()
	good := make(map[[32]byte]*backend, len(rows))
	for i := range rows {
		if row := &rows[i]; row.RevokedAt.IsZero() {
			b := before[row.ID]
			if b == nil {
				b = newBackend(row)
			}
			delete(before, row.ID)
			if !b.revoked.Load() {
				good[row.Hash] = b
			}
		}
	}
	s.backends.good.Store(&good)
	for _, b := range before {
		b.revoked.Store(true)
		gone = append(gone, b)
	}
	return gone, nil
}

func newBackend(row *presence.APIToken) *backend {
	b := &backend{token: *row, expires: 1<<63 - 1}
	if !row.ExpiresAt.IsZero() {
		b.expires = row.ExpiresAt.UnixMicro()
	}
	if !row.LastUsedAt.IsZero() {
		b.used.Store(row.LastUsedAt.UnixMicro())
		b.written.Store(row.LastUsedAt.UnixMicro())
	}
	return b
}

func (s *Service) goodAPITokens() map[presence.APITokenID]*backend {
	byID := map[presence.APITokenID]*backend{}
	if good := s.backends.good.Load(); good != nil {
		for _, b := range *good {
			byID[b.token.ID] = b
		}
	}
	return byID
}

// runAPITokens follows what other nodes do with tokens and writes down when ours were used, until ctx ends.
func (s *Service) runAPITokens(ctx context.Context) error {
	store, ok := s.store.(presence.APITokenStore)
	if !ok {
		<-ctx.Done()
		return ctx.Err()
	}
	reread, uses := time.NewTicker(rereadEvery), time.NewTicker(usesEvery)
	defer reread.Stop()
	defer uses.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
			defer cancel()
			s.recordUses(last, store)
			return ctx.Err()
		case <-uses.C:
			s.recordUses(ctx, store)
		case <-reread.C:
			if err := s.LoadAPITokens(ctx); err != nil && ctx.Err() == nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "API tokens could not be read again", slog.Any("err", err))
			}
		}
	}
}

// recordUses stores the last uses that are news.
func (s *Service) recordUses(ctx context.Context, store presence.APITokenStore) {
	var uses []presence.APITokenUse
	used := map[*backend]int64{}
	for id, b := range s.goodAPITokens() {
		if at := b.used.Load(); at > b.written.Load() {
			used[b] = at
			uses = append(uses, presence.APITokenUse{ID: id, At: time.UnixMicro(at).UTC()})
		}
	}
	if len(uses) == 0 {
		return
	}
	if err := store.RecordAPITokenUse(ctx, uses); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "the last use of API tokens could not be stored", slog.Any("err", err))
		return
	}
	for b, at := range used {
		b.written.Store(at)
	}
}

// NewAPIToken is a token to be made.
type NewAPIToken struct {
	Name    string
	Scopes  presence.Scope
	Expires time.Time // zero: never
}

// CreateAPIToken makes a token for a backend and returns it with its secret, which is nowhere else and never to be
// had again. Errors: Invalid with Field name, scopes or expires_at; Conflict when there are too many.
func (s *Service) CreateAPIToken(ctx context.Context, actor Identity, n NewAPIToken, from presence.Origin) (presence.APIToken, string, error) {
	const op = "create API token"
	if _, ok := s.store.(presence.APITokenStore); !ok {
		return presence.APIToken{}, "", presence.E(presence.Internal, op, errors.New("the store keeps no API tokens"))
	}
	now := s.now()
	made, err := n.check(now)
	if err != nil {
		return made, "", err
	}
	secret, err := s.drawAPIToken()
	if err != nil {
		return made, "", err
	}
	made.Hash, made.Hint = sha256.Sum256([]byte(secret)), secret[:hintLength]
	made.CreatedBy, made.CreatedAt = actor.User, stamp(now)
	err = s.commit(ctx, op, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		tokens := tx.(presence.APITokenTx)
		if err := tokens.ForgetAPITokens(stamp(now.Add(-keptAfterEnd))); err != nil {
			return err
		}
		switch n, err := tokens.GoodAPITokens(now); {
		case err != nil:
			return err
		case n >= presence.MaxAPITokens:
			return &presence.Error{Kind: presence.Conflict, Op: op, Tell: "There are 1,000 API tokens already; revoke one first"}
		}
		if err := tokens.InsertAPIToken(&made); err != nil {
			return err
		}
		fields := map[string]any{"name": made.Name, "scopes": made.Scopes.Words(), "hint": made.Hint}
		if !made.ExpiresAt.IsZero() {
			fields["expires_at"] = made.ExpiresAt.Format(time.RFC3339)
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: "create_api_token", Target: made.ID.Actor(), TargetName: made.Name,
			After: object(fields), Origin: from, At: made.CreatedAt,
		})
	}, s.spreadAPITokens)
	if err != nil {
		return presence.APIToken{}, "", err
	}
	return made, secret, nil
}

func (n NewAPIToken) check(now time.Time) (presence.APIToken, error) {
	made := presence.APIToken{Name: strip(n.Name), Scopes: n.Scopes}
	bad := func(r rune) bool { return unicode.IsControl(r) || turnsText(r) }
	switch length := utf8.RuneCountInString(made.Name); {
	case length == 0:
		return made, invalid("name", CodeRequired, "a name is needed, such as that of the backend")
	case length > presence.MaxAPITokenName:
		return made, invalid("name", CodeTooLong, "a name has at most 100 characters")
	case !utf8.ValidString(made.Name) || strings.ContainsFunc(made.Name, bad):
		return made, invalid("name", CodeMalformed, "the name contains characters that cannot be used")
	case n.Scopes == 0:
		return made, invalid("scopes", CodeRequired, "at least one scope is needed: "+strings.Join(presence.ScopeNames(), ", "))
	}
	if n.Expires.IsZero() {
		return made, nil
	}
	made.ExpiresAt = stamp(n.Expires)
	if !made.ExpiresAt.After(now) {
		return made, invalid("expires_at", CodeMalformed, "this moment is past")
	}
	if made.ExpiresAt.After(now.Add(maxTokenLife)) {
		return made, invalid("expires_at", CodeMalformed, "a token that expires lives ten years at most")
	}
	return made, nil
}

// drawAPIToken makes the text of a token. Bytes that would favour some digits are drawn again.
func (s *Service) drawAPIToken() (string, error) {
	const fair = 256 / len(digits62) * len(digits62)
	text := []byte(APITokenPrefix)
	var drawn [64]byte
	for len(text) < len(APITokenPrefix)+secretDigits {
		if err := s.random(drawn[:]); err != nil {
			return "", err
		}
		for _, b := range drawn {
			if int(b) < fair && len(text) < len(APITokenPrefix)+secretDigits {
				text = append(text, digits62[int(b)%len(digits62)])
			}
		}
	}
	return string(text) + checksum(string(text)), nil
}

// checksum is the CRC-32 (IEEE) of what comes before it, in 62 digits.
func checksum(text string) string {
	var sum [checksumDigits]byte
	n := crc32.ChecksumIEEE([]byte(text))
	for i := range sum {
		sum[len(sum)-1-i] = digits62[n%uint32(len(digits62))]
		n /= uint32(len(digits62))
	}
	return string(sum[:])
}

// APITokens lists the tokens of backends by id, those that ended in the last 90 days too.
func (s *Service) APITokens(ctx context.Context) ([]presence.APIToken, error) {
	store, ok := s.store.(presence.APITokenStore)
	if !ok {
		return []presence.APIToken{}, nil
	}
	rows, err := store.APITokens(ctx)
	if err != nil {
		return nil, presence.E(presence.Internal, "list API tokens", err)
	}
	good, long := s.goodAPITokens(), s.now().Add(-keptAfterEnd)
	rows = slices.DeleteFunc(rows, func(t presence.APIToken) bool { return !t.Good(long) && !t.RevokedAt.After(long) })
	for i := range rows {
		if b := good[rows[i].ID]; b != nil { // memory is ahead of the store
			if at := time.UnixMicro(b.used.Load()).UTC(); b.used.Load() > 0 && at.After(rows[i].LastUsedAt) {
				rows[i].LastUsedAt = at
			}
		}
	}
	return rows, nil
}

// RevokeAPIToken ends a token of a backend: it is refused from the moment this returns. Revoking it again changes
// nothing. Errors: NotFound.
func (s *Service) RevokeAPIToken(ctx context.Context, actor Identity, id presence.APITokenID, from presence.Origin) error {
	const op = "revoke API token"
	if _, ok := s.store.(presence.APITokenStore); !ok {
		return &presence.Error{Kind: presence.NotFound, Op: op, Tell: "There is no such token"}
	}
	now := s.now()
	return s.commit(ctx, op, func(tx presence.Tx) error {
		if err := mayAdminister(tx, actor); err != nil {
			return err
		}
		tokens := tx.(presence.APITokenTx)
		before, err := tokens.APIToken(id)
		if err != nil || !before.RevokedAt.IsZero() {
			return err
		}
		if err := tokens.RevokeAPIToken(id, actor.User, stamp(now)); err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: actor.User, Action: "revoke_api_token", Target: id.Actor(), TargetName: before.Name,
			Before: object(map[string]any{"scopes": before.Scopes.Words(), "hint": before.Hint}), Origin: from, At: stamp(now),
		})
	}, func(ctx context.Context) {
		if b := s.goodAPITokens()[id]; b != nil {
			b.revoked.Store(true) // whatever comes of reading the list
		}
		s.spreadAPITokens(ctx)
		s.tellEnded(id.Actor(), presence.EverySession)
	})
}

// spreadAPITokens carries a durable act on tokens into memory.
func (s *Service) spreadAPITokens(ctx context.Context) {
	if err := s.LoadAPITokens(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "API tokens could not be read again", slog.Any("err", err))
	}
}

// backendMay holds the token behind an actor, as it is now, against what an act needs.
func backendMay(tx presence.Tx, actor Identity, need presence.Scope) error {
	tokens, ok := tx.(presence.APITokenTx)
	if !ok || need == 0 {
		return notAllowed()
	}
	id, _ := actor.Backend()
	t, err := tokens.APIToken(id)
	if err != nil && !isKind(err, presence.NotFound) {
		return err
	}
	if err != nil || !t.RevokedAt.IsZero() || t.Scopes&need == 0 {
		return notAllowed()
	}
	return nil
}
