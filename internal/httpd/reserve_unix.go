//go:build unix

package httpd

import (
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

type reserving struct {
	net.Listener
	highest uintptr
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
