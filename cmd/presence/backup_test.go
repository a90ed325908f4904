package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/offchat/presence/internal/backup"
)

func TestABackupOfABusyServerLosesNothingThatWasAcknowledged(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	var acknowledged atomic.Int64
	var clients sync.WaitGroup
	done := make(chan struct{})
	var mu sync.Mutex
	names := []string{}
	for c := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				name := fmt.Sprintf("client%dx%d", c, n)
				status, body := r.call("POST", "/api/auth/register/", "", fmt.Sprintf(`{"username":%q,"password":"Sekrit-pass-1"}`, name))
				switch {
				case status/100 == 2:
					mu.Lock()
					names = append(names, name)
					mu.Unlock()
					acknowledged.Add(1)
				case status != 429 && status != 503:
					t.Errorf("register: %d %s", status, body)
					return
				}
			}
		})
	}
	eventually(t, "people register", func() bool { return acknowledged.Load() > 8 })
	mu.Lock()
	before := append([]string(nil), names...)
	mu.Unlock()
	code, out, errs := command(t, "backup", "create", "--data", data)
	close(done)
	clients.Wait()
	if code != exitOK {
		t.Fatalf("backup create: %d %s", code, errs)
	}
	path := strings.SplitN(out, "\n", 2)[0]

	if code, out, errs := command(t, "backup", "verify", "--data", data); code != exitOK || !strings.Contains(out, "is good") {
		t.Errorf("verify: %d %s%s", code, out, errs)
	}
	if code, out, _ := command(t, "backup", "list", "--data", data); code != exitOK || !strings.Contains(out, filepath.Base(path)) {
		t.Errorf("list: %d %s", code, out)
	}
	if code, _, errs := command(t, "backup", "restore", filepath.Base(path), "--data", data); code != exitInUse || !strings.Contains(errs, "stop the server") {
		t.Errorf("restore under a running server: %d %s", code, errs)
	}
	r.end()
	if code, out, errs := command(t, "backup", "restore", filepath.Base(path), "--data", data); code != exitOK || !strings.Contains(out, "replaced-") {
		t.Fatalf("restore: %d %s%s", code, out, errs)
	}
	r = startServer(t, "--data", data)
	for _, name := range before {
		status, body := r.call("POST", "/api/auth/login/", "", fmt.Sprintf(`{"username":%q,"password":"Sekrit-pass-1"}`, name))
		if status != 200 {
			t.Errorf("%s was acknowledged before the backup: %d %s", name, status, body)
		}
	}
}

func TestADamagedDatabaseIsNamedWithItsPageAndItsCure(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	for _, name := range []string{"ann", "bob"} {
		r.call("POST", "/api/auth/register/", "", fmt.Sprintf(`{"username":%q,"password":"Sekrit-pass-1"}`, name))
	}
	r.end()
	code, out, errs := command(t, "backup", "create", "--data", data)
	if code != exitOK {
		t.Fatalf("backup: %s", errs)
	}
	path := strings.SplitN(out, "\n", 2)[0]
	file, err := os.OpenFile(dataDir(data).database(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(make([]byte, 4096), 4*4096); err != nil {
		t.Fatal(err)
	}
	file.Close()

	code, _, errs = command(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, "is damaged") || !regexp.MustCompile(`page \d+`).MatchString(errs) {
		t.Errorf("serve: %d %s", code, errs)
	}
	cure := "presence backup restore " + path + " --data " + data
	if !strings.Contains(errs, cure) {
		t.Errorf("it does not say %q: %s", cure, errs)
	}
	if code, _, errs := command(t, "backup", "create", "--data", data); code != exitFailed || !strings.Contains(errs, "damaged") {
		t.Errorf("a backup of it: %d %s", code, errs)
	}
	if code, _, errs := command(t, strings.Fields(cure)[1:]...); code != exitOK {
		t.Fatalf("the cure: %d %s", code, errs)
	}
	r = startServer(t, "--data", data)
	if status, body := r.call("POST", "/api/auth/login/", "", `{"username":"bob","password":"Sekrit-pass-1"}`); status != 200 {
		t.Errorf("bob: %d %s", status, body)
	}
}

func TestAHalfRestoredDirectoryIsNotServed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	startServer(t, "--data", data).end()
	_, out, _ := command(t, "backup", "create", "--data", data)
	path := strings.SplitN(out, "\n", 2)[0]
	if err := os.WriteFile(filepath.Join(data, "restoring"), []byte(path), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"},
		{"user", "list"},
		{"backup", "create"},
		{"import", "django", "--from", "x"},
	} {
		if args[0] == "import" {
			args[3], _ = djangoSite(t, 1)
		}
		if code, _, errs := command(t, append(args, "--data", data)...); code != exitFailed || !strings.Contains(errs, "presence backup restore "+path) {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	if backup.HalfRestored(data) == nil {
		t.Error("the mark is gone")
	}
}
