package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// big is a stack with many people, one in five of them online.
func big(b *testing.B, n int) *stack {
	s := newStack(b)
	s.seed(admin(1, "boss"))
	for from := 2; from < n; from += 10_000 {
		err := s.store.Durable(b.Context(), func(tx presence.Tx) error {
			for id := from; id < min(n, from+10_000); id++ {
				a := user(presence.UserID(id), fmt.Sprintf("user%06d", id))
				a.Email, a.Active, a.CreatedAt = a.Username+"@example.test", true, epoch.Add(time.Duration(id)*time.Second)
				if err := tx.InsertAccount(&a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	err := s.tracker.Load(b.Context(), func(yield func(presence.Record) bool) {
		for id := 2; id < n; id++ {
			yield(presence.Record{Presence: presence.Presence{User: presence.UserID(id), LastSeen: now.Add(-time.Duration(id%9973) * time.Second)}})
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	for id := 2; id < n; id += 5 {
		s.signal(presence.Signal{User: presence.UserID(id), Session: presence.SessionID(1000 + id), Kind: presence.Heartbeat, At: now})
	}
	return s
}

func BenchmarkUsers(b *testing.B) {
	s := big(b, 100_000)
	token := s.login("boss").Access
	for _, query := range []string{
		"", "sort=username", "sort=-last_seen", "presence=online", "presence=online&sort=-last_seen&total=true", "search=user09999", "cause=idle",
		"min_devices=1&sort=since",
	} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				if w := s.ask("GET", "/api/v1/users?"+query, token, ""); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

func BenchmarkQuery1000(b *testing.B) {
	s := big(b, 2000)
	token, body := s.login("boss").Access, `{"ids":["2"`
	for id := 3; id < 1002; id++ {
		body += fmt.Sprintf(`,"%d"`, id)
	}
	b.ReportAllocs()
	for b.Loop() {
		if w := s.ask("POST", "/api/v1/presence/query", token, body+"]}"); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
