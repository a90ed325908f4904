package api

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/offchat/presence/wire"
)

func (s *stack) csv(path, token string) [][]string {
	s.t.Helper()
	w := s.ask("GET", path, token, "")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || !strings.Contains(w.Header().Get("Content-Disposition"), ".csv") {
		s.t.Fatalf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func TestExportOfUsers(t *testing.T) {
	s := newStack(t)
	evil := user(7, "=cmd|' /C calc'!A0")
	evil.FirstName, evil.LastName = "@sum", "line\nbreak, \"quoted\" زهرا"
	s.seed(admin(1, "boss"), evil, user(8, "bob"))
	boss := s.login("boss").Access
	rows := s.csv("/api/v1/users/export?tz=Asia/Kabul&sort=username", boss)
	if len(rows) != 4 || strings.Join(rows[0], " ") != strings.Join(exportedUserColumns, " ") {
		t.Fatalf("rows: %q", rows)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{
		"id": "7", "username": "'=cmd|' /C calc'!A0", "first_name": "'@sum", "last_name": "line\nbreak, \"quoted\" زهرا", "status": "offline",
		"joined_at": "2026-01-02T03:04:12.000Z", "joined_at_local": "2026-01-02 07:34:12", "since": "", "is_active": "true",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if only := s.csv("/api/v1/users/export?presence=online&sort=-last_seen", boss); len(only) != 2 || only[1][1] != "boss" {
		t.Errorf("those online: %q", only)
	}
	if body := s.ask("GET", "/api/v1/users/export?bom=true", boss, "").Body.String(); !strings.HasPrefix(body, "\ufeffid,") {
		t.Errorf("no byte order mark: %.20q", body)
	}
	list := want[[]wire.ExportedUser](s, 200, "GET", "/api/v1/users/export?format=json&search=bob", boss, "")
	if len(list) != 1 || list[0].Username != "bob" {
		t.Errorf("json: %+v", list)
	}
	if none := want[[]wire.ExportedUser](s, 200, "GET", "/api/v1/users/export?format=json&search=nobody", boss, ""); len(none) != 0 {
		t.Errorf("json of nobody: %+v", none)
	}
	want[wire.Problem](s, 422, "GET", "/api/v1/users/export?tz=Mars", boss, "")

	exports := 0
	acts := s.csv("/api/v1/audit/export?action=export", boss)
	for _, row := range acts[1:] {
		if row[4] == "export" && row[3] == "1" {
			exports++
		}
	}
	if exports != 6 { // five of users, and this one of the audit
		t.Errorf("the audit has %d exports: %q", exports, acts)
	}
}

// TestHarmless: what a spreadsheet would run is text, and nothing else is touched.
func TestHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "a=b": "a=b", "=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "'x": "'x",
		"\nx": "'\nx", "\n=1": "'\n'=1", "＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", " =1": "' =1",
		"a;=1+1": "a;'=1+1", "a\t=1": "a\t'=1", "a\r\n@x": "a\r\n'@x", "a\n  ＝1": "a\n'  ＝1", "a; b": "a; b", "a-b, c+d@e.f": "a-b, c+d@e.f",
		"=1;=2": "'=1;'=2", "علی＠": "علی＠",
	} {
		got := harmless(cell)
		if got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
		// Whatever a spreadsheet is set to split cells at, none of them begins a formula.
		for _, part := range strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			if first := []rune(strings.TrimSpace(part) + "x")[0]; strings.ContainsRune("=+-@＝＋－＠", first) {
				t.Errorf("%q has the cell %q", got, part)
			}
		}
	}
}

func BenchmarkExport(b *testing.B) {
	s := town(b, 100_000)
	token := s.login("boss").Access
	for _, path := range []string{"?format=csv", "?format=json", "?format=csv&sort=-last_seen", "?format=csv&presence=online"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if w := s.ask("GET", "/api/v1/users/export"+path, token, ""); w.Code != 200 || w.Body.Len() < 1e6 {
					b.Fatal(w.Code, w.Body.Len())
				}
			}
		})
	}
}
