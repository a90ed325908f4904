package auth

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
)

// Made by djangorestframework-simplejwt 5.2.2 with testKey, for user 7, at testStart.
const (
	simpleJWTAccess = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzk1NDQyNDAwLCJpYXQiOjE3OTU0Mzg4MDAsImp0aSI6ImQxNWUwYWM3ZjY3OTQ2ZTk5MWNjNzA0Y2ExYWI4YWIzIiwidXNlcl9pZCI6N30" +
		".ILhW6MMWvcvVddBKsJSbP9yaGZG86HsxASCWi9yY5Ek"
	simpleJWTRefresh = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTc5NjA0MzYwMCwiaWF0IjoxNzk1NDM4ODAwLCJqdGkiOiJkM2IwYzZkY2I5YjA0MTA0YmJjY2E5NTRmNjMxZDZiMiIsInVzZXJfaWQiOjd9" +
		".rTfXA38tZwSpO6staA6n5Sp9pK61rDyKQ5oR8sJODZY"
)

// withSeven is a world whose user 7, gina, exists, for the tokens above.
func withSeven(t *testing.T) *world {
	w := newWorld(t)
	for i := range 6 {
		w.user(fmt.Sprint("other", i))
	}
	if a := w.user("gina"); a.ID != 7 {
		t.Fatalf("gina is user %d", a.ID)
	}
	w.clock.pass(time.Second)
	return w
}

func foreignToken(t *testing.T, kind, jti string, user any, iat, exp time.Time) string {
	text, err := json.Marshal(map[string]any{"token_type": kind, "jti": jti, "user_id": user, "iat": iat.Unix(), "exp": exp.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return forge(t, plainHeader, string(text), jwt.SigningMethodHS256, testKey)
}

func TestATokenOfSimpleJWTWorks(t *testing.T) {
	w := withSeven(t)
	if err := w.Verify(t.Context(), simpleJWTAccess); err != nil {
		t.Fatalf("verify: %v", err)
	}
	if n := len(w.data().sessions); n != 0 {
		t.Fatalf("verify opened %d sessions", n)
	}
	id, err := w.auth(simpleJWTAccess)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.auth(simpleJWTAccess)
	if err != nil || again.Session != id.Session || id.User != 7 || id.Username() != "gina" || !id.Session.Drawable() {
		t.Fatalf("%+v, then %+v, %v", id, again, err)
	}
	row := w.data().sessions[id.Session]
	if !row.Foreign || row.User != 7 || !row.ExpiresAt.Equal(testStart.Add(time.Hour)) {
		t.Errorf("row %+v", row)
	}
	if err := w.Verify(t.Context(), simpleJWTAccess); err != nil {
		t.Errorf("verify once it is in use: %v", err)
	}
}

func TestARefreshTokenOfSimpleJWTGivesPairsUntilItsSessionEnds(t *testing.T) {
	w := withSeven(t)
	first, err := w.Refresh(t.Context(), simpleJWTRefresh, home)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Hour)
	second, err := w.Refresh(t.Context(), simpleJWTRefresh, home)
	if err != nil {
		t.Fatalf("the same one again: %v", err)
	}
	id, err := w.auth(second.Access)
	if err != nil {
		t.Fatal(err)
	}
	row := w.data().sessions[id.Session]
	if !row.Foreign || !row.ExpiresAt.Equal(w.clock.now().Add(7*24*time.Hour)) {
		t.Errorf("row %+v", row)
	}
	if err := w.Logout(t.Context(), id, "", home); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"foreign": simpleJWTRefresh, "first": first.Refresh, "second": second.Refresh} {
		if _, err := w.Refresh(t.Context(), token, home); codeOf(err) != CodeTokenInvalid {
			t.Errorf("refresh with the %s one: %v", name, err)
		}
		if err := w.Verify(t.Context(), token); codeOf(err) != CodeTokenInvalid {
			t.Errorf("verify the %s one: %v", name, err)
		}
	}
}

func TestLogoutWithAForeignTokenEndsAllForeignOnesAndNoneOfOurs(t *testing.T) {
	w := withSeven(t)
	ours, _ := w.login("gina")
	used := foreignToken(t, "access", "used elsewhere", 7, testStart, testStart.Add(time.Hour))
	unused := foreignToken(t, "access", "never used", "7", testStart, testStart.Add(time.Hour))
	other, err := w.auth(used)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.auth(simpleJWTAccess)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	forgotten := foreignToken(t, "access", "used before a restart", 7, testStart, testStart.Add(time.Hour))
	if _, err := w.auth(forgotten); err != nil {
		t.Fatal(err)
	}
	w.cache.sweep(testStart.Add(240 * time.Hour))
	for _, token := range []string{used, simpleJWTAccess} {
		if _, err := w.auth(token); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Logout(t.Context(), id, simpleJWTRefresh, home); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	for name, token := range map[string]string{"itself": simpleJWTAccess, "used": used, "unused": unused, "used before a restart": forgotten} {
		_, err := w.auth(token)
		if codeOf(err) != CodeTokenInvalid {
			t.Errorf("%s: %v", name, err)
		}
		if codeOf(w.Verify(t.Context(), token)) != CodeTokenInvalid {
			t.Errorf("verify %s", name)
		}
	}
	_, err = w.Refresh(t.Context(), simpleJWTRefresh, home)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
	if _, revoked := w.data().revoked["d3b0c6dcb9b04104bbcca954f631d6b2"]; !revoked {
		t.Error("the refresh token's jti is not revoked")
	}
	if !w.presence.isClosed(id.Session) || !w.presence.isClosed(other.Session) || w.presence.isClosed(ours.Session) {
		t.Error("presence was told wrongly")
	}
	if _, _, err := w.live(t.Context(), 7, ours.Session, w.clock.now()); err != nil {
		t.Errorf("our own session: %v", err)
	}
	later := foreignToken(t, "access", "later", 7, w.clock.now(), testStart.Add(time.Hour))
	w.clock.pass(time.Second)
	if _, err := w.auth(later); err != nil {
		t.Errorf("a token issued after the logout: %v", err)
	}
}

func TestARevokedForeignTokenNeverBegins(t *testing.T) {
	w := withSeven(t)
	w.durable(func(tx presence.Tx) error {
		return tx.RevokeToken("d15e0ac7f67946e991cc704ca1ab8ab3", 7, testStart.Add(time.Hour))
	})
	_, err := w.auth(simpleJWTAccess)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
	wantError(t, w.Verify(t.Context(), simpleJWTAccess), presence.Unauthenticated, CodeTokenInvalid)
}

func TestForeignTokensFollowTheAccount(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*presence.Account)
		kind   presence.ErrorKind
		code   string
	}{
		"trash":     {func(a *presence.Account) { a.DeletedAt = testStart }, presence.Unauthenticated, CodeUserNotFound},
		"closed":    {func(a *presence.Account) { a.Active = false }, presence.Unauthenticated, CodeUserInactive},
		"suspended": {func(a *presence.Account) { a.Status = presence.AccountSuspended }, presence.Forbidden, CodeAccountInactive},
	} {
		t.Run(name, func(t *testing.T) {
			for _, usedBefore := range []bool{false, true} {
				w := withSeven(t)
				if usedBefore {
					if _, err := w.auth(simpleJWTAccess); err != nil {
						t.Fatal(err)
					}
				}
				w.change(7, c.change)
				_, err := w.auth(simpleJWTAccess)
				wantError(t, err, c.kind, c.code)
			}
		})
	}
	w := newWorld(t)
	w.clock.pass(time.Second)
	_, err := w.auth(simpleJWTAccess)
	wantError(t, err, presence.Unauthenticated, CodeUserNotFound)
}

func TestForceLogoutEndsForeignTokensUsedOrNot(t *testing.T) {
	w := withSeven(t)
	unused := foreignToken(t, "access", "unused", 7, testStart, testStart.Add(time.Hour))
	if _, err := w.auth(simpleJWTAccess); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ForceLogout(t.Context(), System, 7, home); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	for _, token := range []string{simpleJWTAccess, unused} {
		_, err := w.auth(token)
		wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
	}
	_, err := w.Refresh(t.Context(), simpleJWTRefresh, home)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}
