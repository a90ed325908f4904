package auth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func TestRegisterMakesAnActiveAccountAndSignsItIn(t *testing.T) {
	w := newWorld(t)
	a, tokens, err := w.Register(t.Context(), NewAccount{
		Username: "  alice ", Password: " Alice-pass-1 ", Role: presence.RoleAdmin, Status: presence.AccountBanned,
	}, home)
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != 1 || a.Username != "alice" || a.Email != "alice@offchat.local" || !a.MaySignIn() || a.Role != presence.RoleUser || a.OnlineStatus != presence.Online {
		t.Errorf("%+v", a)
	}
	id, err := w.auth(tokens.Access)
	if err != nil || id.User != a.ID || id.Username() != "alice" || id.IsAdmin() || id.MayRead() {
		t.Fatalf("%+v, %v", id, err)
	}
	if len(w.presence.admitted) != 1 || w.presence.last().Kind != presence.Login || w.presence.last().Session != id.Session {
		t.Errorf("presence heard %+v", w.presence.last())
	}
	log := w.data().activity
	if len(log) != 1 || log[0].Action != "register" || log[0].IP != home.IP {
		t.Errorf("activity %+v", log)
	}
	for _, password := range []string{"Alice-pass-1", "  Alice-pass-1\t"} {
		if _, _, err := w.Login(t.Context(), " alice", password, home); err != nil {
			t.Errorf("login with %q: %v", password, err)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	for name, c := range map[string]struct {
		n           NewAccount
		kind        presence.ErrorKind
		field, tell string
	}{
		"nothing":        {NewAccount{}, presence.Invalid, "username", "Username and password are required"},
		"no password":    {NewAccount{Username: "bob"}, presence.Invalid, "password", "Username and password are required"},
		"two letters":    {NewAccount{Username: "ab", Password: goodPassword}, presence.Invalid, "username", "Username must be 3-150 characters"},
		"151 letters":    {NewAccount{Username: strings.Repeat("u", 151), Password: goodPassword}, presence.Invalid, "username", "Username must be 3-150 characters"},
		"short password": {NewAccount{Username: "bob", Password: "short"}, presence.Invalid, "password", "Password must be 8-128 characters"},
		"only spaces":    {NewAccount{Username: "bob", Password: "  short  "}, presence.Invalid, "password", "Password must be 8-128 characters"},
		"bad e-mail":     {NewAccount{Username: "bob", Email: "nope", Password: goodPassword}, presence.Invalid, "email", "Invalid email format"},
		"name taken":     {NewAccount{Username: "alice", Email: "a2@example.test", Password: goodPassword}, presence.Conflict, "username", "Username already exists"},
		"e-mail taken":   {NewAccount{Username: "bob", Email: "alice@EXAMPLE.test", Password: goodPassword}, presence.Conflict, "email", "Email already exists"},
	} {
		_, _, err := w.Register(t.Context(), c.n, home)
		if presence.KindOf(err) != c.kind || field(err) != c.field || tell(err) != c.tell {
			t.Errorf("%s: %v (%q, %q)", name, err, field(err), tell(err))
		}
	}
	if n := len(w.data().accounts) + len(w.data().sessions); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestUsernames(t *testing.T) {
	for name, fine := range map[string]bool{
		"alice": true, "<b>@x": true, "=cmd|calc": true, "<script>alert(1)</script>": true, "имя": true, "pa yal": true, "جانان": true, "名前です": true,
		strings.Repeat("u", 150): true, strings.Repeat("ü", 150): true, "e\u0301mile": true, "a🙂b": true,
		"a\u202eb3": false, "a\u200fb3": false, "a\u200bb3": false, "a\u200db3": false, "a\ufeffb3": false, "a\u2066b3": false, "a\u00adb3": false,
		"a\r\nb": false, "a\x00b": false, "a\x7fb": false, "a\u2028b": false, "a\u00a0b": false, "a\u3000b": false, "a\u3164b": false,
		"a\ufe0fb": false, "a\u034fb": false, "a\xffb": false, "a\tb": false, "a\U000e0041b": false,
	} {
		if err := checkUsername(name, presence.MinUsername); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEmails(t *testing.T) {
	for email, fine := range map[string]bool{
		"a@b.co": true, "first.last+tag@sub.example.test": true, "o'neil@example.test": true, "ü@exämple.test": true, "dave@offchat.local": true,
		"nope": false, "a@b": false, "@b.co": false, "a@": false, "a@@b.co": false, "a b@c.de": false, "a@b..co": false, "a@-b.co": false,
		".a@b.co": false, "a.@b.co": false, "a..b@c.de": false, "<a>@b.co": false, "a@b.co\r\nBcc: x@y.z": false, "a@b.c/o": false,
		strings.Repeat("a", 65) + "@b.co": false, "a@" + strings.Repeat("b.", 130) + "co": false, "a\u202e@b.co": false, "a@b.co.": false,
	} {
		if err := checkEmail(email); (err == nil) != fine {
			t.Errorf("%q: %v", email, err)
		}
	}
}

func TestLoginAnswersFresh(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.clock.pass(time.Hour)
	a, tokens, err := w.Login(t.Context(), "alice", goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	if a.OnlineStatus != presence.Online || !a.LastSeen.Equal(w.clock.now()) {
		t.Errorf("%v, last seen %v", a.OnlineStatus, a.LastSeen)
	}
	if w.presence.last().Kind != presence.Login || w.count.SessionLoads.Load() != 0 {
		t.Error("presence was not told")
	}
	if _, err := w.auth(tokens.Access); err != nil || w.count.SessionLoads.Load() != 0 {
		t.Errorf("the session had to be read from the store (%v)", err)
	}
	log := w.data().activity
	if len(log) != 1 || log[0].Action != "login" || log[0].Description != "User logged in" || log[0].UserAgent != "test" {
		t.Errorf("activity %+v", log)
	}
}

func TestLoginSentencesOfAccountsThatMayNot(t *testing.T) {
	for status, want := range map[presence.AccountStatus]string{
		presence.AccountPending:   "Your account is pending admin approval",
		presence.AccountSuspended: "Your account is suspended",
		presence.AccountBanned:    "Your account is banned",
	} {
		w := newWorld(t)
		w.user("alice", func(a *presence.Account) { a.Status = status })
		_, _, err := w.Login(t.Context(), "alice", goodPassword, home)
		wantError(t, err, presence.Forbidden, CodeAccountInactive)
		if tell(err) != want || field(err) != status.String() {
			t.Errorf("%v: %q, %q", status, tell(err), field(err))
		}
	}
}

func TestLogoutEndsTheSessionAndNoOther(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	var told []presence.SessionID
	w.OnSessionEnd(func(_ presence.UserID, id presence.SessionID) { told = append(told, id) })
	one, first := w.login("alice")
	_, second := w.login("alice")
	if err := w.Logout(t.Context(), one, "garbage", home); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"access": second2(w.auth(first.Access)), "refresh": second2(w.Refresh(t.Context(), first.Refresh, home)),
		"verify access": w.Verify(t.Context(), first.Access), "verify refresh": w.Verify(t.Context(), first.Refresh),
	} {
		if codeOf(err) != CodeTokenInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.auth(second.Access); err != nil {
		t.Errorf("the other session: %v", err)
	}
	sig := w.presence.last()
	if sig.Kind != presence.Logout || sig.Session != one.Session || !slices.Equal(told, []presence.SessionID{one.Session}) {
		t.Errorf("told %+v, %v", sig, told)
	}
	if err := w.Logout(t.Context(), one, "", home); err != nil {
		t.Errorf("once more: %v", err)
	}
	if row := w.data().sessions[one.Session]; row.EndCause != presence.CauseLogout || row.EndedAt.IsZero() {
		t.Errorf("row %+v", row)
	}
}

func second2[T any](_ T, err error) error { return err }

func TestLogoutTakesTheRefreshTokenOfAnotherOwnSessionOnly(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	one, _ := w.login("alice")
	_, other := w.login("alice")
	_, bobs := w.login("bob")
	_, third := w.login("alice")
	if err := w.Logout(t.Context(), one, bobs.Refresh, home); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth(bobs.Access); err != nil {
		t.Errorf("bob is out: %v", err)
	}
	again, _ := w.login("alice")
	if err := w.Logout(t.Context(), again, other.Refresh, home); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth(other.Access); err == nil {
		t.Error("the session of the refresh token lives")
	}
	if _, err := w.auth(third.Access); err != nil {
		t.Errorf("the third session: %v", err)
	}
	last, _ := w.login("alice")
	if err := w.Logout(t.Context(), last, third.Access, home); err != nil { // an access token there is nothing
		t.Fatal(err)
	}
	if _, err := w.auth(third.Access); err != nil {
		t.Errorf("ended by an access token: %v", err)
	}
}

func TestRefreshTokensAreGoodUntilTheSessionEnds(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, tokens := w.login("alice")
	for range 3 {
		w.clock.pass(2 * 24 * time.Hour)
		pair, err := w.Refresh(t.Context(), tokens.Refresh, home)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.auth(pair.Access); err != nil || got.Session != id.Session {
			t.Fatalf("%+v, %v", got, err)
		}
		if want := w.clock.now().Add(7 * 24 * time.Hour); !w.data().sessions[id.Session].ExpiresAt.Equal(want) {
			t.Errorf("the session was not extended to %v", want)
		}
		if sig := w.presence.last(); sig.Kind != presence.Activity || sig.Session != id.Session {
			t.Errorf("presence heard %+v", sig)
		}
	}
	w.clock.pass(24 * time.Hour) // the first token's own end
	_, err := w.Refresh(t.Context(), tokens.Refresh, home)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

func TestRefreshingOftenCostsNoDisk(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	writes := 0
	w.store.onDurable = func() { writes++ }
	for range 50 {
		w.clock.pass(time.Second)
		pair, err := w.Refresh(t.Context(), tokens.Refresh, home)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := w.keys.readOwn(pair.Refresh)
		if row := w.data().sessions[c.session]; c.exp > row.ExpiresAt.Unix() {
			t.Fatal("the token outlives its session")
		}
	}
	w.clock.pass(10 * time.Second)
	if _, err := w.Refresh(t.Context(), tokens.Refresh, home); err != nil {
		t.Fatal(err)
	}
	if writes != 1 {
		t.Errorf("%d writes", writes)
	}
}

func TestASessionThatIsNotRefreshedRunsOut(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AccessLifetime, c.RefreshLifetime = 2*time.Hour, time.Hour })
	w.user("alice")
	_, tokens := w.login("alice")
	w.clock.pass(time.Hour)
	_, err := w.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
	c, _ := w.keys.readOwn(tokens.Access)
	if c.exp != testStart.Add(time.Hour).Unix() {
		t.Error("the access token says that it outlives its session")
	}
}

func TestProfile(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	id, tokens := w.login("alice")
	_, other := w.login("alice")
	text := func(s string) *string { return &s }
	role, active := presence.RoleAdmin, false
	got, err := w.UpdateProfile(t.Context(), id, Patch{
		FirstName: text(" Al "), LastName: text("Example"), Bio: text("hi\nthere"), Username: text("root"), Email: text("x@y.zz"), Role: &role, Active: &active,
	}, "", home)
	if err != nil {
		t.Fatal(err)
	}
	if got.FirstName != "Al" || got.Bio != "hi\nthere" || got.Username != "alice" || got.Email != a.Email || got.Role != presence.RoleUser || !got.Active {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		password, current, field, tell string
	}{
		"no current":    {"Another-pass-1", "", "current_password", "Current password is required to set a new password."},
		"wrong current": {"Another-pass-1", "x", "current_password", "Current password is incorrect."},
		"too short":     {"x", goodPassword, "new_password", "Password must be 8-128 characters"},
	} {
		_, err := w.UpdateProfile(t.Context(), id, Patch{Password: &c.password}, c.current, home)
		if presence.KindOf(err) != presence.Invalid || field(err) != c.field || tell(err) != c.tell {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.UpdateProfile(t.Context(), id, Patch{Bio: text(strings.Repeat("b", 501))}, "", home)
	if field(err) != "bio" || codeOf(err) != CodeTooLong {
		t.Errorf("bio: %v", err)
	}
	_, err = w.UpdateProfile(t.Context(), id, Patch{Avatar: text("javascript:alert(1)")}, "", home)
	if field(err) != "avatar" {
		t.Errorf("avatar: %v", err)
	}
	if _, err := w.UpdateProfile(t.Context(), id, Patch{Password: text(" Another-pass-1 ")}, goodPassword, home); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth(tokens.Access); err != nil {
		t.Errorf("the own session: %v", err)
	}
	if _, err := w.auth(other.Access); err == nil {
		t.Error("the other session lives")
	}
	if _, _, err := w.Login(t.Context(), "alice", "Another-pass-1", home); err != nil {
		t.Errorf("login with the new password: %v", err)
	}
	_, _, err = w.Login(t.Context(), "alice", goodPassword, home)
	wantError(t, err, presence.Unauthenticated, CodeBadCredentials)
}

func TestGuessingTheCurrentPasswordIsThrottled(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, _ := w.login("alice")
	password, wrong := "Another-pass-1", 0
	for range 100 {
		_, err := w.UpdateProfile(t.Context(), id, Patch{Password: &password}, "guess-1234", home)
		if presence.KindOf(err) == presence.Invalid {
			wrong++
		}
	}
	if wrong != 20 {
		t.Errorf("%d guesses", wrong)
	}
}
