package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence/internal/django"
	"github.com/offchat/presence/internal/djangotest"
)

// command runs one command line in this process and returns what it said.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &process{
		ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: []string{"HOME=" + t.TempDir()},
	})
	return code, out.String(), errs.String()
}

// djangoSite makes the database of a Django site with n people, and a file with its key.
func djangoSite(t *testing.T, n int) (database, key string) {
	t.Helper()
	dir := t.TempDir()
	database, key = filepath.Join(dir, "db.sqlite3"), filepath.Join(dir, "key")
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := djangotest.Fill(t.Context(), db, djangotest.SQLite, n, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte(djangotest.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	return database, key
}

// call sends JSON with a token.
func (r *running) call(method, path, token, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.at.public.String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, text.String()
}

func TestAfterAnImportOldPasswordsAndTokensWork(t *testing.T) {
	database, key := djangoSite(t, 250)
	data := filepath.Join(t.TempDir(), "data")

	code, out, errs := command(t, "import", "django", "--from", "sqlite:///"+database, "--data", data, "--dry-run")
	if code != exitOK || !strings.Contains(out, "nothing was written") {
		t.Fatalf("dry run: %d\n%s%s", code, out, errs)
	}
	code, out, errs = command(t, "import", "django", "--from", "sqlite:///"+database, "--data", data)
	if code != exitOK || !strings.Contains(out, "Both sides agree") {
		t.Fatalf("import: %d\n%s%s", code, out, errs)
	}
	code, out, errs = command(t, "import", "django", "--from", database, "--data", data, "--json")
	var report django.Report
	if err := json.Unmarshal([]byte(out), &report); code != exitOK || err != nil || report.Changes() != 0 || report.Users.Unchanged != 250 {
		t.Fatalf("again: %d %v %+v\n%s", code, err, report.Users, errs)
	}

	r := startServer(t, "--data", data, "--signing-key-file", key)
	signIn := func(name string) (int, string) {
		return r.call("POST", "/api/auth/login/", "", fmt.Sprintf(`{"username":%q,"password":%q}`, name, djangotest.Password))
	}
	if status, body := signIn(djangotest.Name(7)); status != 200 || !strings.Contains(body, `"id":7,`) {
		t.Errorf("the old password: %d %s", status, body)
	}
	if status, body := r.call("POST", "/api/auth/login/", "", fmt.Sprintf(`{"username":%q,"password":"another"}`, djangotest.Name(8))); status != 401 {
		t.Errorf("a wrong password: %d %s", status, body)
	}
	if status, body := signIn(djangotest.Name(37)); status != 403 {
		t.Errorf("somebody suspended: %d %s", status, body)
	}

	now := time.Now()
	live := djangotest.Token("access", 9, strings.Repeat("a", 32), now.Add(-time.Minute), now.Add(time.Hour))
	if status, body := r.call("POST", "/api/users/heartbeat/", live, ""); status != 200 || !strings.Contains(body, `"online"`) {
		t.Errorf("a heartbeat with a token of the old system: %d %s", status, body)
	}
	refresh := djangotest.Token("refresh", 9, strings.Repeat("b", 32), now.Add(-time.Minute), now.Add(time.Hour))
	if status, body := r.call("POST", "/api/auth/refresh/", "", `{"refresh":"`+refresh+`"}`); status != 200 {
		t.Errorf("a refresh token of the old system: %d %s", status, body)
	}
	refused := djangotest.Token("refresh", 100, fmt.Sprintf("%032d", 100), now.Add(-time.Minute), now.Add(time.Hour))
	if status, body := r.call("POST", "/api/auth/refresh/", "", `{"refresh":"`+refused+`"}`); status != 401 {
		t.Errorf("a refresh token that the old system refused: %d %s", status, body)
	}
	suspended := djangotest.Token("access", 37, strings.Repeat("c", 32), now.Add(-time.Minute), now.Add(time.Hour))
	if status, body := r.call("POST", "/api/users/heartbeat/", suspended, ""); status == 200 {
		t.Errorf("a token of somebody suspended: %d %s", status, body)
	}

	if code, _, errs := command(t, "import", "django", "--from", database, "--data", data); code != exitInUse || !strings.Contains(errs, "stop the server") {
		t.Errorf("while a server runs: %d %s", code, errs)
	}
}

func TestAnImportThatCannotBeginSaysWhy(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--from", "/no/such.sqlite3"}, exitFailed, "there is no database"},
		{[]string{"--from", "mysql://x"}, exitFailed, "neither sqlite"},
		{[]string{"--from", "x", "--timezone", "Mars/Base"}, exitUsage, "no time zone"},
		{nil, exitUsage, "--from"},
	} {
		code, _, errs := command(t, append([]string{"import", "django", "--data", data}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %q, want %d and %q", c.args, code, errs, c.code, c.want)
		}
	}
}
