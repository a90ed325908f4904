// Package doctor judges what can be found out about an installation: each finding becomes a line that says
// whether it is well and, where it is not, what to do. It decides where the bounds are; how things are found out it
// leaves to cmd/presence.
package doctor

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"
)

// Level says how well something is.
type Level string

// Levels, the best first.
const (
	OK   Level = "OK"
	Warn Level = "WARN"
	Fail Level = "FAIL"
)

// Line is one finding. Fix is a command or a sentence that helps; empty where nothing has to be done.
type Line struct {
	Name  string `json:"name"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

// Fine, Bad and Odd make lines.
func Fine(name, format string, args ...any) Line {
	return Line{Name: name, Level: OK, Text: fmt.Sprintf(format, args...)}
}

// Bad is what keeps the server from working as it should.
func Bad(name, fix, format string, args ...any) Line {
	return Line{Name: name, Level: Fail, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// Odd is what will hurt one day.
func Odd(name, fix, format string, args ...any) Line {
	return Line{Name: name, Level: Warn, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// Code is the exit code for some lines: 0 when all is well, 1 with a warning, 2 with a failure.
func Code(lines []Line) (code int) {
	for _, line := range lines {
		switch line.Level {
		case Warn:
			code = max(code, 1)
		case Fail:
			code = 2
		}
	}
	return code
}

// Permissions judges the mode of a secret file or of the data directory.
func Permissions(path string, info fs.FileInfo, err error) Line {
	const name = "permissions"
	if err != nil {
		return Bad(name, "run as the user the server runs as", "%s cannot be read: %v", path, err)
	}
	want := fs.FileMode(0o600)
	if info.IsDir() {
		want = 0o700
	}
	if mode := info.Mode().Perm(); mode&^want != 0 {
		return Bad(name, fmt.Sprintf("chmod %o %s", want, path), "%s has mode %04o: others get at what is in it", path, mode)
	}
	return Fine(name, "%s is its owner's alone", path)
}

// reserved is how many descriptors the server keeps from clients.
const reserved = 200

// Descriptors holds the limit of open files against the sockets that are expected.
func Descriptors(limit uint64, sockets int) Line {
	const name = "descriptors"
	need := uint64(sockets) + 2*reserved
	fix := fmt.Sprintf("set LimitNOFILE=%d in the unit, or run: ulimit -n %d", 2*need, 2*need)
	switch {
	case limit <= 2*reserved:
		return Bad(name, fix, "%d files may be open, which is too few to keep a reserve", limit)
	case limit < need:
		return Odd(name, fix, "%d files may be open: enough for %d sockets, %d are expected (--sockets)", limit, limit-2*reserved, sockets)
	}
	return Fine(name, "%d files may be open; %d sockets are expected", limit, sockets)
}

// Clock judges how far this machine's clock is from another one; exact is how well that could be measured.
func Clock(other string, off, exact time.Duration) Line {
	const name = "clock"
	fix := "timedatectl set-ntp true (on the machine that is wrong)"
	switch away := max(off, -off) - exact; {
	case away > 30*time.Second:
		return Bad(name, fix, "it differs from %s by %s: tokens may be refused", other, off.Round(time.Millisecond))
	case away > time.Second:
		return Odd(name, fix, "it differs from %s by %s: times of events will not match", other, off.Round(time.Millisecond))
	}
	return Fine(name, "it agrees with %s to %s", other, max(max(off, -off), exact).Round(time.Millisecond))
}

// Certificate judges when a certificate ends.
func Certificate(host string, ends, now time.Time) Line {
	const name = "TLS"
	left := ends.Sub(now)
	switch {
	case left <= 0:
		return Bad(name, "renew it (certbot renew)", "the certificate of %s ended on %s", host, ends.UTC().Format(time.DateOnly))
	case left < 14*24*time.Hour:
		return Odd(name, "renew it (certbot renew), and look why that did not happen by itself", "the certificate of %s ends on %s, in %d days",
			host, ends.UTC().Format(time.DateOnly), int(left.Hours()/24))
	}
	return Fine(name, "the certificate of %s is good until %s", host, ends.UTC().Format(time.DateOnly))
}

// Times are the settings that have to fit each other.
type Times struct{ OfflineAfter, HeartbeatInterval, LeaveGrace, AccessToken, RefreshToken time.Duration }

// Timeouts judges whether they do.
func Timeouts(t Times) Line {
	const name = "timeouts"
	switch need := 2*t.HeartbeatInterval + 30*time.Second; {
	case t.OfflineAfter < need:
		return Odd(name, fmt.Sprintf("offline_after = %q", need), "offline_after is %s: with a heartbeat every %s, two lost beats and a slow one take people offline who are there",
			t.OfflineAfter, t.HeartbeatInterval)
	case t.LeaveGrace < 5*time.Second:
		return Odd(name, `leave_grace = "10s"`, "leave_grace is %s: reloading a page takes people offline for a moment", t.LeaveGrace)
	case t.AccessToken < 2*t.HeartbeatInterval:
		return Odd(name, `access_token_lifetime = "60m"`, "access tokens end after %s, before two heartbeats", t.AccessToken)
	}
	return Fine(name, "offline after %s of silence, a heartbeat every %s", t.OfflineAfter, t.HeartbeatInterval)
}

// Disk judges how much room there is.
func Disk(path string, free, total uint64) Line {
	const name, mib = "disk", 1 << 20
	fix := "make room, or move the data directory to a larger disk"
	switch {
	case free < 100*mib:
		return Bad(name, fix, "%d MiB are free at %s", free/mib, path)
	case free < 1024*mib || total > 0 && free < total/20:
		return Odd(name, fix, "%d MiB are free at %s, of %d", free/mib, path, total/mib)
	}
	return Fine(name, "%d MiB are free at %s", free/mib, path)
}

// Backup judges the age of the newest backup. made is zero when there is none; every is 0 when the server makes none.
func Backup(dir string, made, now time.Time, every time.Duration) Line {
	const name = "backup"
	limit := 2 * cmp.Or(every, 24*time.Hour)
	switch {
	case made.IsZero() && every == 0:
		return Odd(name, `backup_every = "24h"`, "there is no backup in %s, and the server makes none", dir)
	case made.IsZero():
		return Odd(name, "presence backup create", "there is no backup in %s yet", dir)
	case now.Sub(made) > limit:
		return Odd(name, "presence backup create, and look into the server's log why none was made", "the newest backup is of %s, %s ago",
			made.UTC().Format(time.RFC3339), now.Sub(made).Round(time.Hour))
	}
	return Fine(name, "the newest backup is of %s", made.UTC().Format(time.RFC3339))
}

// Seen is what the server saw of a request that was sent to it through its public address.
type Seen struct {
	IP      string `json:"ip"` // whom it takes for the client
	Scheme  string `json:"scheme"`
	Host    string `json:"host"`
	Upgrade string `json:"upgrade"` // of the header of that name
}

// Proxy judges what a reverse proxy made of a request to a host, with the scheme, that asked for an upgrade.
func Proxy(seen Seen, scheme, host string) []Line {
	const name = "proxy"
	var lines []Line
	if !strings.EqualFold(seen.Upgrade, "websocket") {
		lines = append(lines, Bad(name, `nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`,
			"the proxy does not pass Upgrade on: WebSockets cannot open"))
	}
	if seen.Scheme != scheme {
		lines = append(lines, Odd(name, "nginx: proxy_set_header X-Forwarded-Proto $scheme; and name the proxy in trusted_proxies",
			"the server takes %s for %s: links and origins will be wrong", scheme, seen.Scheme))
	}
	if seen.Host != host {
		lines = append(lines, Odd(name, "nginx: proxy_set_header Host $host;", "the server takes the host for %s, not %s", seen.Host, host))
	}
	ip, err := netip.ParseAddr(seen.IP)
	if err != nil || ip.IsLoopback() && !isLocal(host) {
		lines = append(lines, Odd(name, "nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; and trusted_proxies = \"127.0.0.1\"",
			"the server takes everybody for %s: limits by address hit all at once, and the logs name nobody", cmp.Or(seen.IP, "nobody")))
	}
	if len(lines) == 0 {
		lines = append(lines, Fine(name, "it passes Upgrade, scheme, host and the client's address (%s)", seen.IP))
	}
	return lines
}

func isLocal(host string) bool {
	name := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if i := strings.LastIndexByte(name, ':'); i > 0 && strings.Count(name, ":") == 1 {
		name = name[:i]
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}
