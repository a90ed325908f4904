package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
)

// Issuer is somebody else whose tokens (RFC 7519) are good here. Make sense of it with NewIssuers' checks: package
// config says the same things to people.
type Issuer struct {
	Name string
	// Issuer is what iss must be; empty: not looked at.
	Issuer string
	// Audience are the values of which aud must have one; none: not looked at.
	Audience []string
	// Algorithms are those that are taken: HS256 with Secret, or RS256, RS384, RS512, PS256, ES256, ES384, EdDSA with JWKS.
	Algorithms []string
	Secret     []byte
	// JWKS is the address of the public keys.
	JWKS string
	// User is the path of the claim that names the user, with dots between; By says how: id, username or email.
	User, By string
	// Roles is the path of the claim with the roles, of which Admins are admins here; empty: roles are ours alone.
	Roles  string
	Admins []string
	// Provision makes accounts for users who are not known, by the claims Username and Email.
	Provision       bool
	Username, Email string
	// Skew is how far clocks may be apart.
	Skew time.Duration
}

// algorithms are those there are; "none" is not among them. The value says whether a secret is needed.
var algorithms = map[string]bool{
	"HS256": true, "RS256": false, "RS384": false, "RS512": false, "PS256": false, "ES256": false, "ES384": false, "EdDSA": false,
}

// issuer is an Issuer at work.
type issuer struct {
	Issuer
	keys *keySet // nil with a Secret
}

// issuers are those whose tokens are good here, and what is remembered of them.
type issuers struct {
	list []*issuer

	mu    sync.Mutex // guards the following field
	known map[issuedKey]issuedUser
}

// issuedKey is whom a token is about, as its issuer says it.
type issuedKey struct{ issuer, subject, login string }

// issuedUser is who that is here. It is looked up again after issuedFor.
type issuedUser struct {
	user    presence.UserID
	session presence.SessionID
	until   time.Time
}

const (
	issuedFor = time.Minute
	maxIssued = 1 << 16
)

// newIssuers refuses what could not be safe.
func newIssuers(list []Issuer, fetch func(context.Context, string) ([]byte, error), now func() time.Time) (*issuers, error) {
	out := &issuers{known: map[issuedKey]issuedUser{}}
	for _, one := range list {
		if len(one.Algorithms) == 0 || (len(one.Secret) > 0) == (one.JWKS != "") {
			return nil, fmt.Errorf("auth: issuer %s needs algorithms, and a secret or a key set", one.Name)
		}
		for _, alg := range one.Algorithms {
			if secret, ok := algorithms[alg]; !ok || secret != (len(one.Secret) > 0) {
				return nil, fmt.Errorf("auth: issuer %s: algorithm %s does not go with its keys", one.Name, alg)
			}
		}
		made := &issuer{Issuer: one}
		if one.JWKS != "" {
			if fetch == nil {
				return nil, errors.New("auth: Config.FetchKeys is missing")
			}
			made.keys = &keySet{url: one.JWKS, fetch: fetch, now: now}
		}
		out.list = append(out.list, made)
	}
	return out, nil
}

// issued is what a good token of an issuer says.
type issued struct {
	by       *issuer
	subject  string // whatever names the user
	login    string // sid, where the issuer tells logins apart
	exp, iat time.Time
	roles    []string
	said     jwt.MapClaims
}

// TokenFault is why a token is not good.
type TokenFault struct {
	// Reason for programs: malformed, issuer, alg, kid, keys, signature, exp, nbf, iat, aud, claim.
	Reason string
	// Detail for people, without anything of the token that could be a secret.
	Detail string
	// later: the keys could not be asked for, so another try may do.
	later bool
}

func (f *TokenFault) err() error {
	if f.later {
		return unavailable("check token", errors.New(f.Detail))
	}
	return tokenInvalid()
}

// TokenHead is what a token says about itself before anybody has looked whether it is true.
type TokenHead struct {
	Algorithm, KeyID, Issuer, Subject string
	Expires                           time.Time
}

// headOf reads a token without believing it.
func headOf(token string) (TokenHead, jwt.MapClaims, bool) {
	said := jwt.MapClaims{}
	if len(token) > MaxToken || !compactForm(token) {
		return TokenHead{}, nil, false
	}
	parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithJSONNumber())
	parsed, parts, err := parser.ParseUnverified(token, said)
	if err != nil {
		if parsed == nil || parsed.Header == nil || len(said) == 0 { // an unknown alg is an error too
			return TokenHead{}, nil, false
		}
	}
	if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil || !json.Valid(payload) {
		return TokenHead{}, nil, false
	}
	var head TokenHead
	head.Algorithm, _ = parsed.Header["alg"].(string)
	head.KeyID, _ = parsed.Header["kid"].(string)
	head.Issuer, _ = said["iss"].(string)
	head.Subject, _ = said["sub"].(string)
	if exp, err := said.GetExpirationTime(); err == nil && exp != nil {
		head.Expires = exp.UTC()
	}
	if _, critical := parsed.Header["crit"]; critical { // RFC 7515: what is critical and not understood is refused
		return head, nil, false
	}
	return head, said, true
}

// verify finds the issuer of a token and checks everything that the token says.
func (i *issuers) verify(ctx context.Context, token string, now time.Time) (issued, *TokenFault) {
	head, _, ok := headOf(token)
	if !ok {
		return issued{}, &TokenFault{Reason: "malformed", Detail: "This is no JWT in compact form with a JSON object inside."}
	}
	var worst *TokenFault
	for _, one := range i.list {
		if one.Issuer.Issuer != "" && one.Issuer.Issuer != head.Issuer {
			continue
		}
		t, fault := one.verify(ctx, token, head, now)
		if fault == nil {
			return t, nil
		}
		if worst == nil || fault.later || worst.Reason == "alg" {
			worst = fault
		}
	}
	if worst == nil {
		worst = &TokenFault{Reason: "issuer", Detail: fmt.Sprintf("No issuer is configured for iss %q.", head.Issuer)}
	}
	return issued{}, worst
}

// verify checks a token against one issuer. The algorithm is pinned by the configuration and never chosen by the token.
func (i *issuer) verify(ctx context.Context, token string, head TokenHead, now time.Time) (issued, *TokenFault) {
	if !slices.Contains(i.Algorithms, head.Algorithm) {
		return issued{}, &TokenFault{Reason: "alg", Detail: fmt.Sprintf("The token says alg %q; issuer %s takes %s.", head.Algorithm, i.Name, strings.Join(i.Algorithms, ", "))}
	}
	key := any(i.Secret)
	if i.keys != nil {
		var err error
		switch key, err = i.keys.find(ctx, head.KeyID, head.Algorithm); {
		case errors.Is(err, errNoKey):
			return issued{}, &TokenFault{Reason: "kid", Detail: fmt.Sprintf("The key set of issuer %s has no key %q for %s.", i.Name, head.KeyID, head.Algorithm)}
		case err != nil:
			return issued{}, &TokenFault{Reason: "keys", Detail: fmt.Sprintf("The key set of issuer %s cannot be had now.", i.Name), later: true}
		}
	}
	said := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods(i.Algorithms), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(i.Skew), jwt.WithTimeFunc(func() time.Time { return now }))
	if _, err := parser.ParseWithClaims(token, said, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return issued{}, faultOf(err, i)
	}
	return i.read(said)
}

// faultOf says which check of the library failed.
func faultOf(err error, i *issuer) *TokenFault {
	for _, one := range []struct {
		is             error
		reason, detail string
	}{
		{jwt.ErrTokenSignatureInvalid, "signature", "The signature is not one of issuer " + i.Name + "."},
		{jwt.ErrTokenUnverifiable, "signature", "The key is not one for this algorithm."},
		{jwt.ErrTokenExpired, "exp", "The token has expired (exp)."},
		{jwt.ErrTokenNotValidYet, "nbf", "The token is not good yet (nbf)."},
		{jwt.ErrTokenUsedBeforeIssued, "iat", "The token was issued in the future (iat): the clocks differ."},
		{jwt.ErrTokenRequiredClaimMissing, "exp", "The token has no exp."},
		{jwt.ErrTokenInvalidClaims, "claim", "A time in the token (exp, nbf, iat) is no number."},
	} {
		if errors.Is(err, one.is) {
			return &TokenFault{Reason: one.reason, Detail: one.detail}
		}
	}
	return &TokenFault{Reason: "malformed", Detail: "This is no JWT that can be read."}
}

// read takes from the claims what we need.
func (i *issuer) read(said jwt.MapClaims) (issued, *TokenFault) {
	t := issued{by: i, said: said}
	exp, err1 := said.GetExpirationTime()
	iat, err2 := said.GetIssuedAt()
	if err1 != nil || err2 != nil || iat == nil || exp == nil {
		return t, &TokenFault{Reason: "iat", Detail: "The token has no iat, by which tokens of before a logout are refused."}
	}
	t.exp, t.iat = exp.UTC(), iat.UTC()
	if len(i.Audience) > 0 {
		aud, err := said.GetAudience()
		if err != nil || !slices.ContainsFunc(i.Audience, func(one string) bool { return slices.Contains(aud, one) }) {
			return t, &TokenFault{Reason: "aud", Detail: "aud has none of " + strings.Join(i.Audience, ", ") + "."}
		}
	}
	t.subject = textOf(at(said, i.User))
	if t.subject == "" || len(t.subject) > 255 {
		return t, &TokenFault{Reason: "claim", Detail: fmt.Sprintf("The claim %s, which names the user, is missing or no text or number.", i.User)}
	}
	// OpenID Connect Core 5.1: an address that the issuer has not verified is anybody's who typed it in.
	if verified, told := said["email_verified"]; told && i.By == "email" && verified != true && verified != "true" {
		return t, &TokenFault{Reason: "claim", Detail: "The issuer says that it has not verified the e-mail (email_verified), which names the user."}
	}
	if t.login = textOf(said["sid"]); len(t.login) > 255 {
		t.login = t.login[:255]
	}
	if i.Roles != "" {
		t.roles = wordsOf(at(said, i.Roles))
	}
	return t, nil
}

// at follows a path through objects. A claim whose whole name has dots in it (https://…) is found, too.
func at(said map[string]any, path string) any {
	if v, ok := said[path]; ok {
		return v
	}
	first, rest, deeper := strings.Cut(path, ".")
	inner, ok := said[first].(map[string]any)
	if !deeper || !ok {
		return nil
	}
	return at(inner, rest)
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func wordsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		words := make([]string, 0, len(v))
		for _, one := range v {
			words = append(words, textOf(one))
		}
		return words
	}
	return nil
}

// admin reports whether the issuer says that this is an admin; ours says that where the issuer is not asked.
func (t *issued) admin() (is, asked bool) {
	if t.by.Roles == "" {
		return false, false
	}
	return slices.ContainsFunc(t.roles, func(role string) bool { return slices.Contains(t.by.Admins, role) }), true
}

// authenticateIssued checks a token of another issuer. The person gets one session for each login that the issuer tells
// apart (sid), or one in all.
func (s *Service) authenticateIssued(ctx context.Context, token string, now time.Time) (Identity, error) {
	t, fault := s.issuers.verify(ctx, token, now)
	if fault != nil {
		return Identity{}, fault.err()
	}
	key := issuedKey{t.by.Name, t.subject, t.login}
	known := s.issuers.recall(key, now)
	if known.user == 0 {
		var err error
		if known.user, err = s.issuedUser(ctx, &t, now); err != nil {
			return Identity{}, err
		}
	}
	session, v, err := s.issuedSession(ctx, &t, known, now)
	if err != nil {
		return Identity{}, err
	}
	s.issuers.remember(key, issuedUser{known.user, session, now.Add(issuedFor)}, now)
	if is, asked := t.admin(); asked && is != v.admin {
		if v, err = s.issuedRole(ctx, &t, known.user, is, now); err != nil {
			return Identity{}, err
		}
	}
	return Identity{User: known.user, Session: session, Expires: t.exp, account: v}, nil
}

func (i *issuers) recall(key issuedKey, now time.Time) issuedUser {
	i.mu.Lock()
	defer i.mu.Unlock()
	if one := i.known[key]; now.Before(one.until) {
		return one
	}
	return issuedUser{}
}

func (i *issuers) remember(key issuedKey, one issuedUser, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if old, ok := i.known[key]; ok && now.Before(old.until) && old.session == one.session {
		return // its time counts from when it was looked up
	}
	if len(i.known) >= maxIssued {
		i.known = map[issuedKey]issuedUser{}
	}
	i.known[key] = one
}

// issuedUser finds out who a token is about, and makes an account where that is wanted and there is none.
func (s *Service) issuedUser(ctx context.Context, t *issued, now time.Time) (presence.UserID, error) {
	var a presence.Account
	var err error
	switch t.by.By {
	case "id":
		id, bad := strconv.ParseInt(t.subject, 10, 64)
		if bad != nil || id <= 0 {
			return 0, tokenInvalid()
		}
		a, err = s.store.Account(ctx, presence.UserID(id))
	case "email":
		reader, ok := s.store.(presence.EmailReader)
		if !ok {
			return 0, presence.E(presence.Internal, "find account", errors.New("the store finds nobody by e-mail"))
		}
		a, err = reader.AccountByEmail(ctx, foldDomain(t.subject))
	default:
		a, err = s.store.AccountByName(ctx, t.subject)
	}
	if isKind(err, presence.NotFound) && t.by.Provision {
		return s.provision(ctx, t, now)
	}
	if isKind(err, presence.NotFound) {
		return 0, goneView.refusal()
	}
	return a.ID, presence.E(presence.Internal, "find account of a token", err)
}

// provision makes an account for somebody whom an issuer vouches for. No password works for it.
func (s *Service) provision(ctx context.Context, t *issued, now time.Time) (presence.UserID, error) {
	n := NewAccount{Username: textOf(at(t.said, t.by.Username)), Email: textOf(at(t.said, t.by.Email))}
	if t.by.By == "email" {
		n.Email = t.subject
	} else {
		n.Username = t.subject
	}
	if n.Username == "" {
		n.Username = n.Email
	}
	var random [24]byte
	if err := s.random(random[:]); err != nil {
		return 0, err
	}
	n.Password = base64.RawURLEncoding.EncodeToString(random[:]) // nobody is told it, and it is not kept
	a, err := n.account(now, 1)
	if err != nil {
		return 0, &presence.Error{Kind: presence.Unauthenticated, Op: "provision", Code: CodeUserNotFound, Tell: "User not found", Err: err}
	}
	a.PasswordHash = "!" + n.Password[:8]
	err = s.commit(ctx, "provision account", func(tx presence.Tx) error {
		if err := tx.InsertAccount(&a); err != nil {
			return taken(err)
		}
		entry := created(0, &a, presence.Origin{})
		entry.Action, entry.Reason = "provision", "issuer "+t.by.Name
		return tx.AppendAudit(entry)
	}, func(ctx context.Context) { s.admit(ctx, a) })
	if isKind(err, presence.Conflict) { // another request of theirs was first, or the other name is somebody else's
		found, again := s.store.AccountByName(ctx, a.Username)
		if again == nil && (t.by.By != "email" || found.Email == a.Email) {
			return found.ID, nil
		}
		return 0, goneView.refusal()
	}
	return a.ID, err
}

// issuedSession finds the session of a token, and opens it where there is none. It is named after the moment up to
// which all foreign tokens of the account were refused: after a logout there is another one.
func (s *Service) issuedSession(ctx context.Context, t *issued, known issuedUser, now time.Time) (presence.SessionID, *view, error) {
	_, v := s.cache.get(known.user, known.session, now)
	for range findRounds {
		var err error
		if v == nil {
			if v, err = s.readAccount(ctx, known.user); err != nil {
				return 0, nil, presence.E(presence.Internal, "find session", err)
			}
		}
		if err := v.refusal(); err != nil {
			return 0, v, err
		}
		if t.iat.UnixMicro() <= v.tokensAfter { // issued before the logout, as far as that can be told
			return 0, v, tokenInvalid()
		}
		id := issuedSessionID(known.user, t, v.tokensAfter)
		one, now2, err := s.find(ctx, known.user, id, now)
		switch {
		case err != nil:
			return 0, nil, err
		case now2.tokensAfter != v.tokensAfter:
			v = now2
			continue
		case one != nil && one.ended.Load():
			return 0, now2, tokenInvalid()
		case one != nil && now.Add(s.refresh/2).UnixMicro() < one.expires.Load():
			return id, now2, now2.refusal()
		}
		if err := s.openIssued(ctx, id, t, known.user, now); err != nil {
			return 0, nil, err
		}
		v = nil
	}
	return 0, nil, unavailable("find session", errors.New("it changes faster than it can be read"))
}

// openIssued opens a session of a foreign login, or lets it live on.
func (s *Service) openIssued(ctx context.Context, id presence.SessionID, t *issued, user presence.UserID, now time.Time) error {
	row := presence.LoginSession{
		ID: id, User: user, CreatedAt: stamp(now), ExpiresAt: stamp(now.Add(max(s.refresh, t.exp.Sub(now)))), Foreign: true, UserAgent: "issuer " + t.by.Name,
	}
	return s.commit(ctx, "admit token of issuer", func(tx presence.Tx) error {
		a, err := tx.Account(user)
		if isKind(err, presence.NotFound) {
			return goneView.refusal()
		}
		if err != nil {
			return err
		}
		if err := viewOf(&a).refusal(); err != nil {
			return err
		}
		if !t.iat.After(a.TokensAfter) {
			return tokenInvalid()
		}
		known, err := tx.Session(id)
		switch {
		case isKind(err, presence.NotFound):
			return tx.InsertSession(row)
		case err != nil:
			return err
		case known.User != user || !known.EndedAt.IsZero():
			return tokenInvalid()
		}
		return tx.ExtendSession(id, row.ExpiresAt)
	}, func(context.Context) { s.cache.extend(user, id, row.ExpiresAt) })
}

func issuedSessionID(user presence.UserID, t *issued, after int64) presence.SessionID {
	text := binary.BigEndian.AppendUint64([]byte("issued "), uint64(user))
	text = binary.BigEndian.AppendUint64(text, uint64(after))
	text = append(append(text, t.by.Name...), 0)
	sum := sha256.Sum256(append(text, t.login...))
	id := presence.SessionID(binary.BigEndian.Uint64(sum[:8]) >> 1)
	for i := 8; !id.Drawable(); i += 8 { // one in 2^55 is reserved
		id = presence.SessionID(binary.BigEndian.Uint64(sum[i:i+8]) >> 1)
	}
	return id
}

// issuedRole makes the account what its issuer says. The last admin stays one.
func (s *Service) issuedRole(ctx context.Context, t *issued, user presence.UserID, admin bool, now time.Time) (*view, error) {
	var after presence.Account
	err := s.commit(ctx, "take over role", func(tx presence.Tx) error {
		a, err := standing(tx, user, "take over role")
		if err != nil {
			return err
		}
		if after = a; a.IsAdmin() == admin {
			return nil
		}
		if !admin {
			if others, err := tx.AdminsBesides(user); err != nil || others == 0 {
				return err
			}
		}
		before := a
		a.Role, a.Staff, a.UpdatedAt = presence.RoleUser, false, stamp(now)
		if admin {
			a.Role = presence.RoleAdmin
		}
		after = a
		was, is, _ := difference(&before, &a)
		if err := tx.UpdateAccount(&a); err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Action: "set_role", Target: user, TargetName: a.Username, Before: was, After: is, Reason: "issuer " + t.by.Name, At: stamp(now),
		})
	}, func(context.Context) {
		s.cache.changed(user)
		s.tellEnded(user, presence.EverySession)
		s.tellAccount(user)
	})
	return viewOf(&after), err
}

// TokenVerdict is what CheckToken finds out about a token.
type TokenVerdict struct {
	TokenHead
	// Accepted: a request with this token is let in, as User, by Issuer ("presence" for our own).
	Accepted bool
	Issuer   string
	User     presence.UserID
	// Fault is why not.
	Fault TokenFault
}

// CheckToken says whether a token is good and, if not, exactly why: for an admin who sets an issuer up. It opens no
// session, makes no account and keeps nothing of the token.
func (s *Service) CheckToken(ctx context.Context, token string, now time.Time) TokenVerdict {
	verdict := TokenVerdict{}
	head, _, ok := headOf(token)
	verdict.TokenHead = head
	if c, err := s.keys.read(token, now); err == nil {
		verdict.Issuer, verdict.User = "presence", c.user
		switch {
		case c.kind != accessToken:
			verdict.Fault = TokenFault{Reason: "type", Detail: "This is a refresh token of ours; requests carry access tokens."}
		default:
			verdict.judge(s.Verify(ctx, token))
		}
		return verdict
	}
	if !ok {
		verdict.Fault = TokenFault{Reason: "malformed", Detail: "This is no JWT in compact form with a JSON object inside."}
		return verdict
	}
	t, fault := s.issuers.verify(ctx, token, now)
	if fault != nil {
		verdict.Fault = *fault
		return verdict
	}
	verdict.Issuer = t.by.Name
	look := t
	dry := *t.by
	dry.Provision = false
	look.by = &dry
	user, err := s.issuedUser(ctx, &look, now)
	if codeOf(err) == CodeUserNotFound && t.by.Provision {
		verdict.Accepted = true // an account will be made
		return verdict
	}
	if err == nil {
		verdict.User = user
		var v *view
		if v, err = s.readAccount(ctx, user); err == nil {
			if err = v.refusal(); err == nil && t.iat.UnixMicro() <= v.tokensAfter {
				verdict.Fault = TokenFault{Reason: "logged_out", Detail: "The user was logged out after the token was issued (iat)."}
				return verdict
			}
		}
	}
	verdict.judge(err)
	return verdict
}

// judge puts the account's and the session's word into the verdict.
func (v *TokenVerdict) judge(err error) {
	switch code := codeOf(err); {
	case err == nil:
		v.Accepted = true
	case code == CodeUserNotFound:
		v.Fault = TokenFault{Reason: "user", Detail: "The user of the token is not known here, and the issuer may not make accounts (provision)."}
	case code == CodeUserInactive, code == CodeAccountInactive:
		v.Fault = TokenFault{Reason: "account", Detail: "The account of the token is pending, suspended, banned or closed."}
	case code == CodeTokenInvalid:
		v.Fault = TokenFault{Reason: "session", Detail: "The session of the token is over."}
	default:
		v.Fault = TokenFault{Reason: "unavailable", Detail: "It cannot be told now; try again."}
	}
}
