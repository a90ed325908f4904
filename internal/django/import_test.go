package django_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/django"
	"github.com/offchat/presence/internal/djangotest"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

var now = time.Date(2026, 11, 23, 19, 0, 0, 123456000, time.UTC)

// site makes a Django database and returns its address.
func site(t *testing.T, d djangotest.Dialect, people int, spoil bool) (address string) {
	t.Helper()
	driver, dsn := "sqlite", filepath.Join(t.TempDir(), "db.sqlite3")
	address = "sqlite:///" + dsn
	if d == djangotest.Postgres {
		driver, dsn = "pgx", testserver.SharedPostgres(t).Database(t, "")
		address = dsn
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := djangotest.Fill(t.Context(), db, d, people, now); err != nil {
		t.Fatal(err)
	}
	if spoil {
		if err := djangotest.Spoil(t.Context(), db, d); err != nil {
			t.Fatal(err)
		}
	}
	return address
}

type store interface {
	presence.Store
	presence.ImportStore
}

// stores are what can be imported into.
var stores = map[string]func(t *testing.T) store{
	"sqlite": func(t *testing.T) store {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "presence.db"), sqlite.Options{Patience: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
	"postgres": func(t *testing.T) store {
		s, err := postgres.Open(t.Context(), testserver.SharedPostgres(t).Database(t, ""), postgres.Options{Patience: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

func run(t *testing.T, address string, into store, change func(*django.Options)) *django.Report {
	t.Helper()
	source, err := django.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	o := django.Options{Now: now, Readable: auth.ReadsHash}
	if change != nil {
		change(&o)
	}
	report, err := django.Import(t.Context(), source, into, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func count(t *testing.T, s store) int {
	t.Helper()
	_, n, err := s.AccountCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func everyPair(t *testing.T, prove func(t *testing.T, from djangotest.Dialect, into store)) {
	for _, from := range []djangotest.Dialect{djangotest.SQLite, djangotest.Postgres} {
		for name, open := range stores {
			t.Run(fmt.Sprintf("from %s into %s", from, name), func(t *testing.T) { prove(t, from, open(t)) })
		}
	}
}

func TestEverythingComesOverAndASecondRunChangesNothing(t *testing.T) {
	everyPair(t, func(t *testing.T, from djangotest.Dialect, into store) {
		const people = 1234
		address := site(t, from, people, false)

		dry := run(t, address, into, func(o *django.Options) { o.DryRun = true })
		if dry.Users.Added != people || dry.Activities.Added != 2*people || count(t, into) != 0 {
			t.Fatalf("the dry run says %+v and %d accounts are here", dry.Users, count(t, into))
		}
		first := run(t, address, into, nil)
		if first.Users.Added != people || first.Activities.Added != 2*people || !first.Agrees() || len(first.Comparison) < 10 {
			t.Fatalf("the first run: %+v, %+v\n%s", first.Users, first.Activities, first.Sentence())
		}
		if got := first.Tokens[0]; got.Rows != 12 || got.Added != 6 || got.Over != 6 {
			t.Errorf("refused tokens: %+v", got)
		}
		if first.Seemed["online"] == 0 || first.Counts[django.Refused] != 0 {
			t.Errorf("shown as %v, findings %v", first.Seemed, first.Findings)
		}
		if !slices.ContainsFunc(first.Left, func(l django.Left) bool { return l.Column == "department" && l.Rows == people }) {
			t.Errorf("what stays behind: %v", first.Left)
		}

		second := run(t, address, into, func(o *django.Options) { o.Now = now.Add(time.Minute) })
		if second.Changes() != 0 || second.Users.Unchanged != people || second.Activities.Before != 2*people || !second.Agrees() {
			t.Errorf("the second run: %+v, %+v, %d changes\n%s", second.Users, second.Activities, second.Changes(), second.Sentence())
		}
		_, lines, err := into.Audit(t.Context(), 0, 10)
		if err != nil || lines != 1 {
			t.Errorf("%d audit lines, %v; want one, of the first run", lines, err)
		}
		if revoked, err := into.TokenRevoked(t.Context(), fmt.Sprintf("%032d", 100)); err != nil || !revoked {
			t.Errorf("the refused token is refused: %v, %v", revoked, err)
		}

		a, err := into.AccountByName(t.Context(), djangotest.Name(50))
		if err != nil {
			t.Fatal(err)
		}
		joined := djangotest.Begin.Add(50 * time.Minute)
		if a.ID != 50 || a.Role != presence.RoleModerator || !a.JoinedAt.Equal(joined) || !a.CreatedAt.Equal(joined) ||
			!a.LastSeen.Equal(now.Add(-350*time.Second)) || a.LastName != "احمدی" || a.PasswordHash != djangotest.Hash(djangotest.Password, "salt50") ||
			a.OnlineStatus != presence.Offline || !a.EmailVerified {
			t.Errorf("person 50 is %+v", a)
		}
		banned, err := into.AccountByName(t.Context(), djangotest.Name(41))
		if err != nil || banned.Status != presence.AccountBanned || banned.Active {
			t.Errorf("person 41 is %+v, %v", banned, err)
		}
		own, _, err := into.Activity(t.Context(), 50, 0, 0)
		if err != nil || len(own) != 2 || own[0].Action != "logout" || own[0].IP != "203.0.113.9" || !own[1].At.Equal(joined) {
			t.Errorf("activity of person 50: %+v, %v", own, err)
		}
	})
}

func TestRowsThatDoNotFitAreListedAndLoseNothingElse(t *testing.T) {
	everyPair(t, func(t *testing.T, from djangotest.Dialect, into store) {
		address := site(t, from, 20, true)
		report := run(t, address, into, nil)
		want := map[string]django.Grade{
			"900001 username": django.Noted, "900002 email": django.Changed, "900003 email": django.Changed, "900004 email": django.Changed,
			"900006 password": django.Noted, "900007 role": django.Changed, "900007 status": django.Changed, "900008 username": django.Refused,
			"900009 first_name": django.Changed, "900010 last_seen": django.Changed, "900001 token": django.Refused, "900001 ": django.Refused,
		}
		refused := 1
		if from == djangotest.SQLite {
			refused = 4
			for key, grade := range map[string]django.Grade{
				"900012 username": django.Refused, "900014 username": django.Refused, "900015 first_name": django.Changed,
				"900016 last_seen": django.Changed, "900017 password": django.Noted, "-5 id": django.Refused,
			} {
				want[key] = grade
			}
		}
		got := map[string]django.Grade{}
		for _, f := range report.Findings {
			got[f.ID+" "+f.Field] = f.Grade
			if strings.ContainsRune(f.Name+f.Text, 27) {
				t.Errorf("a finding would move the cursor: %+v", f)
			}
			if strings.Contains(f.Text, "pbkdf2_sha256$1$") {
				t.Errorf("a finding shows a password hash: %+v", f)
			}
		}
		for key, grade := range want {
			if got[key] != grade {
				t.Errorf("%s is %q, want %q", key, got[key], grade)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d findings, want %d: %v", len(got), len(want), report.Findings)
		}
		if report.Users.Refused != refused || report.Users.Added+refused != report.Users.Rows || count(t, into) != report.Users.Added {
			t.Errorf("%+v, and %d accounts", report.Users, count(t, into))
		}
		if !report.Agrees() {
			t.Error(report.Sentence())
		}
		for name, check := range map[string]func(a presence.Account) bool{
			"Person000002": func(a presence.Account) bool { return a.ID == 900001 },
			"nomail2":      func(a presence.Account) bool { return a.Email == "nomail2@offchat.local" },
			"twice":        func(a presence.Account) bool { return a.Email == "twice@offchat.local" },
			"unusable":     func(a presence.Account) bool { return a.PasswordHash == "!kT9x" },
			"king": func(a presence.Account) bool {
				return a.Role == presence.RoleUser && a.Status == presence.AccountPending
			},
			"longfirst": func(a presence.Account) bool { return a.FirstName == strings.Repeat("é", 150) },
			"aware":     func(a presence.Account) bool { return a.LastSeen.Equal(time.Date(2025, 6, 1, 7, 30, 0, 5e8, time.UTC)) },
			"future":    func(a presence.Account) bool { return a.LastSeen.Year() == 2025 },
		} {
			a, err := into.AccountByName(t.Context(), name)
			if err != nil || !check(a) {
				t.Errorf("%s is %+v, %v", name, a, err)
			}
		}
		if from == djangotest.SQLite {
			if a, err := into.AccountByName(t.Context(), "latin"); err != nil || a.FirstName != "José" {
				t.Errorf("latin is %+v, %v", a, err)
			}
		}
		if again := run(t, address, into, func(o *django.Options) { o.Now = now.Add(time.Hour) }); again.Changes() != 0 || !again.Agrees() {
			t.Errorf("a second run: %d changes, %+v; %s", again.Changes(), again.Users, again.Sentence())
		}
	})
}

func TestWhatChangedHereStaysUnlessToldOtherwise(t *testing.T) {
	into := stores["sqlite"](t)
	address := site(t, djangotest.SQLite, 10, false)
	run(t, address, into, nil)
	err := into.Durable(t.Context(), func(tx presence.Tx) error {
		a, err := tx.Account(5)
		if err != nil {
			return err
		}
		a.PasswordHash, a.FirstName = "!changed here", "New"
		return tx.UpdateAccount(&a)
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := run(t, address, into, nil)
	if kept.Users.Kept != 1 || kept.Users.Unchanged != 9 || kept.Changes() != 0 || kept.Agrees() {
		t.Errorf("without --update: %+v; %s", kept.Users, kept.Sentence())
	}
	if a, _ := into.AccountByName(t.Context(), djangotest.Name(5)); a.FirstName != "New" {
		t.Errorf("ours was overwritten: %+v", a)
	}
	updated := run(t, address, into, func(o *django.Options) { o.Update = true })
	if updated.Users.Updated != 1 || !updated.Agrees() {
		t.Errorf("with --update: %+v; %s", updated.Users, updated.Sentence())
	}
}

func TestSomebodyElsesNumberIsNotOverwritten(t *testing.T) {
	into := stores["sqlite"](t)
	admin := presence.Account{Username: "root", Email: "person000002@example.org", Active: true, Role: presence.RoleAdmin, CreatedAt: now}
	if err := into.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&admin) }); err != nil {
		t.Fatal(err)
	}
	report := run(t, site(t, djangotest.SQLite, 3, false), into, nil)
	if report.Users.Refused != 1 || report.Users.Added != 2 {
		t.Errorf("%+v %v", report.Users, report.Findings)
	}
	if a, _ := into.AccountByName(t.Context(), "root"); a.ID != admin.ID {
		t.Errorf("root is %+v", a)
	}
	if a, err := into.AccountByName(t.Context(), djangotest.Name(2)); err != nil || a.Email != djangotest.Name(2)+"@offchat.local" {
		t.Errorf("whose address was taken: %+v, %v", a, err)
	}
}

func TestAnImportThatWasCutShortGoesOn(t *testing.T) {
	into := stores["sqlite"](t)
	address := site(t, djangotest.SQLite, 3000, false)
	source, err := django.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = django.Import(ctx, source, into, django.Options{Now: now, Progress: func(table string, done, _ int) {
		if table == "activities" && done >= 1000 {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("it was not cut short")
	}
	report := run(t, address, into, nil)
	if report.Users.Unchanged != 3000 || report.Activities.Before == 0 || report.Activities.Added == 0 || !report.Agrees() {
		t.Errorf("%+v %+v", report.Users, report.Activities)
	}
	if _, n, err := into.Activity(t.Context(), presence.Everybody, 0, 1); err != nil || n != 6000 {
		t.Errorf("%d activities, %v; want each once", n, err)
	}
}

func TestTablesMayHaveDjangosOwnNamesAndLackColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE users_user (id integer primary key, username text, is_superuser bool);
		INSERT INTO users_user VALUES (7, 'ada', 1);
		CREATE TABLE token_blacklist_outstandingtoken (id integer primary key, token text, jti text, user_id integer, created_at datetime, expires_at datetime);
		CREATE TABLE token_blacklist_blacklistedtoken (id integer primary key, blacklisted_at datetime, token_id integer);
		INSERT INTO token_blacklist_outstandingtoken VALUES (1, '', 'good', 7, '2026-11-23 18:00:00', '2026-11-30 18:00:00'),
			(2, '', 'bad', 7, '2026-11-23 18:00:00', '2026-11-30 18:00:00');
		INSERT INTO token_blacklist_blacklistedtoken VALUES (1, '2026-11-23 18:30:00', 2);`)
	if err != nil {
		t.Fatal(err)
	}
	into := stores["sqlite"](t)
	report := run(t, path, into, nil)
	for _, want := range []string{"users_user.password", "users_user.status", "blacklisted_tokens", "user_activities", "user_sessions"} {
		if !slices.Contains(report.Missing, want) {
			t.Errorf("%s is not told to be missing: %v", want, report.Missing)
		}
	}
	if a, err := into.AccountByName(t.Context(), "ada"); err != nil || a.ID != 7 || !a.IsAdmin() || !a.MaySignIn() || a.PasswordHash != "!" {
		t.Errorf("ada is %+v, %v", a, err)
	}
	for jti, want := range map[string]bool{"bad": true, "good": false} {
		if got, err := into.TokenRevoked(t.Context(), jti); err != nil || got != want {
			t.Errorf("%s is refused: %v, %v", jti, got, err)
		}
	}
	if !report.Agrees() {
		t.Error(report.Sentence())
	}
}

func TestNaiveMomentsAreTheSitesOwn(t *testing.T) {
	into := stores["sqlite"](t)
	kabul, err := time.LoadLocation("Asia/Kabul")
	if err != nil {
		t.Skip("this system knows no time zones: ", err)
	}
	run(t, site(t, djangotest.SQLite, 1, false), into, func(o *django.Options) { o.Place = kabul })
	a, err := into.AccountByName(t.Context(), djangotest.Name(1))
	if want := djangotest.Begin.Add(time.Minute - 270*time.Minute); err != nil || !a.JoinedAt.Equal(want) {
		t.Errorf("joined %v, want %v (%v)", a.JoinedAt, want, err)
	}
}

func TestAddressesThatCannotBeReadSayWhy(t *testing.T) {
	for address, want := range map[string]string{
		"mysql://root@localhost/x":                               "neither sqlite",
		"sqlite:///no/such/file.sqlite3":                         "there is no database at",
		"postgres://nobody:hush@127.0.0.1:1/x?connect_timeout=2": "",
	} {
		_, err := django.Open(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
