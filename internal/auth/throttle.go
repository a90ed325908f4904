package auth

import (
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/offchat/presence"
)

// Throttle says how many failed logins are too many. Only failures count, and a right password from a
// network that did not fail is always looked at: a stranger cannot lock anybody out. Zero values mean the
// default.
type Throttle struct {
	// AccountTries may fail in a row for one account from one network; then one more every AccountEvery.
	// A client of the recorded system sends a failed login four times, so the default of 20 is five
	// mistakes; default pause 6 s.
	AccountTries int
	AccountEvery time.Duration
	// NetworkTries and NetworkEvery bound failures for whatever accounts from one network (an IPv4 /24 or
	// an IPv6 /64). Default 300, and one a second.
	NetworkTries int
	NetworkEvery time.Duration
	// GlobalTries and GlobalEvery bound all failures together. Beyond it, networks that have failed
	// StrictTries times of late wait; all others go on. Default 3,000, 20 a second, and 5.
	GlobalTries int
	GlobalEvery time.Duration
	StrictTries int
	// Remembered bounds how many accounts and networks are remembered, each. Default 65,536.
	Remembered int
}

func (c *Throttle) setDefaults() {
	setDefault(&c.AccountTries, 20)
	setDefault(&c.AccountEvery, 6*time.Second)
	setDefault(&c.NetworkTries, 300)
	setDefault(&c.NetworkEvery, time.Second)
	setDefault(&c.GlobalTries, 3000)
	setDefault(&c.GlobalEvery, 50*time.Millisecond)
	setDefault(&c.StrictTries, 5)
	setDefault(&c.Remembered, 1<<16)
}

// throttle keeps token buckets of failures: a failure takes a token, time brings them back.
type throttle struct {
	cfg Throttle

	mu       sync.Mutex // guards the following fields
	accounts map[accountKey]*bucket
	networks map[netip.Prefix]*bucket
	global   bucket
}

type accountKey struct {
	name    string
	network netip.Prefix
}

func newThrottle(cfg Throttle) *throttle {
	return &throttle{cfg: cfg, accounts: map[accountKey]*bucket{}, networks: map[netip.Prefix]*bucket{}}
}

// try is a login that was let through to the password check.
type try struct {
	t   *throttle
	key accountKey
}

// admit lets a login through or says when to come back. Its account's token is taken at once, so that many
// tries at the same time are not more than as many one after the other; fail or free must follow.
func (t *throttle) admit(username, ip string, now time.Time) (try, error) {
	key := accountKey{name: foldName(username), network: networkOf(ip)}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := time.Duration(0)
	network, known := t.networks[key.network]
	if known {
		wait = network.wait(now, t.cfg.NetworkTries, t.cfg.NetworkEvery, 1)
		if t.global.wait(now, t.cfg.GlobalTries, t.cfg.GlobalEvery, 1) > 0 {
			strict := t.cfg.NetworkTries - t.cfg.StrictTries + 1
			wait = max(wait, network.wait(now, t.cfg.NetworkTries, t.cfg.NetworkEvery, strict))
		}
	}
	account := t.accounts[key]
	if account != nil {
		wait = max(wait, account.wait(now, t.cfg.AccountTries, t.cfg.AccountEvery, 1))
	}
	if wait > 0 {
		return try{}, &presence.Error{
			Kind: presence.Throttled, Op: "login", RetryAfter: wait.Truncate(time.Second) + time.Second,
			Tell: "Too many failed attempts, please try again later",
		}
	}
	if account == nil {
		account = remember(t.accounts, key, t.cfg.Remembered, t.cfg.AccountEvery, now)
	}
	account.take(now, t.cfg.AccountEvery)
	return try{t, key}, nil
}

// fail counts the try: the password was wrong.
func (a try) fail(now time.Time) {
	t := a.t
	t.mu.Lock()
	defer t.mu.Unlock()
	network := t.networks[a.key.network]
	if network == nil {
		network = remember(t.networks, a.key.network, t.cfg.Remembered, t.cfg.NetworkEvery, now)
	}
	network.take(now, t.cfg.NetworkEvery)
	t.global.take(now, t.cfg.GlobalEvery)
}

// free gives the account's token back: the password was right, or was not looked at.
func (a try) free(now time.Time) {
	t := a.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if account := t.accounts[a.key]; account != nil {
		if account.give(now, t.cfg.AccountEvery); account.full(now, t.cfg.AccountEvery) {
			delete(t.accounts, a.key)
		}
	}
}

// sweep forgets buckets that are full again.
func (t *throttle) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	forgetFull(t.accounts, t.cfg.AccountEvery, now)
	forgetFull(t.networks, t.cfg.NetworkEvery, now)
}

// bucket counts what was taken of a full one and not brought back by time yet. The zero bucket is full.
type bucket struct {
	taken float64
	at    time.Time
}

func (b *bucket) settle(now time.Time, every time.Duration) {
	if passed := now.Sub(b.at); passed > 0 {
		b.taken = max(0, b.taken-float64(passed)/float64(every))
		b.at = now
	}
}

// wait is how long until at least need tokens of size are in the bucket; 0 when they are.
func (b *bucket) wait(now time.Time, size int, every time.Duration, need int) time.Duration {
	b.settle(now, every)
	missing := b.taken + float64(need) - float64(size)
	if missing <= 1e-9 {
		return 0
	}
	return time.Duration(missing * float64(every))
}

func (b *bucket) take(now time.Time, every time.Duration) {
	b.settle(now, every)
	b.taken++
}

func (b *bucket) give(now time.Time, every time.Duration) {
	b.settle(now, every)
	b.taken = max(0, b.taken-1)
}

func (b *bucket) full(now time.Time, every time.Duration) bool {
	b.settle(now, every)
	return b.taken == 0
}

// remember adds a bucket. When there are too many, those that are full again go, then those nearest to it
// among a few met at random.
func remember[K comparable](m map[K]*bucket, key K, limit int, every time.Duration, now time.Time) *bucket {
	if len(m) >= limit {
		var nearest K
		least, seen := -1.0, 0
		for k, b := range m {
			b.settle(now, every)
			if least < 0 || b.taken < least {
				nearest, least = k, b.taken
			}
			if seen++; seen == evictionSample || least == 0 {
				break
			}
		}
		delete(m, nearest)
	}
	b := &bucket{at: now}
	m[key] = b
	return b
}

func forgetFull[K comparable](m map[K]*bucket, every time.Duration, now time.Time) {
	for key, b := range m {
		if b.full(now, every) {
			delete(m, key)
		}
	}
}

// networkOf is the network an address belongs to; what is no address is one network of its own.
func networkOf(ip string) netip.Prefix {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	network, _ := addr.Prefix(bits)
	return network
}

// foldName makes spellings of a name that look alike one name: case, spaces around it, full-width forms,
// accents written as marks, characters that cannot be seen. Login compares names exactly, so this only ever
// counts together what might have been meant to be counted apart.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xff01 && r <= 0xff5e: // full-width ASCII
			r -= 0xfee0
		case !unicode.IsGraphic(r), unicode.Is(unicode.Mn, r):
			return -1
		}
		least := r // the smallest of the characters that fold to each other: k, K and the Kelvin sign
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, strip(name))
}
