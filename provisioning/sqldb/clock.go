package sqldb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Clock tells the database's time, so that all instances agree on when a lease
// ends and when work is due, however wrong their own clocks are. Between two
// looks at the database it goes by this process's monotonic clock, which no
// adjustment of the machine's time moves.
//
// On SQLite, where every process is on the file's machine, it is the machine's
// clock.
type Clock struct {
	db    *DB
	local func() time.Time // with a monotonic reading

	mu   sync.Mutex
	base time.Time // the database's time …
	at   time.Time // … when the local clock said this; zero before the first look
}

// ClockEvery is how often a clock should look at the database: in that time two
// quartz clocks drift apart by no more than the way to the database and back.
const ClockEvery = 10 * time.Second

// looks is how many times the database is asked; the fastest answer counts, since
// its time is the least uncertain.
const looks = 3

// NewClock returns the clock of db that goes by local between looks, and looks
// once.
func NewClock(ctx context.Context, db *DB, local func() time.Time) (*Clock, error) {
	c := &Clock{db: db, local: local}
	return c, c.Look(ctx)
}

// Now returns the database's time.
func (c *Clock) Now() time.Time {
	now := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return now
	}
	return c.base.Add(now.Sub(c.at))
}

// Look asks the database for its time. When that fails the clock goes on as it
// was.
func (c *Clock) Look(ctx context.Context) error {
	if c.db.dialect != Postgres {
		return nil
	}
	var best time.Duration
	var base, at time.Time
	for i := range looks {
		sent := c.local()
		var micros int64
		// Not now(), which is when the transaction began.
		err := c.db.read.QueryRowContext(ctx, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)").Scan(&micros)
		if err != nil {
			return fmt.Errorf("read the database's time: %w", err)
		}
		received := c.local()
		if took := received.Sub(sent); i == 0 || took < best {
			best, at = took, received
			base = Time(micros).Add(took / 2)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.at = base, at
	return nil
}

// Skew returns how far this machine's clock is ahead of the database's.
func (c *Clock) Skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return 0
	}
	return c.at.Sub(c.base)
}
