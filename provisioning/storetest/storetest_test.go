package storetest_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) *sqldb.DB { return sqldbtest.SQLite(t, store.Migrations()) })
}

func TestPostgres(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) *sqldb.DB { return sqldbtest.Postgres(t, store.Migrations()) })
}
