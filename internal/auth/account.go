package auth

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// NewAccount is what an account is made from. Role and Status have the zero value's meaning: an active user.
type NewAccount struct {
	Username, Email, Password, FirstName, LastName, Bio, Avatar string
	Role                                                        presence.Role
	Status                                                      presence.AccountStatus
}

// Patch changes the fields that are not nil.
type Patch struct {
	Username, Email, FirstName, LastName, Bio, Avatar, Password *string
	Role                                                        *presence.Role
	Status                                                      *presence.AccountStatus
	Active, EmailVerified                                       *bool
}

// maxAvatar bounds an avatar's address, in bytes.
const maxAvatar = 2048

// account makes the account, without a password hash, after holding every field against its bounds. A
// missing e-mail is made up. shortest is the least length of its name.
func (n *NewAccount) account(now time.Time, shortest int) (presence.Account, error) {
	at := stamp(now)
	a := presence.Account{
		Username: strip(n.Username), Email: strip(n.Email), FirstName: strip(n.FirstName), LastName: strip(n.LastName),
		Bio: n.Bio, Avatar: strip(n.Avatar), Role: n.Role, Status: n.Status, Active: true,
		JoinedAt: at, CreatedAt: at, UpdatedAt: at, LastSeen: at,
	}
	n.Password = strip(n.Password)
	if a.Username == "" {
		return a, invalid("username", CodeRequired, "Username and password are required")
	}
	if err := checkUsername(a.Username, shortest); err != nil {
		return a, err
	}
	if a.Email == "" {
		a.Email = a.Username + "@" + presence.MadeUpDomain
	} else {
		a.Email = foldDomain(a.Email)
		if err := checkOwnEmail(a.Email, a.Username); err != nil {
			return a, err
		}
	}
	if err := checkPassword("password", n.Password); err != nil {
		return a, err
	}
	return a, checkDetails(&a)
}

// apply changes the account as the patch says, except for the password, and holds what it changed against
// the bounds.
func (p *Patch) apply(a *presence.Account) error {
	if p.Username != nil && strip(*p.Username) != a.Username {
		a.Username = strip(*p.Username)
		if err := checkUsername(a.Username, 1); err != nil {
			return err
		}
	}
	if p.Email != nil && foldDomain(strip(*p.Email)) != a.Email {
		a.Email = foldDomain(strip(*p.Email))
		if err := checkEmail(a.Email); err != nil {
			return err
		}
	}
	setStripped(&a.FirstName, p.FirstName)
	setStripped(&a.LastName, p.LastName)
	setStripped(&a.Avatar, p.Avatar)
	set(&a.Bio, p.Bio)
	set(&a.Role, p.Role)
	set(&a.Status, p.Status)
	set(&a.Active, p.Active)
	set(&a.EmailVerified, p.EmailVerified)
	return checkDetails(a)
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

func setStripped(to *string, value *string) {
	if value != nil {
		*to = strip(*value)
	}
}

// checkUsername keeps the recorded system's bounds. It takes any letters and signs, as that does, but
// nothing that cannot be seen: names that look the same must be the same.
func checkUsername(name string, shortest int) error {
	switch n := utf8.RuneCountInString(name); {
	case n < shortest:
		return invalid("username", CodeTooShort, "Username must be 3-150 characters")
	case n > presence.MaxUsername:
		return invalid("username", CodeTooLong, "Username must be 3-150 characters")
	case !utf8.ValidString(name), strings.ContainsFunc(name, unseen):
		return invalid("username", CodeMalformed, "Username contains characters that cannot be used")
	}
	return nil
}

// unseen reports characters that show nothing or move others about: controls, format characters (zero
// width, right-to-left marks), line separators, spaces other than the plain one, and the letters and marks
// that have no shape.
func unseen(r rune) bool {
	switch r {
	case ' ':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0, utf8.RuneError:
		return true
	}
	return !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Variation_Selector, r)
}

// checkOwnEmail is checkEmail, and refuses the address that is made up for another username: whoever took it
// would keep that name from signing up.
func checkOwnEmail(email, username string) error {
	if local, ours := strings.CutSuffix(email, "@"+presence.MadeUpDomain); ours && local != username {
		return invalid("email", CodeMalformed, "Invalid email format")
	}
	return checkEmail(email)
}

// checkEmail wants something@something.something without spaces; whether somebody reads it only a letter
// could tell.
func checkEmail(email string) error {
	if utf8.RuneCountInString(email) > presence.MaxEmail {
		return invalid("email", CodeTooLong, "Invalid email format")
	}
	local, domain, ok := strings.Cut(email, "@")
	ok = ok && local != "" && len(local) <= 64 && !strings.Contains(domain, "@") && utf8.ValidString(email) &&
		!strings.ContainsFunc(email, func(r rune) bool { return r == ' ' || unseen(r) || strings.ContainsRune(`<>()[]\,;:"`, r) }) &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..")
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		ok = ok && label != "" && len(label) <= 63 && !strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-") &&
			!strings.ContainsFunc(label, notInDomain)
	}
	if !ok || len(labels) < 2 {
		return invalid("email", CodeMalformed, "Invalid email format")
	}
	return nil
}

func notInDomain(r rune) bool {
	return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}

// foldDomain writes the domain of an address in lower case, as Django does.
func foldDomain(email string) string {
	if at := strings.LastIndexByte(email, '@'); at >= 0 {
		return email[:at] + strings.ToLower(email[at:])
	}
	return email
}

// checkDetails holds the fields that others only look at against their bounds.
func checkDetails(a *presence.Account) error {
	for _, f := range []struct {
		name, value string
		longest     int
		lines       bool
	}{
		{"first_name", a.FirstName, presence.MaxName, false},
		{"last_name", a.LastName, presence.MaxName, false},
		{"bio", a.Bio, presence.MaxBio, true},
		{"avatar", a.Avatar, maxAvatar, false},
	} {
		if utf8.RuneCountInString(f.value) > f.longest {
			return invalid(f.name, CodeTooLong, "This field is too long")
		}
		bad := func(r rune) bool {
			return unicode.IsControl(r) && !(f.lines && (r == '\n' || r == '\r' || r == '\t')) || turnsText(r)
		}
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, bad) {
			return invalid(f.name, CodeMalformed, "This field contains characters that cannot be used")
		}
	}
	if a.Avatar != "" && !strings.HasPrefix(a.Avatar, "https://") && !strings.HasPrefix(a.Avatar, "http://") &&
		!(strings.HasPrefix(a.Avatar, "/") && !strings.HasPrefix(a.Avatar, "//")) {
		return invalid("avatar", CodeMalformed, "Enter a valid URL.")
	}
	if _, ok := presence.ParseRole(a.Role.String()); !ok {
		return invalid("role", CodeMalformed, "There is no such role")
	}
	if _, ok := presence.ParseAccountStatus(a.Status.String()); !ok {
		return invalid("status", CodeMalformed, "There is no such status")
	}
	return nil
}

// turnsText reports the characters that turn the direction of all text after them. The joiners stay: names
// in Persian and Pashto need them.
func turnsText(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }
