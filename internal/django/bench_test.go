package django_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/django"
	"github.com/offchat/presence/internal/djangotest"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/sqlite"
	"github.com/offchat/presence/internal/testserver"
)

// BenchmarkImport carries 100,000 people and their 200,000 activities from SQLite, comparison included. Run it
// once: go test -bench Import -benchtime 1x ./internal/django
func BenchmarkImport(b *testing.B) {
	const people = 100_000
	path := filepath.Join(b.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := djangotest.Fill(b.Context(), db, djangotest.SQLite, people, now); err != nil {
		b.Fatal(err)
	}
	carry := func(b *testing.B, into store) {
		b.StartTimer()
		source, err := django.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		defer source.Close()
		report, err := django.Import(b.Context(), source, into, django.Options{Now: now, Readable: auth.ReadsHash})
		if err != nil || report.Users.Added != people || !report.Agrees() {
			b.Fatalf("%v %+v", err, report.Users)
		}
		b.StopTimer()
	}
	b.Run("into SQLite", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "presence.db"), sqlite.Options{})
			if err != nil {
				b.Fatal(err)
			}
			carry(b, s)
			s.Close()
		}
	})
	b.Run("into PostgreSQL", func(b *testing.B) {
		server := testserver.NewPostgres(b)
		for range b.N {
			b.StopTimer()
			s, err := postgres.Open(b.Context(), server.Database(b, ""), postgres.Options{})
			if err != nil {
				b.Fatal(err)
			}
			carry(b, s)
			s.Close()
		}
	})
}
