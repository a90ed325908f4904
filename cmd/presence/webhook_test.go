package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/wire"
)

// hookReceiver keeps every event it was told, once it is well.
type hookReceiver struct {
	mu     sync.Mutex
	well   bool
	verify *standard.Webhook
	events map[string]wire.WebhookEvent
	order  map[string][]uint64 // versions by user, as they came
	twice  int
	bad    []string
}

func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body) // what is cut short does not verify
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.well {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var m wire.WebhookMessage
	if err := r.verify.Verify(body, req.Header); err != nil {
		r.bad = append(r.bad, err.Error())
	}
	if err := json.Unmarshal(body, &m); err != nil {
		r.bad = append(r.bad, err.Error())
	}
	for _, e := range m.Data.Events {
		if _, known := r.events[e.ID]; known {
			r.twice++
			continue
		}
		r.events[e.ID] = e
		if e.Version != 0 {
			r.order[e.User] = append(r.order[e.User], e.Version)
		}
	}
}

// missing says which of these people something was not told of.
func (r *hookReceiver) missing(users []string) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	types := map[string]bool{}
	for _, e := range r.events {
		types[e.Type+" "+e.User] = true
	}
	for _, user := range users {
		for _, name := range []string{"account.created", "session.started", "user.online"} {
			if !types[name+" "+user] {
				list = append(list, name+" "+user)
			}
		}
	}
	return list
}

// Whoever was told "welcome" is told of to the webhook, though the server was killed with everything still in the queue.
func TestKillLosesNothingThatWebhooksAreToBeTold(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	binary, err := child.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	if err := child.MakeAdmin(t.Context(), binary, data, "ann", "Sekrit-pass-1"); err != nil {
		t.Fatal(err)
	}
	r := &hookReceiver{events: map[string]wire.WebhookEvent{}, order: map[string][]uint64{}}
	receiver := httptest.NewServer(r)
	defer receiver.Close()
	allow := []string{"PRESENCE_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8"}
	cmd := exec.CommandContext(t.Context(), binary, "webhook", "create", receiver.URL, "--event", "*", "--data", data)
	cmd.Env = append(cmd.Environ(), allow...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.verify, err = standard.NewWebhook(regexp.MustCompile(`whsec_\S+`).FindString(string(out))); err != nil {
		t.Fatal(err)
	}

	server, err := child.Start(t.Context(), child.Options{Binary: binary, Data: data, Env: allow, CPU: child.AnyCPU})
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for i := range 20 {
		resp, err := http.Post(server.URL+"/api/users/register/", "application/json",
			strings.NewReader(fmt.Sprintf(`{"username":"user%d","password":"Sekrit-pass-%d"}`, i, i)))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ User struct{ ID int64 } }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("register: %d, %v", resp.StatusCode, err)
		}
		users = append(users, fmt.Sprint(answer.User.ID))
	}
	server.Kill()
	if n := len(r.missing(users)); n != 3*len(users) {
		t.Fatalf("%d of %d were told by a receiver that took nothing", 3*len(users)-n, 3*len(users))
	}

	r.mu.Lock()
	r.well = true
	r.mu.Unlock()
	server, err = child.Start(t.Context(), child.Options{Binary: binary, Data: data, Env: allow, CPU: child.AnyCPU})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	for deadline := time.Now().Add(2 * time.Minute); len(r.missing(users)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never told: %v", r.missing(users))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) > 0 {
		t.Errorf("bad deliveries: %v", r.bad)
	}
	for user, versions := range r.order {
		for i := 1; i < len(versions); i++ {
			if versions[i] <= versions[i-1] {
				t.Errorf("user %s: changes came as %v", user, versions)
			}
		}
	}
	t.Logf("%d events, %d of them twice", len(r.events), r.twice)
}
