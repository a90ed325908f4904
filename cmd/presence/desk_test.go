package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/offchat/presence/wire"
)

// TestTheDeskOfAServer: the admin changes the timeouts, clients are told, and the next start still goes by them; the
// roster, a job and the system's facts come from the running server.
func TestTheDeskOfAServer(t *testing.T) {
	data := t.TempDir()
	r := startServer(t, "--data", data)
	r.setUp(setupLink.FindStringSubmatch(r.stderr.String())[1], "ann", "Sekrit-pass-1")
	login := func(r *running) string {
		_, body := r.call("POST", "/api/users/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
		var answer struct{ Tokens struct{ Access string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Tokens.Access == "" {
			t.Fatalf("login: %s", body)
		}
		return answer.Tokens.Access
	}
	ann := login(r)
	ask := func(r *running, token, method, path, body string, into any) {
		t.Helper()
		status, text := r.call(method, path, token, body)
		if status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var roster wire.Roster
	ask(r, ann, "GET", "/api/v1/roster", "", &roster)
	if roster.Total < 1 || len(roster.Parts) == 0 || roster.Parts[0].Usernames[0] != "ann" {
		t.Errorf("roster: %+v", roster)
	}
	stream := r.stream(ann, "?scope=all&roster=true")
	until(t, stream, `"t":"hello"`, `"heartbeat_ms":30000`, `"accounts":`)
	until(t, stream, `"t":"snap"`, `"users":[]`)
	var job wire.Job
	ask(r, ann, "POST", "/api/v1/jobs",
		fmt.Sprintf(`{"act":"hold","status":"away","note":"test","ids":["%d"],"expected":1}`, roster.Parts[0].IDs[0]), &job)
	until(t, stream, `"t":"job"`, job.ID)
	until(t, stream, `"t":"delta"`, `"s":"away"`, `"note":"test"`, `"held":true`)

	var now wire.TimeoutsNow
	ask(r, ann, "PUT", "/api/v1/settings/timeouts",
		`{"heartbeat_interval":20,"idle_after":240,"offline_after":150,"leave_grace":10,"refresh_interval":10}`, &now)
	until(t, stream, `"t":"times"`, `"heartbeat_ms":20000`, `"offline_after_ms":150000`)
	resp, _ := r.do("POST", "/api/users/login/", "application/json", `{"username":"ann","password":"Sekrit-pass-1"}`)
	if told := resp.Header.Get("Presence-Heartbeat-Interval"); told != "" && told != "20" {
		t.Errorf("the header says %s", told)
	}
	var sys wire.System
	ask(r, ann, "GET", "/api/v1/system", "", &sys)
	facts := map[string]wire.Fact{}
	for _, fact := range sys.Facts {
		facts[fact.Key] = fact
		if fact.Text == "" || strings.Contains(fact.Text, "%!") {
			t.Errorf("fact: %+v", fact)
		}
	}
	if f := facts["sockets"]; f.Value == nil || *f.Value != 1 {
		t.Errorf("sockets: %+v", f)
	}
	if f := facts["database_size"]; f.Value == nil || *f.Value == 0 {
		t.Errorf("database_size: %+v", f)
	}
	r.end()

	again := startServer(t, "--data", data)
	ann = login(again)
	ask(again, ann, "GET", "/api/v1/settings/timeouts", "", &now)
	if now.Source != "dashboard" || fmt.Sprint(now.OfflineAfter, now.HeartbeatInterval, now.Configured.OfflineAfter) != "150 20 120" {
		t.Errorf("after a restart: %+v", now)
	}
	until(t, again.stream(ann, "?scope=counts"), `"t":"hello"`, `"offline_after_ms":150000`)
}
