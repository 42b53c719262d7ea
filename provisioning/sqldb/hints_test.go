package sqldb_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// ear listens until the test ends.
type ear struct {
	heard  chan string
	missed chan struct{}
	failed chan error
}

func listen(t *testing.T, db *sqldb.DB, channel string) ear {
	t.Helper()
	e := ear{make(chan string, 10), make(chan struct{}, 10), make(chan error, 10)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Listen(ctx, channel, func(h string) { e.heard <- h }, func() { e.missed <- struct{}{} }, func(err error) { e.failed <- err })
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return e
}

func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s within 10s", what)
		panic("unreachable")
	}
}

func TestHintsReachListeners(t *testing.T) {
	db := sqldbtest.Postgres(t)
	e := listen(t, db, "a channel")
	within(t, e.missed, "opening")
	if err := db.Hint(t.Context(), "another", []string{"x"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Hint(t.Context(), "a channel", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	if one, two := within(t, e.heard, "hint"), within(t, e.heard, "hint"); one != "one" || two != "two" {
		t.Errorf("heard %q, %q; want one, two", one, two)
	}
}

// A listener whose backend was killed listens again, and says that it may have
// missed something.
func TestListenerSurvivesItsBackend(t *testing.T) {
	db := sqldbtest.Postgres(t)
	e := listen(t, db, "c")
	within(t, e.missed, "opening")
	_, err := db.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
	if err != nil {
		t.Fatal(err)
	}
	within(t, e.failed, "failure")
	within(t, e.missed, "second opening")
	if err := db.Hint(t.Context(), "c", []string{"again"}); err != nil {
		t.Fatal(err)
	}
	if h := within(t, e.heard, "hint"); h != "again" {
		t.Errorf("heard %q, want again", h)
	}
}

// What a listener's connection was is not lent to anybody else.
func TestListeningConnectionIsNotReused(t *testing.T) {
	db := sqldbtest.Postgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Listen(ctx, "c", func(string) {}, func() { opened <- struct{}{} }, func(error) {})
	}()
	within(t, opened, "opening")
	cancel()
	within(t, done, "end")
	var listening int
	if err := db.QueryRow(t.Context(), "SELECT COUNT(*) FROM pg_listening_channels()").Scan(&listening); err != nil || listening != 0 {
		t.Errorf("%d channels are listened to over a connection of the pool (%v)", listening, err)
	}
}

// On SQLite a commit of another process is noticed.
func TestCommitOfAnotherProcessIsAHint(t *testing.T) {
	url := "sqlite://" + filepath.Join(t.TempDir(), "db")
	here, elsewhere := openAt(t, url), openAt(t, url)
	e := listen(t, here, "c")
	within(t, e.missed, "opening")
	if _, err := elsewhere.Exec(t.Context(), "CREATE TABLE t (k TEXT)"); err != nil {
		t.Fatal(err)
	}
	within(t, e.missed, "hint")
}

// One's own commits are none: one's own parts were told already.
func TestOwnCommitLeavesTheVersionAlone(t *testing.T) {
	db := openAt(t, "sqlite://"+filepath.Join(t.TempDir(), "db"))
	version := func() (v int64) {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			return db.QueryRow(ctx, "PRAGMA data_version").Scan(&v)
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := version()
	if _, err := db.Exec(t.Context(), "CREATE TABLE t (k TEXT)"); err != nil {
		t.Fatal(err)
	}
	if after := version(); after != before {
		t.Errorf("the version went from %d to %d", before, after)
	}
}

func openAt(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestHintsAreBounded(t *testing.T) {
	if err := sqldbtest.Postgres(t).Hint(t.Context(), "c", []string{strings.Repeat("x", 5000)}); err == nil {
		t.Error("a hint of 5000 bytes was sent")
	}
}
