package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/offchat/presence/internal/testserver"
)

// A server's data go into PostgreSQL while it is stopped, and not before; the new server knows everybody.
func TestMigrate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	url := testserver.NewPostgres(t, "fsync=off").Database(t, "")
	data := t.TempDir()
	old := startServer(t, "--data", data)
	link := setupLink.FindStringSubmatch(old.stderr.String())
	old.setUp(link[1], "ann", "Sekrit-pass-1")

	migrate := func(args ...string) (code int, out string) {
		var text bytes.Buffer
		p := &process{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &text, stderr: &text, environ: []string{"HOME=" + t.TempDir()}}
		return run(append([]string{"migrate", "--from", "sqlite:" + data, "--to", url}, args...), p), text.String()
	}
	if code, out := migrate(); code != exitInUse || !strings.Contains(out, "stop the server first") {
		t.Errorf("while it runs: %d %s", code, out)
	}
	old.end()
	if code, out := migrate(); code != exitOK || !strings.Contains(out, "Copied and compared") || !strings.Contains(out, "signing.key") {
		t.Fatalf("%d %s", code, out)
	}
	if code, out := migrate(); code != exitOK || !strings.Contains(out, "there already") {
		t.Errorf("again: %d %s", code, out)
	}

	// Without the key nobody would be signed in: the new server says how to give it.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var text bytes.Buffer
	p := &process{ctx: ctx, stdin: strings.NewReader(""), stdout: io.Discard, stderr: &text, environ: []string{"HOME=" + t.TempDir()}}
	if code := run([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--database", url}, p); code != exitFailed ||
		!strings.Contains(text.String(), "--signing-key-file") {
		t.Errorf("without a key: %d %s", code, text.String())
	}
	fresh := startServer(t, "--data", t.TempDir(), "--database", url, "--signing-key-file", data+"/signing.key")
	resp, body := fresh.do("POST", "/api/users/login/", "application/json", `{"username":"ann","password":"Sekrit-pass-1"}`)
	if resp.StatusCode != 200 {
		t.Errorf("login at the new server: %d %s", resp.StatusCode, body)
	}

	// The database is this server's alone while presence is in its own memory.
	text.Reset()
	p = &process{ctx: ctx, stdin: strings.NewReader(""), stdout: io.Discard, stderr: &text, environ: []string{"HOME=" + t.TempDir()}}
	if code := run([]string{
		"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--database", url, "--signing-key-file", data + "/signing.key",
	}, p); code != exitFailed || !strings.Contains(text.String(), "uses this database alone") {
		t.Errorf("a second server without an engine: %d %s", code, text.String())
	}
}
