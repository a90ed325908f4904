package httpd

import (
	"io"
	"net/http"
	"testing"
)

// TestBytesBuyNoTime: who sends a byte at a time is cut off when the whole request has taken too long, whether in the
// head or in the body, and others are served meanwhile.
func TestBytesBuyNoTime(t *testing.T) {
	for _, one := range []struct {
		begin string
		in    phase
	}{
		{"POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nX-Slow: ", opening},
		{"POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", working},
		{"POST /api/v1/touch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n", working},
	} {
		s, address := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				io.WriteString(w, "hello")
			}
		}))
		slow := call(t, address, one.begin)
		s.inPhase(one.in)
		for range 3 {
			if _, err := io.WriteString(slow, "x"); err != nil {
				t.Fatalf("%q: cut off before its time: %v", one.begin, err)
			}
			s.ticks(1)
			other := call(t, address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if got := other.status(); got != http.StatusOK {
				t.Errorf("somebody else is answered with %d", got)
			}
			other.cut()
		}
		s.ticks(1)
		slow.cut()
	}
}
