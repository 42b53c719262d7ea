package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxTries bounds how often a transaction that lost a race is run again.
const maxTries = 5

// errRollbackOnly is returned by the outer InTx when an inner one failed and its
// error was swallowed: half a unit of work is never committed.
var errRollbackOnly = errors.New("a nested transaction failed: nothing is committed")

type tx struct {
	sql         *sql.Tx
	failed      bool
	afterCommit []func()
}

type txKey struct{ db *DB }

func (db *DB) current(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{db}).(*tx)
	return t
}

// InTx runs fn in a transaction and commits it, or rolls back if fn returns an
// error or panics. Within fn's context every method of db takes part in it. A
// nested InTx joins the outer one. A transaction that lost a race
// (serialization failure, deadlock, busy) is run again from the start, so fn
// must do nothing but database work that may be repeated; see [DB.AfterCommit]
// for the rest.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := db.current(ctx); t != nil {
		return t.join(ctx, fn)
	}
	for try := 1; ; try++ {
		err := db.runTx(ctx, fn)
		if err == nil || !IsRetryable(err) || try == maxTries {
			return err
		}
		if !pause(ctx, try) {
			return err
		}
	}
}

func (t *tx) join(ctx context.Context, fn func(ctx context.Context) error) error {
	err := fn(ctx)
	if err != nil {
		t.failed = true
	}
	return err
}

func (db *DB) runTx(ctx context.Context, fn func(ctx context.Context) error) error {
	body := func(ctx context.Context, t *tx) error {
		if err := fn(context.WithValue(ctx, txKey{db}, t)); err != nil {
			return err
		}
		if t.failed {
			return errRollbackOnly
		}
		return nil
	}
	run := db.ownTx
	if db.group != nil {
		run = db.group.run
	}
	t, err := run(ctx, body)
	if err != nil {
		return err
	}
	for _, f := range t.afterCommit {
		f()
	}
	return nil
}

// ownTx runs fn in a transaction that is shared with nobody.
func (db *DB) ownTx(ctx context.Context, fn func(ctx context.Context, t *tx) error) (*tx, error) {
	begun, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	// A panic in fn must not leave the connection inside a transaction. After a
	// commit the rollback does nothing.
	defer func() { _ = begun.Rollback() }()
	t := &tx{sql: begun}
	if err := fn(ctx, t); err != nil {
		return nil, err
	}
	if err := begun.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return t, nil
}

// pause waits a little, longer each try, and reports whether ctx still lives.
func pause(ctx context.Context, try int) bool {
	d := time.Duration(1+rand.IntN(10*try)) * time.Millisecond
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// AfterCommit runs f once the transaction in ctx has committed; never if it is
// rolled back, at once if there is none.
func (db *DB) AfterCommit(ctx context.Context, f func()) {
	if t := db.current(ctx); t != nil {
		t.afterCommit = append(t.afterCommit, f)
		return
	}
	f()
}

// Exec runs a statement and returns the number of rows it changed.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	t := db.current(ctx)
	switch {
	case t != nil:
		return affected(t.sql.ExecContext(ctx, query, args...))
	case db.group == nil:
		return affected(db.write.ExecContext(ctx, query, args...))
	}
	var n int64
	_, err := db.group.run(ctx, func(ctx context.Context, t *tx) error {
		var err error
		n, err = affected(t.sql.ExecContext(ctx, query, args...))
		return err
	})
	return n, err
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query runs a query that only reads. The caller closes the rows; inside a
// transaction it must do so before the next statement.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if t := db.current(ctx); t != nil {
		return t.sql.QueryContext(ctx, query, args...)
	}
	rows, err := db.read.QueryContext(ctx, query, args...)
	if isStale(err) { // a failed transaction is InTx's to run again
		return db.read.QueryContext(ctx, query, args...)
	}
	return rows, err
}

// QueryRow runs a query that only reads at most one row.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if t := db.current(ctx); t != nil {
		return t.sql.QueryRowContext(ctx, query, args...)
	}
	row := db.read.QueryRowContext(ctx, query, args...)
	if isStale(row.Err()) {
		return db.read.QueryRowContext(ctx, query, args...)
	}
	return row
}

// Returning runs a statement that writes and returns rows (… RETURNING …).
func (db *DB) Returning(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if t := db.current(ctx); t != nil {
		return t.sql.QueryContext(ctx, query, args...)
	}
	return db.write.QueryContext(ctx, query, args...)
}

// ReturningRow is [DB.Returning] for at most one row.
func (db *DB) ReturningRow(ctx context.Context, query string, args ...any) *sql.Row {
	if t := db.current(ctx); t != nil {
		return t.sql.QueryRowContext(ctx, query, args...)
	}
	return db.write.QueryRowContext(ctx, query, args...)
}
