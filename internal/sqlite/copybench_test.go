package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// grown is a store with so many accounts.
func grown(b *testing.B, accounts int) *Store {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "presence.db"), Options{Patience: patience})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	for from := 0; from < accounts; from += 1000 {
		err := s.Durable(b.Context(), func(tx presence.Tx) error {
			for i := from; i < from+1000; i++ {
				a := account(fmt.Sprint("user", i))
				a.PasswordHash = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g"
				if err := tx.InsertAccount(a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkCopyUnderLoad copies a store of 50,000 accounts while four callers write as fast as they can, and tells
// what share of their rate without the copy is left. BenchmarkCheck is what a start pays for looking through it.
func BenchmarkCopyUnderLoad(b *testing.B) {
	s := grown(b, 50_000)
	var acts atomic.Int64
	ctx, stop := context.WithCancel(b.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := s.Durable(context.Background(), insertOne(fmt.Sprintf("w%dx%d", w, i))); err == nil {
					acts.Add(1)
				}
			}
		})
	}
	rate := func(during func()) float64 {
		before, began := acts.Load(), time.Now()
		during()
		return float64(acts.Load()-before) / time.Since(began).Seconds()
	}
	alone := rate(func() { time.Sleep(2 * time.Second) })
	beside := 0.0
	var size int64
	b.ResetTimer()
	for n := range b.N {
		to := filepath.Join(b.TempDir(), fmt.Sprint("copy", n))
		beside += rate(func() {
			if err := Copy(b.Context(), s.path, to); err != nil {
				b.Fatal(err)
			}
		}) / float64(b.N)
		if info, err := os.Stat(to); err == nil {
			size = info.Size()
		}
	}
	b.StopTimer()
	stop()
	writers.Wait()
	b.SetBytes(size)
	b.ReportMetric(beside/alone, "share-of-writes")
	b.ReportMetric(alone, "acts/s-alone")
}

// BenchmarkCheck: see BenchmarkCopyUnderLoad.
func BenchmarkCheck(b *testing.B) {
	s := grown(b, 50_000)
	info, err := os.Stat(s.path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if err := s.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
