package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// What was set in the dashboard is in force, and config show says that it came from there, until it is taken back.
func TestConfigShowNamesTheDashboard(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	var errs bytes.Buffer
	made := run([]string{"user", "create", "ann", "--role", "admin", "--password-stdin", "--data", data}, &process{
		ctx: t.Context(), stdin: strings.NewReader("Sekrit-pass-1"), stdout: &errs, stderr: &errs, environ: []string{"HOME=" + t.TempDir()},
	})
	if made != exitOK {
		t.Fatalf("user create: %d %s", made, errs.String())
	}
	_, login := r.call("POST", "/api/auth/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
	token := between(login, `"access":"`, `"`)
	shows := func(want bool) {
		t.Helper()
		_, out, _ := command(t, "config", "show", "--data", data)
		for _, line := range strings.Split(out, "\n") {
			if words := strings.Fields(line); len(words) == 3 && words[0] == "offline_after" {
				if got := words[1] == "4m0s" && words[2] == "dashboard"; got != want {
					t.Errorf("config show says %q", line)
				}
				return
			}
		}
		t.Errorf("config show lacks offline_after: %s", out)
	}
	shows(false)
	set := `{"heartbeat_interval":30,"idle_after":300,"offline_after":240,"leave_grace":10,"refresh_interval":10}`
	if status, body := r.call("PUT", "/api/v1/settings/timeouts", token, set); status != 200 {
		t.Fatalf("set: %d %s", status, body)
	}
	shows(true)
	if status, body := r.call("DELETE", "/api/v1/settings/timeouts", token, ""); status/100 != 2 {
		t.Fatalf("reset: %d %s", status, body)
	}
	shows(false)
}
