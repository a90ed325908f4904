package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func stat(t *testing.T, mode os.FileMode) Line {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	return Permissions(path, info, err)
}

func TestEachLineKnowsItsBadCase(t *testing.T) {
	good := Times{OfflineAfter: 2 * time.Minute, HeartbeatInterval: 30 * time.Second, LeaveGrace: 10 * time.Second, AccessToken: time.Hour, RefreshToken: time.Hour}
	times := func(change func(*Times)) Line {
		one := good
		change(&one)
		return Timeouts(one)
	}
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		got  Line
		want Level
		says string // in the text or the fix
	}{
		{"a key of its owner", stat(t, 0o600), OK, ""},
		{"a key that others read", stat(t, 0o640), Fail, "chmod 600"},
		{"a key that is not there", Permissions("x", nil, errors.New("gone")), Fail, "gone"},
		{"enough descriptors", Descriptors(20000, 10000), OK, ""},
		{"few descriptors", Descriptors(1024, 5000), Warn, "enough for 624 sockets"},
		{"no descriptors", Descriptors(256, 10), Fail, "LimitNOFILE"},
		{"a clock that agrees", Clock("the database", -20*time.Millisecond, 0), OK, ""},
		{"a clock as exact as could be told", Clock("the web", 1900*time.Millisecond, time.Second), OK, ""},
		{"a clock that is behind", Clock("the database", -3*time.Second, 0), Warn, "-3s"},
		{"a clock that is wrong", Clock("the database", time.Hour, 0), Fail, "tokens"},
		{"a good certificate", Certificate("x", now.Add(60*day), now), OK, ""},
		{"one that ends soon", Certificate("x", now.Add(5*day), now), Warn, "in 5 days"},
		{"one that ended", Certificate("x", now.Add(-day), now), Fail, "ended on 2026-11-22"},
		{"sane timeouts", Timeouts(good), OK, ""},
		{"offline too soon", times(func(t *Times) { t.OfflineAfter = time.Minute }), Warn, "1m30s"},
		{"no grace", times(func(t *Times) { t.LeaveGrace = time.Second }), Warn, "leave_grace"},
		{"tokens too short", times(func(t *Times) { t.AccessToken = 50 * time.Second }), Warn, "access_token_lifetime"},
		{"room", Disk("/", 50<<30, 100<<30), OK, ""},
		{"little room", Disk("/", 4<<30, 100<<30), Warn, "4096 MiB"},
		{"no room", Disk("/", 10<<20, 100<<30), Fail, "10 MiB"},
		{"a fresh backup", Backup("/b", now.Add(-20*time.Hour), now, day), OK, ""},
		{"an old backup", Backup("/b", now.Add(-50*time.Hour), now, day), Warn, "50h"},
		{"no backup yet", Backup("/b", time.Time{}, now, day), Warn, "presence backup create"},
		{"no backups at all", Backup("/b", time.Time{}, now, 0), Warn, "makes none"},
	} {
		if c.got.Level != c.want || !strings.Contains(c.got.Text+" "+c.got.Fix, c.says) {
			t.Errorf("%s: %+v, want %s and %q", c.name, c.got, c.want, c.says)
		}
		if c.got.Level != OK && c.got.Fix == "" || c.got.Text == "" || c.got.Name == "" {
			t.Errorf("%s does not say what to do: %+v", c.name, c.got)
		}
	}
}

func TestAProxyIsFoundOut(t *testing.T) {
	good := Seen{IP: "203.0.113.9", Scheme: "https", Host: "p.example", Upgrade: "websocket"}
	for _, c := range []struct {
		name   string
		change func(*Seen)
		want   Level
		says   string
	}{
		{"all is passed on", func(*Seen) {}, OK, ""},
		{"no upgrade", func(s *Seen) { s.Upgrade = "" }, Fail, "proxy_set_header Upgrade"},
		{"no scheme", func(s *Seen) { s.Scheme = "http" }, Warn, "X-Forwarded-Proto"},
		{"another host", func(s *Seen) { s.Host = "127.0.0.1:8000" }, Warn, "Host $host"},
		{"no address", func(s *Seen) { s.IP = "127.0.0.1" }, Warn, "trusted_proxies"},
	} {
		seen := good
		c.change(&seen)
		lines := Proxy(seen, "https", "p.example")
		if len(lines) != 1 || lines[0].Level != c.want || !strings.Contains(lines[0].Text+lines[0].Fix, c.says) {
			t.Errorf("%s: %+v", c.name, lines)
		}
	}
	if lines := Proxy(Seen{IP: "127.0.0.1", Scheme: "http", Host: "localhost:8000", Upgrade: "websocket"}, "http", "localhost:8000"); lines[0].Level != OK {
		t.Errorf("without a proxy: %+v", lines)
	}
}

func TestTheExitCodeIsThatOfTheWorstLine(t *testing.T) {
	for code, lines := range map[int][]Line{0: {Fine("a", "")}, 1: {Odd("a", "", ""), Fine("b", "")}, 2: {Bad("a", "", ""), Odd("b", "", "")}} {
		if got := Code(lines); got != code {
			t.Errorf("%v: %d, want %d", lines, got, code)
		}
	}
}
