package control

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"runtime/pprof"
	"sync"
	"time"
)

// Probes are the marks by which a server knows a request that was sent to it by way of its public address. The zero
// value has none. Methods may be called from any goroutine.
type Probes struct {
	mu     sync.Mutex // guards the following field
	issued map[string]time.Time
}

// probeLife is how long a mark is good, and maxProbes how many there are at a time.
const (
	probeLife = time.Minute
	maxProbes = 100
)

// Issue makes a mark.
func (p *Probes) Issue() string {
	mark := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.issued == nil || len(p.issued) >= maxProbes {
		p.issued = map[string]time.Time{}
	}
	p.issued[mark] = time.Now()
	return mark
}

// Take reports whether a mark was issued a moment ago. It is good once.
func (p *Probes) Take(mark string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.issued[mark]
	delete(p.issued, mark)
	return ok && time.Since(at) < probeLife
}

// ServeInside adds what the command line asks about the running process. metrics answers as /metrics does. Call it
// before the handler serves.
func (h *Handler) ServeInside(probes *Probes, metrics http.Handler) {
	h.mux.HandleFunc("POST /probe", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, struct {
			Mark string `json:"mark"`
		}{probes.Issue()})
	})
	h.mux.Handle("GET /metrics", metrics)
	h.mux.HandleFunc("GET /goroutines", func(w http.ResponseWriter, _ *http.Request) {
		_ = pprof.Lookup("goroutine").WriteTo(w, 1) // who is gone needs no answer
	})
}

// Probe asks for a mark.
func (c *Client) Probe(ctx context.Context) (mark string, err error) {
	var issued struct {
		Mark string `json:"mark"`
	}
	err = c.into(ctx, http.MethodPost, "/probe", &issued)
	return issued.Mark, err
}

// Metrics and Goroutines return what the process tells about itself, as text.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return c.text(ctx, "/metrics") }

// ServeTimeouts adds what the timeouts are that were set while running, by the keys of their settings; none: those of the
// configuration count. Call it before the handler serves.
func (h *Handler) ServeTimeouts(set func() map[string]string) {
	h.mux.HandleFunc("GET /timeouts", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, set()) })
}

// Timeouts returns what ServeTimeouts tells.
func (c *Client) Timeouts(ctx context.Context) (set map[string]string, err error) {
	return set, c.into(ctx, http.MethodGet, "/timeouts", &set)
}

// Goroutines: see Metrics.
func (c *Client) Goroutines(ctx context.Context) ([]byte, error) { return c.text(ctx, "/goroutines") }

func (c *Client) text(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
