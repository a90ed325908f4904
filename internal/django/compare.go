package django

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/offchat/presence"
)

// carried are the fields that are carried over, as text, for comparing them.
var carried = []struct {
	name string
	of   func(a *presence.Account) string
}{
	{"username", func(a *presence.Account) string { return a.Username }},
	{"email", func(a *presence.Account) string { return a.Email }},
	{"first_name", func(a *presence.Account) string { return a.FirstName }},
	{"last_name", func(a *presence.Account) string { return a.LastName }},
	{"avatar", func(a *presence.Account) string { return a.Avatar }},
	{"bio", func(a *presence.Account) string { return a.Bio }},
	{"password", func(a *presence.Account) string { return a.PasswordHash }},
	{"role", func(a *presence.Account) string { return a.Role.String() }},
	{"staff", func(a *presence.Account) string { return strconv.FormatBool(a.Staff) }},
	{"status", func(a *presence.Account) string { return a.Status.String() }},
	{"is_active", func(a *presence.Account) string { return strconv.FormatBool(a.Active) }},
	{"email_verified", func(a *presence.Account) string { return strconv.FormatBool(a.EmailVerified) }},
	{"join_date", func(a *presence.Account) string { return moment(a.JoinedAt) }},
	{"created_at", func(a *presence.Account) string { return moment(a.CreatedAt) }},
	{"last_seen", func(a *presence.Account) string { return moment(a.LastSeen) }},
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// differences lists the fields in which an account differs from what the original says. An address that had
// to be made up because another account has the real one is no difference; nor is created_at, which nothing
// changes any more once the account is here.
func differences(known *presence.Account, one *person) (names []string) {
	for _, field := range carried {
		switch {
		case field.of(known) == field.of(&one.Account):
		case field.name == "created_at":
		case field.name == "email" && known.Email == madeUp(one.Username):
		default:
			names = append(names, field.name)
		}
	}
	return names
}

// updated is the account with what the original says in the place of ours. What the original knows nothing of
// stays.
func updated(known *presence.Account, one *person) *presence.Account {
	a := *known
	a.Email, a.FirstName, a.LastName, a.Avatar, a.Bio = one.Email, one.FirstName, one.LastName, one.Avatar, one.Bio
	a.PasswordHash, a.Role, a.Staff, a.Status, a.Active = one.PasswordHash, one.Role, one.Staff, one.Status, one.Active
	a.EmailVerified, a.JoinedAt, a.UpdatedAt, a.DeletedAt = one.EmailVerified, one.JoinedAt, one.UpdatedAt, one.DeletedAt
	return &a
}

// checksum adds up a hash of each value with its account's id, so that the order does not matter.
type checksum uint64

func (c *checksum) add(id presence.UserID, value string) {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(id))
	hash := sha256.New()
	hash.Write(number[:])
	hash.Write([]byte(value))
	*c += checksum(binary.BigEndian.Uint64(hash.Sum(nil)))
}

func (c checksum) String() string { return fmt.Sprintf("%016x", uint64(c)) }

// compare reads both sides once more, and says where they differ. Accounts that were not carried over are in
// the findings and not compared.
func (im *importer) compare(ctx context.Context, l *layout) error {
	there, here := make([]checksum, len(carried)), make([]checksum, len(carried))
	differing := make([]int, len(carried))
	rows, fit, found, done := 0, 0, 0, 0
	people := newPeople(im.Options, im.first, func(Finding) {})
	waiting := make([]person, 0, batch)
	flush := func() error {
		known, err := im.here(ctx, waiting)
		if err != nil {
			return err
		}
		for i := range waiting {
			one := &waiting[i]
			ours, ok := known[one.ID]
			if ok {
				found++
			}
			for n, field := range carried {
				want := field.of(&one.Account)
				there[n].add(one.ID, want)
				if !ok {
					differing[n]++
					continue
				}
				got := field.of(&ours)
				if field.name == "email" && got == madeUp(one.Username) {
					got = want // told among the findings
				}
				here[n].add(one.ID, got)
				if got != want {
					differing[n]++
				}
			}
		}
		done += len(waiting)
		waiting = waiting[:0]
		im.Progress("comparison", done, im.report.Users.Rows)
		return nil
	}
	err := im.source.each(ctx, l, 0, func(f *fields) error {
		rows++
		one, ok := people.read(f)
		if !ok || !im.known[one.ID] || !one.DeletedAt.IsZero() {
			return nil
		}
		fit++
		if waiting = append(waiting, one); len(waiting) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	report := func(what, there, here string, differing int) {
		im.report.Comparison = append(im.report.Comparison, Compared{What: what, There: there, Here: here, Differing: differing})
	}
	report("accounts", strconv.Itoa(fit), strconv.Itoa(found), fit-found)
	for n, field := range carried {
		report(field.name, there[n].String(), here[n].String(), differing[n])
	}
	return nil
}

// Sentence sums the comparison up.
func (r *Report) Sentence() string {
	if r.Agrees() {
		return "Both sides agree in every field of every account that was carried over."
	}
	var where []string
	for _, c := range r.Comparison {
		if c.Differing > 0 {
			where = append(where, fmt.Sprintf("%s of %d", c.What, c.Differing))
		}
	}
	return "The sides differ: " + strings.Join(where, ", ") + ". Accounts that were here before and differ are listed as kept."
}
