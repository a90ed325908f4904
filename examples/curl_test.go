package examples

import (
	"os/exec"
	"strings"
	"testing"
)

// The walk-through with curl, on the real server.
func TestCurlWalkthrough(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl here")
	}
	s := startServer(t)
	key := strings.TrimSpace(s.command("token", "create", "curl", "--scope", "touch,read"))
	cmd := exec.CommandContext(t.Context(), "bash", "curl/walkthrough.sh", s.url)
	cmd.Env = append(cmd.Environ(), "KEY="+key)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"username":"zahra"`, "the old token: 401", "touch: 204", `"status":"online"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
