package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

const million = 1_000_000

// benchEpoch is the time of everything in the benchmarks' data.
var benchEpoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// openBench opens a store with n users, one in fifty a moderator, one in ten pending, made by SQLite itself.
func openBench(b *testing.B, n int) *Store {
	b.Helper()
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), "presence.db"), Options{Patience: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	err = s.write.behind(context.Background(), func(t *tx) error {
		_, err := t.exec("fill", `
			WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ?1)
			INSERT INTO users (online_status, last_seen, status_since, status_cause, presence_version, status, role,
				username, email,
				first_name, last_name, password, date_joined, created_at, updated_at, search)
			SELECT iif(n % 3, 'online', 'offline'), ?2 + n, ?2, 'login', 1, iif(n % 10, 'active', 'pending'),
				iif(n % 50, 'user', 'moderator'), 'user' || n, 'user' || n || '@example.org', 'First' || (n % 1000), 'Last' || (n % 777),
				'argon2id$' || hex(zeroblob(40)), ?2 + n, ?2 + n, ?2 + n,
				'USER' || n || char(31) || 'USER' || n || '@EXAMPLE.ORG' || char(31) || 'FIRST' || (n % 1000) || char(31) || 'LAST' || (n % 777)
			FROM k`, n, micros(benchEpoch))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkDurable is a sign-in (a session and its line of activity) by so many callers at once.
func BenchmarkDurable(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openBench(b, 1000)
			before := s.Stats()
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						err := s.Durable(context.Background(), func(tx presence.Tx) error {
							id := presence.UserID(i%1000 + 1)
							if err := tx.InsertSession(presence.LoginSession{
								ID: presence.SessionID(1000 + i), User: id,
								CreatedAt: benchEpoch, ExpiresAt: benchEpoch.Add(time.Hour),
							}); err != nil {
								return err
							}
							return tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", At: benchEpoch})
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			after := s.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acts/s")
			b.ReportMetric(float64(after.Acts-before.Acts)/float64(after.Commits-before.Commits), "acts/commit")
		})
	}
}

// BenchmarkMillion is everything that depends on how many users there are.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a minute")
	}
	s := openBench(b, million)
	benchRecords(b, s)
	benchBehind(b, s)
	benchLists(b, s)
	benchByID(b, s)
	benchOpen(b, s)
}

func benchRecords(b *testing.B, s *Store) {
	ctx := context.Background()
	b.Run("Records", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range s.Records(ctx) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != million {
				b.Fatalf("%d records", n)
			}
		}
	})
}

func benchBehind(b *testing.B, s *Store) {
	ctx := context.Background()
	version := uint64(1)
	b.Run("RecordChanges=1000", func(b *testing.B) {
		for b.Loop() {
			version++
			changes := make([]presence.Change, 1000)
			for i := range changes {
				at := benchEpoch.Add(time.Duration(version) * time.Second)
				changes[i] = presence.Change{
					User: presence.UserID(i*997%million + 1), From: presence.Offline,
					To:    presence.Status(version % 3),
					Cause: presence.CauseLogin, Session: 77, At: at, LastSeen: at, Version: version, Seq: version*1000 + uint64(i),
				}
			}
			if err := s.RecordChanges(ctx, changes); err != nil {
				b.Fatal(err)
			}
		}
	})
	moment := benchEpoch.Add(24 * time.Hour)
	b.Run("RecordSeen=10000", func(b *testing.B) {
		for b.Loop() {
			moment = moment.Add(time.Second)
			seen := make([]presence.Seen, 10000)
			for i := range seen {
				seen[i] = presence.Seen{User: presence.UserID(i*97%million + 1), At: moment}
			}
			if err := s.RecordSeen(ctx, seen); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SavePages=244", func(b *testing.B) {
		pages := make([]presence.Page, 244)
		for i := range pages {
			pages[i] = presence.Page{Kind: presence.SeenPage, Number: uint64(i), Data: make([]byte, 32<<10)}
		}
		for round := byte(1); b.Loop(); round++ {
			for _, page := range pages { // SQLite does not write what is the same
				for at := 0; at < len(page.Data); at += 64 {
					page.Data[at] = round
				}
			}
			if err := s.SavePages(ctx, pages); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Pages=244", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Pages(ctx, presence.SeenPage); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchLists(b *testing.B, s *Store) {
	ctx := context.Background()
	lists := []struct {
		name   string
		filter presence.AccountFilter
		order  presence.AccountOrder
		offset int
	}{
		{"newest", presence.AccountFilter{}, presence.NewestCreated, 0},
		{"newest/offset=900000", presence.AccountFilter{}, presence.NewestCreated, 900_000},
		{"username", presence.AccountFilter{}, presence.UsernameUp, 0},
		{"username/status=active", presence.AccountFilter{Status: "active"}, presence.UsernameUp, 0},
		{"email/role=moderator", presence.AccountFilter{Role: "moderator"}, presence.EmailDown, 0},
		{
			"newest/status=pending,role=moderator",
			presence.AccountFilter{Status: "pending", Role: "moderator"},
			presence.NewestCreated, 0,
		},
		{"newest/search=rare", presence.AccountFilter{Search: "ser99999"}, presence.NewestCreated, 0},
		{"username/search=everybody", presence.AccountFilter{Search: "example"}, presence.UsernameUp, 0},
	}
	for _, l := range lists {
		b.Run("Accounts/"+l.name, func(b *testing.B) {
			for b.Loop() {
				if _, total, err := s.Accounts(ctx, l.filter, l.order, l.offset, 1000); err != nil || total == 0 {
					b.Fatal(total, err)
				}
			}
		})
	}
	b.Run("AccountIDs", func(b *testing.B) {
		for b.Loop() {
			if ids, err := s.AccountIDs(ctx, presence.AccountFilter{},
				presence.NewestCreated); err != nil || len(ids) != million {
				b.Fatal(len(ids), err)
			}
		}
	})
}

func benchByID(b *testing.B, s *Store) {
	ctx := context.Background()
	b.Run("AccountsByID=1000", func(b *testing.B) {
		ids := make([]presence.UserID, 1000)
		for i := range ids {
			ids[i] = presence.UserID(i*7919%million + 1)
		}
		b.ReportAllocs()
		for b.Loop() {
			if accounts, err := s.AccountsByID(ctx, ids); err != nil || len(accounts) != len(ids) {
				b.Fatal(len(accounts), err)
			}
		}
	})
	b.Run("Account", func(b *testing.B) {
		b.ReportAllocs()
		id := presence.UserID(0)
		for b.Loop() {
			id = (id + 7919) % million
			if _, err := s.Account(ctx, id+1); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchOpen(b *testing.B, s *Store) {
	ctx := context.Background()
	b.Run("Open", func(b *testing.B) {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			s, err := Open(ctx, s.path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
