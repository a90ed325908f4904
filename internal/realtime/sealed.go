package realtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// SharedTickets makes tickets that are good at every node, wherever they were bought.
type SharedTickets interface {
	// Seal makes a text of the content that only nodes can read, good for so long; Open is its inverse.
	Seal(content []byte, life time.Duration) string
	Open(text string) (content []byte, ok bool)
	// Once reports whether nobody has asked with this name before, at any node, in that time. While nodes cannot
	// ask each other it may report true too often.
	Once(ctx context.Context, name string, life time.Duration) bool
}

// sealedPrefix begins tickets that hold what they stand for. No token begins so.
const sealedPrefix = "sealed."

// seal makes a ticket that holds the token itself.
func (t *tickets) seal(one ticket) string {
	content := append([]byte{0}, one.token...)
	if one.plain {
		content[0] = 1
	}
	return sealedPrefix + t.shared.Seal(content, one.until.Sub(t.now()))
}

// unseal returns what is in a ticket, once. The tickets in memory are then those that were used here.
func (t *tickets) unseal(text string) (ticket, bool) {
	sealed, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return ticket{}, false
	}
	content, ok := t.shared.Open(sealed)
	if !ok || len(content) < 1 {
		return ticket{}, false
	}
	key := sha256.Sum256([]byte(text))
	if !t.use(key) {
		return ticket{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return ticket{token: string(content[1:]), plain: content[0] == 1}, t.shared.Once(ctx, hex.EncodeToString(key[:]), maxTicketLife)
}

// use reports whether a ticket was not used here before.
func (t *tickets) use(key [32]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, used := t.good[key]; used {
		return false
	}
	if len(t.good) >= maxTickets {
		t.sweepLocked()
	}
	if len(t.good) >= maxTickets {
		return false
	}
	t.good[key] = ticket{until: t.now().Add(maxTicketLife)}
	return true
}
