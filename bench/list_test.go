//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/internal/sqlite"
)

var users = flag.Int("users", 100_000, "people in the database of BenchmarkLists")

const (
	adminName     = "root-admin"
	adminPassword = "an admin for the benchmark"
	onlineShare   = 3 // of ten
	listRequests  = 200
)

// BenchmarkLists boots a server on a database with many people, three in ten of them online, and asks for the
// admin's list, one request at a time: filtered by online_status, sorted by last_seen, newest first. Budget: a
// page of 1,000 out of 1,000,000 under 20 ms (-args -users 1000000).
func BenchmarkLists(b *testing.B) {
	ctx, dir := b.Context(), b.TempDir()
	binary, data := build(b, dir), filepath.Join(dir, "data")
	if err := child.MakeAdmin(ctx, binary, data, adminName, adminPassword); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := seed(ctx, filepath.Join(data, "presence.db"), *users); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d people written in %v", *users, time.Since(began).Round(time.Millisecond))

	// The lease of the restart outlasts the measurement, so that the lists stay as they are.
	options := child.Options{Binary: binary, Data: data, CPU: child.AnyCPU, Env: []string{"PRESENCE_OFFLINE_AFTER=1h"}, Log: filepath.Join(dir, "log")}
	server, err := child.Start(ctx, options)
	if err != nil {
		log, _ := os.ReadFile(options.Log)
		b.Fatalf("%v\n%s", err, log)
	}
	defer server.Stop()
	booted, err := server.Usage()
	if err != nil {
		b.Fatal(err)
	}
	api := loadgen.NewAPI(server.URL, 1)
	defer api.Close()
	admin, err := api.Login(ctx, adminName, adminPassword)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(server.Boot)/1e6, "boot-ms")
	b.ReportMetric(float64(booted.RSS)/(1<<20), "boot-rss-MB")
	for _, list := range []struct {
		name  string
		query string
		rows  int
		total int
	}{
		{"page20", "per_page=20&online_status=online&ordering=-last_seen", 20, *users / 10 * onlineShare},
		{"page1000", "per_page=1000&online_status=online&ordering=-last_seen", 1000, *users / 10 * onlineShare},
		{"deep1000", "per_page=1000&page=20&online_status=online&ordering=-last_seen", 1000, *users / 10 * onlineShare},
		{"search20", "per_page=20&search=son-00007", 20, 0},
	} {
		timeList(b, server.URL, admin.Access, list.name, list.query, list.rows, list.total)
	}
	after, err := server.Usage()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(after.RSS)/(1<<20), "rss-MB")
}

// timeList asks for one list again and again. The admin is online too, so a total may be one more.
func timeList(b *testing.B, address, token, name, query string, rows, total int) {
	b.Helper()
	var took []float64
	for range listRequests {
		var page struct {
			Count   int        `json:"count"`
			Results []struct{} `json:"results"`
		}
		began := time.Now()
		text, err := get(b.Context(), address+"/api/users/admin/users/?"+query, token)
		took = append(took, float64(time.Since(began))/1e6)
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil {
			b.Fatal(err)
		}
		if len(page.Results) != rows || total != 0 && page.Count != total && page.Count != total+1 {
			b.Fatalf("%s: %d rows of %d, want %d of %d", name, len(page.Results), page.Count, rows, total)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], name+"-p50-ms")
	b.ReportMetric(took[len(took)*99/100], name+"-p99-ms")
}

// get reads an answer whole.
func get(ctx context.Context, url, token string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// seed writes people straight into the database, as a server would have left them.
func seed(ctx context.Context, path string, n int) error {
	store, err := sqlite.Open(ctx, path, sqlite.Options{Patience: time.Hour})
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	const chunk = 2000
	for from := 0; from < n && err == nil; from += chunk {
		err = store.Durable(ctx, func(tx presence.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				if err := seedOne(tx, i, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if closed := store.Close(); err == nil {
		err = closed
	}
	return err
}

func seedOne(tx presence.Tx, i int, now time.Time) error {
	seen := now.Add(-time.Duration(i%86_400) * time.Second)
	a := presence.Account{
		Username: fmt.Sprintf("person-%07d", i), Email: fmt.Sprintf("person-%07d@example.org", i), FirstName: fmt.Sprintf("First%d", i%1000),
		LastName: fmt.Sprintf("Last%d", i%777), Active: true, PasswordHash: "!", JoinedAt: seen, CreatedAt: seen, UpdatedAt: seen,
		LastSeen: seen, Since: seen, Cause: presence.CauseTimeout, Version: 2,
	}
	online := i%10 < onlineShare
	if online {
		a.OnlineStatus, a.Cause = presence.Online, presence.CauseLogin
	}
	if err := tx.InsertAccount(&a); err != nil || !online {
		return err
	}
	return tx.InsertSession(presence.LoginSession{
		ID: presence.SessionID(1_000_000 + i), User: a.ID, CreatedAt: seen, ExpiresAt: now.Add(7 * 24 * time.Hour),
		IP: "192.0.2.1", UserAgent: "benchmark",
	})
}
