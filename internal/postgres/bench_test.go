package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/testserver"
)

const million = 1_000_000

// openBench opens a store with n users on a server of its own that is as safe as PostgreSQL is by itself
// (fsync and all), but for its memory the same as installed.
func openBench(b *testing.B, n int, opts Options) *Store {
	b.Helper()
	server := testserver.NewPostgres(b, "shared_buffers=512MB", "autovacuum=off")
	s, err := Open(context.Background(), server.URL("postgres"), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	for _, step := range []struct {
		text string
		args []any
	}{{fill, []any{n, micros(noon)}}, {`VACUUM ANALYZE`, nil}, {`CHECKPOINT`, nil}} {
		conn, err := s.pool.Acquire(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(context.Background(), `SET statement_timeout = 0`); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(context.Background(), step.text, step.args...); err != nil {
			b.Fatal(err)
		}
		conn.Conn().Close(context.Background()) // with its setting
		conn.Release()
	}
	return s
}

// BenchmarkDurable is a sign-in (the account looked at, a session and its line of activity) by so many callers
// at once, on a disk that is flushed.
func BenchmarkDurable(b *testing.B) {
	s := openBench(b, 1000, Options{Patience: time.Minute})
	var session atomic.Int64
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := s.Durable(context.Background(), signIn(presence.UserID(i%1000+1), session.Add(1))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acts/s")
		})
	}
	b.Logf("%+v", s.Stats())
}

func signIn(id presence.UserID, n int64) func(tx presence.Tx) error {
	return func(tx presence.Tx) error {
		if _, err := tx.Account(id); err != nil {
			return err
		}
		session := presence.LoginSession{
			ID: presence.SessionID(uint64(n) * 0x9E3779B97F4A7C15 >> 1), User: id, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
		}
		if err := tx.InsertSession(session); err != nil {
			return err
		}
		return tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", At: noon})
	}
}

// BenchmarkMillion is everything that depends on how many users there are.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("takes minutes")
	}
	s := openBench(b, million, Options{Patience: time.Minute})
	benchReads(b, s)
	benchLists(b, s)
	benchBehind(b, s)
}

func benchReads(b *testing.B, s *Store) {
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

func benchLists(b *testing.B, s *Store) {
	ctx := context.Background()
	pending := presence.AccountFilter{Status: "pending", Role: "moderator"}
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
		{"newest/status=pending,role=moderator", pending, presence.NewestCreated, 0},
		{"newest/search=rare", presence.AccountFilter{Search: "ser99999"}, presence.NewestCreated, 0},
		{"username/search=everybody", presence.AccountFilter{Search: "example"}, presence.UsernameUp, 0},
	}
	for _, l := range lists {
		b.Run("Accounts/"+l.name, func(b *testing.B) {
			for b.Loop() {
				if page, _, err := s.Accounts(ctx, l.filter, l.order, l.offset, 1000); err != nil {
					b.Fatal(len(page), err)
				}
			}
		})
	}
	b.Run("AccountIDs", func(b *testing.B) {
		for b.Loop() {
			if ids, err := s.AccountIDs(ctx, presence.AccountFilter{}, presence.NewestCreated); err != nil || len(ids) != million {
				b.Fatal(len(ids), err)
			}
		}
	})
}

func benchBehind(b *testing.B, s *Store) {
	ctx := context.Background()
	version := uint64(1)
	for _, size := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprintf("RecordChanges=%d", size), func(b *testing.B) {
			for b.Loop() {
				version++
				changes := make([]presence.Change, size)
				at := noon.Add(time.Duration(version) * time.Second)
				for i := range changes {
					changes[i] = presence.Change{
						User: presence.UserID(i*97%million + 1), From: presence.Offline, To: presence.Status(version % 3),
						Cause: presence.CauseLogin, Session: 77, At: at, LastSeen: at, Version: version, Seq: uint64(i),
					}
				}
				if err := s.RecordChanges(ctx, changes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "changes/s")
		})
	}
	moment := noon.Add(24 * time.Hour)
	b.Run("RecordSeen=10000", func(b *testing.B) {
		for b.Loop() {
			moment = moment.Add(time.Second)
			seen := make([]presence.Seen, 10_000)
			for i := range seen {
				seen[i] = presence.Seen{User: presence.UserID(i*97%million + 1), At: moment}
			}
			if err := s.RecordSeen(ctx, seen); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "rows/s")
	})
	pages := make([]presence.Page, 244)
	for i := range pages {
		pages[i] = presence.Page{Kind: presence.SeenPage, Number: uint64(i), Data: make([]byte, 32<<10)}
	}
	b.Run("SavePages=244", func(b *testing.B) {
		for b.Loop() {
			if err := s.SavePages(ctx, pages); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Pages=244", func(b *testing.B) {
		for b.Loop() {
			if found, err := s.Pages(ctx, presence.SeenPage); err != nil || len(found) != len(pages) {
				b.Fatal(len(found), err)
			}
		}
	})
}
