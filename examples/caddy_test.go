package examples

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// caddy runs the recipe of docs/recipes/nginx.md with its upstreams turned to these addresses, and returns where it
// listens: as it is written, and without the block that lets people through while the presence server is dead.
func caddy(t *testing.T, presence, app string) (open, closed string) {
	t.Helper()
	program, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("there is no caddy here (Debian: apt-get install caddy); the Caddy recipe is not tried")
	}
	_, text, _ := strings.Cut(read(t, "../docs/recipes/nginx.md"), "```caddyfile\n")
	text, _, found := strings.Cut(text, "```")
	bare, _, errors := strings.Cut(text, "\n\thandle_errors")
	if !found || !errors {
		t.Fatalf("the recipe is not as expected: %s", text)
	}
	open, closed = freeAddress(t), freeAddress(t)
	file := "{\n\tadmin off\n\tauto_https off\n}\n"
	for address, site := range map[string]string{open: text, closed: bare + "\n}\n"} {
		file += strings.NewReplacer("app.example.org", "http://"+address, "presence:8000", presence, "app:3000", app).Replace(site)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	write(t, config, file)
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &log, &log, patience
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("caddy:\n%s", log.String())
		}
	})
	listening(t, open)
	listening(t, closed)
	return open, closed
}

// What docs/recipes/nginx.md says about Caddy, with the presence server up and dead.
func TestCaddyWithThePresenceServerUpAndDead(t *testing.T) {
	s := startServer(t, "--forward-auth-cookie", "jwt")
	open, closed := caddy(t, s.address, theApp(t))
	s.register("bob")
	mallory := s.register("mallory")
	s.command("user", "logout", "bob")
	s.command("user", "ban", "mallory")
	bob := s.login("bob")
	s.setOffline("bob")
	for _, one := range []struct {
		name, address, token string
		want                 int
	}{
		{"somebody", open, bob, 200},
		{"banned", open, mallory, 403},
		{"nobody", open, "", 200},
		{"somebody, without the block", closed, bob, 200},
		{"banned, without the block", closed, mallory, 403},
	} {
		if got := through(t, one.address, one.token); got != one.want {
			t.Errorf("%s: %d, want %d", one.name, got, one.want)
		}
	}
	s.until("bob", "online") // nothing else was heard of him
	s.stop()
	if got := through(t, open, bob); got != 200 {
		t.Errorf("with the presence server dead: %d, want 200", got)
	}
	if got := through(t, closed, bob); got != 502 {
		t.Errorf("with the presence server dead, without the block: %d, want 502", got)
	}
}
