//go:build !race

package compat

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/offchat/presence"
)

// quietWriter is a ResponseWriter that costs nothing.
type quietWriter struct{ header http.Header }

func (w *quietWriter) Header() http.Header         { return w.header }
func (w *quietWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *quietWriter) WriteHeader(int)             {}

// TestHeartbeatAllocatesNothing of our own: what is left is net/http's.
func TestHeartbeatAllocatesNothing(t *testing.T) {
	s := newStack(t)
	founders(s)
	r, w := beatOf(s)
	if n := testing.AllocsPerRun(200, func() { s.h.ServeHTTP(w, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func beatOf(s *stack) (*http.Request, *quietWriter) {
	r := httptest.NewRequestWithContext(context.Background(), "POST", "http://base.test/api/users/heartbeat/", http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.login("alice").Access)
	return r, &quietWriter{http.Header{}}
}

func BenchmarkHeartbeat(b *testing.B) {
	s := newStack(b)
	founders(s)
	r, w := beatOf(s)
	b.ReportAllocs()
	for b.Loop() {
		s.h.ServeHTTP(w, r)
	}
}

func BenchmarkAdminListOf1000(b *testing.B) {
	s := newStack(b)
	s.seed(admin(1, "admin"))
	for i := range 1000 {
		s.seed(user(presence.UserID(10+i), "user"+presence.SessionID(i).String()))
	}
	r := httptest.NewRequestWithContext(context.Background(), "GET", "http://base.test/api/users/admin/users/?per_page=1000", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+s.login("admin").Access)
	w := &quietWriter{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.h.ServeHTTP(w, r)
	}
}
