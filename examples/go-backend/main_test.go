package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/client"
)

// patience is for a loaded test machine.
const patience = 2 * time.Minute

// TestTheBackend runs the example beside the real server: whoever uses it is online, it says so, and it goes on when
// the server is gone.
func TestTheBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binaries")
	}
	dir, data := t.TempDir(), t.TempDir()
	binary, err := child.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	backend := filepath.Join(dir, "go-backend")
	output(t, "go", "build", "-o", backend, ".")
	if err := child.MakeAdmin(t.Context(), binary, data, "ann", "Sekrit-pass-1"); err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(output(t, binary, "token", "create", "app", "--scope", "touch,read,tickets,logout", "--data", data))
	server, err := child.Start(t.Context(), child.Options{Binary: binary, Data: data, CPU: child.AnyCPU})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Kill()

	address, err := child.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	cmd := exec.Command(backend)
	cmd.Env = append(os.Environ(), "PRESENCE_URL="+server.URL, "PRESENCE_API_KEY="+key, "LISTEN="+address)
	process, err := child.Launch(cmd, child.AnyCPU, log)
	if err != nil {
		t.Fatal(err)
	}
	defer process.Kill()

	use := func() {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User", "1")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the app answered %d", resp.StatusCode)
		}
	}
	says := func(text string) func() bool {
		return func() bool {
			said, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(said), text)
		}
	}
	if err := process.Ready(t.Context(), "http://"+address); err != nil {
		t.Fatal(err)
	}

	presence, err := client.New(server.URL, client.WithAPIKey(key))
	if err != nil {
		t.Fatal(err)
	}
	defer presence.Close()
	use()
	waitFor(t, func() bool {
		found, err := presence.Query(t.Context(), "1", "4711")
		if err != nil {
			t.Fatal(err)
		}
		return found["1"].Status == client.Online && found["4711"].Status == client.Offline
	})
	if ticket, good, err := presence.Ticket(t.Context(), "1", client.TTL(30*time.Second)); err != nil || ticket == "" || good != 30*time.Second {
		t.Errorf("ticket %q for %v, %v", ticket, good, err)
	}

	// A listener of our own: the picture, then each change, and the cursor leads back to where it was.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cursor := ""
	for e, err := range presence.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == client.Present && e.User == "1" && e.Status != client.Online {
			t.Errorf("the picture: %+v", e)
		}
		if e.Kind == client.Synced {
			cursor = e.Cursor
			break
		}
	}
	if err := presence.ForceLogout(t.Context(), "1", client.Reason("lost phone")); err != nil {
		t.Fatal(err)
	}
	for e, err := range presence.Events(ctx, client.Since(cursor)) {
		if err != nil || e.Kind != client.Change {
			t.Fatalf("%+v, %v: the change that came meanwhile was expected", e, err)
		}
		if e.User == "1" && e.Status == client.Offline {
			break
		}
	}
	if ctx.Err() != nil {
		t.Error("the change never came")
	}
	waitFor(t, says("user 1 is offline"))

	server.Kill()
	begun := time.Now()
	use()
	t.Logf("a request while the server is gone: %v", time.Since(begun))
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about")
		}
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}
