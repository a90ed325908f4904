package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// job starts a job and does it.
func (s *stack) job(token, body string) wire.Job {
	s.t.Helper()
	started := want[wire.Job](s, 200, "POST", "/api/v1/jobs", token, body)
	s.runJobs()
	return want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+started.ID, token, "")
}

// runJobs does what waits.
func (s *stack) runJobs() {
	for j := s.h.nextJob(); j != nil; j = s.h.nextJob() {
		s.h.runJob(s.t.Context(), j)
	}
}

func (s *stack) jobRows(token, id, query string) string {
	s.t.Helper()
	var words []string
	for _, r := range want[wire.JobRows](s, 200, "GET", "/api/v1/jobs/"+id+"/rows"+query, token, "").Items {
		word := r.Username + ":ok"
		if !r.OK {
			word = r.Username + ":" + r.Code
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (s *stack) accountStatus(user presence.UserID) string {
	s.t.Helper()
	a, err := s.store.Account(s.t.Context(), user)
	if err != nil {
		return err.Error()
	}
	return a.Status.String()
}

// TestAJobTellsOfEveryAccount: what was done, what was not and why, and the audit knows each of them.
func TestAJobTellsOfEveryAccount(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss := s.login("boss").Access
	s.login("alice")
	j := s.job(boss, `{"act":"suspend","reason":"spring cleaning","ids":["1","7","8","999"],"expected":4}`)
	if j.State != "done" || j.Total != 4 || j.OK != 2 || j.Failed != 2 || j.Left != 0 || j.ByName != "boss" || j.Ended == nil || j.UndoUntil == nil {
		t.Fatalf("job: %+v", j)
	}
	all := s.jobRows(boss, j.ID, "")
	for _, word := range []string{"boss:not_on_self", "alice:ok", "bob:ok", ":not_found"} {
		if !strings.Contains(all, word) {
			t.Errorf("rows %q do not say %q", all, word)
		}
	}
	if got := s.jobRows(boss, j.ID, "?ok=false"); strings.Contains(got, ":ok") || len(strings.Fields(got)) != 2 {
		t.Errorf("those that were not done: %q", got)
	}
	if s.accountStatus(7) != "suspended" || s.accountStatus(1) != "active" {
		t.Errorf("alice %s, boss %s", s.accountStatus(7), s.accountStatus(1))
	}
	acts, jobs := 0, 0
	for _, e := range want[wire.AuditPage](s, 200, "GET", "/api/v1/audit", boss, "").Items {
		if e.RequestID == j.ID && e.Action == "suspend" && e.Reason == "spring cleaning" {
			acts++
		}
		if e.RequestID == j.ID && e.Action == "job" {
			jobs++
		}
	}
	if acts != 2 || jobs != 1 {
		t.Errorf("the audit has %d acts and %d jobs", acts, jobs)
	}
	if list := want[wire.JobList](s, 200, "GET", "/api/v1/jobs", boss, ""); len(list.Items) != 1 || list.Items[0].ID != j.ID {
		t.Errorf("jobs: %+v", list)
	}
}

// TestAJobByFilterIsForAsManyAsWereShown: a list that moved meanwhile stops it before anything is done.
func TestAJobByFilterIsForAsManyAsWereShown(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"), user(9, "carol"))
	boss := s.login("boss").Access
	s.login("alice")
	s.login("bob")
	const filter = `"filter":"presence=online&role=user&sort=username"`
	p := want[wire.Problem](s, 409, "POST", "/api/v1/jobs", boss, `{"act":"force_logout",`+filter+`,"expected":3}`)
	if p.Field != "expected" || p.Bound != "2" {
		t.Errorf("problem: %+v", p)
	}
	j := s.job(boss, `{"act":"force_logout",`+filter+`,"expected":2}`)
	if j.OK != 2 || j.UndoUntil != nil {
		t.Errorf("job: %+v", j)
	}
	counts := want[wire.Counts](s, 200, "GET", "/api/v1/counts", boss, "")
	if counts.Online != 1 {
		t.Errorf("%d online, only boss should be", counts.Online)
	}
	for body, field := range map[string]string{
		`{"act":"lift","expected":1}`:                                                            "ids",
		`{"act":"lift","ids":["7"],"filter":"","expected":1}`:                                    "ids",
		`{"act":"lift","ids":["x"],"expected":1}`:                                                "ids[0]",
		`{"act":"lift","filter":"presence=busy","expected":1}`:                                   "filter",
		`{"act":"lift","filter":"nonsense=1","expected":1}`:                                      "filter",
		`{"act":"lift","filter":"role=user&role=admin","expected":1}`:                            "filter",
		`{"act":"hold","ids":["7"],"expected":1}`:                                                "status",
		`{"act":"ban","status":"away","ids":["7"],"expected":1}`:                                 "status",
		`{"act":"hold","status":"away","until":"2001-01-01T00:00:00Z","ids":["7"],"expected":1}`: "until",
		`{"act":"dance","ids":["7"],"expected":1}`:                                               "act",
	} {
		if p := want[wire.Problem](s, 422, "POST", "/api/v1/jobs", boss, body); p.Field != field {
			t.Errorf("%s: %+v, want field %s", body, p, field)
		}
	}
}

// TestAJobIsUndone: everything is put back but what somebody else did something with since.
func TestAJobIsUndone(t *testing.T) {
	s := newStack(t)
	bob := user(8, "bob")
	bob.Status = presence.AccountPending
	s.seed(admin(1, "boss"), user(7, "alice"), bob, user(9, "carol"))
	boss := s.login("boss").Access
	j := s.job(boss, `{"act":"ban","ids":["7","8","9"],"expected":3}`)
	if _, err := s.auth.Activate(t.Context(), auth.System, 9, presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	undone := want[wire.Job](s, 200, "POST", "/api/v1/jobs/"+j.ID+"/undo", boss, "")
	s.runJobs()
	undone = want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+undone.ID, boss, "")
	if undone.OK != 2 || undone.Failed != 1 || undone.UndoOf != j.ID || undone.UndoUntil != nil {
		t.Errorf("the undoing: %+v, rows %s", undone, s.jobRows(boss, undone.ID, ""))
	}
	if s.accountStatus(7) != "active" || s.accountStatus(8) != "pending" || s.accountStatus(9) != "active" {
		t.Errorf("alice %s, bob %s, carol %s", s.accountStatus(7), s.accountStatus(8), s.accountStatus(9))
	}
	if a, err := s.store.Account(t.Context(), 7); err != nil || !a.Active {
		t.Errorf("alice's account stays closed: %+v, %v", a, err)
	}
	want[wire.Problem](s, 409, "POST", "/api/v1/jobs/"+j.ID+"/undo", boss, "") // once

	for act, look := range map[string]func() bool{
		`"act":"hold","status":"away","note":"x"`: func() bool { return s.state(7).Held },
		`"act":"trash"`: func() bool { return s.accountStatus(7) != "active" },
	} {
		j := s.job(boss, `{`+act+`,"ids":["7"],"expected":1}`)
		if !look() {
			t.Errorf("%s did nothing", act)
		}
		want[wire.Job](s, 200, "POST", "/api/v1/jobs/"+j.ID+"/undo", boss, "")
		if s.runJobs(); look() {
			t.Errorf("%s was not undone", act)
		}
	}
}

func (s *stack) state(user presence.UserID) presence.Presence {
	s.t.Helper()
	states, err := s.tracker.State(s.t.Context(), []presence.UserID{user})
	if err != nil {
		s.t.Fatal(err)
	}
	return states[0]
}

// TestAJobStopsWithTheAdminsRights: whoever is no admin any more does nothing more.
func TestAJobStopsWithTheAdminsRights(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), admin(2, "other"), user(7, "alice"))
	other := s.login("other").Access
	started := want[wire.Job](s, 200, "POST", "/api/v1/jobs", other, `{"act":"suspend","ids":["7"],"expected":1}`)
	role := presence.RoleUser
	if _, err := s.auth.Update(t.Context(), auth.System, 2, auth.Patch{Role: &role}, presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	s.runJobs()
	j := want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+started.ID, s.login("boss").Access, "")
	if j.State != "failed" || j.Detail == "" || j.OK != 0 || s.accountStatus(7) != "active" {
		t.Errorf("job: %+v, alice %s", j, s.accountStatus(7))
	}
}

func TestAJobIsCancelled(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	started := want[wire.Job](s, 200, "POST", "/api/v1/jobs", boss, `{"act":"suspend","ids":["7"],"expected":1}`)
	want[wire.Job](s, 200, "POST", "/api/v1/jobs/"+started.ID+"/cancel", boss, "")
	s.runJobs()
	if j := want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+started.ID, boss, ""); j.State != "cancelled" || j.Left != 1 {
		t.Errorf("job: %+v", j)
	}
	if s.accountStatus(7) != "active" {
		t.Error("it was done all the same")
	}
	want[wire.Problem](s, 409, "POST", "/api/v1/jobs/"+started.ID+"/cancel", boss, "")
	want[wire.Problem](s, 404, "GET", "/api/v1/jobs/00000000000000000000", boss, "")
}

// TestAJobThatTheServerLeftIsInterrupted: the next server says so, and what was done can still be undone.
func TestAJobThatTheServerLeftIsInterrupted(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	started := want[wire.Job](s, 200, "POST", "/api/v1/jobs", boss, `{"act":"suspend","ids":["7"],"expected":1}`)
	next := New(s.h.Config) // a server that knows of it from the store alone
	if err := next.closeLeftJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.h = next
	if j := want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+started.ID, boss, ""); j.State != "interrupted" || j.Detail == "" || j.Left != 1 {
		t.Errorf("job: %+v", j)
	}
}

// TestJobsAreAskedForOnce: the same key is the same job.
func TestJobsAreAskedForOnce(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	ask := func() string {
		w := s.askWith("POST", "/api/v1/jobs", boss, `{"act":"lift","ids":["7"],"expected":1}`, "Idempotency-Key", "k1")
		if w.Code != 200 {
			t.Fatal(w.Body)
		}
		return w.Body.String()
	}
	if first, again := ask(), ask(); first != again {
		t.Errorf("%s then %s", first, again)
	}
}

func TestOldJobsAreForgotten(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	j := s.job(boss, `{"act":"hold","status":"away","ids":["7"],"expected":1}`)
	now := time.Now()
	s.h.Now = func() time.Time { return now.Add(jobsKept + time.Minute) }
	if err := s.h.purgeJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.h.Now = time.Now
	want[wire.Problem](s, 404, "GET", "/api/v1/jobs/"+j.ID, boss, "")
	if rows, err := s.store.Documents(t.Context(), jobRowsKind+j.ID); err != nil || len(rows) != 0 {
		t.Errorf("rows left: %v, %v", rows, err)
	}
}

// TestActsOnOneAccount: each act does on one what its job does on many.
func TestActsOnOneAccount(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	act := func(status int, body string) {
		t.Helper()
		if w := s.ask("POST", "/api/v1/users/7/acts", boss, body); w.Code != status {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	act(204, fmt.Sprintf(`{"act":"suspend","until":%q,"reason":"a week off"}`, until))
	ends, err := s.auth.SuspendedUntil(t.Context())
	if err != nil || len(ends) != 1 || ends[7].UTC().Format(time.RFC3339) != until {
		t.Errorf("suspensions: %v, %v", ends, err)
	}
	act(204, `{"act":"activate"}`)
	if ends, _ := s.auth.SuspendedUntil(t.Context()); len(ends) != 0 {
		t.Errorf("an end is left of a suspension that is over: %v", ends)
	}
	act(204, `{"act":"set_status","status":"away"}`)
	if got := s.state(7).Status; got != presence.Away {
		t.Errorf("set_status: %v", got)
	}
	act(204, `{"act":"trash"}`)
	act(404, `{"act":"trash"}`)
	act(204, `{"act":"restore"}`)
	act(409, `{"act":"restore"}`)
	act(409, `{"act":"reject"}`)
	act(204, `{"act":"forget_history"}`)
	act(204, `{"act":"delete"}`)
	act(404, `{"act":"restore"}`)
}
