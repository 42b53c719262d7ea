package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"
)

// tally counts how often its connections prepare, and what they have prepared.
type tally struct {
	driver.Connector
	prepared, open atomic.Int64
}

// Connect implements driver.Connector.
func (y *tally) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := y.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return tallyConn{c.(conn), y}, nil
}

type tallyConn struct {
	conn
	*tally
}

// PrepareContext implements driver.ConnPrepareContext.
func (c tallyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.prepared.Add(1)
	c.open.Add(1)
	return tallyStatement{s.(statement), c.tally}, nil
}

type tallyStatement struct {
	statement
	*tally
}

// Close implements driver.Stmt.
func (s tallyStatement) Close() error {
	s.open.Add(-1)
	return s.statement.Close()
}

// tallied is a database of one connection.
func tallied(t *testing.T) (*DB, *tally) {
	t.Helper()
	connector, err := sqlite.NewConnector(sqliteDSN(filepath.Join(t.TempDir(), "db"), "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	y := &tally{Connector: connector}
	pool := sql.OpenDB(preparing{y})
	pool.SetMaxOpenConns(1)
	db := &DB{dialect: SQLite, write: pool, read: pool}
	t.Cleanup(func() { _ = db.Close() })
	must(t, db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)")
	y.prepared.Store(0)
	return db, y
}

func must(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestQueryIsPreparedOnce(t *testing.T) {
	db, y := tallied(t)
	for i := range 3 {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_, err := db.Exec(ctx, "INSERT INTO t VALUES ($1, $2)", i, fmt.Sprint("v", i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var v string
		if err := db.QueryRow(t.Context(), "SELECT v FROM t WHERE k = $1", i).Scan(&v); err != nil || v != fmt.Sprint("v", i) {
			t.Errorf("v = %q, %v", v, err)
		}
	}
	if n := y.prepared.Load(); n != 2 {
		t.Errorf("prepared %d statements, want 2", n)
	}
}

// A query within its own rows, on the same connection, must not disturb them.
func TestQueryWithinItsOwnRows(t *testing.T) {
	db, y := tallied(t)
	must(t, db, "INSERT INTO t (k) VALUES (1), (2), (3)")
	const query = "SELECT k FROM t WHERE k > $1 ORDER BY k"
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		rows, err := db.Query(ctx, query, 0)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		seen := 0
		for rows.Next() {
			var inner int
			if err := db.QueryRow(ctx, query, 2).Scan(&inner); err != nil || inner != 3 {
				return fmt.Errorf("inner = %d: %w", inner, err)
			}
			seen++
		}
		if seen != 3 {
			t.Errorf("saw %d rows, want 3", seen)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	must(t, db, "DELETE FROM t")
	if err := db.Close(); err != nil || y.open.Load() != 0 {
		t.Errorf("close = %v with %d statements open", err, y.open.Load())
	}
}

func TestKeptStatementsAreBounded(t *testing.T) {
	db, y := tallied(t)
	for i := range maxStatements + 50 {
		must(t, db, fmt.Sprintf("DELETE FROM t WHERE k = %d", i))
	}
	if n := y.open.Load(); n != maxStatements {
		t.Errorf("%d statements open, want %d", n, maxStatements)
	}
	before := y.prepared.Load()
	must(t, db, fmt.Sprintf("DELETE FROM t WHERE k = %d", maxStatements+49))
	must(t, db, "DELETE FROM t WHERE k = 0")
	if n := y.prepared.Load() - before; n != 1 {
		t.Errorf("prepared %d of a recent and an old statement, want the old one only", n)
	}
}

// A statement that failed is not used again, and the next use works.
func TestStatementAfterFailure(t *testing.T) {
	db, y := tallied(t)
	const insert = "INSERT INTO t (k) VALUES ($1)"
	must(t, db, insert, 1)
	open := y.open.Load()
	if _, err := db.Exec(t.Context(), insert, 1); !IsUnique(err) {
		t.Fatalf("second insert: %v, want a unique violation", err)
	}
	if n := y.open.Load(); n != open-1 {
		t.Errorf("%d statements open after a failure, want %d", n, open-1)
	}
	must(t, db, insert, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Query(ctx, "SELECT k FROM t"); !errors.Is(err, context.Canceled) {
		t.Errorf("query with an ended context: %v", err)
	}
	must(t, db, insert, 3)
}
