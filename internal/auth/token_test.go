package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
)

// forge signs any header and payload with a key, by whatever HMAC the header's name asks for.
func forge(t testing.TB, header, payload string, method *jwt.SigningMethodHMAC, key string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sig, err := method.Sign(text, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64.EncodeToString(sig)
}

const plainHeader = `{"alg":"HS256","typ":"JWT"}`

func payloadOf(t testing.TB, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said
}

// reforged is the token with some claims set, or removed where the value is nil.
func reforged(t testing.TB, token string, header string, claims map[string]any) string {
	t.Helper()
	said := payloadOf(t, token)
	for name, value := range claims {
		if value == remove {
			delete(said, name)
		} else {
			said[name] = value
		}
	}
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	return forge(t, header, string(text), jwt.SigningMethodHS256, testKey)
}

const remove = "(removed)"

func TestOurTokensHaveTheShapeOfSimpleJWT(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, tokens := w.login("alice")
	for kind, token := range map[string]string{"access": tokens.Access, "refresh": tokens.Refresh} {
		header, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
		if string(header) != plainHeader {
			t.Errorf("%s header %s", kind, header)
		}
		said := payloadOf(t, token)
		lifetime := map[string]time.Duration{"access": time.Hour, "refresh": 7 * 24 * time.Hour}[kind]
		want := map[string]any{
			"token_type": kind, "exp": json.Number(fmt.Sprint(testStart.Add(lifetime).Unix())),
			"iat": json.Number(fmt.Sprint(testStart.Unix())), "user_id": json.Number(fmt.Sprint(id.User)), "sid": id.Session.String(),
		}
		for name, value := range want {
			if said[name] != value {
				t.Errorf("%s: %s is %v, want %v", kind, name, said[name], value)
			}
		}
		if jti, _ := said["jti"].(string); len(jti) != 32 || len(said) != 6 {
			t.Errorf("%s: claims %v", kind, said)
		}
		if len(token) > maxOwnToken {
			t.Errorf("%s has %d bytes", kind, len(token))
		}
		if _, verdict := w.keys.readOwn(token); verdict != accepted {
			t.Errorf("%s is not read on the fast path", kind)
		}
	}
}

// The attack table: cases S01 to S10 of the security plan, each against Authenticate.
func TestForgedTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, tokens := w.login("alice")
	access, now := tokens.Access, testStart.Unix()
	parts := strings.Split(access, ".")
	claims := func(c map[string]any) string { return reforged(t, access, plainHeader, c) }
	header := func(h string) string { return reforged(t, access, h, nil) }
	raw := func(payload string) string { return forge(t, plainHeader, payload, jwt.SigningMethodHS256, testKey) }
	unsigned := func(alg string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + parts[1] + "."
	}
	user := fmt.Sprint(id.User)
	for name, token := range map[string]string{
		"S01 alg none":                 unsigned("none"),
		"S01 alg None":                 unsigned("None"),
		"S01 alg nOnE":                 unsigned("nOnE"),
		"S01 alg none with signature":  unsigned("none") + parts[2],
		"S01 alg empty":                header(`{"alg":"","typ":"JWT"}`),
		"S01 no alg":                   header(`{"typ":"JWT"}`),
		"S01 alg a number":             header(`{"alg":256,"typ":"JWT"}`),
		"S02 HS512 signed":             forge(t, `{"alg":"HS512","typ":"JWT"}`, mustText(t, access), jwt.SigningMethodHS512, testKey),
		"S02 HS512 said, HS256 signed": header(`{"alg":"HS512","typ":"JWT"}`),
		"S02 HS384":                    forge(t, `{"alg":"HS384","typ":"JWT"}`, mustText(t, access), jwt.SigningMethodHS384, testKey),
		"S03 RS256 said, HMAC signed":  header(`{"alg":"RS256","typ":"JWT"}`),
		"S03 ES256":                    header(`{"alg":"ES256","typ":"JWT"}`),
		"S04 crit":                     header(`{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":false}`),
		"S04 other key by kid":         forge(t, `{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}`, mustText(t, access), jwt.SigningMethodHS256, ""),
		"S04 embedded key":             forge(t, `{"alg":"HS256","jwk":{"kty":"oct","k":"YQ"}}`, mustText(t, access), jwt.SigningMethodHS256, "a"),
		"S05 exp missing":              claims(map[string]any{"exp": remove}),
		"S05 exp null":                 claims(map[string]any{"exp": nil}),
		"S05 exp string":               claims(map[string]any{"exp": "1999999999"}),
		"S05 exp 1e308":                claims(map[string]any{"exp": json.Number("1e308")}),
		"S05 exp far":                  claims(map[string]any{"exp": json.Number("99999999999999999999")}),
		"S05 exp negative":             claims(map[string]any{"exp": -1}),
		"S05 exp zero":                 claims(map[string]any{"exp": 0}),
		"S05 exp a fraction":           claims(map[string]any{"exp": json.Number("1795449999.5")}),
		"S05 exp now":                  claims(map[string]any{"exp": now}),
		"S05 exp past by 1 s":          claims(map[string]any{"exp": now - 1}),
		"S06 iat in two minutes":       claims(map[string]any{"iat": now + 120}),
		"S06 iat missing":              claims(map[string]any{"iat": remove}),
		"S06 iat string":               claims(map[string]any{"iat": "1"}),
		"S06 nbf in the future":        claims(map[string]any{"nbf": now + 5}),
		"S06 nbf string":               claims(map[string]any{"nbf": "soon"}),
		"S08 jti absent":               claims(map[string]any{"jti": remove}),
		"S08 jti empty":                claims(map[string]any{"jti": ""}),
		"S08 jti number":               claims(map[string]any{"jti": 5}),
		"S08 jti long":                 claims(map[string]any{"jti": strings.Repeat("j", 256)}),
		"S09 user missing":             claims(map[string]any{"user_id": remove}),
		"S09 user word":                claims(map[string]any{"user_id": "alice"}),
		"S09 user bool":                claims(map[string]any{"user_id": true}),
		"S09 user list":                claims(map[string]any{"user_id": []any{id.User}}),
		"S09 user huge":                claims(map[string]any{"user_id": json.Number("9223372036854775808")}),
		"S09 user zero":                claims(map[string]any{"user_id": 0}),
		"S09 user negative":            claims(map[string]any{"user_id": -1}),
		"S09 user fraction":            claims(map[string]any{"user_id": json.Number(user + ".0")}),
		"S09 user exponent":            claims(map[string]any{"user_id": json.Number(user + "e0")}),
		"S09 user padded":              claims(map[string]any{"user_id": " " + user}),
		"S09 user leading zero":        claims(map[string]any{"user_id": "0" + user}),
		"S09 user plus":                claims(map[string]any{"user_id": "+" + user}),
		"sid wrong type":               claims(map[string]any{"sid": 7}),
		"sid null":                     claims(map[string]any{"sid": nil}),
		"sid upper case":               claims(map[string]any{"sid": strings.ToUpper("abcdef0123456789")}),
		"sid reserved":                 claims(map[string]any{"sid": "0000000000000001"}),
		"sid unknown":                  claims(map[string]any{"sid": "0123456789abcdef"}),
		"S10 space before":             " " + access,
		"S10 space after":              access + " ",
		"S10 newline after":            access + "\n",
		"S10 newline inside":           parts[0] + "." + parts[1] + ".\r\n" + parts[2],
		"S10 padded":                   access + "=",
		"S10 two tokens":               access + "," + access,
		"S10 four segments":            access + ".x",
		"S10 bearer":                   "Bearer " + access,
		"S10 no signature":             parts[0] + "." + parts[1] + ".",
		"S10 only dots":                "..",
		"S10 NUL":                      access + "\x00",
		"S10 64 KiB":                   access + strings.Repeat("a", 64<<10),
		"long but signed":              claims(map[string]any{"more": strings.Repeat("x", MaxToken)}),
		"wrong key":                    forge(t, plainHeader, mustText(t, access), jwt.SigningMethodHS256, testKey+"x"),
		"garbage":                      "garbage",
		"payload null":                 raw(`null`),
		"payload list":                 raw(`[]`),
		"payload deep":                 raw(strings.Repeat(`[`, 2000)),
		"payload trailing":             raw(mustText(t, access) + "{}"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.auth(token)
			wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
			if tell(err) != "Token is invalid or expired" {
				t.Errorf("tells %q", tell(err))
			}
		})
	}
	if _, err := w.auth(access); err != nil {
		t.Fatalf("the token they were made from: %v", err)
	}
}

func mustText(t testing.TB, token string) string {
	text, err := json.Marshal(payloadOf(t, token))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTokenTypesAreToldApart(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	cases := map[string]func() error{
		"refresh as access": func() error { _, err := w.auth(tokens.Refresh); return err },
		"access as refresh": func() error { _, err := w.Refresh(t.Context(), tokens.Access, home); return err },
		"type absent": func() error {
			_, err := w.auth(reforged(t, tokens.Access, plainHeader, map[string]any{"token_type": remove}))
			return err
		},
		"type sliding": func() error {
			_, err := w.auth(reforged(t, tokens.Access, plainHeader, map[string]any{"token_type": "sliding"}))
			return err
		},
		"type a list": func() error {
			_, err := w.auth(reforged(t, tokens.Access, plainHeader, map[string]any{"token_type": []any{"access"}}))
			return err
		},
		"verify, no type": func() error {
			return w.Verify(t.Context(), reforged(t, tokens.Access, plainHeader, map[string]any{"token_type": remove}))
		},
	}
	for name, call := range cases {
		t.Run(name, func(t *testing.T) {
			err := call()
			wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
			if tell(err) != "Token has wrong type" {
				t.Errorf("tells %q", tell(err))
			}
		})
	}
	_, err := w.auth("")
	wantError(t, err, presence.Unauthenticated, CodeMissing)
}

func TestHarmlessHeadersAndClaimsAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, tokens := w.login("alice")
	for name, token := range map[string]string{
		"kid":              reforged(t, tokens.Access, `{"alg":"HS256","typ":"JWT","kid":"' OR 1=1 --","jku":"http://192.0.2.9/k"}`, nil),
		"other order":      reforged(t, tokens.Access, `{"typ":"JWT","alg":"HS256"}`, nil),
		"claims resorted":  reforged(t, tokens.Access, plainHeader, nil),
		"more claims":      reforged(t, tokens.Access, plainHeader, map[string]any{"aud": "x", "kid": 1}),
		"user a string":    reforged(t, tokens.Access, plainHeader, map[string]any{"user_id": fmt.Sprint(id.User)}),
		"iat a bit ahead":  reforged(t, tokens.Access, plainHeader, map[string]any{"iat": testStart.Unix() + 30}),
		"nbf in the past":  reforged(t, tokens.Access, plainHeader, map[string]any{"nbf": testStart.Unix() - 1}),
		"our own spelling": tokens.Access,
	} {
		got, err := w.auth(token)
		if err != nil || got.User != id.User || got.Session != id.Session {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Base64 has spare bits in the last character of the signature: every other spelling must be refused.
func TestNoByteOfATokenMayChange(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(tokens.Access) - 1
	for _, c := range alphabet {
		other := tokens.Access[:last] + string(c)
		if _, err := w.auth(other); (err == nil) != (other == tokens.Access) {
			t.Errorf("last character %c instead of %c: %v", c, tokens.Access[last], err)
		}
	}
	for i := range tokens.Access {
		for _, c := range []byte{'A', 'B', '.', '=', '\n', 0} {
			other := tokens.Access[:i] + string(c) + tokens.Access[i+1:]
			if _, err := w.auth(other); (err == nil) != (other == tokens.Access) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
}

func TestOwnTokensSurviveAClockSetBackByADay(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	if _, err := w.Authenticate(t.Context(), tokens.Access, testStart.Add(-24*time.Hour)); err != nil {
		t.Errorf("a day back: %v", err)
	}
	if _, err := w.Authenticate(t.Context(), tokens.Access, testStart.Add(-48*time.Hour)); err == nil {
		t.Error("two days back: accepted")
	}
}

func TestAnExpiredTokenIsRefusedAtItsSecond(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	if _, err := w.Authenticate(t.Context(), tokens.Access, testStart.Add(time.Hour-1)); err != nil {
		t.Errorf("a moment too early: %v", err)
	}
	_, err := w.Authenticate(t.Context(), tokens.Access, testStart.Add(time.Hour))
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

func TestTheOldKeyVerifiesAfterARotation(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	newKey := []byte(strings.Repeat("new key ", 6))
	rotated, err := NewKeys(newKey, []byte(testKey))
	if err != nil {
		t.Fatal(err)
	}
	w.keys = rotated
	if _, err := w.auth(tokens.Access); err != nil {
		t.Fatalf("a token of the old key: %v", err)
	}
	if _, err := w.auth(reforged(t, tokens.Access, plainHeader, nil)); err != nil {
		t.Fatalf("a token of the old key in another form: %v", err)
	}
	fresh, err := w.Refresh(t.Context(), tokens.Refresh, home)
	if err != nil {
		t.Fatal(err)
	}
	if w.keys, err = NewKeys(newKey); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth(fresh.Access); err != nil {
		t.Fatalf("a token of the new key when the old one is gone: %v", err)
	}
	_, err = w.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

// FuzzToken: nothing panics; what the fast path accepts has one spelling, which the library accepts too with
// the same claims.
func FuzzToken(f *testing.F) {
	keys, err := NewKeys([]byte(testKey))
	if err != nil {
		f.Fatal(err)
	}
	own := claims{kind: accessToken, exp: 1795442400, iat: 1795438800, user: 7, session: 0x0123456789abcdef}
	var text []byte
	text = own.appendPayload(text)
	f.Add(string(text), true)
	f.Add(simpleJWTAccess, false)
	f.Add(keys.sign(own), false)
	f.Add(`{"token_type":"refresh","exp":1,"iat":1,"jti":"00000000000000000000000000000000","user_id":1,"sid":"00000000000000ff"}`, true)
	f.Add(`{"token_type":"access","exp":01}`, true)
	f.Add("a.b.c", false)
	f.Fuzz(func(t *testing.T, text string, sign bool) {
		token := text
		if sign { // most texts would fail at the signature: give them one
			token = forge(t, plainHeader, text, jwt.SigningMethodHS256, testKey)
		}
		now := time.Unix(1795438800, 0)
		_, _ = keys.read(token, now)
		c, verdict := keys.readOwn(token)
		if verdict != accepted {
			return
		}
		mac := hmac.New(sha256.New, []byte(testKey))
		b := segment.AppendEncode([]byte(ownPrefix), c.appendPayload(nil))
		mac.Write(b)
		if again := string(b) + "." + segment.EncodeToString(mac.Sum(nil)); again != token {
			t.Fatalf("accepted %q, which we would spell %q", token, again)
		}
		said := jwt.MapClaims{}
		_, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
			jwt.WithoutClaimsValidation()).ParseWithClaims(token, said, func(*jwt.Token) (any, error) { return []byte(testKey), nil })
		if err != nil {
			t.Fatalf("accepted %q, which the library refuses: %v", token, err)
		}
		lib, err := foreignClaims(said, time.Unix(c.exp, 0))
		if err != nil || lib.kind != c.kind || lib.exp != c.exp || lib.iat != c.iat || lib.user != c.user ||
			lib.session != c.session || lib.foreign != fmt.Sprintf("%x", c.jti) {
			t.Fatalf("read %+v, the library %+v (%v)", c, lib, err)
		}
	})
}

func TestAuthenticateAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	older, err := NewKeys([]byte(strings.Repeat("another key ", 4)), []byte(testKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]Keys{"signing key": w.keys, "older key": older} {
		w.keys = keys
		reads := w.store.reads.Load()
		n := testing.AllocsPerRun(1000, func() {
			if _, err := w.auth(tokens.Access); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if w.store.reads.Load() != reads {
			t.Errorf("%s: the store was read", name)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	_, tokens := w.login("alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), tokens.Access, testStart); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateForeign(b *testing.B) {
	w := newWorld(b)
	for i := range 7 {
		w.user(fmt.Sprint("user", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), simpleJWTAccess, testStart); err != nil {
			b.Fatal(err)
		}
	}
}
