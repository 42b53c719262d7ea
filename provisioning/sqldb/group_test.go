package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// held is a database whose turn to write is taken, so that transactions gather.
type held struct {
	*DB
	t       *testing.T
	begun   *atomic.Int64 // transactions of the driver
	members sync.WaitGroup
	errs    map[string]error
	mu      sync.Mutex
}

// counting counts the transactions that its connections begin.
type counting struct {
	driver.Connector
	begun *atomic.Int64
}

// Connect implements driver.Connector.
func (c counting) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return countingConn{opened.(conn), c.begun}, nil
}

type countingConn struct {
	conn
	begun *atomic.Int64
}

// BeginTx implements driver.ConnBeginTx.
func (c countingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.begun.Add(1)
	return c.conn.BeginTx(ctx, o)
}

func hold(t *testing.T) *held {
	t.Helper()
	begun := &atomic.Int64{}
	db := &DB{dialect: SQLite}
	var err error
	wrap := func(c driver.Connector) driver.Connector { return counting{c, begun} }
	if db.write, err = sqlitePool(filepath.Join(t.TempDir(), "db"), "_txlock=immediate", 1, wrap); err != nil {
		t.Fatal(err)
	}
	db.read, db.group = db.write, newGroup(db.write)
	t.Cleanup(func() { _ = db.Close() })
	for _, q := range []string{
		"CREATE TABLE parent (k TEXT PRIMARY KEY)",
		"CREATE TABLE t (k TEXT PRIMARY KEY, p TEXT REFERENCES parent (k) DEFERRABLE INITIALLY DEFERRED)",
	} {
		if _, err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	db.group.turn <- struct{}{}
	begun.Store(0)
	return &held{DB: db, t: t, begun: begun, errs: map[string]error{}}
}

// join starts a transaction that inserts k and then does more.
func (h *held) join(ctx context.Context, k string, more func(ctx context.Context) error) {
	h.members.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				h.ended(k, fmt.Errorf("panic: %v", p))
			}
		}()
		h.ended(k, h.InTx(ctx, func(ctx context.Context) error {
			if _, err := h.Exec(ctx, "INSERT INTO t (k) VALUES ($1)", k); err != nil {
				return err
			}
			return more(ctx)
		}))
	})
	h.gathered(func(n int) bool { return n > 0 })
}

func (h *held) ended(k string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs[k] = err
}

// gathered waits until as many wait for the turn.
func (h *held) gathered(ok func(n int) bool) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		h.group.mu.Lock()
		n := len(h.group.waiting)
		h.group.mu.Unlock()
		if ok(n) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d transactions wait", n)
		}
	}
}

// release gives the turn back, and returns the keys that are there in the end.
func (h *held) release() []string {
	h.t.Helper()
	<-h.group.turn
	h.members.Wait()
	rows, err := h.Query(h.t.Context(), "SELECT k FROM t ORDER BY k")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var keys []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			h.t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func nothing(context.Context) error { return nil }

var errBoom = errors.New("boom")

func TestWaitingTransactionsShareACommit(t *testing.T) {
	h := hold(t)
	var want []string
	for i := range maxGroup {
		k := fmt.Sprintf("k%02d", i)
		want = append(want, k)
		h.join(t.Context(), k, nothing)
		h.gathered(func(n int) bool { return n == i+1 })
	}
	if diff := cmp.Diff(want, h.release()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if n := h.begun.Load(); n != 1 {
		t.Errorf("%d transactions were begun, want 1", n)
	}
}

// A member that fails, or panics, undoes what it did and nothing else, and its
// own caller is told.
func TestMemberFailsAlone(t *testing.T) {
	h := hold(t)
	ran := atomic.Int64{}
	after := func(ctx context.Context) error {
		h.AfterCommit(ctx, func() { ran.Add(1) })
		return nil
	}
	h.join(t.Context(), "a", after)
	h.join(t.Context(), "b", func(ctx context.Context) error { return errors.Join(after(ctx), errBoom) })
	h.join(t.Context(), "c", func(ctx context.Context) error { _ = after(ctx); panic("ouch") })
	h.join(t.Context(), "d", after)
	h.gathered(func(n int) bool { return n == 4 })
	if got := h.release(); !slices.Equal(got, []string{"a", "d"}) {
		t.Errorf("keys = %v, want those that did not fail", got)
	}
	if !errors.Is(h.errs["b"], errBoom) || h.errs["c"] == nil || h.errs["c"].Error() != "panic: ouch" || h.errs["a"] != nil || h.errs["d"] != nil {
		t.Errorf("errors = %v", h.errs)
	}
	if ran.Load() != 2 || h.begun.Load() != 1 {
		t.Errorf("%d after-commits in %d transactions, want 2 in 1", ran.Load(), h.begun.Load())
	}
}

// When the commit fails each is run by itself: only the one at fault loses.
func TestLostCommitIsRunAlone(t *testing.T) {
	h := hold(t)
	orphan := func(ctx context.Context) error {
		_, err := h.Exec(ctx, "UPDATE t SET p = 'nobody' WHERE k = 'b'") // found at the commit
		return err
	}
	h.join(t.Context(), "a", nothing)
	h.join(t.Context(), "b", orphan)
	h.join(t.Context(), "c", nothing)
	h.gathered(func(n int) bool { return n == 3 })
	if got := h.release(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("keys = %v, want a and c", got)
	}
	if h.errs["b"] == nil || h.errs["a"] != nil || h.errs["c"] != nil {
		t.Errorf("errors = %v, want b's alone", h.errs)
	}
	if n := h.begun.Load(); n != 4 {
		t.Errorf("%d transactions were begun, want the shared one and three", n)
	}
}

// Whoever gives up before its turn does nothing; whoever gives up in the middle
// takes nobody along.
func TestMemberGivesUp(t *testing.T) {
	h := hold(t)
	gone, leave := context.WithCancel(t.Context())
	h.join(gone, "early", nothing)
	leave()
	h.gathered(func(n int) bool { return n == 0 })
	middle, cancel := context.WithCancel(t.Context())
	h.join(middle, "middle", func(ctx context.Context) error {
		cancel()
		_, err := h.Exec(ctx, "DELETE FROM t")
		return err
	})
	h.join(t.Context(), "late", nothing)
	h.gathered(func(n int) bool { return n == 2 })
	if got := h.release(); !slices.Equal(got, []string{"late"}) {
		t.Errorf("keys = %v, want late alone", got)
	}
	if !errors.Is(h.errs["early"], context.Canceled) || !errors.Is(h.errs["middle"], context.Canceled) || h.errs["late"] != nil {
		t.Errorf("errors = %v", h.errs)
	}
}

// A statement without a transaction shares the commit, too.
func TestStatementSharesACommit(t *testing.T) {
	h := hold(t)
	h.members.Go(func() {
		n, err := h.Exec(t.Context(), "INSERT INTO t (k) VALUES ('x'), ('y')")
		if n != 2 {
			err = errors.Join(err, fmt.Errorf("%d rows", n))
		}
		h.ended("xy", err)
	})
	h.gathered(func(n int) bool { return n == 1 })
	h.join(t.Context(), "z", nothing)
	h.gathered(func(n int) bool { return n == 2 })
	if got := h.release(); !slices.Equal(got, []string{"x", "y", "z"}) || h.errs["xy"] != nil || h.begun.Load() != 1 {
		t.Errorf("keys = %v, errors %v, %d transactions", got, h.errs, h.begun.Load())
	}
}
