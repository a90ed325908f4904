package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/offchat/presence/internal/sqlite"
)

// smallDisk mounts a file system of its own, of a few megabytes, or skips the test where that is not allowed.
func smallDisk(t *testing.T, megabytes int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Skipf("a file system to fill cannot be mounted here (%v); run this test as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return path
}

// fill writes files until nothing fits any more, and returns what frees the disk again. What is filled may
// become free for a moment (a log is cut back), so it goes on until it is called.
func fill(t *testing.T, path string) (free func()) {
	t.Helper()
	name := filepath.Join(path, "ballast")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 4 << 10, 512} {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(file.Close(), os.Remove(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// patient is how long these tests wait for what must happen, on a machine however slow.
const patient = time.Minute

func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	for until := time.Now().Add(patient); !good(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within %s", what, patient)
		}
	}
}

func TestOnAFullDiskPresenceGoesOnAndNothingAcknowledgedIsLost(t *testing.T) {
	disk := smallDisk(t, 16)
	data := filepath.Join(disk, "data")
	r := startServer(t, "--data", data, "--ops-listen", "127.0.0.1:0")

	acknowledged := []string{}
	register := func(name string) (int, string) {
		status, body := r.call("POST", "/api/auth/register/", "", fmt.Sprintf(`{"username":%q,"password":"Sekrit-pass-1"}`, name))
		if status/100 == 2 {
			acknowledged = append(acknowledged, name)
		}
		return status, body
	}
	status, body := register("ann")
	if status/100 != 2 {
		t.Fatalf("register: %d %s", status, body)
	}
	token := between(body, `"access":"`, `"`)
	beat := func() (int, string) { return r.call("POST", "/api/users/heartbeat/", token, "") }

	free := fill(t, disk)
	refused := ""
	var tokens []string
	for n := 0; refused == ""; n++ { // what is allocated already still takes a few
		status, body := r.call("POST", "/api/auth/login/", "", `{"username":"ann","password":"Sekrit-pass-1"}`)
		switch {
		case status == 507:
			refused = body
		case status != 200:
			t.Fatalf("signing in on a full disk: %d %s", status, body)
		case n == 5000:
			t.Fatal("the disk is not full")
		}
		if status == 200 {
			tokens = append(tokens, between(body, `"access":"`, `"`))
		}
	}
	if !strings.Contains(refused, "disk is full") {
		t.Errorf("the refusal says %s", refused)
	}
	for range 50 {
		if status, body := beat(); status != 200 || !strings.Contains(body, `"online"`) {
			t.Fatalf("a heartbeat on a full disk: %d %s", status, body)
		}
	}
	if status, body := r.call("GET", "/api/users/admin/users/online/", token, ""); status != 200 || !strings.Contains(body, `"ann"`) {
		t.Errorf("who is online: %d %s", status, body)
	}
	if status, body := r.call("GET", "/readyz", "", ""); status != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, "presence goes on") {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, body := r.call("GET", "/healthz", "", ""); status != 200 {
		t.Errorf("healthz: %d %s", status, body)
	}
	if metrics := r.metrics(); !strings.Contains(metrics, "presence_store_disk_full 1\n") || strings.Contains(metrics, "presence_store_disk_full_refused_total 0\n") {
		t.Error("the metrics do not tell that the disk is full")
	}
	if status, body := register("refused"); status != 507 {
		t.Errorf("registering once more: %d %s", status, body)
	}

	free()
	eventually(t, "readyz", func() bool {
		_, body := r.call("GET", "/readyz", "", "")
		return strings.Contains(body, `"ready"`)
	})
	if status, body := register("after"); status/100 != 2 {
		t.Errorf("registering when there is room again: %d %s", status, body)
	}
	if status, _ := beat(); status != 200 {
		t.Errorf("a heartbeat afterwards: %d", status)
	}
	if !strings.Contains(r.metrics(), "presence_store_disk_full 0\n") {
		t.Error("the metrics still say that the disk is full")
	}
	r.end()
	again := startServer(t, "--data", data)
	for i, one := range tokens {
		if status, body := again.call("POST", "/api/users/heartbeat/", one, ""); status != 200 {
			t.Errorf("sign-in %d was acknowledged and is lost: %d %s", i, status, body)
		}
	}
	again.end()
	log := r.stderr.String()
	for _, want := range []string{"the disk is full: presence goes on in memory", "the disk has room again"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}

	s, err := sqlite.Open(t.Context(), dataDir(data).database(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range acknowledged {
		if _, err := s.AccountByName(context.Background(), name); err != nil {
			t.Errorf("%s was acknowledged and is not there: %v", name, err)
		}
	}
	if _, err := s.AccountByName(context.Background(), "refused"); err == nil {
		t.Error("who was refused is there")
	}
}

// between is what stands between two texts.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// metrics is what Prometheus would be told.
func (r *running) metrics() string {
	r.t.Helper()
	public := r.at.public
	defer func() { r.at.public = public }()
	r.at.public = r.at.ops
	_, text := r.call("GET", "/metrics", "", "")
	return text
}
