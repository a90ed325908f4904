package auth

import (
	"context"
	"encoding/base64"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/offchat/presence"
)

// Hashing says how passwords are hashed. Zero values mean the default.
type Hashing struct {
	// Workers is how many hashes may run at once. Default GOMAXPROCS.
	Workers int
	// Wait is how long a password waits for a worker before its owner is told to come back. Default 2 s.
	Wait time.Duration
	// MemoryKiB and Passes are the cost of Argon2id for new hashes. Default 19,456 and 2, OWASP's; tests
	// lower them. Hashes of another cost work and are brought to this one at the next login.
	MemoryKiB, Passes int
}

func (h *Hashing) setDefaults() {
	setDefault(&h.Workers, runtime.GOMAXPROCS(0))
	setDefault(&h.Wait, 2*time.Second)
	setDefault(&h.MemoryKiB, 19456)
	setDefault(&h.Passes, 2)
}

const (
	saltLength = 16
	keyLength  = 32
	// maxPasswordBytes bounds what is hashed when a password has more bytes than characters.
	maxPasswordBytes = 1 << 10
)

// passwords hashes and checks passwords, in the queue and nowhere else.
type passwords struct {
	queue *hashQueue
	cost  argonCost
	form  string // how current hashes begin
	rand  io.Reader
}

func newPasswords(h Hashing, random io.Reader, count *Counters) *passwords {
	cost := argonCost{memory: h.MemoryKiB, passes: h.Passes, lanes: 1}
	return &passwords{
		queue: newHashQueue(h.Workers, h.Wait, count), cost: cost,
		form: "argon2$argon2id$v=19$" + cost.String() + "$", rand: random,
	}
}

// hash makes a hash of a new password, as Django writes it with Argon2, so that Django could read it back.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	var salt [saltLength]byte
	if _, err := io.ReadFull(p.rand, salt[:]); err != nil {
		return "", presence.E(presence.Internal, "draw a salt", err)
	}
	var key []byte
	err := p.queue.run(ctx, func() { key = p.derive(password, salt[:]) })
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return p.form + b64.EncodeToString(salt[:]) + "$" + b64.EncodeToString(key), nil
}

// check reports whether the password belongs to the hash. Whatever the hash is, of nobody, unusable or
// unreadable, it is exactly one run: what is no hash costs a run of the current algorithm.
func (p *passwords) check(ctx context.Context, password, hash string) (bool, error) {
	match, err := parseHash(hash)
	if err != nil {
		match = p.dummy
	}
	fits := false
	err = p.queue.run(ctx, func() { fits = match(password) })
	return fits, err
}

// dummy is as much work as a check of a current hash and fits no password.
func (p *passwords) dummy(password string) bool {
	p.derive(password, make([]byte, saltLength))
	return false
}

func (p *passwords) derive(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, uint32(p.cost.passes), uint32(p.cost.memory), uint8(p.cost.lanes), keyLength)
}

// current reports whether the hash is what hash would make.
func (p *passwords) current(hash string) bool { return strings.HasPrefix(hash, p.form) }

// checkPassword holds a new password against the bounds. It is to be stripped before (see strip).
func checkPassword(field, password string) error {
	switch n := utf8.RuneCountInString(password); {
	case password == "":
		return invalid(field, CodeRequired, "Username and password are required")
	case n < presence.MinPassword:
		return invalid(field, CodeTooShort, "Password must be 8-128 characters")
	case n > presence.MaxPassword, len(password) > maxPasswordBytes:
		return invalid(field, CodeTooLong, "Password must be 8-128 characters")
	case !utf8.ValidString(password), strings.ContainsRune(password, 0):
		return invalid(field, CodeMalformed, "Password contains characters that cannot be used")
	}
	return nil
}

// strip takes the spaces around a name or password away. The recorded login does it to both, so every place
// that sets one does it too: nobody can give themselves a password that login would not take.
func strip(s string) string { return strings.TrimSpace(s) }
