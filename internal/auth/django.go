package auth

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// Django writes password hashes as algorithm$parameters$salt$hash, each algorithm in its own way (see
// django/contrib/auth/hashers.py). All of those that Django 1.10 to 6.0 made by default, or with an option,
// are read here. A hash that asks for more work or memory than any of them is refused, not run: whoever
// could plant one would otherwise stop the server with one login.

const (
	maxHashText      = 512
	maxPBKDF2        = 5_000_000 // Django 6.0: 1,200,000
	maxArgonMemory   = 256 << 10 // KiB; Django: 102,400
	maxArgonPasses   = 16        // Django: 2
	maxArgonLanes    = 16        // Django: 8
	maxArgonWork     = 1 << 20   // KiB times passes: two seconds or so
	maxScryptMemory  = 128 << 20 // bytes; Django: 16 MiB
	maxScryptLanes   = 16        // Django: 1, later 5
	minBcrypt        = bcrypt.MinCost
	maxBcrypt        = 15 // Django: 12
	maxSalt, minSalt = 128, 1
)

var errHashFormat = errors.New("password hash in a form we do not read")

// hashCheck is a password hash that was parsed and found bearable: it runs it on a password and compares.
type hashCheck func(password string) bool

// parseHash reads a password hash in any of Django's formats. It runs nothing.
func parseHash(text string) (hashCheck, error) {
	if len(text) > maxHashText {
		return nil, errHashFormat
	}
	algorithm, rest, _ := strings.Cut(text, "$")
	switch algorithm {
	case "argon2":
		return parseArgon(rest)
	case "pbkdf2_sha256":
		return parsePBKDF2(rest, sha256.New, sha256.Size)
	case "pbkdf2_sha1":
		return parsePBKDF2(rest, sha1.New, sha1.Size)
	case "bcrypt_sha256":
		return parseBcrypt(rest, true)
	case "bcrypt":
		return parseBcrypt(rest, false)
	case "scrypt":
		return parseScrypt(rest)
	}
	return nil, errHashFormat
}

// pbkdf2_sha256$iterations$salt$hash
func parsePBKDF2(rest string, digest func() hash.Hash, size int) (hashCheck, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 3 || badSalt(parts[1]) {
		return nil, errHashFormat
	}
	iterations, ok := bounded(parts[0], 1, maxPBKDF2)
	want, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if !ok || err != nil || len(want) != size {
		return nil, errHashFormat
	}
	salt := []byte(parts[1])
	return func(password string) bool {
		got, err := pbkdf2.Key(digest, password, salt, iterations, size)
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

// argonCost are the parameters of Argon2: memory in KiB, passes over it, lanes.
type argonCost struct{ memory, passes, lanes int }

func (c argonCost) String() string { return fmt.Sprintf("m=%d,t=%d,p=%d", c.memory, c.passes, c.lanes) }

func (c argonCost) bearable() bool {
	return c.memory >= 8*c.lanes && c.memory <= maxArgonMemory && c.passes >= 1 && c.passes <= maxArgonPasses &&
		c.lanes >= 1 && c.lanes <= maxArgonLanes && c.memory*c.passes <= maxArgonWork
}

// argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash
func parseArgon(rest string) (hashCheck, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 5 || parts[1] != "v=19" {
		return nil, errHashFormat
	}
	cost, ok := parseArgonCost(parts[2])
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[3])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[4])
	if !ok || err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > maxSalt || len(want) < 16 || len(want) > 64 {
		return nil, errHashFormat
	}
	derive := argon2.IDKey
	switch parts[0] {
	case "argon2id":
	case "argon2i":
		derive = argon2.Key
	default:
		return nil, errHashFormat
	}
	return func(password string) bool {
		got := derive([]byte(password), salt, uint32(cost.passes), uint32(cost.memory), uint8(cost.lanes), uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

func parseArgonCost(text string) (argonCost, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return argonCost{}, false
	}
	cost, fine := argonCost{}, true
	for i, to := range []struct {
		name string
		at   *int
	}{{"m=", &cost.memory}, {"t=", &cost.passes}, {"p=", &cost.lanes}} {
		number, named := strings.CutPrefix(parts[i], to.name)
		n, ok := bounded(number, 1, maxArgonMemory)
		*to.at, fine = n, fine && named && ok
	}
	return cost, fine && cost.bearable()
}

// bcrypt_sha256$$2b$12$salt and hash: the password goes through SHA-256 first, for bcrypt stops at 72 bytes.
func parseBcrypt(rest string, digest bool) (hashCheck, error) {
	want := []byte(rest)
	cost, err := bcrypt.Cost(want)
	if err != nil || cost < minBcrypt || cost > maxBcrypt || len(want) != 60 {
		return nil, errHashFormat
	}
	return func(password string) bool {
		if digest {
			sum := sha256.Sum256([]byte(password))
			password = hex.EncodeToString(sum[:])
		}
		input := []byte(password)
		return bcrypt.CompareHashAndPassword(want, input[:min(len(input), 72)]) == nil
	}, nil
}

// scrypt$16384$salt$8$5$hash
func parseScrypt(rest string) (hashCheck, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 5 || badSalt(parts[1]) {
		return nil, errHashFormat
	}
	n, ok1 := bounded(parts[0], 2, 1<<20)
	r, ok2 := bounded(parts[2], 1, 64)
	p, ok3 := bounded(parts[3], 1, maxScryptLanes)
	want, err := base64.StdEncoding.Strict().DecodeString(parts[4])
	if !ok1 || !ok2 || !ok3 || err != nil || len(want) != 64 || n&(n-1) != 0 || 128*n*r*p > maxScryptMemory {
		return nil, errHashFormat
	}
	salt := []byte(parts[1])
	return func(password string) bool {
		got, err := scrypt.Key([]byte(password), salt, n, r, p, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

func badSalt(salt string) bool { return len(salt) < minSalt || len(salt) > maxSalt }

func bounded(text string, low, high int) (int, bool) {
	n, ok := decimal(text)
	return int(n), ok && n >= int64(low) && n <= int64(high)
}
