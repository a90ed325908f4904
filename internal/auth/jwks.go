package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// keysFor is how long fetched keys are used without asking again; they stay in use while the source is down.
	keysFor = 15 * time.Minute
	// keysPause is the least time between two fetches, whatever tokens ask for.
	keysPause = time.Second
	// absentFor is how long a key id that the source does not have is refused without asking again.
	absentFor = 2 * time.Second
	// keysTimeout bounds one fetch.
	keysTimeout = 5 * time.Second
	// maxKeys bounds the keys of one source, maxAbsent the ids that are remembered as absent, maxKeyWaiters those who
	// wait for a fetch.
	maxKeys, maxAbsent, maxKeyWaiters = 64, 1024, 256
	// MaxJWKS is the largest answer of a source, in bytes.
	MaxJWKS = 256 << 10
	// minRSA is NIST SP 800-131A's least size of an RSA key, in bits.
	minRSA, maxRSA = 2048, 8192
)

// keySet is the public keys of an issuer (RFC 7517), fetched when they are needed. A token whose key is not known
// makes them be fetched again, so keys can rotate without a valid token being refused; while the source is down the
// old keys stay good.
type keySet struct {
	// Static after construction.
	url   string
	fetch func(ctx context.Context, url string) ([]byte, error)
	now   func() time.Time

	flight  singleflight.Group
	waiters atomic.Int32

	mu     sync.Mutex // guards the following fields
	keys   []publicKey
	at     time.Time // of the last fetch that went well
	tried  time.Time // of the last fetch
	absent map[string]time.Time
}

type publicKey struct {
	id, alg string
	key     any
}

// errNoKey: the source was asked and does not have the key.
var errNoKey = errors.New("no such key")

// find returns the key of a token, fetching the keys where it is not known. Other errors than errNoKey say that the
// source could not be asked.
func (k *keySet) find(ctx context.Context, id, alg string) (any, error) {
	for range 3 {
		now := k.now()
		key, stale := k.known(id, alg, now)
		if key != nil && !stale {
			return key, nil
		}
		if key == nil && k.isAbsent(id, now) {
			return nil, errNoKey
		}
		err := k.refresh(ctx)
		if key != nil { // an old key is better than none
			return key, nil
		}
		if err != nil {
			return nil, err
		}
		if key, _ := k.known(id, alg, k.now()); key != nil {
			return key, nil
		}
		k.setAbsent(id, k.now())
	}
	return nil, errNoKey
}

// known finds a key by its id and its algorithm; a token without an id gets the only key that fits.
func (k *keySet) known(id, alg string, now time.Time) (key any, stale bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stale = now.Sub(k.at) >= keysFor && now.Sub(k.tried) >= keysPause
	fit := 0
	for _, one := range k.keys {
		if (id == "" || one.id == id) && (one.alg == "" || one.alg == alg) && fits(one.key, alg) {
			key = one.key
			fit++
		}
	}
	if fit > 1 && id == "" {
		key = nil
	}
	return key, stale
}

// fits reports whether a key is of the kind that an algorithm needs.
func fits(key any, alg string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

func (k *keySet) isAbsent(id string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.absent[id]
	return ok && now.Sub(at) < absentFor
}

func (k *keySet) setAbsent(id string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.absent) >= maxAbsent || k.absent == nil {
		k.absent = map[string]time.Time{}
	}
	k.absent[id] = now
}

// refresh fetches the keys once for everybody who waits, at most once a second.
func (k *keySet) refresh(ctx context.Context) error {
	if k.waiters.Add(1) > maxKeyWaiters {
		k.waiters.Add(-1)
		return errors.New("too many tokens wait for the keys")
	}
	defer k.waiters.Add(-1)
	done := k.flight.DoChan("", func() (any, error) {
		k.mu.Lock()
		early := keysPause - k.now().Sub(k.tried)
		k.mu.Unlock()
		if early > 0 {
			time.Sleep(min(early, keysPause))
		}
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
		defer cancel()
		text, err := k.fetch(whole, k.url)
		var keys []publicKey
		if err == nil {
			keys, err = parseJWKS(text)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried = k.now()
		if err == nil {
			k.keys, k.at = keys, k.tried
		}
		return nil, err
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parseJWKS reads a key set. Keys for other uses, of other kinds and too weak ones are left out (RFC 7517 5); a set with
// none left is an error, so that a broken source does not take the keys away that work.
func parseJWKS(text []byte) ([]publicKey, error) {
	if len(text) > MaxJWKS {
		return nil, errors.New("the key set is too large")
	}
	var set struct {
		Keys []struct {
			Kid, Kty, Use, Alg, Crv, N, E, X, Y string
		}
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("the key set cannot be read: %w", err)
	}
	var keys []publicKey
	for _, one := range set.Keys[:min(len(set.Keys), maxKeys)] {
		if one.Use != "" && one.Use != "sig" {
			continue
		}
		var key any
		switch one.Kty {
		case "RSA":
			key = rsaKey(number(one.N), number(one.E))
		case "EC":
			key = ecKey(one.Crv, number(one.X), number(one.Y))
		case "OKP":
			if x, err := base64.RawURLEncoding.DecodeString(one.X); one.Crv == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
				key = ed25519.PublicKey(x)
			}
		}
		if key != nil {
			keys = append(keys, publicKey{one.Kid, one.Alg, key})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key to verify with")
	}
	return keys, nil
}

func number(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

func rsaKey(n, e *big.Int) any {
	if n == nil || e == nil || n.BitLen() < minRSA || n.BitLen() > maxRSA || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
		return nil
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}

func ecKey(name string, x, y *big.Int) any {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[name]
	if curve == nil || x == nil || y == nil {
		return nil
	}
	size := (curve.Params().BitSize + 7) / 8
	if x.BitLen() > 8*size || y.BitLen() > 8*size {
		return nil
	}
	point := append([]byte{4}, make([]byte, 2*size)...)
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point) // which checks that it is on the curve
	if err != nil {
		return nil
	}
	return key
}
