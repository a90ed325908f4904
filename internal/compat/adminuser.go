package compat

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

const maxAvatar = 2048

// The rules hold what the serializers of the recorded system said, all fields at once; what an address or a
// picture must look like is auth's to say.
var (
	emailRule    = rule{max: presence.MaxEmail}
	nameRule     = rule{mayBeBlank: true, max: presence.MaxName}
	bioRule      = rule{mayBeBlank: true, max: presence.MaxBio}
	passwordRule = rule{min: presence.MinPassword, max: presence.MaxPassword}
	avatarRule   = rule{mayBeBlank: true, nullIsBlank: true, max: maxAvatar}
)

// needed makes a rule's field required.
func needed(r rule) rule {
	r.required = true
	return r
}

// checkUsername is what an admin may call somebody. Who registers may choose more freely, as recorded.
func checkUsername(s string) string {
	for _, ch := range s {
		if !unicode.IsLetter(ch) && !unicode.IsDigit(ch) && !unicode.IsMark(ch) && !strings.ContainsRune("._- ", ch) {
			return "Username can only contain letters, numbers, dots, underscores, hyphens, and spaces."
		}
	}
	return ""
}

func usernameRule() rule { return rule{max: presence.MaxUsername, check: checkUsername} }

// adminUser shows one account in full.
func (h *Handler) adminUser(c *call) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	return c.user(http.StatusOK, a)
}

// user answers with a user object.
func (c *call) user(status int, a presence.Account) error {
	p, err := c.h.person(c.ctx(), a)
	if err != nil {
		return err
	}
	c.out = appendUser(c.out, &p)
	c.answer(status)
	return nil
}

// createUser makes an account for somebody else; it is pending unless the admin says otherwise.
func (h *Handler) createUser(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	n, err := readNewUser(in)
	if err != nil {
		return err
	}
	a, err := h.Auth.Create(c.ctx(), c.id, n, c.origin())
	if err != nil {
		return c.refused(err, n.Email)
	}
	return c.user(http.StatusCreated, a)
}

func readNewUser(in body) (auth.NewAccount, error) {
	f := form{body: in}
	n := auth.NewAccount{Status: presence.AccountPending}
	set(&n.Username, f.text("username", needed(usernameRule())))
	set(&n.Email, f.text("email", needed(emailRule)))
	set(&n.Password, f.text("password", needed(passwordRule)))
	set(&n.FirstName, f.text("first_name", nameRule))
	set(&n.LastName, f.text("last_name", nameRule))
	set(&n.Bio, f.text("bio", bioRule))
	set(&n.Avatar, f.text("avatar", avatarRule))
	set(&n.Role, choice(&f, "role", presence.ParseRole))
	set(&n.Status, choice(&f, "status", presence.ParseAccountStatus))
	if err := f.err(); err != nil {
		return n, err
	}
	if again, given := in["password_confirm"]; given && !again.null() {
		if s, ok := again.string(); !ok || strings.TrimSpace(s) != n.Password {
			return n, problems{{"non_field_errors", "Passwords don't match."}}
		}
	}
	return n, nil
}

// set stores a value that was given.
func set[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

// refused words what auth has to say about the fields of an account. Both unique fields may be taken at once,
// and the recorded system then names both.
func (c *call) refused(err error, email string) error {
	switch takenField(err) {
	case "username":
		list := problems{{"username", "User with this username already exists."}}
		if email != "" && c.emailTaken(email) {
			list = append(list, problem{"email", "User with this email already exists."})
		}
		return list
	case "email":
		return problems{{"email", "User with this email already exists."}}
	}
	return fieldProblem(err)
}

// emailTaken looks for an account with that address; the store can only search.
func (c *call) emailTaken(email string) bool {
	found, _, err := c.h.Accounts.Accounts(c.ctx(), presence.AccountFilter{Search: email}, presence.IDUp, 0, 100)
	if err != nil {
		return false // the first field alone is answer enough
	}
	for i := range found {
		if found[i].Email == email {
			return true
		}
	}
	return false
}

// fieldProblem turns an Invalid error about a field into the shape that serializers have.
func fieldProblem(err error) error {
	e := asError(err)
	switch {
	case e == nil || e.Kind != presence.Invalid || e.Field == "":
		return err
	case e.Field == "email" && e.Code == auth.CodeMalformed:
		return problems{{"email", "Enter a valid email address."}}
	default:
		return problems{{e.Field, e.Tell}}
	}
}

// updateUser changes the fields that were given. Presence is not among them: online_status and last_seen are
// the engine's, though a word that is no status is still called wrong.
func (h *Handler) updateUser(c *call) error {
	in, err := c.readBody()
	if err != nil {
		return err
	}
	a, err := c.account()
	if err != nil {
		return err
	}
	patch, err := readPatch(in, &a)
	if err != nil {
		return err
	}
	changed, err := h.Auth.Update(c.ctx(), c.id, a.ID, patch, c.origin())
	if err != nil {
		email := ""
		if patch.Email != nil && *patch.Email != a.Email {
			email = *patch.Email
		}
		return c.refused(err, email)
	}
	return c.user(http.StatusOK, changed)
}

func readPatch(in body, a *presence.Account) (auth.Patch, error) {
	f := form{body: in}
	usernames := usernameRule()
	usernames.check = func(s string) string {
		if s == a.Username { // a name from before the rule may stay
			return ""
		}
		return checkUsername(s)
	}
	p := auth.Patch{
		Username:  f.text("username", usernames),
		Email:     f.text("email", emailRule),
		FirstName: f.text("first_name", nameRule),
		LastName:  f.text("last_name", nameRule),
		Avatar:    f.text("avatar", avatarRule),
		Bio:       f.text("bio", bioRule),
		Password:  f.text("password", passwordRule),
		Role:      choice(&f, "role", presence.ParseRole),
		Status:    choice(&f, "status", presence.ParseAccountStatus),
		Active:    f.bool("is_active"),
	}
	_ = choice(&f, "online_status", presence.ParseStatus)
	return p, f.err()
}

// deleteUser puts an account into the trash, or with ?permanent=true removes it for good.
func (h *Handler) deleteUser(c *call) error {
	id, err := c.userID()
	if err != nil {
		return err
	}
	permanent := strings.EqualFold(param(c.r.URL.Query(), "permanent"), "true")
	if _, err := h.Auth.Delete(c.ctx(), c.id, id, permanent, c.origin()); err != nil {
		return err
	}
	return c.message("User deleted successfully")
}

// reasonOf reads why an admin acts, from a body that may be empty.
func (c *call) reasonOf() (string, error) {
	in, err := c.readBody()
	if err != nil {
		return "", err
	}
	reason, isText := in.text("reason")
	switch {
	case !isText:
		return "", invalid("reason must be text")
	case utf8.RuneCountInString(reason) > presence.MaxBio:
		return "", invalid("reason must be at most 500 characters")
	}
	return reason, nil
}
