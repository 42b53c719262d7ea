package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// maxHint keeps a hint within what PostgreSQL carries: less than 8000 bytes.
const maxHint = 1024

// Hint sends texts to whoever listens on the channel, in any process. A hint is
// only that: it may be lost, and nothing may depend on it. SQLite carries no
// texts: there any commit is a hint, see [DB.Listen].
func (db *DB) Hint(ctx context.Context, channel string, hints []string) error {
	if db.dialect != Postgres || len(hints) == 0 {
		return nil
	}
	for _, h := range hints {
		if len(h) > maxHint {
			return fmt.Errorf("hint: %d bytes are more than %d", len(h), maxHint)
		}
	}
	_, err := db.write.ExecContext(ctx, "SELECT pg_notify($1, hint) FROM unnest(CAST($2 AS TEXT[])) AS hint", channel, hints)
	if err != nil {
		return fmt.Errorf("hint: %w", err)
	}
	return nil
}

// The pauses before a lost connection is opened again.
const (
	listenAgainFirst = 100 * time.Millisecond
	listenAgainLast  = 10 * time.Second
)

// Listen calls heard for every hint on the channel until ctx ends, over a
// connection of its own that it opens again when it is lost. After every opening
// it calls missed, because what was sent before was not heard. failed is told of
// lost connections. On SQLite it calls missed soon after another process has
// committed anything.
func (db *DB) Listen(ctx context.Context, channel string, heard func(hint string), missed func(), failed func(error)) {
	if db.dialect != Postgres {
		db.watch(ctx, missed)
		return
	}
	for pause := listenAgainFirst; ctx.Err() == nil; pause = min(2*pause, listenAgainLast) {
		opened := time.Now()
		err := db.listen(ctx, channel, heard, missed)
		if ctx.Err() != nil {
			return
		}
		failed(err)
		if time.Since(opened) > listenAgainLast {
			pause = listenAgainFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listen returns when the connection is lost.
func (db *DB) listen(ctx context.Context, channel string, heard func(string), missed func()) error {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(driver any) error {
		own, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("connection %T cannot listen", driver)
		}
		// Whatever happens it does not go back to the pool: it would go on listening.
		return errors.Join(receive(ctx, own.Conn(), channel, heard, missed), own.Conn().Close(context.WithoutCancel(ctx)))
	})
	return fmt.Errorf("listen: %w", err)
}

func receive(ctx context.Context, conn *pgx.Conn, channel string, heard func(string), missed func()) error {
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	missed()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}

// watchEvery is how often a SQLite file is looked at: a person who typed a command
// does not notice, and it costs some microseconds.
const watchEvery = 200 * time.Millisecond

// watch calls missed when another process has committed. Seen from the one
// connection that writes, the file's version changes only then. Failures are left
// to those who have something to write.
func (db *DB) watch(ctx context.Context, missed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := int64(-1)
	for {
		var version int64
		err := db.write.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
		if err == nil && version != last {
			last = version
			missed()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
