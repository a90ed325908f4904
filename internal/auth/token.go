package auth

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
)

const (
	// MaxToken is the longest token that is looked at, in bytes. Ours have less than 300.
	MaxToken = 4 << 10
	// foreignLeeway is how far another issuer's clock may be ahead of ours (claims iat and nbf).
	foreignLeeway = time.Minute
	// ownLeeway is the same for tokens in our own form. Only this server's clock stamps those, so one from the
	// future means that the clock was set back: by up to a day and a bit this must not sign everybody out.
	// What guards those tokens is the list of sessions.
	ownLeeway = 25 * time.Hour
)

type tokenType uint8

const (
	accessToken tokenType = iota + 1
	refreshToken
)

func (t tokenType) String() string {
	if t == refreshToken {
		return "refresh"
	}
	return "access"
}

// claims are what a token says. One that was issued elsewhere has no session but a foreign jti.
type claims struct {
	kind    tokenType
	exp     int64 // Unix seconds
	iat     int64
	jti     [16]byte
	user    presence.UserID
	session presence.SessionID
	foreign string
}

// read checks signature and times of a token. It does not know sessions or accounts.
func (k Keys) read(token string, now time.Time) (claims, error) {
	if len(token) > MaxToken {
		return claims{}, tokenInvalid()
	}
	c, verdict := k.readOwn(token)
	leeway := ownLeeway
	switch verdict {
	case refused:
		return claims{}, tokenInvalid()
	case notOurForm:
		var err error
		if c, err = k.readAny(token, now); err != nil {
			return claims{}, err
		}
		leeway = foreignLeeway
	}
	if now.Unix() >= c.exp || c.iat > now.Add(leeway).Unix() {
		return claims{}, tokenInvalid()
	}
	return c, nil
}

// readAny reads tokens in any form but our own with the library, pinned to HS256 by us and never by the
// header: those that SimpleJWT issued with the same key, mostly.
func (k Keys) readAny(token string, now time.Time) (claims, error) {
	if !compactForm(token) {
		return claims{}, tokenInvalid()
	}
	set := jwt.VerificationKeySet{}
	for _, key := range k.all {
		set.Keys = append(set.Keys, key)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }))
	said := jwt.MapClaims{}
	parsed, err := parser.ParseWithClaims(token, said, func(*jwt.Token) (any, error) { return set, nil })
	if err != nil {
		return claims{}, tokenInvalid()
	}
	if _, critical := parsed.Header["crit"]; critical { // RFC 7515: what is critical and not understood is refused
		return claims{}, tokenInvalid()
	}
	if payload, err := parser.DecodeSegment(strings.Split(token, ".")[1]); err != nil || !json.Valid(payload) {
		return claims{}, tokenInvalid() // the library stops reading at the end of the first value
	}
	return foreignClaims(said, now)
}

// compactForm reports whether the token is three segments of base64url. The standard decoder skips line
// ends, so that a token with one would be a second spelling of the same token.
func compactForm(token string) bool {
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			dots++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return dots == 2
}

func foreignClaims(said jwt.MapClaims, now time.Time) (claims, error) {
	c, ok := claims{}, [5]bool{}
	c.exp, ok[0] = seconds(said["exp"])
	c.iat, ok[1] = seconds(said["iat"])
	c.user, ok[2] = userClaim(said["user_id"])
	c.foreign, ok[3] = said["jti"].(string)
	c.session, ok[4] = sessionClaim(said)
	if nbf, there := said["nbf"]; there {
		if at, fine := seconds(nbf); !fine || at > now.Unix() {
			return claims{}, tokenInvalid()
		}
	}
	if ok != [5]bool{true, true, true, true, true} || c.foreign == "" || len(c.foreign) > 255 {
		return claims{}, tokenInvalid()
	}
	switch said["token_type"] {
	case "access":
		c.kind = accessToken
	case "refresh":
		c.kind = refreshToken
	default:
		return claims{}, wrongType()
	}
	return c, nil
}

// seconds reads a Unix time in plain whole seconds. SimpleJWT writes nothing else, and a number that needs
// an exponent, a sign or a fraction is somebody's experiment.
func seconds(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > maxTimeDigits {
		return 0, false
	}
	t, ok := decimal(string(n))
	return t, ok && t > 0
}

// userClaim reads a user id: a number as SimpleJWT 5.3 writes it, or a string of digits as later ones do.
func userClaim(v any) (presence.UserID, bool) {
	text := ""
	switch v := v.(type) {
	case json.Number:
		text = string(v)
	case string:
		text = v
	}
	id, ok := decimal(text)
	return presence.UserID(id), ok && id > 0
}

// sessionClaim reads our own claim, which may be absent but not wrong.
func sessionClaim(said jwt.MapClaims) (presence.SessionID, bool) {
	v, there := said["sid"]
	if !there {
		return 0, true
	}
	text, _ := v.(string)
	id, ok := presence.ParseSessionID(text)
	return id, ok && id.Drawable()
}

// decimal reads a number that is written the one plain way.
func decimal(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == text
}

// issue makes a pair for a session. No token outlives the session.
func (s *Service) issue(user presence.UserID, session presence.SessionID, now, ends time.Time) (Tokens, error) {
	last := ends.Unix()
	c := claims{kind: accessToken, iat: now.Unix(), user: user, session: session}
	c.exp = min(now.Add(s.access).Unix(), last)
	access, err := s.sign(c)
	if err != nil {
		return Tokens{}, err
	}
	c.kind, c.exp = refreshToken, min(now.Add(s.refresh).Unix(), last)
	refresh, err := s.sign(c)
	return Tokens{Access: access, Refresh: refresh}, err
}

func (s *Service) sign(c claims) (string, error) {
	if err := s.random(c.jti[:]); err != nil {
		return "", err
	}
	return s.keys.sign(c), nil
}

// Tokens is a pair as handed out.
type Tokens struct {
	Access, Refresh string
}

// String keeps tokens out of logs.
func (t Tokens) String() string { return "tokens(" + strings.Repeat("*", 8) + ")" }

// GoString keeps tokens out of logs.
func (t Tokens) GoString() string { return t.String() }

func (c *claims) appendPayload(b []byte) []byte {
	b = append(b, `{"token_type":"`...)
	b = append(b, c.kind.String()...)
	b = append(b, `","exp":`...)
	b = strconv.AppendInt(b, c.exp, 10)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, c.iat, 10)
	b = append(b, `,"jti":"`...)
	b = hex.AppendEncode(b, c.jti[:])
	b = append(b, `","user_id":`...)
	b = strconv.AppendInt(b, int64(c.user), 10)
	b = append(b, `,"sid":"`...)
	b = append(b, c.session.String()...)
	return append(b, `"}`...)
}
