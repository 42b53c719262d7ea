// Package sqldbtest owns databases for tests: a fresh SQLite file or PostgreSQL
// schema per test. It starts its own temporary PostgreSQL cluster, once per test
// binary; the cluster ends with the process.
package sqldbtest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// SQLite opens a fresh SQLite database, migrated by the lines.
func SQLite(t testing.TB, lines ...sqldb.Line) *sqldb.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	if len(lines) > 0 {
		if err := os.WriteFile(path, migrated(t, lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, sqliteURL(path), nil)
}

// sqliteURL escapes: a test's folder is named after it, which may have a # in it.
func sqliteURL(path string) string {
	return (&url.URL{Scheme: "sqlite", Path: filepath.ToSlash(path)}).String()
}

// Postgres opens a fresh PostgreSQL schema, migrated by the lines. Without
// PostgreSQL on the machine the test is skipped, or fails when CI=true.
func Postgres(t testing.TB, lines ...sqldb.Line) *sqldb.DB {
	t.Helper()
	return open(t, PostgresURL(t), lines)
}

// PostgresURL returns the URL of a fresh PostgreSQL schema.
func PostgresURL(t testing.TB) string {
	t.Helper()
	socket, err := cluster()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start PostgreSQL: %v", err)
		}
		t.Skipf("needs PostgreSQL: %v", err)
	}
	schema := schemaName(t)
	base := "postgres:///postgres?user=postgres&host=" + url.QueryEscape(socket)
	admin := open(t, base, nil)
	if _, err := admin.Exec(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatalf("create schema: %v", err)
	}
	return base + "&search_path=" + schema
}

// Each runs f once per dialect, as subtests named after it.
func Each(t *testing.T, f func(t *testing.T, db *sqldb.DB), lines ...sqldb.Line) {
	t.Helper()
	t.Run(string(sqldb.SQLite), func(t *testing.T) { f(t, SQLite(t, lines...)) })
	t.Run(string(sqldb.Postgres), func(t *testing.T) { f(t, Postgres(t, lines...)) })
}

func open(t testing.TB, rawURL string, lines []sqldb.Line) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	if err := db.Migrate(t.Context(), lines...); err != nil {
		t.Fatal(err)
	}
	return db
}

// schemaName is unique within the cluster: the test's name, cut short, and a
// number from the temporary folder the test owns.
func schemaName(t testing.TB) string {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}
	name := strings.Map(keep, strings.ToLower(t.Name()))
	unique := strings.Map(keep, filepath.Base(filepath.Dir(t.TempDir()))+filepath.Base(t.TempDir()))
	return fmt.Sprintf("t_%.20s_%s", name, unique[max(0, len(unique)-30):])
}
