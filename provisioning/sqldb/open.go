package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	"modernc.org/sqlite"
)

// Dialect is the kind of database.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database.
type DB struct {
	dialect Dialect
	write   *sql.DB // SQLite: one connection, so writers queue in order
	read    *sql.DB // the same as write on PostgreSQL
	group   *group  // joins the writers of SQLite; nil on PostgreSQL
}

// sqlitePragmas apply to every connection. FULL keeps the last commits over a
// power cut: a revoked token must not come back.
var sqlitePragmas = []string{
	"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-20000)",
}

const (
	sqliteReaders = 4
	postgresConns = 20
)

// Open opens the database at rawURL: sqlite:///absolute/path,
// sqlite://relative/path or postgres://… (any URL pgx takes).
func Open(ctx context.Context, rawURL string) (*DB, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("database: not a URL") // the error would repeat a password
	}
	switch u.Scheme {
	case "sqlite":
		if u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("database: a sqlite URL has neither ? nor #; in a file's name they are %3F and %23")
		}
		return openSQLite(ctx, filepath.FromSlash(u.Host+u.Path))
	case "postgres", "postgresql":
		return openPostgres(ctx, rawURL)
	default:
		return nil, fmt.Errorf("database: scheme %q is neither sqlite nor postgres", u.Scheme)
	}
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if path == "" || path == "/" {
		return nil, errors.New("database: the sqlite URL names no file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	write, err := sqlitePool(path, "_txlock=immediate", 1, nil)
	if err != nil {
		return nil, err
	}
	read, err := sqlitePool(path, "_pragma=query_only(1)", sqliteReaders, nil)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return ping(ctx, &DB{dialect: SQLite, write: write, read: read, group: newGroup(write)})
}

// sqlitePool opens a pool; wrap is for tests and may be nil.
func sqlitePool(path, extra string, conns int, wrap func(driver.Connector) driver.Connector) (*sql.DB, error) {
	opened, err := sqlite.NewConnector(sqliteDSN(path, extra))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	connector := driver.Connector(opened)
	if wrap != nil {
		connector = wrap(connector)
	}
	pool := sql.OpenDB(preparing{connector})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}

func sqliteDSN(path string, extra string) string {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + extra
	for _, p := range sqlitePragmas {
		dsn += "&_pragma=" + p
	}
	return dsn
}

func openPostgres(ctx context.Context, rawURL string) (*DB, error) {
	pool, err := sql.Open("pgx", rawURL)
	if err != nil {
		return nil, errors.New("database: not a PostgreSQL URL")
	}
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	return ping(ctx, &DB{dialect: Postgres, write: pool, read: pool})
}

// ping opens the writer first: it creates a new SQLite file, which a query-only
// reader cannot.
func ping(ctx context.Context, db *DB) (*DB, error) {
	for _, pool := range []*sql.DB{db.write, db.read} {
		if err := pool.PingContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("reach database: %w", err), db.Close())
		}
	}
	return db, nil
}

// Dialect returns the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Close closes the pools.
func (db *DB) Close() error {
	if db.read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}
