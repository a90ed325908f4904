//go:build unix

package testserver_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

func count(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func exec(t *testing.T, url, text string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), text)
	return err
}

func TestEachTestHasItsOwnCopyOfTheTemplate(t *testing.T) {
	server := testserver.SharedPostgres(t)
	filled := 0
	fill := func(url string) error {
		filled++
		return exec(t, url, "CREATE TABLE things AS SELECT generate_series(1, 3) AS n")
	}
	for range 2 {
		t.Run("copy", func(t *testing.T) {
			url := server.Database(t, server.Template(t, "template_things", fill))
			if n := count(t, url, "SELECT count(*) FROM things"); n != 3 {
				t.Errorf("%d things, want 3", n)
			}
			if err := exec(t, url, "DELETE FROM things"); err != nil {
				t.Error(err)
			}
		})
	}
	if filled != 1 {
		t.Errorf("the template was filled %d times", filled)
	}
	if n := count(t, server.URL("postgres"), "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'"); n != 0 {
		t.Errorf("%d databases outlived their tests", n)
	}
}

func TestAServerComesBackWhereItWas(t *testing.T) {
	server := testserver.NewPostgres(t)
	url := server.Database(t, "")
	if err := exec(t, url, "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	if err := exec(t, url, "SELECT 1"); err == nil {
		t.Fatal("a stopped server answers")
	}
	server.Start(t)
	if n := count(t, url, "SELECT count(*) FROM kept"); n != 0 {
		t.Errorf("%d rows", n)
	}
}
