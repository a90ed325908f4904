package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/loadgen"
)

const (
	// askedFor is how many people one request is about: as many as the API takes.
	askedFor = 1000
	// askFor is for how long each sort of request is sent.
	askFor = 10 * time.Second
)

// query asks, as a backend does, for a thousand people at once, and says of a thousand that they are active: one request
// at a time, then four.
func query(ctx context.Context, s *stage, _ int) error {
	defer s.close()
	if err := s.open(ctx, nil, group{"known", 10 * askedFor, presence.RoleUser}); err != nil {
		return err
	}
	for _, path := range []string{"/api/v1/presence/query", "/api/v1/touch"} {
		for _, callers := range []int{1, 4} {
			if err := s.askOften(ctx, path, callers); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// askOften sends requests about different thousands and tells how long they took.
func (s *stage) askOften(ctx context.Context, path string, callers int) error {
	asking, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	before, err := s.server.Usage()
	if err != nil {
		return err
	}
	var took loadgen.Histogram
	var turn atomic.Int64
	group, began := errgroup.Group{}, time.Now()
	for range callers {
		group.Go(func() error {
			for asking.Err() == nil {
				from := int(turn.Add(1)) % 10 * askedFor
				in := struct {
					IDs []string `json:"ids"`
				}{}
				for _, p := range s.people[from : from+askedFor] {
					in.IDs = append(in.IDs, idText(p.id))
				}
				sent := time.Now()
				_, err := s.api.Do(ctx, http.MethodPost, path, s.backend, in, nil)
				if err != nil {
					return err
				}
				took.Add(time.Since(sent))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	over := time.Since(began)
	after, err := s.server.Usage()
	if took.Count() == 0 {
		err = errors.Join(err, errors.New("nothing was answered"))
	}
	fmt.Fprintf(s.out, "query: %s ids=%d callers=%d calls=%d calls/s=%.0f p50=%v p99=%v max=%v server-cpu-a-call=%v\n", path, askedFor, callers, took.Count(),
		float64(took.Count())/over.Seconds(), round(took.Quantile(0.5)), round(took.Quantile(0.99)), round(took.Max()),
		((after.CPU - before.CPU) / time.Duration(max(took.Count(), 1))).Round(time.Microsecond))
	return err
}
