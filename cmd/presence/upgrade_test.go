package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/sqlite"
)

// olderData is a data directory as a version of before left it, with one account.
func olderData(t *testing.T) (data string, schema int64) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	if status, body := r.call("POST", "/api/auth/register/", "", `{"username":"zahra","password":"Sekrit-pass-1"}`); status/100 != 2 {
		t.Fatalf("register: %d %s", status, body)
	}
	r.end()
	file := filepath.Join(data, "presence.db")
	if err := sqlite.DowngradeForTest(t.Context(), file, sqlite.KnownSchema()-1); err != nil {
		t.Fatal(err)
	}
	schema, _, err := sqlite.Schema(t.Context(), file) // numbers have holes: some migrations are PostgreSQL's alone
	if err != nil {
		t.Fatal(err)
	}
	return data, schema
}

func TestAnUpgradeMakesABackupFirst(t *testing.T) {
	data, schema := olderData(t)
	code, out, errs := command(t, "upgrade", "--check", "--data", data, "--json")
	var plan upgrade
	if err := json.Unmarshal([]byte(out), &plan); err != nil || code != exitOK {
		t.Fatalf("upgrade --check: %d %s%s: %v", code, out, errs, err)
	}
	if !plan.Needed || plan.Schema != schema || plan.Known != sqlite.KnownSchema() || plan.Backup != filepath.Join(data, "backups") {
		t.Errorf("the plan is %+v", plan)
	}
	if list, err := backup.List(filepath.Join(data, "backups")); len(list) != 0 || err != nil {
		t.Errorf("--check left %v, %v", list, err)
	}

	r := startServer(t, "--data", data)
	list, err := backup.List(filepath.Join(data, "backups"))
	if err != nil || len(list) != 1 || list[0].Schema != schema || list[0].Rows["users"] != 1 {
		t.Fatalf("the backups after the start: %+v, %v", list, err)
	}
	if log := r.stderr.String(); !strings.Contains(log, list[0].Path) {
		t.Errorf("the log does not name %s:\n%s", list[0].Path, log)
	}
	r.end()
	startServer(t, "--data", data).end()
	if list, _ := backup.List(filepath.Join(data, "backups")); len(list) != 1 {
		t.Errorf("a start without an upgrade made a backup: %+v", list)
	}
	code, out, _ = command(t, "upgrade", "--data", data)
	if code != exitOK || !strings.Contains(out, "Nothing to do") {
		t.Errorf("upgrade: %d %s", code, out)
	}

	// The way back.
	if code, out, errs := command(t, "backup", "restore", list[0].Path, "--data", data); code != exitOK {
		t.Fatalf("restore: %d %s%s", code, out, errs)
	}
	if applied, _, err := sqlite.Schema(t.Context(), filepath.Join(data, "presence.db")); applied != schema || err != nil {
		t.Errorf("after the restore the tables are %d, want %d: %v", applied, schema, err)
	}
}

func TestAnUpgradeWithoutItsBackupChangesNothing(t *testing.T) {
	data, schema := olderData(t)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := command(t, "upgrade", "--data", data, "--backup-dir", filepath.Join(blocked, "backups"))
	if code != exitFailed || !strings.Contains(errs, "nothing was changed") || !strings.Contains(errs, "--backup-before-upgrade off") {
		t.Errorf("upgrade: %d %s", code, errs)
	}
	if applied, _, err := sqlite.Schema(t.Context(), filepath.Join(data, "presence.db")); applied != schema || err != nil {
		t.Errorf("the tables are %d, want %d: %v", applied, schema, err)
	}
	code, out, errs := command(t, "upgrade", "--data", data, "--backup-before-upgrade", "off")
	if code != exitOK || !strings.Contains(out, "were brought from") {
		t.Errorf("upgrade without a backup: %d %s%s", code, out, errs)
	}
	if list, _ := backup.List(filepath.Join(data, "backups")); len(list) != 0 {
		t.Errorf("a backup that nobody wanted: %+v", list)
	}
}

func TestAnUpgradeThatFailsAgainAndAgainFillsNoDisk(t *testing.T) {
	data, schema := olderData(t)
	for range upgradesKept + 2 {
		if code, out, errs := command(t, "upgrade", "--data", data); code != exitOK {
			t.Fatalf("upgrade: %d %s%s", code, out, errs)
		}
		if err := sqlite.DowngradeForTest(t.Context(), filepath.Join(data, "presence.db"), schema); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := backup.List(filepath.Join(data, "backups")); len(list) != upgradesKept || err != nil {
		t.Errorf("%d backups, want %d: %v", len(list), upgradesKept, err)
	}
}
