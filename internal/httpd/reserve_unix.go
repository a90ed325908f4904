//go:build unix

package httpd

import (
	"log/slog"
	"net"
	"syscall"
	"time"
)

// reserved is how many file descriptors clients may not have: the store, the logs and the operators need some
// when there are too many clients.
const reserved = 200

// reserve turns clients away with 503 while descriptors run short. Without it, accepting fails and everybody
// waits in silence.
func reserve(ln net.Listener) net.Listener {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur <= 2*reserved {
		return ln
	}
	return &reserving{Listener: ln, highest: uintptr(limit.Cur) - reserved}
}

// spare gives operators half of what clients may not have, so that they get in when clients have taken the rest.
func spare(ln net.Listener) net.Listener {
	if r, ok := ln.(*reserving); ok {
		return &reserving{Listener: r.Listener, highest: r.highest + reserved/2}
	}
	return ln
}

type reserving struct {
	net.Listener
	highest uintptr
	log     *slog.Logger // nil: nothing is logged

	// Owned by whoever accepts.
	away int       // turned away since told
	told time.Time // when the log was told last
}

// tellEvery is how often the log is told of those who were turned away.
const tellEvery = 10 * time.Second

func (l *reserving) logTo(log *slog.Logger) { l.log = log }

// turnedAway counts somebody who was, and tells the log now and then.
func (l *reserving) turnedAway() {
	l.away++
	if now := time.Now(); l.log != nil && now.Sub(l.told) >= tellEvery {
		l.log.Warn("too many connections: new ones are turned away with 503; a higher limit of open files (LimitNOFILE) lets more in",
			slog.Int("turned_away", l.away), slog.Uint64("limit", uint64(l.highest)+reserved))
		l.told, l.away = now, 0
	}
}

const full = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"

// Accept looks at the number of the new descriptor. The system gives out the lowest free one, so the number
// tells how many are in use; there is nothing to count, and connections keep their type.
func (l *reserving) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.short(conn) {
			return conn, err
		}
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte(full)) // as far as it goes
		_ = conn.Close()
		l.turnedAway()
	}
}

func (l *reserving) short(conn net.Conn) (short bool) {
	if tcp, ok := conn.(syscall.Conn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { short = fd >= l.highest })
		}
	}
	return short
}
