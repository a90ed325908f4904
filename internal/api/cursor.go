package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/offchat/presence"
)

// sorting is an order of users: the store's, or one by presence.
type sorting struct {
	account presence.AccountOrder
	// bySeen and bySince sort by presence instead; down turns them round.
	bySeen, bySince, down bool
}

func (s sorting) byPresence() bool { return s.bySeen || s.bySince }

var sortings = map[string]sorting{
	"created_at": {account: presence.OldestCreated}, "-created_at": {account: presence.NewestCreated},
	"username": {account: presence.UsernameUp}, "-username": {account: presence.UsernameDown},
	"email": {account: presence.EmailUp}, "-email": {account: presence.EmailDown},
	"id": {account: presence.IDUp}, "-id": {account: presence.IDDown},
	"last_seen": {bySeen: true}, "-last_seen": {bySeen: true, down: true},
	"since": {bySince: true}, "-since": {bySince: true, down: true},
}

// cursor is a place in a list: after the user with these keys. It is no secret and no promise: whoever makes one
// up reads from another place of the same list.
type cursor struct {
	Digest string `json:"q"`
	Text   string `json:"t,omitempty"` // the key, where it is a text
	Number int64  `json:"n,omitempty"` // the key, where it is a time: Unix microseconds
	ID     int64  `json:"i"`
}

func (c cursor) String() string {
	text, err := json.Marshal(c) // texts and numbers: cannot fail
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads what String wrote for the same question.
func readCursor(text, digest string) (*cursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	c := &cursor{}
	reader := json.NewDecoder(strings.NewReader(string(b)))
	reader.DisallowUnknownFields()
	if reader.Decode(c) != nil || reader.More() || c.Digest != digest || c.ID <= 0 {
		return nil, false
	}
	return c, true
}

// digestOf tells questions apart: everything that decides which users there are and in what order.
func digestOf(in *usersInput) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %d %d %q %d", in.Sort, in.Search, in.Presence, in.Account, in.Role,
		in.Cause, in.After.UnixMicro(), in.Before.UnixMicro(), in.Hold, in.Devices))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// cursorAfter is the place after somebody who was found. It is empty when that needs an account that is gone.
func (q *userQuery) cursorAfter(p presence.Presence, accounts map[presence.UserID]*presence.Account) string {
	c := cursor{Digest: q.digest, ID: int64(p.User)}
	if q.sort.byPresence() {
		c.Number = q.sort.key(&p)
		return c.String()
	}
	a := accounts[p.User]
	if a == nil {
		return ""
	}
	switch q.sort.account {
	case presence.UsernameUp, presence.UsernameDown:
		c.Text = a.Username
	case presence.EmailUp, presence.EmailDown:
		c.Text = a.Email
	case presence.NewestCreated, presence.OldestCreated:
		c.Number = a.CreatedAt.UnixMicro()
	}
	return c.String()
}

// account is the cursor as the store takes it.
func (c *cursor) account() *presence.Account {
	if c == nil {
		return nil
	}
	return &presence.Account{
		ID: presence.UserID(c.ID), Username: c.Text, Email: c.Text, CreatedAt: time.UnixMicro(c.Number).UTC(),
	}
}

// key is what an order by presence sorts by.
func (s sorting) key(p *presence.Presence) int64 {
	t := p.LastSeen
	if s.bySince {
		t = p.Since
	}
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
