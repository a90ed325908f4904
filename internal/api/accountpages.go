package api

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/offchat/presence"
)

const (
	// pageAccounts is how many consecutive ids one page stands for: few enough that what changed is read again in a
	// moment, and that a name and the address made of it are near enough to each other to be packed as one.
	pageAccounts = 1024
	// maxAccountChanges is how many changes of accounts are remembered for those who ask what is new.
	maxAccountChanges = 1 << 13
)

// accountPages keep the account columns of the roster as they go over the wire, packed and not, and know which
// accounts changed lately. Nothing is read before the first reader asks; after that, only pages with changes.
type accountPages struct {
	// Static after construction.
	store presence.AccountReader
	epoch string // of versions: those of another process mean nothing here
	reads singleflight.Group

	mu      sync.Mutex // guards the following fields
	version uint64     // counts the changes of accounts
	recent  []presence.UserID
	first   uint64 // recent[i] led to version first+1+i
	loaded  bool
	slots   map[uint64]*accountSlot
}

// accountSlot is the place of a page.
type accountSlot struct {
	page *accountPage // nil: not read yet
	have uint64       // the version that was read
	want uint64       // the newest version that is about it
}

// accountPage never changes.
type accountPage struct {
	ids     []presence.UserID
	columns []byte // members of a JSON object, without braces
	packed  []byte // the same as blocks of a deflate stream, which ends at a byte and refers to nothing before it
}

func newAccountPages(store presence.AccountReader) *accountPages {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return &accountPages{store: store, epoch: strconv.FormatUint(uint64(binary.BigEndian.Uint32(random[:])), 36), version: 1, first: 1}
}

// changed notes that an account changed, or with Everybody that any may have, and returns the version that this led to.
func (p *accountPages) changed(user presence.UserID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	if user == presence.Everybody {
		p.recent, p.first, p.loaded, p.slots = nil, p.version, false, nil
		return p.nameLocked(p.version)
	}
	if len(p.recent) == maxAccountChanges {
		p.recent = append(p.recent[:0], p.recent[maxAccountChanges/2:]...)
		p.first += maxAccountChanges / 2
	}
	p.recent = append(p.recent, user)
	if p.loaded {
		p.slotLocked(uint64(user) / pageAccounts).want = p.version
	}
	return p.nameLocked(p.version)
}

func (p *accountPages) slotLocked(number uint64) *accountSlot {
	if p.slots == nil {
		p.slots = map[uint64]*accountSlot{}
	}
	slot := p.slots[number]
	if slot == nil {
		slot = &accountSlot{}
		p.slots[number] = slot
	}
	return slot
}

func (p *accountPages) nameLocked(version uint64) string {
	return p.epoch + "-" + strconv.FormatUint(version, 10)
}

// since returns who changed after a version that was handed out before, and the version they lead to. It reports
// false when that is not known (any more).
func (p *accountPages) since(name string) (users []presence.UserID, version string, ok bool) {
	epoch, number, _ := strings.Cut(name, "-")
	p.mu.Lock()
	defer p.mu.Unlock()
	after, err := strconv.ParseUint(number, 10, 64)
	if err != nil || epoch != p.epoch || after < p.first || after > p.version {
		return nil, "", false
	}
	users = slices.Clone(p.recent[after-p.first:])
	slices.Sort(users)
	return slices.Compact(users), p.nameLocked(p.version), true
}

// accountView is all pages as they were, at least, at a version.
type accountView struct {
	version string
	total   int
	pages   []*accountPage // by id
}

// view reads what changed and returns everything. Readers who come at the same time share the work.
func (p *accountPages) view(ctx context.Context) (accountView, error) {
	got, err, _ := p.reads.Do("", func() (any, error) {
		return p.read(context.WithoutCancel(ctx)) // whoever came first may leave; the others stay
	})
	if err != nil {
		return accountView{}, err
	}
	return got.(accountView), nil
}

func (p *accountPages) read(ctx context.Context) (accountView, error) {
	version, fresh := p.begin()
	if fresh {
		if err := p.find(ctx); err != nil {
			p.changed(presence.Everybody)
			return accountView{}, err
		}
	}
	for _, number := range p.stale() {
		p.mu.Lock()
		want := p.slotLocked(number).want
		p.mu.Unlock()
		page, err := p.load(ctx, number)
		if err != nil {
			return accountView{}, err
		}
		p.mu.Lock()
		slot := p.slotLocked(number)
		slot.page, slot.have = page, want
		p.mu.Unlock()
	}
	view, whole := p.collect(version)
	if !whole { // anything may have changed meanwhile
		return p.read(ctx)
	}
	return view, nil
}

// collect puts the pages together. It reports false when they were given up meanwhile.
func (p *accountPages) collect(version uint64) (accountView, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	view := accountView{version: p.nameLocked(version)}
	for _, slot := range p.slots {
		if slot.page != nil && len(slot.page.ids) > 0 {
			view.pages = append(view.pages, slot.page)
			view.total += len(slot.page.ids)
		}
	}
	slices.SortFunc(view.pages, func(a, b *accountPage) int { return cmp.Compare(a.ids[0], b.ids[0]) })
	return view, p.loaded
}

// begin returns the version that is certain to be in what is read from now on, and whether nothing was read so far.
func (p *accountPages) begin() (version uint64, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fresh = !p.loaded; fresh {
		p.loaded, p.slots = true, map[uint64]*accountSlot{}
	}
	return p.version, fresh
}

// find makes a slot for every page that has accounts.
func (p *accountPages) find(ctx context.Context) error {
	ids, err := p.store.AccountIDs(ctx, presence.AccountFilter{}, presence.IDUp)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		slot := p.slotLocked(uint64(id) / pageAccounts)
		slot.want = max(slot.want, 1)
	}
	return nil
}

func (p *accountPages) stale() (numbers []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number, slot := range p.slots {
		if slot.have < slot.want {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func (p *accountPages) load(ctx context.Context, number uint64) (*accountPage, error) {
	ids := make([]presence.UserID, 0, pageAccounts)
	for id := number * pageAccounts; id < (number+1)*pageAccounts; id++ {
		if id > 0 {
			ids = append(ids, presence.UserID(id))
		}
	}
	accounts, err := p.store.AccountsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	page := &accountPage{ids: make([]presence.UserID, len(accounts)), columns: appendAccountColumns(nil, accounts)}
	for i := range accounts {
		page.ids[i] = accounts[i].ID
	}
	var packed bytes.Buffer
	packer, _ := flate.NewWriter(&packed, flate.DefaultCompression) // a level that there is
	_, _ = packer.Write(page.columns)                               // into memory
	_ = packer.Flush()
	page.packed = bytes.Clone(packed.Bytes())
	return page, nil
}

// appendAccountColumns appends the columns of wire.RosterPart that are about accounts.
func appendAccountColumns(b []byte, accounts []presence.Account) []byte {
	text := func(b []byte, name string, value func(*presence.Account) string) []byte {
		return appendColumn(b, name, len(accounts), func(b []byte, i int) []byte { return appendJSON(b, value(&accounts[i])) })
	}
	number := func(b []byte, name string, value func(*presence.Account) int64) []byte {
		return appendColumn(b, name, len(accounts), func(b []byte, i int) []byte { return strconv.AppendInt(b, value(&accounts[i]), 10) })
	}
	id := presence.UserID(0) // differences to the row before are small, and small numbers pack well
	b = number(b, "ids", func(a *presence.Account) int64 {
		step := a.ID - id
		id += step
		return int64(step)
	})
	b = text(append(b, ','), "usernames", shortUsername)
	b = text(append(b, ','), "emails", func(a *presence.Account) string {
		if rest, same := strings.CutPrefix(a.Email, a.Username); same && strings.HasPrefix(rest, "@") {
			return rest
		}
		return a.Email
	})
	b = text(append(b, ','), "first_names", func(a *presence.Account) string { return a.FirstName })
	b = text(append(b, ','), "last_names", func(a *presence.Account) string { return a.LastName })
	b = number(append(b, ','), "roles", func(a *presence.Account) int64 { return int64(a.Role) })
	b = number(append(b, ','), "account_statuses", func(a *presence.Account) int64 { return int64(a.Status) })
	b = number(append(b, ','), "active", func(a *presence.Account) int64 { return one(a.Active) })
	joined := int64(0)
	return number(append(b, ','), "joined", func(a *presence.Account) int64 {
		step := a.JoinedAt.Unix() - joined
		joined += step
		return step
	})
}

// shortUsername says a username by the names of its account where it is made of them, as wire.Roster has it:
// zahra.noori7 of Zahra Noori is ~.7. Half of what a roster weighs are names, and many houses make usernames so.
func shortUsername(a *presence.Account) string {
	if strings.HasPrefix(a.Username, "~") {
		return "~" + a.Username
	}
	rest, ok := cutName(a.Username, a.FirstName)
	if !ok || rest == "" || !strings.Contains(".-_", rest[:1]) {
		return a.Username
	}
	end, ok := cutName(rest[1:], a.LastName)
	if !ok {
		return a.Username
	}
	return "~" + rest[:1] + end
}

// cutName takes a name in small letters from the beginning of a text. Only names in Latin letters: what is small is
// not the same everywhere for others.
func cutName(text, name string) (rest string, ok bool) {
	if name == "" || len(text) < len(name) {
		return text, false
	}
	for i := range len(name) {
		c := name[i] | 0x20
		if c < 'a' || c > 'z' || text[i] != c {
			return text, false
		}
	}
	return text[len(name):], true
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// appendColumn appends a member whose value is a list.
func appendColumn(b []byte, name string, n int, value func([]byte, int) []byte) []byte {
	b = append(append(append(b, '"'), name...), `":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(b, i)
	}
	return append(b, ']')
}

// appendJSON appends a text as JSON; plain ones without asking anybody.
func appendJSON(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(text)
			if err != nil {
				return append(b, `""`...) // a text always can be
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
