package sqldb

import (
	"database/sql"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// primaryCode masks an extended SQLite result code down to its class.
const primaryCode = 0xff

// retryableStates are the PostgreSQL states of a transaction that lost a race:
// serialization_failure and deadlock_detected.
var retryableStates = []string{"40001", "40P01"}

// IsRetryable reports whether the transaction lost a race and may be run again.
// Nothing else is: repeating a syntax error would go on for ever.
func IsRetryable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains(retryableStates, pg.Code) || isStale(err)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		class := lite.Code() & primaryCode
		return class == sqlite3.SQLITE_BUSY || class == sqlite3.SQLITE_LOCKED
	}
	return false
}

// isStale reports whether a statement was prepared before another instance
// migrated the table. PostgreSQL's state for it, feature_not_supported, is shared
// with errors that no repetition mends, so the routine that raises it is looked
// at too; the text would be in the server's language. The driver has forgotten
// the statement by then.
func isStale(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "0A000" && pg.Routine == "RevalidateCachedQuery"
}

// IsUnique reports whether a row with the same key is already there.
func IsUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505"
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// IsNoRows reports whether a query for one row found none.
func IsNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
