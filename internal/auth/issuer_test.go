package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
)

const issuerSecret = "an issuer's secret of 32 bytes .."

// keySource is an issuer's side: keys by id, and whether they can be had.
type keySource struct {
	mu      sync.Mutex
	keys    map[string]crypto.Signer
	down    bool
	fetches atomic.Int32
}

func (k *keySource) fetch(context.Context, string) ([]byte, error) {
	k.fetches.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return nil, errors.New("down")
	}
	var keys []map[string]string
	enc := base64.RawURLEncoding.EncodeToString
	for id, key := range k.keys {
		switch pub := key.Public().(type) {
		case *rsa.PublicKey:
			keys = append(keys, map[string]string{"kty": "RSA", "kid": id, "use": "sig", "n": enc(pub.N.Bytes()), "e": enc(big.NewInt(int64(pub.E)).Bytes())})
		case *ecdsa.PublicKey:
			point, err := pub.Bytes()
			if err != nil {
				return nil, err
			}
			keys = append(keys, map[string]string{"kty": "EC", "crv": "P-256", "kid": id, "x": enc(point[1:33]), "y": enc(point[33:])})
		case ed25519.PublicKey:
			keys = append(keys, map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": id, "x": enc(pub)})
		}
	}
	keys = append(keys, map[string]string{"kty": "oct", "kid": "odd", "k": "AAAA"}) // of a kind we leave out
	return json.Marshal(map[string]any{"keys": keys})
}

func (k *keySource) set(id string, key crypto.Signer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key == nil {
		delete(k.keys, id)
		return
	}
	k.keys[id] = key
}

var rsaTestKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func edKey() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// issued world: "shop" signs with a secret and names users by id in user_id; "login" has keys, and provisions.
func issuedWorld(t *testing.T) (*world, *keySource) {
	source := &keySource{keys: map[string]crypto.Signer{"rsa": rsaTestKey(), "ed": edKey()}}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	source.keys["ec"] = ec
	w := newWorld(t, func(c *Config) {
		c.FetchKeys = source.fetch
		c.Issuers = []Issuer{
			{Name: "shop", Algorithms: []string{"HS256"}, Secret: []byte(issuerSecret), User: "user_id", By: "id", Skew: time.Minute},
			{
				Name: "login", Issuer: "https://login.example", Audience: []string{"presence", "other"}, Algorithms: []string{"RS256", "ES256", "EdDSA"},
				JWKS: "https://login.example/jwks", User: "preferred_username", By: "username", Roles: "realm_access.roles", Admins: []string{"boss"},
				Provision: true, Username: "preferred_username", Email: "email", Skew: time.Minute,
			},
		}
	})
	return w, source
}

// mint makes a token with these claims over good ones; nil takes a claim away.
func (w *world) mint(method jwt.SigningMethod, kid string, key any, change map[string]any) string {
	w.t.Helper()
	now := w.clock.now().Unix()
	said := jwt.MapClaims{"exp": now + 300, "iat": now, "iss": "https://login.example", "aud": "presence"}
	for name, value := range change {
		if said[name] = value; value == nil {
			delete(said, name)
		}
	}
	token := jwt.NewWithClaims(method, said)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) shop(user any, change map[string]any) string {
	said := map[string]any{"user_id": user, "iss": nil, "aud": nil}
	for name, value := range change {
		said[name] = value
	}
	return w.mint(jwt.SigningMethodHS256, "", []byte(issuerSecret), said)
}

func TestTokensOfAnIssuerAreTakenAndRefused(t *testing.T) {
	w, source := issuedWorld(t)
	alice := w.user("alice")
	banned := w.user("mallory", func(a *presence.Account) { a.Status = presence.AccountBanned })
	login := func(method jwt.SigningMethod, kid string, change map[string]any) string {
		said := map[string]any{"preferred_username": "alice"}
		for name, value := range change {
			said[name] = value
		}
		key := any(source.keys[kid])
		return w.mint(method, kid, key, said)
	}
	now := w.clock.now().Unix()
	public, _ := json.Marshal(rsaTestKey().N.Bytes())
	good := w.shop(alice.ID, nil)
	for _, c := range []struct{ name, token, reason string }{
		{"a number as id", good, ""},
		{"text as id", w.shop(fmt.Sprint(alice.ID), nil), ""},
		{"RS256", login(jwt.SigningMethodRS256, "rsa", nil), ""},
		{"ES256", login(jwt.SigningMethodES256, "ec", nil), ""},
		{"EdDSA", login(jwt.SigningMethodEdDSA, "ed", nil), ""},
		{"one audience of several", login(jwt.SigningMethodRS256, "rsa", map[string]any{"aud": []string{"x", "other"}}), ""},
		{"expired within the skew", w.shop(alice.ID, map[string]any{"exp": now - 59}), ""},
		{"expired", w.shop(alice.ID, map[string]any{"exp": now - 61}), "exp"},
		{"no exp", w.shop(alice.ID, map[string]any{"exp": nil}), "exp"},
		{"exp as text", w.shop(alice.ID, map[string]any{"exp": "soon"}), "claim"},
		{"no iat", w.shop(alice.ID, map[string]any{"iat": nil}), "iat"},
		{"from the future", w.shop(alice.ID, map[string]any{"iat": now + 61}), "iat"},
		{"not yet", w.shop(alice.ID, map[string]any{"nbf": now + 61}), "nbf"},
		{"no user", w.shop(nil, nil), "claim"},
		{"a list as user", w.shop([]int{7}, nil), "claim"},
		{"somebody unknown", w.shop(4711, nil), "user"},
		{"somebody banned", w.shop(banned.ID, nil), "account"},
		{"another secret", w.mint(jwt.SigningMethodHS256, "", []byte(strings.ToUpper(issuerSecret)), map[string]any{"user_id": alice.ID, "iss": nil}), "signature"},
		{"HS512", w.mint(jwt.SigningMethodHS512, "", []byte(issuerSecret), map[string]any{"user_id": alice.ID, "iss": nil}), "alg"},
		{"none", w.mint(jwt.SigningMethodNone, "", jwt.UnsafeAllowNoneSignatureType, map[string]any{"user_id": alice.ID, "iss": nil}), "alg"},
		{"an HMAC with the public key", w.mint(jwt.SigningMethodHS256, "rsa", public, map[string]any{"preferred_username": "alice"}), "signature"},
		{"a key of another kind", w.mint(jwt.SigningMethodES256, "rsa", source.keys["ec"], map[string]any{"preferred_username": "alice"}), "kid"},
		{"another audience", login(jwt.SigningMethodRS256, "rsa", map[string]any{"aud": "app"}), "aud"},
		{"another issuer", login(jwt.SigningMethodRS256, "rsa", map[string]any{"iss": "https://evil.example"}), "alg"},
		{"an unknown key", w.mint(jwt.SigningMethodEdDSA, "gone", edKey(), map[string]any{"preferred_username": "alice"}), "kid"},
		{"a foreign key under a known id", w.mint(jwt.SigningMethodEdDSA, "ed", edKey(), map[string]any{"preferred_username": "alice"}), "signature"},
		{"no token", "a.b.c", "malformed"},
		{"a token in two lines", good[:10] + "\n" + good[10:], "malformed"},
		{"too long", good + strings.Repeat("A", MaxToken), "malformed"},
	} {
		id, err := w.Authenticate(t.Context(), c.token, w.clock.now())
		verdict := w.CheckToken(t.Context(), c.token, w.clock.now())
		if (err == nil) != (c.reason == "") || err == nil && id.User != alice.ID {
			t.Errorf("%s: user %d, %v", c.name, id.User, err)
		}
		if verdict.Accepted != (c.reason == "") || verdict.Fault.Reason != c.reason {
			t.Errorf("%s: verdict %q (%s), want %q", c.name, verdict.Fault.Reason, verdict.Fault.Detail, c.reason)
		}
	}
}

// Keys rotate while tokens are used: no valid one is refused, and the source is asked seldom.
func TestKeysRotateAndNoValidTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &keySource{keys: map[string]crypto.Signer{"k0": edKey()}}
		set := &keySet{url: "https://x", fetch: source.fetch, now: time.Now}
		rounds, tokens := 20, 0
		for round := range rounds {
			id := fmt.Sprintf("k%d", round)
			source.set(id, edKey())
			var wait sync.WaitGroup
			for range 50 { // at once, with the new key and the one before
				wait.Go(func() {
					for _, kid := range []string{id, fmt.Sprintf("k%d", max(0, round-1))} {
						if _, err := set.find(t.Context(), kid, "EdDSA"); err != nil {
							t.Errorf("round %d, key %s: %v", round, kid, err)
						}
					}
				})
			}
			wait.Wait()
			tokens += 100
			source.set(fmt.Sprintf("k%d", round-2), nil)
			time.Sleep(100 * time.Millisecond)
		}
		if n := int(source.fetches.Load()); n > rounds+1 {
			t.Errorf("%d fetches for %d new keys and %d tokens", n, rounds, tokens)
		}
		before, began := source.fetches.Load(), time.Now()
		for i := range 1000 { // ids that nobody has
			if _, err := set.find(t.Context(), fmt.Sprint("x", i%5), "EdDSA"); !errors.Is(err, errNoKey) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n, most := int(source.fetches.Load()-before), int(time.Since(began)/keysPause)+1; n > most {
			t.Errorf("strangers made us ask %d times in %s", n, time.Since(began))
		}
		source.mu.Lock()
		source.down = true
		source.mu.Unlock()
		time.Sleep(24 * time.Hour)
		for range 10 {
			if _, err := set.find(t.Context(), fmt.Sprintf("k%d", rounds-1), "EdDSA"); err != nil {
				t.Errorf("with the source down for a day: %v", err)
			}
		}
		if _, err := set.find(t.Context(), "new", "EdDSA"); err == nil || errors.Is(err, errNoKey) {
			t.Errorf("an unknown key while the source is down: %v; it cannot be told", err)
		}
	})
}

func TestALogoutRefusesTokensOfAnIssuer(t *testing.T) {
	w, _ := issuedWorld(t)
	alice := w.user("alice")
	old := w.shop(alice.ID, nil)
	id, err := w.Authenticate(t.Context(), old, w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Authenticate(t.Context(), w.shop(alice.ID, map[string]any{"jti": "another"}), w.clock.now())
	if err != nil || again.Session != id.Session {
		t.Errorf("a refreshed token is another session: %v", err)
	}
	for name, out := range map[string]func(Identity) error{
		"logout": func(id Identity) error { return w.Logout(t.Context(), id, "", home) },
		"force logout": func(id Identity) error {
			_, err := w.ForceLogout(t.Context(), System, id.User, home)
			return err
		},
		"end session": func(id Identity) error { return w.EndSession(t.Context(), System, id.User, id.Session, home) },
	} {
		w.clock.pass(2 * time.Second)
		token := w.shop(alice.ID, nil)
		id, err := w.Authenticate(t.Context(), token, w.clock.now())
		if err != nil {
			t.Fatalf("before %s: %v", name, err)
		}
		w.clock.pass(2 * time.Second)
		if err := out(id); err != nil {
			t.Fatal(err)
		}
		for _, dead := range []string{old, token} {
			if _, err := w.Authenticate(t.Context(), dead, w.clock.now()); !isKind(err, presence.Unauthenticated) {
				t.Errorf("after %s: %v", name, err)
			}
		}
		if v := w.CheckToken(t.Context(), token, w.clock.now()); v.Fault.Reason != "logged_out" {
			t.Errorf("after %s: %+v", name, v.Fault)
		}
	}
	w.clock.pass(2 * time.Second)
	if _, err := w.Authenticate(t.Context(), w.shop(alice.ID, nil), w.clock.now()); err != nil {
		t.Errorf("a new token: %v", err)
	}
}

func TestAnIssuerMakesAccountsAndAdminsWhereConfigured(t *testing.T) {
	w, source := issuedWorld(t)
	w.user("root", func(a *presence.Account) { a.Role = presence.RoleAdmin })
	token := func(roles ...string) string {
		return w.mint(jwt.SigningMethodEdDSA, "ed", source.keys["ed"], map[string]any{
			"preferred_username": "carol", "email": "carol@example.org", "realm_access": map[string]any{"roles": roles},
		})
	}
	if v := w.CheckToken(t.Context(), token(), w.clock.now()); !v.Accepted || v.User != 0 {
		t.Errorf("a check makes an account: %+v", v)
	}
	id, err := w.Authenticate(t.Context(), token("user"), w.clock.now())
	if err != nil || id.IsAdmin() {
		t.Fatalf("%+v, %v", id, err)
	}
	a := w.account(id.User)
	if a.Username != "carol" || a.Email != "carol@example.org" || !strings.HasPrefix(a.PasswordHash, "!") || !a.MaySignIn() {
		t.Errorf("%+v", a)
	}
	if id, err = w.Authenticate(t.Context(), token("boss"), w.clock.now()); err != nil || !id.IsAdmin() || w.account(id.User).Role != presence.RoleAdmin {
		t.Errorf("with the role: %+v, %v", id, err)
	}
	if id, err = w.Authenticate(t.Context(), token("user"), w.clock.now()); err != nil || id.IsAdmin() || w.account(id.User).Role != presence.RoleUser {
		t.Errorf("without it: %+v, %v", id, err)
	}
}

// Who may type any address into their account at the issuer is not let in as its owner here.
func TestAnUnverifiedAddressNamesNobody(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Issuers = []Issuer{{Name: "shop", Algorithms: []string{"HS256"}, Secret: []byte(issuerSecret), User: "email", By: "email", Skew: time.Minute}}
	})
	for name, verified := range map[string]any{"unverified": false, "unverified in words": "false", "a number": 1, "null": json.RawMessage("null")} {
		token := w.mint(jwt.SigningMethodHS256, "", []byte(issuerSecret), map[string]any{"email": "alice@example.org", "email_verified": verified})
		verdict := w.CheckToken(t.Context(), token, w.clock.now())
		if verdict.Accepted || verdict.Fault.Reason != "claim" || !strings.Contains(verdict.Fault.Detail, "email_verified") {
			t.Errorf("%s: %+v", name, verdict)
		}
	}
	for name, verified := range map[string]any{"verified": true, "verified in words": "true", "not told": nil} {
		token := w.mint(jwt.SigningMethodHS256, "", []byte(issuerSecret), map[string]any{"email": "alice@example.org", "email_verified": verified})
		if verdict := w.CheckToken(t.Context(), token, w.clock.now()); strings.Contains(verdict.Fault.Detail, "email_verified") {
			t.Errorf("%s: %+v", name, verdict)
		}
	}
}

// A hostile or broken source of keys: nothing of it is believed, and none of it takes good keys away.
func TestAKeySetThatIsTooMuchIsBounded(t *testing.T) {
	many := make([]map[string]string, 10_000)
	enc := base64.RawURLEncoding.EncodeToString
	pub := edKey().Public().(ed25519.PublicKey)
	for i := range many {
		many[i] = map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": fmt.Sprint(i), "x": enc(pub)}
	}
	text, err := json.Marshal(map[string]any{"keys": many[:2000]})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseJWKS(text)
	if err != nil || len(keys) != maxKeys {
		t.Errorf("%d keys, %v; want the first %d", len(keys), err, maxKeys)
	}
	if text, err = json.Marshal(map[string]any{"keys": many}); err != nil || len(text) <= MaxJWKS {
		t.Fatal(len(text), err)
	}
	for name, text := range map[string]string{
		"10,000 keys": string(text), "nothing": "", "a list": "[]", "no keys": `{"keys":[]}`, "keys of another kind": `{"keys":[{"kty":"oct","k":"AAAA"}]}`,
		"depth": `{"keys":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "a page": "<html>",
		"a small RSA key":       `{"keys":[{"kty":"RSA","n":"` + enc(make([]byte, 128)) + `","e":"AQAB"}]}`,
		"a point off the curve": `{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`,
	} {
		if keys, err := parseJWKS([]byte(text)); err == nil {
			t.Errorf("%s: taken as %d keys", name, len(keys))
		}
	}
}
