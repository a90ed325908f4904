package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math"
	"strings"

	"github.com/offchat/presence"
)

// Our own tokens have one spelling: exactly this header, the claims of appendPayload in that order and
// without a space, and the one base64url form of both and of the signature. This file reads that spelling
// and nothing else, in about a microsecond and without allocating; every other token goes to the library.

const (
	ownHeader       = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" // {"alg":"HS256","typ":"JWT"}
	ownPrefix       = ownHeader + "."
	signatureLength = 43
	maxOwnToken     = 512
	maxTimeDigits   = 12
)

var segment = base64.RawURLEncoding.Strict()

type verdict uint8

const (
	notOurForm verdict = iota
	accepted
	refused // in our form, but no key of ours signed it
)

// readOwn reads a token in our own form and checks its signature, not its times.
func (k Keys) readOwn(token string) (claims, verdict) {
	end := len(token) - signatureLength - 1
	if len(token) > maxOwnToken || end <= len(ownPrefix) || token[end] != '.' || !strings.HasPrefix(token, ownPrefix) {
		return claims{}, notOurForm
	}
	w := k.pool.Get().(*workspace)
	defer k.pool.Put(w)
	text := w.text[:copy(w.text[:], token)]
	n, err := segment.Decode(w.payload[:], text[len(ownPrefix):end])
	if err != nil || n != segment.DecodedLen(end-len(ownPrefix)) { // shorter: the decoder skipped line ends
		return claims{}, notOurForm
	}
	c, ok := parsePayload(w.payload[:n])
	if !ok {
		return claims{}, notOurForm
	}
	for i := range w.macs {
		w.seal(i, text[:end])
		if subtle.ConstantTimeCompare(w.sig[:], text[end+1:]) == 1 {
			return c, accepted
		}
	}
	return claims{}, refused
}

// seal puts the signature of text by key i into sig. Signatures are compared as text: base64 has spare bits
// in the last character, so that several texts would decode to the same bytes.
func (w *workspace) seal(i int, text []byte) {
	mac := w.macs[i]
	mac.Reset()
	mac.Write(text)
	segment.Encode(w.sig[:], mac.Sum(w.sum[:0]))
}

// sign writes a token in our own form with the first key.
func (k Keys) sign(c claims) string {
	b := append(make([]byte, 0, maxOwnToken), ownPrefix...)
	b = segment.AppendEncode(b, c.appendPayload(make([]byte, 0, 256)))
	mac := hmac.New(sha256.New, k.all[0])
	mac.Write(b)
	b = append(b, '.')
	return string(segment.AppendEncode(b, mac.Sum(nil)))
}

// parsePayload reads exactly what appendPayload wrote.
func parsePayload(b []byte) (claims, bool) {
	c := claims{}
	p := payload{rest: b, ok: true}
	p.word(`{"token_type":"`)
	switch {
	case bytes.HasPrefix(p.rest, []byte("access")):
		c.kind = accessToken
		p.word("access")
	default:
		c.kind = refreshToken
		p.word("refresh")
	}
	p.word(`","exp":`)
	c.exp = p.number(maxTimeDigits)
	p.word(`,"iat":`)
	c.iat = p.number(maxTimeDigits)
	p.word(`,"jti":"`)
	p.hex(c.jti[:])
	p.word(`","user_id":`)
	c.user = presence.UserID(p.number(19))
	p.word(`,"sid":"`)
	var sid [8]byte
	p.hex(sid[:])
	for _, x := range sid {
		c.session = c.session<<8 | presence.SessionID(x)
	}
	p.word(`"}`)
	return c, p.ok && len(p.rest) == 0 && c.session.Drawable()
}

// payload is a text being read from the left. Once something was not there, ok is false for good.
type payload struct {
	rest []byte
	ok   bool
}

func (p *payload) word(w string) {
	if !p.ok || len(p.rest) < len(w) || string(p.rest[:len(w)]) != w {
		p.ok = false
		return
	}
	p.rest = p.rest[len(w):]
}

// number reads a positive decimal without leading zeros.
func (p *payload) number(digits int) int64 {
	n := uint64(0)
	i := 0
	for ; i < len(p.rest) && i < digits; i++ {
		d := p.rest[i] - '0'
		if d > 9 {
			break
		}
		n = n*10 + uint64(d) // at most 19 digits: fits
	}
	if !p.ok || i == 0 || p.rest[0] == '0' || n > math.MaxInt64 {
		p.ok = false
		return 0
	}
	p.rest = p.rest[i:]
	return int64(n)
}

// hex fills dst from lower-case hexadecimal digits.
func (p *payload) hex(dst []byte) {
	if !p.ok || len(p.rest) < 2*len(dst) {
		p.ok = false
		return
	}
	for i := range dst {
		hi, lo := nibble(p.rest[2*i]), nibble(p.rest[2*i+1])
		if hi|lo > 15 {
			p.ok = false
			return
		}
		dst[i] = hi<<4 | lo
	}
	p.rest = p.rest[2*len(dst):]
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
