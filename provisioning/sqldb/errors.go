package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

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

// downStates are the PostgreSQL states of a server that cannot answer now: those
// that begin so.
var downStates = []string{
	"08",    // connection exception
	"53",    // insufficient resources
	"57P",   // shutting down, starting up, dropped
	"57014", // statement_timeout
	"25006", // a standby: the primary moved
	"55P03", // lock_timeout
}

// closedText is the text of database/sql's error for a closed database, which it
// does not export.
const closedText = "sql: database is closed"

// IsUnavailable reports whether the database cannot answer now, and may later: it is
// down, out of reach, full, or too busy. What comes of our statements is not meant.
func IsUnavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return IsRetryable(err) || slices.ContainsFunc(downStates, func(state string) bool { return strings.HasPrefix(pg.Code, state) })
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return slices.Contains([]int{
			sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL,
			sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM,
		}, lite.Code()&primaryCode)
	}
	for _, broken := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, broken) {
			return true
		}
	}
	_, dialled := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[*net.OpError](err)
	return dialled || network || isClosed(err)
}

// isClosed looks at every error of the chain: one that wraps another need not tell its
// text.
func isClosed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == closedText {
			return true
		}
	}
	return false
}

// IsNoRows reports whether a query for one row found none.
func IsNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
