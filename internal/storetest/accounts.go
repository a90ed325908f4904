package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func accountScenarios() []scenario {
	return slices.Concat(storing(), naming(), leaving())
}

// storing is about what comes back of an account.
func storing() []scenario {
	return []scenario{
		{"an account comes back with every field as it was stored", func(t *testing.T, h *Harness) {
			want := draft("ada")
			insert(t, h.Store, &want)
			if want.ID <= 0 {
				t.Fatalf("id %d", want.ID)
			}
			same(t, "by id", get[presence.Account](t)(h.Store.Account(t.Context(), want.ID)), want)
			same(t, "by name", get[presence.Account](t)(h.Store.AccountByName(t.Context(), "ada")), want)
			h.Store = h.Reopen()
			same(t, "after reopening", get[presence.Account](t)(h.Store.Account(t.Context(), want.ID)), want)
		}},
		{"times come back in UTC with microseconds, and a time that was not set stays zero", timesRoundTrip},
		{"every text comes back as it is", textsRoundTrip},
		{"an account that carries an id keeps it, and later ones get higher ids", func(t *testing.T, h *Harness) {
			imported, next := plain("imported"), plain("next")
			imported.ID = 5000
			insert(t, h.Store, &imported, &next)
			if imported.ID != 5000 || next.ID <= 5000 {
				t.Errorf("ids %d and %d, want 5000 and a higher one", imported.ID, next.ID)
			}
			twin := plain("twin")
			twin.ID = 5000
			refused(t, "a taken id", h.Store.Durable(t.Context(),
				func(tx presence.Tx) error { return tx.InsertAccount(&twin) }), presence.Conflict, "id")
		}},
	}
}

// naming is about who may have which name.
func naming() []scenario {
	return []scenario{
		{"a username is taken by one account, and its case counts", func(t *testing.T, h *Harness) {
			person(t, h.Store, "Ada")
			twin, lower := plain("Ada"), plain("ada")
			twin.Email = "twin@example.org"
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&twin) })
			refused(t, "the same name", err, presence.Conflict, "username")
			insert(t, h.Store, &lower)
			_, err = h.Store.AccountByName(t.Context(), "ADA")
			refused(t, "a name in another case", err, presence.NotFound, "")
		}},
		{"an e-mail address is taken by one account", func(t *testing.T, h *Harness) {
			person(t, h.Store, "ada")
			twin := plain("bob")
			twin.Email = "ada@example.org"
			refused(t, "the same address", h.Store.Durable(t.Context(),
				func(tx presence.Tx) error { return tx.InsertAccount(&twin) }), presence.Conflict, "email")
		}},
		{"an update cannot take a name or an address that is taken, and then changes nothing", updateConflicts},
		{"an act may go on after a name was taken", func(t *testing.T, h *Harness) {
			person(t, h.Store, "ada")
			second := plain("ada2")
			do(t, h.Store, func(tx presence.Tx) error {
				first := plain("ada")
				if err := tx.InsertAccount(&first); presence.KindOf(err) != presence.Conflict {
					t.Errorf("insert ada again: %v", err)
				}
				return tx.InsertAccount(&second)
			})
			get[presence.Account](t)(h.Store.AccountByName(t.Context(), "ada2"))
		}},
		{"an update stores everything but the presence columns and the time of creation", func(t *testing.T, h *Harness) {
			before := draft("ada")
			insert(t, h.Store, &before)
			changed := presence.Account{
				ID: before.ID, Username: "eve", Email: "eve@example.org", Role: presence.RoleAdmin,
				Status: presence.AccountSuspended, PasswordHash: "!", OnlineStatus: presence.Online, LastSeen: after(time.Hour), Since: after(time.Hour),
				Cause: presence.CauseLogin, Version: 99, CreatedAt: after(time.Hour), UpdatedAt: after(time.Minute),
			}
			do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&changed) })
			want := changed
			want.OnlineStatus, want.LastSeen, want.Since, want.Cause = before.OnlineStatus, before.LastSeen, before.Since, before.Cause
			want.Version, want.CreatedAt = before.Version, before.CreatedAt
			same(t, "updated", get[presence.Account](t)(h.Store.Account(t.Context(), before.ID)), want)
		}},
		{"what is not there is not found", notThere},
	}
}

// leaving is about the trash, removal and who is left.
func leaving() []scenario {
	return []scenario{
		{"readers do not see an account in the trash, acts do", func(t *testing.T, h *Harness) {
			a := draft("ada")
			insert(t, h.Store, &a)
			trash(t, h.Store, a)
			unseen(t, h.Store, a.ID, "ada")
			a.DeletedAt = after(time.Hour)
			do(t, h.Store, func(tx presence.Tx) error {
				found, err := tx.Account(a.ID)
				same(t, "in an act", found, a)
				return err
			})
		}},
		{"an account in the trash frees its name and address, and is restored only while they are free", restore},
		{"a removed account takes everything of it along but the audit", removal},
		{"the id of a removed account is never used again, not after reopening either", func(t *testing.T, h *Harness) {
			highest := presence.UserID(0)
			for round := range 4 {
				a := plain("ada")
				insert(t, h.Store, &a)
				if a.ID <= highest {
					t.Fatalf("round %d: id %d after %d", round, a.ID, highest)
				}
				highest = a.ID
				remove(t, h.Store, a.ID)
				if round%2 == 1 {
					h.Store = h.Reopen()
				}
			}
		}},
		{"accounts asked for by id come in the order asked for, without those that are not there", func(t *testing.T,
			h *Harness,
		) {
			a, b, c, gone := plain("a"), plain("b"), plain("c"), plain("gone")
			insert(t, h.Store, &a, &b, &c, &gone)
			trash(t, h.Store, gone)
			found := get[[]presence.Account](t)(h.Store.AccountsByID(t.Context(), []presence.UserID{
				c.ID, 99999, a.ID,
				gone.ID, -1, b.ID,
			}))
			same(t, "found", found, []presence.Account{c, a, b})
			if none := get[[]presence.Account](t)(h.Store.AccountsByID(t.Context(), nil)); len(none) != 0 {
				t.Errorf("asked for nobody, got %v", none)
			}
		}},
		{"the admins who count may sign in and are not the one asked about", countAdmins},
		{"accounts are counted by status, without the trash", countStatuses},
	}
}

func timesRoundTrip(t *testing.T, h *Harness) {
	zone := time.FixedZone("elsewhere", 4*3600+1800)
	a := plain("ada")
	a.CreatedAt = time.Date(2026, 3, 1, 2, 3, 4, 999999999, zone)
	a.JoinedAt = time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)
	a.UpdatedAt = time.Date(2262, 1, 1, 0, 0, 0, 1000, time.UTC)
	insert(t, h.Store, &a)
	got := get[presence.Account](t)(h.Store.Account(t.Context(), a.ID))
	same(t, "another zone, nanoseconds", got.CreatedAt, time.Date(2026, 2, 28, 21, 33, 4, 999999000, time.UTC))
	same(t, "before 1970", got.JoinedAt, a.JoinedAt)
	same(t, "far ahead", got.UpdatedAt, a.UpdatedAt)
	for name, zero := range map[string]time.Time{
		"last seen": got.LastSeen, "since": got.Since, "tokens after": got.TokensAfter, "deleted": got.DeletedAt,
	} {
		if !zero.IsZero() {
			t.Errorf("%s is %v, want the zero time", name, zero)
		}
	}
}

func textsRoundTrip(t *testing.T, h *Harness) {
	for i, text := range []string{
		"پرهام کاظمی", "Ёлка", "'; DROP TABLE users; --", `back\slash "quotes" %_`, "line\nbreak\ttab", "👩‍👩‍👧", "\u200fright to left",
		strings.Repeat("ب", presence.MaxBio), " spaces around ",
	} {
		a := plain("user" + strings.Repeat("x", i))
		a.FirstName, a.Bio = text, text
		insert(t, h.Store, &a)
		same(t, "stored", get[presence.Account](t)(h.Store.Account(t.Context(), a.ID)), a)
	}
}

func updateConflicts(t *testing.T, h *Harness) {
	ada, bob := plain("ada"), plain("bob")
	insert(t, h.Store, &ada, &bob)
	name, address := bob, bob
	name.Username, name.Bio = "ada", "new"
	address.Email, address.Bio = "ada@example.org", "new"
	err := h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.UpdateAccount(&name) })
	refused(t, "the name", err, presence.Conflict, "username")
	err = h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.UpdateAccount(&address) })
	refused(t, "the address", err, presence.Conflict, "email")
	same(t, "bob", get[presence.Account](t)(h.Store.Account(t.Context(), bob.ID)), bob)
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&bob) }) // its own name is not taken
}

func notThere(t *testing.T, h *Harness) {
	_, err := h.Store.Account(t.Context(), 4711)
	refused(t, "account", err, presence.NotFound, "")
	_, err = h.Store.AccountByName(t.Context(), "nobody")
	refused(t, "name", err, presence.NotFound, "")
	_, err = h.Store.Session(t.Context(), 4711)
	refused(t, "session", err, presence.NotFound, "")
	for what, act := range map[string]func(tx presence.Tx) error{
		"account in an act": func(tx presence.Tx) error { _, err := tx.Account(4711); return err },
		"session in an act": func(tx presence.Tx) error { _, err := tx.Session(4711); return err },
		"update":            func(tx presence.Tx) error { a := plain("x"); a.ID = 4711; return tx.UpdateAccount(&a) },
		"removal":           func(tx presence.Tx) error { return tx.RemoveAccount(4711) },
		"session of nobody": func(tx presence.Tx) error {
			return tx.InsertSession(presence.LoginSession{ID: 999, User: 4711})
		},
		"extension": func(tx presence.Tx) error { return tx.ExtendSession(4711, noon) },
		"end":       func(tx presence.Tx) error { return tx.EndSession(4711, presence.CauseLogout, noon) },
		"activity of nobody": func(tx presence.Tx) error {
			return tx.AppendActivity(presence.ActivityEntry{User: 4711, Action: "login", At: noon})
		},
	} {
		refused(t, what, h.Store.Durable(t.Context(), act), presence.NotFound, "")
	}
	active := presence.Hold{Active: true, Status: presence.Online}
	refused(t, "hold of nobody", h.Store.SaveHold(t.Context(), 4711, active), presence.NotFound, "")
}

// unseen proves that no reader finds an account.
func unseen(t *testing.T, s presence.Store, id presence.UserID, username string) {
	t.Helper()
	_, err := s.Account(t.Context(), id)
	refused(t, "by id", err, presence.NotFound, "")
	_, err = s.AccountByName(t.Context(), username)
	refused(t, "by name", err, presence.NotFound, "")
	if found := get[[]presence.Account](t)(s.AccountsByID(t.Context(), []presence.UserID{id})); len(found) != 0 {
		t.Errorf("found by ids: %v", found)
	}
	for _, f := range []presence.AccountFilter{{}, {Search: username}, {Status: "pending"}, {Role: "moderator"}} {
		page, total, err := s.Accounts(t.Context(), f, presence.IDUp, 0, 0)
		if err != nil || total != 0 || len(page) != 0 {
			t.Errorf("list %+v: %v, total %d, %v", f, page, total, err)
		}
		if ids := get[[]presence.UserID](t)(s.AccountIDs(t.Context(), f, presence.IDUp)); len(ids) != 0 {
			t.Errorf("ids %+v: %v", f, ids)
		}
	}
	for p, err := range s.Records(t.Context()) {
		t.Errorf("record %+v, %v", p, err)
	}
}

func restore(t *testing.T, h *Harness) {
	first := plain("ada")
	insert(t, h.Store, &first)
	trash(t, h.Store, first)
	second := plain("ada")
	insert(t, h.Store, &second)
	back := first // DeletedAt is zero
	refused(t, "restore", h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.UpdateAccount(&back) }),
		presence.Conflict, "username")
	unseenBy := get[presence.Account](t)(h.Store.AccountByName(t.Context(), "ada"))
	same(t, "ada is the second one", unseenBy, second)
	trash(t, h.Store, second)
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&back) })
	same(t, "restored", get[presence.Account](t)(h.Store.AccountByName(t.Context(), "ada")), first)
}

func removal(t *testing.T, h *Harness) {
	id, other := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	line := presence.AuditEntry{Actor: other, Action: "delete", Target: id, TargetName: "ada", At: noon}
	do(t, h.Store, func(tx presence.Tx) error {
		for _, err := range []error{
			tx.InsertSession(presence.LoginSession{ID: 300, User: id, CreatedAt: noon, ExpiresAt: after(time.Hour)}),
			tx.RevokeToken("token", id, after(time.Hour)),
			tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", At: noon}),
			tx.AppendAudit(line),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	change := presence.Change{
		User: id, To: presence.Online, Cause: presence.CauseLogin, At: noon, LastSeen: noon,
		Version: 1,
	}
	if err := h.Store.RecordChanges(t.Context(), []presence.Change{change}); err != nil {
		t.Fatal(err)
	}
	if err := h.Store.SaveHold(t.Context(), id, presence.Hold{Active: true, Status: presence.Online}); err != nil {
		t.Fatal(err)
	}
	remove(t, h.Store, id)
	unseen := []bool{}
	_, err := h.Store.Session(t.Context(), 300)
	refused(t, "session", err, presence.NotFound, "")
	unseen = append(unseen,
		get[bool](t)(h.Store.TokenRevoked(t.Context(), "token")),
		len(get[[]presence.Change](t)(h.Store.History(t.Context(), id, time.Time{}, after(time.Hour), 10))) > 0,
		len(get[map[presence.UserID]presence.Hold](t)(h.Store.Holds(t.Context()))) > 0)
	_, activities, err := h.Store.Activity(t.Context(), id, 0, 10)
	same(t, "revocation, history, hold, activity", append(unseen, activities > 0, err != nil), []bool{
		false, false,
		false, false, false,
	})
	lines, total, err := h.Store.Audit(t.Context(), 0, 10)
	if err != nil || total != 1 || lines[0].TargetName != "ada" {
		t.Errorf("audit: %v, total %d, %v", lines, total, err)
	}
}

func countAdmins(t *testing.T, h *Harness) {
	has := func() bool { t.Helper(); return get[bool](t)(h.Store.HasAdmin(t.Context())) }
	make := func(name string, change func(a *presence.Account)) presence.Account {
		a := plain(name)
		change(&a)
		insert(t, h.Store, &a)
		return a
	}
	make("user", func(*presence.Account) {})
	make("moderator", func(a *presence.Account) { a.Role = presence.RoleModerator })
	make("closed", func(a *presence.Account) { a.Role, a.Active = presence.RoleAdmin, false })
	make("banned", func(a *presence.Account) { a.Role, a.Status = presence.RoleAdmin, presence.AccountBanned })
	trashed := make("trashed", func(a *presence.Account) { a.Role, a.Status = presence.RoleAdmin, presence.AccountActive })
	trash(t, h.Store, trashed)
	if has() {
		t.Error("an admin, before there is one who may sign in")
	}
	admin := make("admin", func(a *presence.Account) { a.Role = presence.RoleAdmin })
	if !has() {
		t.Error("no admin")
	}
	staff := make("staff", func(a *presence.Account) { a.Staff = true })
	do(t, h.Store, func(tx presence.Tx) error {
		var counts []int
		for _, besides := range []presence.UserID{0, admin.ID, staff.ID, trashed.ID} {
			n, err := tx.AdminsBesides(besides)
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
		same(t, "besides nobody, the admin, the staff, the trashed", counts, []int{2, 1, 1, 2})
		return tx.RemoveAccount(admin.ID)
	})
	if !has() {
		t.Error("staff is no admin")
	}
}

func countStatuses(t *testing.T, h *Harness) {
	counts := func() map[presence.AccountStatus]int {
		t.Helper()
		by, total, err := h.Store.AccountCounts(t.Context())
		sum := 0
		for status, n := range by {
			if sum += n; n == 0 {
				delete(by, status)
			}
		}
		if err != nil || sum != total {
			t.Fatalf("counts %v, total %d, %v", by, total, err)
		}
		return by
	}
	same(t, "empty", counts(), map[presence.AccountStatus]int{})
	a, b, c := plain("a"), plain("b"), plain("c")
	c.Status = presence.AccountPending
	insert(t, h.Store, &a, &b, &c)
	same(t, "three", counts(), map[presence.AccountStatus]int{presence.AccountActive: 2, presence.AccountPending: 1})
	b.Status, c.Status, c.Role = presence.AccountBanned, presence.AccountActive, presence.RoleAdmin
	do(t, h.Store, func(tx presence.Tx) error {
		if err := tx.UpdateAccount(&b); err != nil {
			return err
		}
		return tx.UpdateAccount(&c)
	})
	same(t, "moved", counts(), map[presence.AccountStatus]int{presence.AccountActive: 2, presence.AccountBanned: 1})
	trash(t, h.Store, b)
	same(t, "one in the trash", counts(), map[presence.AccountStatus]int{presence.AccountActive: 2})
	do(t, h.Store, func(tx presence.Tx) error { return tx.UpdateAccount(&b) })
	same(t, "and back", counts(), map[presence.AccountStatus]int{presence.AccountActive: 2, presence.AccountBanned: 1})
	trash(t, h.Store, b)
	remove(t, h.Store, a.ID)
	remove(t, h.Store, b.ID)
	_ = h.Store.Durable(t.Context(), func(tx presence.Tx) error { _ = tx.RemoveAccount(c.ID); return errOnPurpose })
	same(t, "trashed, removed, and not removed after all", counts(),
		map[presence.AccountStatus]int{presence.AccountActive: 1})
}
