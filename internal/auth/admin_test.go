package auth

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

type act func(*Service, Identity, presence.UserID) (presence.Account, error)

var acts = map[string]act{
	"approve": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Approve(bg, by, u, home)
	},
	"suspend": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Suspend(bg, by, u, "why", home)
	},
	"ban": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Ban(bg, by, u, "why", home)
	},
	"activate": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Activate(bg, by, u, home)
	},
	"force_logout": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.ForceLogout(bg, by, u, home)
	},
	"delete": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Delete(bg, by, u, false, home)
	},
	"delete_permanently": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Delete(bg, by, u, true, home)
	},
	"set_is_active": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		active := false
		return s.Update(bg, by, u, Patch{Active: &active}, home)
	},
	"set_password": func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.SetPassword(bg, by, u, "Another-pass-1", home)
	},
}

var bg = context.Background()

func TestActsThatTakeTheRightToSignInEndEverything(t *testing.T) {
	for name, after := range map[string]presence.Account{
		"suspend":            {Status: presence.AccountSuspended, Active: true},
		"ban":                {Status: presence.AccountBanned, Active: false},
		"force_logout":       {Status: presence.AccountActive, Active: true},
		"delete":             {Status: presence.AccountActive, Active: true},
		"delete_permanently": {Status: presence.AccountActive, Active: true},
		"set_is_active":      {Status: presence.AccountActive, Active: false},
		"set_password":       {Status: presence.AccountActive, Active: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.user("root", anAdmin)
			root, _ := w.login("root")
			a := w.user("alice")
			one, first := w.login("alice")
			two, second := w.login("alice")
			var told []presence.SessionID
			w.OnSessionEnd(func(_ presence.UserID, id presence.SessionID) { told = append(told, id) })
			w.clock.pass(time.Minute)
			got, err := acts[name](w.Service, root, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != after.Status || got.Active != after.Active || got.ID != a.ID {
				t.Errorf("account %+v", got)
			}
			for _, token := range []string{first.Access, second.Access} {
				if _, err := w.auth(token); err == nil {
					t.Error("an access token works")
				}
			}
			for _, token := range []string{first.Refresh, second.Refresh} {
				if _, err := w.Refresh(t.Context(), token, home); presence.KindOf(err) != presence.Unauthenticated {
					t.Errorf("refresh: %v", err)
				}
			}
			sig, ids := w.presence.last(), []presence.SessionID{one.Session, two.Session}
			wantKind := presence.Forced
			if strings.HasPrefix(name, "delete") {
				wantKind = presence.Deleted
			}
			slices.Sort(ids)
			slices.Sort(sig.Sessions)
			if sig.Kind != wantKind || sig.User != a.ID || sig.Session != presence.EverySession || sig.Actor != root.User || !slices.Equal(sig.Sessions, ids) {
				t.Errorf("presence heard %+v", sig)
			}
			slices.Sort(told)
			if !slices.Equal(told, append([]presence.SessionID{presence.EverySession}, ids...)) {
				t.Errorf("sockets of %v were told", told)
			}
			audit := w.data().audit
			if len(audit) != 1 || audit[0].Action != name || audit[0].Actor != root.User || audit[0].Target != a.ID || audit[0].TargetName != "alice" || audit[0].IP != home.IP {
				t.Fatalf("audit %+v", audit)
			}
			if text := audit[0].Before + audit[0].After; strings.Contains(text, "argon2") {
				t.Errorf("audit tells a hash: %s", text)
			}
		})
	}
}

func TestWhatAnAccountIsAfterAnAct(t *testing.T) {
	banned := func(a *presence.Account) { a.Status, a.Active = presence.AccountBanned, false }
	pending := func(a *presence.Account) { a.Status = presence.AccountPending }
	for _, c := range []struct {
		act      string
		before   func(*presence.Account)
		status   presence.AccountStatus
		active   bool
		verified bool
	}{
		{"approve", pending, presence.AccountActive, true, true},
		{"approve", banned, presence.AccountActive, false, true},
		{"activate", banned, presence.AccountActive, true, false},
		{"activate", pending, presence.AccountActive, true, false},
		{"suspend", pending, presence.AccountSuspended, true, false},
		{"ban", pending, presence.AccountBanned, false, false},
	} {
		w := newWorld(t)
		a := w.user("alice", c.before)
		got, err := acts[c.act](w.Service, System, a.ID)
		if err != nil || got.Status != c.status || got.Active != c.active || got.EmailVerified != c.verified {
			t.Errorf("%s: %v %v %v, %v", c.act, got.Status, got.Active, got.EmailVerified, err)
		}
		if stored := w.account(a.ID); stored.Status != c.status || stored.Active != c.active {
			t.Errorf("%s: stored %+v", c.act, stored)
		}
	}
}

func TestNotOnOneself(t *testing.T) {
	for name, want := range map[string]string{
		"approve": CodeSelf, "suspend": CodeSelf, "ban": CodeSelf, "activate": CodeSelf, "force_logout": CodeSelf,
		"delete": "", "delete_permanently": "", "set_is_active": "", "set_password": "",
	} {
		w := newWorld(t)
		w.user("root", anAdmin)
		w.user("second", anAdmin)
		root, _ := w.login("root")
		if _, err := acts[name](w.Service, root, root.User); codeOf(err) != want {
			t.Errorf("%s on oneself: %v, want %q", name, err, want)
		}
	}
}

func TestSomebodyWhoMayAdministerIsAlwaysLeft(t *testing.T) {
	user := presence.RoleUser
	demote := func(s *Service, by Identity, u presence.UserID) (presence.Account, error) {
		return s.Update(bg, by, u, Patch{Role: &user}, home)
	}
	for name, do := range map[string]act{
		"suspend": acts["suspend"], "ban": acts["ban"], "delete": acts["delete"], "delete_permanently": acts["delete_permanently"],
		"set_is_active": acts["set_is_active"], "demote": demote,
	} {
		w := newWorld(t)
		root := w.user("root", anAdmin)
		w.user("closed", anAdmin, func(a *presence.Account) { a.Active = false })
		_, err := do(w.Service, System, root.ID)
		wantError(t, err, presence.Conflict, CodeLastAdmin)
		if len(w.data().audit) != 0 || w.account(root.ID).UpdatedAt != root.UpdatedAt {
			t.Errorf("%s left something behind", name)
		}
		w.user("second", func(a *presence.Account) { a.Staff = true })
		if _, err := do(w.Service, System, root.ID); err != nil {
			t.Errorf("%s with another admin: %v", name, err)
		}
	}
}

func TestTwoAdminsCannotRemoveEachOther(t *testing.T) {
	for range 50 {
		w := newWorld(t)
		w.user("root", anAdmin)
		w.user("second", anAdmin)
		one, _ := w.login("root")
		two, _ := w.login("second")
		var group sync.WaitGroup
		group.Go(func() { _, _ = w.Ban(bg, one, two.User, "", home) })
		group.Go(func() { _, _ = w.Ban(bg, two, one.User, "", home) })
		group.Wait()
		if has, err := w.store.HasAdmin(bg); !has || err != nil {
			t.Fatal("nobody is left")
		}
	}
}

func TestOnlyAdminsAdminister(t *testing.T) {
	w := newWorld(t)
	target := w.user("target")
	w.user("mod", func(a *presence.Account) { a.Role = presence.RoleModerator })
	w.user("alice")
	for _, name := range []string{"mod", "alice"} {
		actor, _ := w.login(name)
		for what, do := range acts {
			if _, err := do(w.Service, actor, target.ID); codeOf(err) != CodeNotAllowed {
				t.Errorf("%s by %s: %v", what, name, err)
			}
		}
		_, err := w.Create(bg, actor, NewAccount{Username: "new", Password: goodPassword}, home)
		wantError(t, err, presence.Forbidden, CodeNotAllowed)
		_, err = w.Reject(bg, actor, target.ID, home)
		wantError(t, err, presence.Forbidden, CodeNotAllowed)
		_, tokens, err := w.Login(bg, "target", goodPassword, home)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := w.auth(tokens.Access)
		wantError(t, w.EndSession(bg, actor, target.ID, id.Session, home), presence.Forbidden, CodeNotAllowed)
	}
	for what, do := range acts {
		if _, err := do(w.Service, Identity{}, target.ID); codeOf(err) != CodeNotAllowed {
			t.Errorf("%s by nobody: %v", what, err)
		}
	}
}

func TestUnknownAndDeletedUsersAreNotFound(t *testing.T) {
	w := newWorld(t)
	gone := w.user("gone", func(a *presence.Account) { a.DeletedAt = testStart })
	for name, do := range acts {
		for _, id := range []presence.UserID{gone.ID, 999, 0, -1} {
			_, err := do(w.Service, System, id)
			if presence.KindOf(err) != presence.NotFound || tell(err) != "User not found" {
				t.Errorf("%s on %d: %v", name, id, err)
			}
		}
	}
}

func TestCreate(t *testing.T) {
	w := newWorld(t)
	a, err := w.Create(t.Context(), System, NewAccount{
		Username: "x", Email: "Carol@EXAMPLE.test", Password: " Carol-pass-1 ", Role: presence.RoleModerator, Status: presence.AccountPending,
	}, home)
	if err != nil {
		t.Fatal(err)
	}
	if a.Email != "Carol@example.test" || a.Role != presence.RoleModerator || a.Status != presence.AccountPending || !a.Active {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(w.presence.admitted, []presence.UserID{a.ID}) || len(w.presence.signals) != 0 {
		t.Error("presence was told wrongly")
	}
	audit := w.data().audit
	want := `{"email":"Carol@example.test","role":"moderator","status":"pending","username":"x"}`
	if len(audit) != 1 || audit[0].Action != "create" || audit[0].Actor != 0 || audit[0].After != want {
		t.Errorf("audit %+v", audit)
	}
	_, err = w.Create(t.Context(), System, NewAccount{Username: "x", Email: "c2@example.test", Password: goodPassword}, home)
	wantError(t, err, presence.Conflict, CodeTaken)
	_, err = w.Create(t.Context(), System, NewAccount{Username: "y", Password: goodPassword, Role: 9}, home)
	wantError(t, err, presence.Invalid, CodeMalformed)
}

func TestUpdateTellsTheAuditWhatChanged(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	w.user("bob")
	_, tokens := w.login("alice")
	text := func(s string) *string { return &s }
	if _, err := w.Update(t.Context(), System, a.ID, Patch{Username: text("alicia"), Bio: text("hi")}, home); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Update(t.Context(), System, a.ID, Patch{Password: text("Another-pass-1"), Bio: text("ho")}, home); err != nil {
		t.Fatal(err)
	}
	role := presence.RoleAdmin
	if _, err := w.Update(t.Context(), System, a.ID, Patch{Role: &role}, home); err != nil {
		t.Fatal(err)
	}
	for i, want := range []presence.AuditEntry{
		{Action: "update", Before: `{"bio":"","username":"alice"}`, After: `{"bio":"hi","username":"alicia"}`},
		{Action: "update", Before: `{"bio":"hi"}`, After: `{"bio":"ho","password":"changed"}`},
		{Action: "set_role", Before: `{"role":"user"}`, After: `{"role":"admin"}`},
	} {
		got := w.data().audit[i]
		if got.Action != want.Action || got.Before != want.Before || got.After != want.After {
			t.Errorf("%d: %s %s %s", i, got.Action, got.Before, got.After)
		}
	}
	if _, err := w.auth(tokens.Access); codeOf(err) != CodeTokenInvalid {
		t.Errorf("the session lives after its password was set: %v", err)
	}
	_, err := w.Update(t.Context(), System, a.ID, Patch{Username: text("bob")}, home)
	wantError(t, err, presence.Conflict, CodeTaken)
	_, err = w.Update(t.Context(), System, a.ID, Patch{Email: text("nope")}, home)
	wantError(t, err, presence.Invalid, CodeMalformed)
	_, err = w.Update(t.Context(), System, a.ID, Patch{Password: text("x")}, home)
	wantError(t, err, presence.Invalid, CodeTooShort)
}

func TestARenamedUserKeepsTheSession(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	_, tokens := w.login("alice")
	name := "alicia"
	if _, err := w.Update(t.Context(), System, a.ID, Patch{Username: &name}, home); err != nil {
		t.Fatal(err)
	}
	if id, err := w.auth(tokens.Access); err != nil || id.Username() != "alicia" {
		t.Errorf("%q, %v", id.Username(), err)
	}
}

func TestRejectTakesOnlyPendingAccounts(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	_, err := w.Reject(t.Context(), System, a.ID, home)
	wantError(t, err, presence.Conflict, CodeNotPending)
	p := w.user("pend", func(a *presence.Account) { a.Status = presence.AccountPending })
	if _, err := w.Reject(t.Context(), System, p.ID, home); err != nil {
		t.Fatal(err)
	}
	if w.account(p.ID).DeletedAt.IsZero() || w.presence.last().Kind != presence.Deleted {
		t.Error("not in the trash")
	}
}

func TestEndSession(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	b := w.user("bob")
	one, first := w.login("alice")
	two, second := w.login("alice")
	bob, bobs := w.login("bob")
	wantError(t, w.EndSession(t.Context(), one, b.ID, bob.Session, home), presence.Forbidden, CodeNotAllowed)
	wantError(t, w.EndSession(t.Context(), one, a.ID, bob.Session, home), presence.NotFound, "")
	wantError(t, w.EndSession(t.Context(), one, a.ID, 4711, home), presence.NotFound, "")
	if err := w.EndSession(t.Context(), one, a.ID, two.Session, home); err != nil {
		t.Fatal(err)
	}
	if w.presence.last().Kind != presence.Logout {
		t.Errorf("presence heard %v", w.presence.last().Kind)
	}
	if err := w.EndSession(t.Context(), System, b.ID, bob.Session, home); err != nil {
		t.Fatal(err)
	}
	if sig := w.presence.last(); sig.Kind != presence.Forced || sig.Session != bob.Session {
		t.Errorf("presence heard %+v", sig)
	}
	for name, c := range map[string]struct {
		token string
		works bool
	}{"first": {first.Access, true}, "second": {second.Access, false}, "bob's": {bobs.Access, false}} {
		if _, err := w.auth(c.token); (err == nil) != c.works {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log := w.data().audit; len(log) != 1 || log[0].Action != "end_session" {
		t.Errorf("audit %+v", log)
	}
}

func TestSetUpWorksOnce(t *testing.T) {
	w := newWorld(t)
	root := NewAccount{Username: "root", Password: "Root-pass-1"}
	_, _, err := w.CompleteSetup(t.Context(), "", root, home)
	wantError(t, err, presence.Forbidden, CodeSetupToken)
	old, needed, err := w.BeginSetup(t.Context())
	if err != nil || !needed || len(old) < 43 {
		t.Fatalf("%q %v %v", old, needed, err)
	}
	token, _, err := w.BeginSetup(t.Context())
	if err != nil || token == old {
		t.Fatal("the second token is the first")
	}
	_, _, err = w.CompleteSetup(t.Context(), old, root, home)
	wantError(t, err, presence.Forbidden, CodeSetupToken)
	_, _, err = w.CompleteSetup(t.Context(), token, NewAccount{Username: "root", Password: "x"}, home)
	wantError(t, err, presence.Invalid, CodeTooShort)
	var done atomic.Int64
	var group sync.WaitGroup
	for _, name := range []string{"root", "evil", "third"} {
		group.Go(func() {
			a, tokens, err := w.CompleteSetup(bg, token, NewAccount{Username: name, Password: "Root-pass-1"}, home)
			if err != nil {
				return
			}
			done.Add(1)
			if id, err := w.auth(tokens.Access); err != nil || !id.IsAdmin() || a.Role != presence.RoleAdmin {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
	group.Wait()
	if done.Load() != 1 || len(w.data().accounts) != 1 {
		t.Errorf("%d set-ups, %d accounts", done.Load(), len(w.data().accounts))
	}
	_, _, err = w.CompleteSetup(t.Context(), token, root, home)
	wantError(t, err, presence.Forbidden, CodeSetupToken)
	if _, needed, err := w.BeginSetup(t.Context()); needed || err != nil {
		t.Error("a set-up is offered though there is an admin")
	}
}

func TestSetUpIsRefusedOnceThereIsAnAdmin(t *testing.T) {
	w := newWorld(t)
	token, _, err := w.BeginSetup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.user("made by the command line", anAdmin)
	_, _, err = w.CompleteSetup(t.Context(), token, NewAccount{Username: "root", Password: "Root-pass-1"}, home)
	wantError(t, err, presence.Conflict, CodeSetupDone)
	if len(w.data().accounts) != 1 {
		t.Error("an account was made")
	}
}

func TestSystemMayDoEverything(t *testing.T) {
	if !System.IsAdmin() || !System.MayRead() || System.User != 0 || (Identity{}).IsAdmin() || (Identity{}).MayRead() {
		t.Error("System is not what it should be")
	}
}
