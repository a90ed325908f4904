package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/wire"
)

// alter changes a stopped server's database behind its back.
func alter(t *testing.T, data string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dataDir(data).database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, one := range statements {
		if _, err := db.Exec(one); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
	}
}

// withAda is a data directory with an admin and ada, whom things have happened to.
func withAda(t *testing.T) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	for _, body := range []string{`{"username":"ada","password":"Sekrit-pass-1","email":"ada@home.example"}`, `{"username":"bob","password":"Sekrit-pass-1"}`} {
		if status, text := r.call("POST", "/api/auth/register/", "", body); status/100 != 2 {
			t.Fatalf("register: %d %s", status, text)
		}
	}
	r.end()
	for _, args := range [][]string{{"suspend", "ada", "--reason", "ada was rude"}, {"activate", "ada"}, {"ban", "bob"}, {"activate", "bob"}} {
		if code, _, errs := command(t, append(append([]string{"user"}, args...), "--data", data)...); code != exitOK {
			t.Fatalf("%v: %s", args, errs)
		}
	}
	return data
}

func verifyAudit(t *testing.T, data string, args ...string) (int, control.Verified) {
	t.Helper()
	code, out, errs := command(t, append([]string{"audit", "verify", "--json", "--data", data}, args...)...)
	var found control.Verified
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("audit verify: %d %v %s%s", code, err, out, errs)
	}
	return code, found
}

func TestTheAuditNamesItsFirstBadLine(t *testing.T) {
	data := withAda(t)
	code, found := verifyAudit(t, data)
	if code != exitOK || !found.OK || found.Entries != 4 || len(found.Head) != 64 {
		t.Fatalf("%d %+v", code, found)
	}
	if code, found := verifyAudit(t, data, "--head", found.Head); code != exitOK || !found.OK {
		t.Errorf("with the head: %d %+v", code, found)
	}
	if code, found := verifyAudit(t, data, "--head", strings.Repeat("0", 64)); code != exitFailed || found.OK {
		t.Errorf("with another head: %d %+v", code, found)
	}
	if code, out, _ := command(t, "audit", "list", "--data", data); code != exitOK || !strings.Contains(out, "ada was rude") || strings.Count(out, "\n") != 5 {
		t.Errorf("list: %d %s", code, out)
	}
	alter(t, data, `UPDATE audit SET reason = 'ada was kind' WHERE id = 1`)
	if code, found := verifyAudit(t, data); code != exitFailed || found.OK || found.BadID != 1 || found.Entries != 0 {
		t.Errorf("a changed reason: %d %+v", code, found)
	}
	alter(t, data, `UPDATE audit SET reason = 'ada was rude' WHERE id = 1`)
	if code, found := verifyAudit(t, data); code != exitOK || !found.OK {
		t.Errorf("changed back: %d %+v", code, found)
	}
	alter(t, data, `DELETE FROM audit WHERE id = 4`)
	if code, found := verifyAudit(t, data); code != exitFailed || found.BadID != 0 || !strings.Contains(found.Reason, "newest were removed") {
		t.Errorf("the newest removed: %d %+v", code, found)
	}
	alter(t, data, `DELETE FROM audit WHERE id = 2`)
	if code, found := verifyAudit(t, data); code != exitFailed || found.BadID != 3 {
		t.Errorf("one removed: %d %+v", code, found)
	}
}

func TestLinesOfBeforeThereWereSealsAreSealedOnce(t *testing.T) {
	data := withAda(t)
	_, before := verifyAudit(t, data)
	alter(t, data, `UPDATE audit SET salts = x'', digests = x'', hash = x''`, `DELETE FROM audit_head`)
	code, found := verifyAudit(t, data)
	if code != exitOK || found.Entries != 4 || found.Head == before.Head {
		t.Errorf("%d %+v", code, found)
	}
	if _, again := verifyAudit(t, data); again.Head != found.Head {
		t.Error("it was sealed twice")
	}
}

func TestAPersonIsExportedAndErased(t *testing.T) {
	data := withAda(t)
	code, out, errs := command(t, "user", "export", "ada", "--data", data)
	var person wire.Person
	if err := json.Unmarshal([]byte(out), &person); code != exitOK || err != nil {
		t.Fatalf("export: %d %v %s", code, err, errs)
	}
	if person.Account.Email != "ada@home.example" || len(person.Sessions) != 1 || len(person.Activity) == 0 || len(person.AuditAbout) != 2 || len(person.History) == 0 {
		t.Errorf("the export lacks something: %s", out)
	}
	if strings.Contains(out, "argon2") {
		t.Error("the export holds the hash of the password")
	}
	if code, _, errs := command(t, "user", "erase", "ada", "--data", data); code != exitUsage || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: %d %s", code, errs)
	}
	r := startServer(t, "--data", data)
	_, login := r.call("POST", "/api/auth/login/", "", `{"username":"ada","password":"Sekrit-pass-1"}`)
	token := between(login, `"access":"`, `"`)
	if code, out, errs := command(t, "user", "erase", "ada", "--yes", "--data", data); code != exitOK || !strings.Contains(out, "2 lines of the audit") {
		t.Fatalf("erase on a running server: %d %s%s", code, out, errs)
	}
	if status, body := r.call("POST", "/api/users/heartbeat/", token, ""); status != 401 {
		t.Errorf("a heartbeat afterwards: %d %s", status, body)
	}
	if code, _, errs := command(t, "user", "export", "ada", "--data", data); code != exitFailed || !strings.Contains(errs, "no user ada") {
		t.Errorf("export afterwards: %d %s", code, errs)
	}
	r.end()
	if code, found := verifyAudit(t, data); code != exitOK || found.Erased != 2 || found.Entries != 5 {
		t.Errorf("the audit afterwards: %d %+v", code, found)
	}
	// Nothing of her is in the database any more, nor in its free pages' rows that can be read.
	db, err := sql.Open("sqlite", dataDir(data).database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	rows.Close()
	for _, table := range tables {
		if text := dump(t, db, table); strings.Contains(text, "ada") {
			t.Errorf("the table %s still knows her: %s", table, text)
		}
	}
}

// dump is a table as text.
func dump(t *testing.T, db *sql.DB, table string) string {
	t.Helper()
	rows, err := db.Query(`SELECT * FROM "` + table + `"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range into {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			all.WriteString(v.String + "|")
		}
		all.WriteString("\n")
	}
	return all.String()
}
