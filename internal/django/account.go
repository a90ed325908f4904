package django

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// userWants are the columns of the users table, ours first and then what Django may call it. Where there are
// several, the first that exists counts.
var userWants = [][]string{
	{"id", "id"},
	{"username", "username"},
	{"email", "email"},
	{"password", "password"},
	{"first_name", "first_name"},
	{"last_name", "last_name"},
	{"avatar", "avatar", "avatar_url", "profile_picture"},
	{"bio", "bio"},
	{"role", "role"},
	{"status", "status"},
	{"is_active", "is_active"},
	{"is_staff", "is_staff"},
	{"is_superuser", "is_superuser"},
	{"email_verified", "email_verified", "is_email_verified"},
	{"is_approved", "is_approved"},
	{"online_status", "online_status"},
	{"last_seen", "last_seen"},
	{"join_date", "join_date"},
	{"date_joined", "date_joined"},
	{"created_at", "created_at"},
	{"updated_at", "updated_at"},
	{"is_deleted", "is_deleted"},
	{"deleted_at", "deleted_at"},
}

// person is a row of the users table as it stands here.
type person struct {
	presence.Account
	// seemed is the status the original showed: nobody is carried over as present.
	seemed presence.Status
}

// people makes accounts out of rows. It remembers names and addresses, so it must see the rows in the order
// of their ids, each once; the same rows give the same accounts and the same findings every time.
type people struct {
	o     *Options
	first time.Time // the first run's moment: for those whose row knows no time at all
	note  func(Finding)

	exact, folded, emails map[string]presence.UserID
}

func newPeople(o *Options, first time.Time, note func(Finding)) *people {
	return &people{
		o: o, first: first, note: note,
		exact: map[string]presence.UserID{}, folded: map[string]presence.UserID{}, emails: map[string]presence.UserID{},
	}
}

// rowNote notes findings about one row.
type rowNote struct {
	to   func(Finding)
	id   string
	name string
}

func (n rowNote) refused(field, format string, args ...any) {
	n.to(Finding{Grade: Refused, Table: "users", ID: n.id, Name: n.name, Field: field, Text: fmt.Sprintf(format, args...)})
}

func (n rowNote) changed(field, format string, args ...any) {
	n.to(Finding{Grade: Changed, Table: "users", ID: n.id, Name: n.name, Field: field, Text: fmt.Sprintf(format, args...)})
}

func (n rowNote) noted(field, format string, args ...any) {
	n.to(Finding{Grade: Noted, Table: "users", ID: n.id, Name: n.name, Field: field, Text: fmt.Sprintf(format, args...)})
}

// read makes an account out of a row, or notes why it cannot be one.
func (p *people) read(f *fields) (person, bool) {
	raw, _ := f.get("id")
	say := rowNote{to: p.note, id: firstRunes(printable(raw), 40)}
	id, err := strconv.ParseInt(strings.TrimSpace(raw), 10, 64)
	if err != nil || id <= 0 {
		say.refused("id", "the id is not a positive number")
		return person{}, false
	}
	one := person{Account: presence.Account{ID: presence.UserID(id)}}
	a := &one.Account
	if !p.readName(f, a, &say) {
		return person{}, false
	}
	p.readEmail(f, a, say)
	a.FirstName = p.text(f, "first_name", presence.MaxName, say)
	a.LastName = p.text(f, "last_name", presence.MaxName, say)
	a.Bio = p.text(f, "bio", presence.MaxBio, say)
	a.Avatar = p.text(f, "avatar", maxAvatar, say)
	p.readPassword(f, a, say)
	p.readStanding(f, a, say)
	p.readTimes(f, &one, say)
	return one, true
}

// maxAvatar is how long the address of a picture may be: Django's URLField and ImageField have less.
const maxAvatar = 2000

func (p *people) readName(f *fields, a *presence.Account, say *rowNote) bool {
	raw, ok := f.get("username")
	name, odd := readText(raw)
	say.name = firstRunes(printable(name), 60)
	switch {
	case !ok || name == "":
		say.refused("username", "there is no name")
		return false
	case utf8.RuneCountInString(name) > presence.MaxUsername:
		say.refused("username", "the name has %d characters; %d is the limit", utf8.RuneCountInString(name), presence.MaxUsername)
		return false
	}
	if other, taken := p.exact[name]; taken {
		say.refused("username", "user %d has the same name", other)
		return false
	}
	if odd {
		say.changed("username", "was not UTF-8 text, and is read as Latin-1")
	}
	if name != strings.TrimSpace(name) {
		say.noted("username", "begins or ends with a space, which signing in takes away: this person cannot sign in until renamed")
	}
	folded := strings.ToLower(name)
	if other, taken := p.folded[folded]; taken {
		say.noted("username", "differs from the name of user %d only by upper and lower case; both are kept", other)
	} else {
		p.folded[folded] = a.ID
	}
	p.exact[name] = a.ID
	a.Username = name
	return true
}

// madeUp is the address of somebody who gave none, as registering makes it.
func madeUp(name string) string { return name + "@" + presence.MadeUpDomain }

func (p *people) readEmail(f *fields, a *presence.Account, say rowNote) {
	raw, _ := f.get("email")
	email, odd := readText(raw)
	email = strings.TrimSpace(email)
	other, taken := p.emails[email]
	switch {
	case email == "":
		say.changed("email", "there was none; it is %s now", madeUp(a.Username))
		email = madeUp(a.Username)
	case utf8.RuneCountInString(email) > presence.MaxEmail:
		say.changed("email", "it has more than %d characters; it is %s now", presence.MaxEmail, madeUp(a.Username))
		email = madeUp(a.Username)
	case taken:
		say.changed("email", "%s is user %d's too; it is %s now", printable(email), other, madeUp(a.Username))
		email = madeUp(a.Username)
	case odd:
		say.changed("email", "was not UTF-8 text, and is read as Latin-1")
	}
	if _, taken := p.emails[email]; taken { // somebody really has the made-up one
		email = madeUp("user" + strconv.FormatInt(int64(a.ID), 10))
	}
	p.emails[email] = a.ID
	a.Email = email
}

// text reads a field that may be shortened.
func (p *people) text(f *fields, what string, limit int, say rowNote) string {
	raw, _ := f.get(what)
	text, odd := readText(raw)
	if odd {
		say.changed(what, "was not UTF-8 text, and is read as Latin-1 without NUL characters")
	}
	if n := utf8.RuneCountInString(text); n > limit {
		say.changed(what, "has %d characters and is cut to %d", n, limit)
		text = firstRunes(text, limit)
	}
	return text
}

func (p *people) readPassword(f *fields, a *presence.Account, say rowNote) {
	hash, _ := f.get("password")
	switch {
	case hash == "":
		a.PasswordHash = "!"
		say.noted("password", "there is none: this person needs a new one (presence user set-password)")
		return
	case !utf8.ValidString(hash) || strings.ContainsRune(hash, 0):
		a.PasswordHash = "!"
		say.changed("password", "is no text: this person needs a new one (presence user set-password)")
		return
	case strings.HasPrefix(hash, "!"): // Django's word for "no password works"
	case p.o.Readable != nil && !p.o.Readable(hash):
		algorithm, _, _ := strings.Cut(hash, "$")
		say.noted("password", "is hashed in a way that is not read here (%s): this person needs a new one (presence user set-password)",
			firstRunes(printable(algorithm), 20))
	}
	a.PasswordHash = hash
}

func (p *people) readStanding(f *fields, a *presence.Account, say rowNote) {
	is := func(what string, otherwise bool) bool {
		if raw, ok := f.get(what); ok {
			return readTrue(raw)
		}
		return otherwise
	}
	a.Active = is("is_active", true)
	a.Staff = is("is_staff", false) || is("is_superuser", false)
	a.EmailVerified = is("email_verified", false)

	word, _ := f.get("role")
	role, ok := presence.ParseRole(strings.ToLower(strings.TrimSpace(word)))
	if !ok && word != "" {
		say.changed("role", "%q is no role here; it is user now", firstRunes(printable(word), 40))
	}
	a.Role = role

	word, there := f.get("status")
	word = strings.ToLower(strings.TrimSpace(word))
	status, ok := presence.ParseAccountStatus(word)
	switch {
	case ok:
		a.Status = status
	case !there || word == "":
		if a.Status = presence.AccountActive; !is("is_approved", true) {
			a.Status = presence.AccountPending
		}
	case word == "inactive":
		a.Active = false
	default:
		a.Status = presence.AccountPending
		say.changed("status", "%q is no status here; the account is pending until an admin approves it", firstRunes(printable(word), 40))
	}
}

func (p *people) readTimes(f *fields, one *person, say rowNote) {
	moment := func(what string) time.Time {
		raw, ok := f.get(what)
		if !ok || strings.TrimSpace(raw) == "" {
			return time.Time{}
		}
		t, ok := readTime(raw, p.o.Place)
		if !ok {
			say.changed(what, "%q is no moment and is left out", firstRunes(printable(raw), 40))
		}
		return t
	}
	a := &one.Account
	joined, dateJoined := moment("join_date"), moment("date_joined")
	created, updated, seen := moment("created_at"), moment("updated_at"), moment("last_seen")
	if seen.After(p.o.Now) {
		say.changed("last_seen", "%s is in the future and is left out", seen.Format(time.RFC3339))
		if seen = updated; seen.After(p.o.Now) {
			seen = time.Time{}
		}
	}
	a.LastSeen, a.Since = seen, seen
	a.JoinedAt = firstTime(joined, dateJoined, created, seen, p.first)
	a.CreatedAt = firstTime(created, dateJoined, joined, seen, p.first)
	a.UpdatedAt = firstTime(updated, a.CreatedAt)
	if raw, _ := f.get("is_deleted"); readTrue(raw) {
		a.DeletedAt = firstTime(updated, p.first)
	}
	if deleted := moment("deleted_at"); !deleted.IsZero() {
		a.DeletedAt = deleted
	}
	word, _ := f.get("online_status")
	one.seemed, _ = presence.ParseStatus(strings.ToLower(strings.TrimSpace(word)))
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// printable keeps what others wrote from moving the cursor about.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
