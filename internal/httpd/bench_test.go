package httpd

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkChain is what the chain adds to a handler, without the network. On the wire net/http alone needs
// about 20 µs a request.
func BenchmarkChain(b *testing.B) {
	answer := []byte(`{"message":"Heartbeat recorded"}`)
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(answer) })
	ready := &Readiness{}
	ready.Start()
	for name, h := range map[string]http.Handler{
		"bare": bare, "chain": New(Options{Handler: bare, Ready: ready}),
		"chain behind a proxy": New(Options{Handler: bare, Ready: ready, TrustedProxies: prefixes("192.0.2.0/24")}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("POST", "/api/users/heartbeat/", nil)
			w := &discard{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				r.Header["X-Forwarded-For"] = xff
				h.ServeHTTP(w, r)
				r.RemoteAddr = "192.0.2.1:1234"
			}
		})
	}
}

var xff = []string{"1.2.3.4"}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
