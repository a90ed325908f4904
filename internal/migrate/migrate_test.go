package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/migrate"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// must ends the test on errors.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// source fills an embedded database with something of everything that a store keeps.
func source(t *testing.T) (path string, noon time.Time) {
	t.Helper()
	noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)
	path = filepath.Join(t.TempDir(), "presence.db")
	s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, sqlite.Options{}))
	err := s.Durable(t.Context(), func(tx presence.Tx) error {
		for i := range 30 {
			name := fmt.Sprintf("user%02d", i)
			a := presence.Account{
				Username: name, Email: name + "@example.org", FirstName: "Zoë", LastName: "O'Neill \\ %", Active: i%3 != 0,
				Staff: i%5 == 0, Status: presence.AccountStatus(i % 4), Role: presence.Role(i % 3), CreatedAt: noon, JoinedAt: noon,
				UpdatedAt: noon, PasswordHash: "!", Privacy: presence.Privacy{HideStatus: i%2 == 0, HideLastSeen: i%7 == 0},
				OnlineStatus: presence.Status(i % 3), LastSeen: noon, Since: noon, Cause: presence.CauseLogin, Version: uint64(i),
			}
			if err := tx.InsertAccount(&a); err != nil {
				return err
			}
			row := presence.LoginSession{ID: presence.SessionID(1<<62 + i), User: a.ID, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), UserAgent: "Firefox\x00"}
			if err := tx.InsertSession(row); err != nil {
				return err
			}
			if err := errors.Join(
				tx.RevokeToken("jti"+name, a.ID, noon.Add(time.Hour)),
				tx.AppendActivity(presence.ActivityEntry{User: a.ID, Action: "login", At: noon}),
				tx.AppendAudit(presence.AuditEntry{Actor: 1, Target: a.ID, Action: "ban", Before: `{"a":1}`, At: noon}),
			); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.EndSession(presence.SessionID(1<<62+3), presence.CauseForced, noon),
			tx.RemoveAccount(30), // its number must never be given again
			tx.(presence.ReportTx).SaveHold(2, presence.Hold{Active: true, Status: presence.Away, Note: "on leave", Actor: 1}),
		)
	})
	if err == nil {
		err = errors.Join(
			s.RecordChanges(t.Context(), []presence.Change{{
				User: 2, From: presence.Offline, To: presence.Online, Cause: presence.CauseLogin, At: noon, LastSeen: noon, Version: 40, Node: "x", Session: 1<<62 + 1,
			}}),
			s.SavePages(t.Context(), []presence.Page{{Kind: presence.SeenPage, Number: 7, Data: []byte{0, 1, 255}}}),
			s.RecordCounts(t.Context(), presence.Minute{At: noon, Counts: presence.Counts{Online: 3, Offline: 9}, PeakOnline: 4, Links: presence.Links{Known: true, Devices: 5, Connections: 2}}),
		)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return path, noon
}

// target is an empty database with the newest tables.
func target(t *testing.T) (url string) {
	t.Helper()
	url = testserver.SharedPostgres(t).Database(t, "")
	if err := must[*postgres.Store](t)(postgres.Open(t.Context(), url, postgres.Options{Patience: 20 * time.Second})).Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	return must[*postgres.Store](t)(postgres.Open(t.Context(), url, postgres.Options{Patience: 20 * time.Second}))
}

func TestEverythingComesOver(t *testing.T) {
	path, noon := source(t)
	url := target(t)
	told := map[string]bool{}
	report := must[migrate.Report](t)(migrate.Copy(t.Context(), path, url, func(table string, done, total int64) { told[table] = done == total }))
	if report.Before || report.Rows() == 0 {
		t.Errorf("report: %+v", report)
	}
	rows := map[string]int64{}
	for _, one := range report.Tables {
		if rows[one.Name] = one.Rows; !told[one.Name] {
			t.Errorf("the progress of %s did not end", one.Name)
		}
	}
	for table, want := range map[string]int64{
		"users": 29, "sessions": 29, "revoked_tokens": 29, "activities": 29, "audit": 30, "history": 1, "holds": 1,
		"presence_pages": 1, "concurrency": 1,
	} {
		if rows[table] != want {
			t.Errorf("%s: %d rows, want %d", table, rows[table], want)
		}
	}

	s := open(t, url)
	ctx := t.Context()
	a := must[presence.Account](t)(s.Account(ctx, 2))
	if a.Username != "user01" || a.LastName != "O'Neill \\ %" || !a.Active || a.OnlineStatus != presence.Online || !a.LastSeen.Equal(noon) || a.Version != 40 {
		t.Errorf("an account: %+v", a)
	}
	if session := must[presence.LoginSession](t)(s.Session(ctx, 1<<62+3)); session.EndCause != presence.CauseForced || session.UserAgent != "Firefox\ufffd" {
		t.Errorf("a session: %+v", session)
	}
	if !must[bool](t)(s.TokenRevoked(ctx, "jtiuser05")) {
		t.Error("a revoked token is good again")
	}
	if hold := must[map[presence.UserID]presence.Hold](t)(s.Holds(ctx))[2]; hold.Note != "on leave" {
		t.Errorf("a hold: %+v", hold)
	}
	if _, total, err := s.Accounts(ctx, presence.AccountFilter{}, presence.IDUp, 0, 1); err != nil || total != 29 {
		t.Errorf("counted %d accounts, %v", total, err)
	}
	fresh := presence.Account{Username: "later", Email: "later@example.org", Active: true, CreatedAt: noon}
	if err := s.Durable(ctx, func(tx presence.Tx) error { return tx.InsertAccount(&fresh) }); err != nil || fresh.ID != 31 {
		t.Errorf("the next account has id %d (%v), want 31: 30 was somebody's", fresh.ID, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := migrate.Copy(ctx, path, url, nil); !errors.Is(err, migrate.ErrOccupied) {
		t.Errorf("into a database that has gone on: %v", err)
	}
}

func TestASecondRunFindsTheFirst(t *testing.T) {
	path, _ := source(t)
	url := target(t)
	first := must[migrate.Report](t)(migrate.Copy(t.Context(), path, url, nil))
	second := must[migrate.Report](t)(migrate.Copy(t.Context(), path, url, nil))
	if !second.Before || second.Rows() != first.Rows() {
		t.Errorf("first %+v, second %+v", first, second)
	}
}

func TestARunningServerOnTheTargetIsRefused(t *testing.T) {
	path, _ := source(t)
	url := target(t)
	s := open(t, url)
	defer s.Close()
	if _, err := migrate.Copy(t.Context(), path, url, nil); !errors.Is(err, migrate.ErrInUse) {
		t.Errorf("beside a server: %v", err)
	}
}

func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	path, _ := source(t)
	url := target(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := migrate.Copy(ctx, path, url, func(string, int64, int64) { cancel() })
	if err == nil {
		t.Fatal("it went on")
	}
	if report := must[migrate.Report](t)(migrate.Copy(t.Context(), path, url, nil)); report.Before {
		t.Error("the first run left something")
	}
}
