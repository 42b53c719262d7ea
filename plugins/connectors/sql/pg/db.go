package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/anteroom-id/anteroom/sdk"
)

// Bounds of the pool and of a call.
const (
	maxConns    = 8
	idleTime    = time.Minute
	closeTime   = time.Second
	dialTimeout = 5 * time.Second
	maxMessage  = 4 << 20 // bytes of one message of the server
	// margin is how long before the call's deadline the server gives a statement
	// up, so that its answer still arrives. It is at most a quarter of what is left.
	margin = 250 * time.Millisecond
)

// DB is a database. It may be used by many goroutines.
type DB struct {
	pool     *pgxpool.Pool
	options  Options
	redactor sdk.Redactor
}

// Open returns a DB without connecting. Errors name the field.
func Open(o Options) (*DB, error) {
	if problems := o.Problems(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	cfg, err := o.config()
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the connection cannot be configured", Err: err}
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the connection pool cannot be made", Err: err}
	}
	return &DB{pool: pool, options: o, redactor: sdk.NewRedactor(o.Password)}, nil
}

// config starts from an empty configuration, as pgx demands, and lets nothing of
// the environment in.
func (o Options) config() (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig("host=127.0.0.1 sslmode=disable passfile=/dev/null")
	if err != nil {
		return nil, err
	}
	host, port, err := o.hostPort()
	if err != nil {
		return nil, err
	}
	trust, err := o.trust(host)
	if err != nil {
		return nil, err
	}
	c := cfg.ConnConfig
	c.Host, c.Port, c.Database, c.User, c.Password = host, port, o.Database, o.Username, o.Password.Reveal()
	c.TLSConfig, c.Fallbacks, c.ConnectTimeout = trust, nil, dialTimeout
	c.ValidateConnect, c.MaxProtocolMessageBodyLen = nil, maxMessage
	c.RuntimeParams = map[string]string{
		"application_name": "anteroom", "client_encoding": "UTF8",
		"standard_conforming_strings": "on", // statements are read as if it were
	}
	cfg.MaxConns, cfg.MinConns, cfg.MaxConnIdleTime = maxConns, 0, idleTime
	return cfg, nil
}

// Close ends the connections. It waits a moment at most: pgx says goodbye to a
// server that does not answer for 15 s.
func (db *DB) Close() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.pool.Close()
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
	}
}

// Redact makes a text of the server fit for an admin, without the user's values.
func (db *DB) Redact(text string, values ...string) string {
	return db.redactor.Excerpt(text, values...)
}

// Read runs do in a transaction that cannot write.
func (db *DB) Read(ctx context.Context, do func(pgx.Tx) error) error {
	return db.run(ctx, "begin read only", do)
}

// Write runs do in a transaction that sees one state of the database, and commits
// it if do returns nil. A change by somebody else meanwhile is
// [sdk.KindTransient].
func (db *DB) Write(ctx context.Context, do func(pgx.Tx) error) error {
	return db.run(ctx, "begin isolation level repeatable read", do)
}

func (db *DB) run(ctx context.Context, begin string, do func(pgx.Tx) error) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the call has no deadline"}
	}
	left := time.Until(deadline)
	limit := max(left-min(margin, left/4), time.Millisecond)
	// A server that hears no more of us must not keep the transaction's locks: the
	// next attempt would wait for them.
	tx, err := db.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: fmt.Sprintf(
		"%s; set local statement_timeout = %[2]d; set local idle_in_transaction_session_timeout = %[2]d", begin, limit.Milliseconds()+1)})
	if err != nil {
		return db.Failure(err)
	}
	if err := do(tx); err != nil {
		db.rollback(ctx, tx)
		return db.Failure(err)
	}
	if err := ctx.Err(); err != nil { // COMMIT is not sent any more
		db.rollback(ctx, tx)
		return db.Failure(err)
	}
	return db.committed(tx.Commit(ctx))
}

// rollback gives the connection back; one that is broken is closed by the pool.
func (db *DB) rollback(ctx context.Context, tx pgx.Tx) {
	_ = tx.Rollback(ctx) // whatever comes of it, nothing was committed
}
