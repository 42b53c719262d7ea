package sqldb_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

var line = sqldb.Line{Name: "t", FS: fstest.MapFS{
	"00001_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (k TEXT PRIMARY KEY, v {{BLOB}}, n BIGINT NOT NULL DEFAULT 0){{WITHOUT ROWID}};\n")},
}}

func each(t *testing.T, f func(t *testing.T, db *sqldb.DB)) { sqldbtest.Each(t, f, line) }

func count(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func put(ctx context.Context, db *sqldb.DB, key string) error {
	_, err := db.Exec(ctx, "INSERT INTO t (k, v) VALUES ($1, $2)", key, []byte{0, 1})
	return err
}

func TestInTxRollsBackOnError(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		boom := errors.New("boom")
		ran := false
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			db.AfterCommit(ctx, func() { ran = true })
			if err := put(ctx, db, "a"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) || count(t, db) != 0 || ran {
			t.Errorf("err = %v, rows = %d, after-commit ran = %v; want boom, 0, false", err, count(t, db), ran)
		}
	})
}

// A panic between BEGIN and COMMIT must not leave the one SQLite writer inside a
// transaction: the server would stop.
func TestInTxRollsBackOnPanic(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		func() {
			defer func() { _ = recover() }()
			_ = db.InTx(t.Context(), func(ctx context.Context) error {
				if err := put(ctx, db, "a"); err != nil {
					return err
				}
				panic("boom")
			})
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := put(ctx, db, "b"); err != nil {
			t.Fatalf("write after a panic: %v", err)
		}
		if n := count(t, db); n != 1 {
			t.Errorf("rows = %d, want 1", n)
		}
	})
}

func TestInTxJoinsOuter(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		var order []string
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			db.AfterCommit(ctx, func() { order = append(order, "after") })
			err := db.InTx(ctx, func(ctx context.Context) error { return put(ctx, db, "a") })
			order = append(order, "inner done")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"inner done", "after"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestSwallowedInnerFailureCommitsNothing(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := put(ctx, db, "a"); err != nil {
				return err
			}
			_ = db.InTx(ctx, func(context.Context) error { return errors.New("inner") })
			return nil
		})
		if err == nil || count(t, db) != 0 {
			t.Errorf("err = %v, rows = %d; want an error and 0", err, count(t, db))
		}
	})
}

// Concurrent read-then-write transactions lose nothing on either dialect.
func TestInTxContention(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		if err := put(t.Context(), db, "n"); err != nil {
			t.Fatal(err)
		}
		const workers, rounds = 8, 20
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range rounds {
					if err := increment(t.Context(), db); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		var n int
		if err := db.QueryRow(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != workers*rounds {
			t.Errorf("n = %d (%v), want %d", n, err, workers*rounds)
		}
	})
}

func increment(ctx context.Context, db *sqldb.DB) error {
	return db.InTx(ctx, func(ctx context.Context) error {
		_, err := db.Exec(ctx, "UPDATE t SET n = n + 1 WHERE k = $1", "n")
		return err
	})
}

func TestIsUnique(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		if err := put(t.Context(), db, "a"); err != nil {
			t.Fatal(err)
		}
		if err := put(t.Context(), db, "a"); !sqldb.IsUnique(err) || sqldb.IsRetryable(err) {
			t.Errorf("IsUnique(%v) = false or retryable", err)
		}
		if err := put(t.Context(), db, "A"); err != nil {
			t.Errorf("keys differ in case: %v", err)
		}
	})
}

func TestReaderCannotWrite(t *testing.T) {
	db := sqldbtest.SQLite(t, line)
	rows, err := db.Query(t.Context(), "INSERT INTO t (k) VALUES ('x') RETURNING k")
	if err == nil {
		rows.Next()
		err = rows.Err()
		_ = rows.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("write through the reader pool: %v, want a read-only error", err)
	}
}

func TestOpenRefusesAndHidesPassword(t *testing.T) {
	for _, raw := range []string{"mysql://u:hunter2@h/db", "sqlite://", "postgres://u:hunter2@[::1", "://hunter2", "sqlite:///a#b", "sqlite:///a?b"} {
		_, err := sqldb.Open(t.Context(), raw)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v, want an error without the password", raw, err)
		}
	}
}

func TestMigrateTwice(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { migrateTwice(t, "sqlite://"+t.TempDir()+"/db") })
	t.Run("postgres", func(t *testing.T) { migrateTwice(t, sqldbtest.PostgresURL(t)) })
}

func migrateTwice(t *testing.T, url string) {
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for range 2 {
		if err := db.Migrate(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.MigrationStatus(t.Context(), line)
	want := []sqldb.Status{{Line: "t", Current: 1, Latest: 1}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("status (-want +got):\n%s (%v)", diff, err)
	}
}

func TestMicros(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("x", 3600))
	if got, want := sqldb.Time(sqldb.Micros(at)), at.Truncate(time.Microsecond); !got.Equal(want) {
		t.Errorf("Time(Micros(t)) = %v, want %v", got, want)
	}
	if !sqldb.Time(sqldb.Micros(time.Time{})).IsZero() {
		t.Error("the zero time does not survive")
	}
}

// Another instance migrates while this one has its statements prepared.
func TestStatementsOutliveMigration(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		if err := put(t.Context(), db, "a"); err != nil {
			t.Fatal(err)
		}
		columns := func() int {
			t.Helper()
			rows, err := db.Query(t.Context(), "SELECT * FROM t WHERE k = $1", "a")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			names, err := rows.Columns()
			if err != nil || !rows.Next() {
				t.Fatal(err, rows.Err())
			}
			return len(names)
		}
		total := func() (n int) {
			t.Helper()
			if err := db.QueryRow(t.Context(), "SELECT n FROM t WHERE k = $1", "a").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		read := func(ctx context.Context) error {
			rows, err := db.Query(ctx, "SELECT k, n FROM t")
			if err != nil {
				return err
			}
			return rows.Close()
		}
		for range 8 { // as many times as any driver needs to prepare it
			if columns() != 3 || total() != 0 || db.InTx(t.Context(), read) != nil {
				t.Fatal("cannot read")
			}
		}
		alter(t, db)
		if columns() != 4 || total() != 0 {
			t.Error("the new column is not seen")
		}
		if err := db.InTx(t.Context(), read); err != nil {
			t.Errorf("transaction after a migration: %v", err)
		}
	})
}

// alter adds a column, and where the dialect can changes the type of another.
func alter(t *testing.T, db *sqldb.DB) {
	t.Helper()
	statements := []string{"ALTER TABLE t ADD COLUMN more BIGINT NOT NULL DEFAULT 7"}
	if db.Dialect() == sqldb.Postgres {
		statements = append(statements, "ALTER TABLE t ALTER COLUMN n TYPE INTEGER")
	}
	for _, s := range statements {
		if _, err := db.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}
