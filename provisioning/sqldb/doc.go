// Package sqldb owns the connection to the database: SQLite or PostgreSQL, its
// pools, the one transaction helper, migrations and the classes of its errors.
//
// It does not own any table: each store brings its SQL and its migrations. One
// query text with $1 placeholders serves both dialects; the few statements that
// differ ask [DB.Dialect].
//
// A transaction travels in the context: a store method called inside [DB.InTx]
// takes part in it, so several stores commit together without knowing of each
// other.
package sqldb
