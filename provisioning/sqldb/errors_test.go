package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// quiet wraps an error and does not tell its text.
type quiet struct{ error }

func (quiet) Error() string   { return "something" }
func (q quiet) Unwrap() error { return q.error }

// A database that is closed, or that nobody serves, is unavailable; one that refuses
// a statement is not.
func TestIsUnavailable(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var n int
		wrong := db.QueryRow(t.Context(), "SELECT nothing FROM nowhere").Scan(&n)
		none := db.QueryRow(t.Context(), "SELECT 1 WHERE 1 = 2").Scan(&n)
		for name, err := range map[string]error{"a wrong statement": wrong, "no row": none} {
			if err == nil || sqldb.IsUnavailable(err) {
				t.Errorf("%s (%v) passes for a database that is down", name, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		_, exec := db.Exec(t.Context(), "DELETE FROM nowhere")
		tx := db.InTx(t.Context(), func(context.Context) error { return nil })
		for name, err := range map[string]error{"exec": exec, "transaction": tx, "read": db.QueryRow(t.Context(), "SELECT 1").Scan(&n)} {
			if !sqldb.IsUnavailable(quiet{fmt.Errorf("x: %w", err)}) {
				t.Errorf("%s of a closed database (%v) does not count as unavailable", name, err)
			}
		}
	})
}

func TestUnavailableServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", "postgres://nobody@"+address+"/none")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.PingContext(t.Context()); !sqldb.IsUnavailable(err) {
		t.Errorf("nobody listens: %v does not count as unavailable", err)
	}
	for state, want := range map[string]bool{"57P01": true, "57P03": true, "53300": true, "08006": true, "25006": true, "40001": true, "42601": false, "23505": false, "57014": true} {
		if got := sqldb.IsUnavailable(fmt.Errorf("x: %w", &pgconn.PgError{Code: state})); got != want {
			t.Errorf("state %s: %v, want %v", state, got, want)
		}
	}
	if sqldb.IsUnavailable(nil) || sqldb.IsUnavailable(errors.New("x")) || sqldb.IsUnavailable(context.Canceled) {
		t.Error("something passes for a database that is down")
	}
}
