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

// seal makes a ticket that holds the tokens themselves.
func (t *tickets) seal(one ticket) string {
	content := append(append([]byte{byte(len(one.via))}, one.via...), one.token...) // an API token has some 50 characters
	return sealedPrefix + t.shared.Seal(content, one.until.Sub(t.now()))
}

// unseal returns what is in a ticket, once. The tickets in memory are then those that were used here.
func (t *tickets) unseal(text string) (ticket, bool) {
	sealed, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return ticket{}, false
	}
	content, ok := t.shared.Open(sealed)
	if !ok || len(content) < 1 || len(content) < 1+int(content[0]) {
		return ticket{}, false
	}
	via, token := content[1:1+int(content[0])], content[1+int(content[0]):]
	key := sha256.Sum256([]byte(text))
	if !t.use(key) {
		return ticket{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return ticket{proof: proof{string(token), string(via)}}, t.shared.Once(ctx, hex.EncodeToString(key[:]), maxTicketLife)
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
