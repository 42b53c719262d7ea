package sqldb_test

import (
	"context"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// near is far above the way to a database on this machine, and far below the
// skews of these tests.
const near = 10 * time.Second

// Machines whose clocks are hours apart agree on the time once they ask the
// database.
func TestClockGoesByTheDatabase(t *testing.T) {
	db := sqldbtest.Postgres(t)
	for _, skew := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
		local := func() time.Time { return time.Now().Add(skew) }
		c, err := sqldb.NewClock(t.Context(), db, local)
		if err != nil {
			t.Fatal(err)
		}
		if off := c.Now().Sub(time.Now()).Abs(); off > near {
			t.Errorf("a clock that is %s off tells a time that is %s off", skew, off)
		}
		if got := c.Skew() - skew; got.Abs() > near {
			t.Errorf("Skew() = %s, want %s", c.Skew(), skew)
		}
	}
}

// Between looks the clock goes on by the local one, and it survives a database
// that is away.
func TestClockGoesOnBetweenLooks(t *testing.T) {
	db := sqldbtest.Postgres(t)
	local := time.Now().Add(time.Hour)
	c, err := sqldb.NewClock(t.Context(), db, func() time.Time { return local })
	if err != nil {
		t.Fatal(err)
	}
	before := c.Now()
	local = local.Add(90 * time.Second)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Look(ended); err == nil {
		t.Error("a look with an ended context succeeded")
	}
	if got := c.Now().Sub(before); got != 90*time.Second {
		t.Errorf("90s later the clock is %s ahead", got)
	}
}

func TestClockOfSQLiteIsTheMachines(t *testing.T) {
	fixed := time.Now().Add(time.Hour)
	c, err := sqldb.NewClock(t.Context(), sqldbtest.SQLite(t), func() time.Time { return fixed })
	if err != nil || !c.Now().Equal(fixed) || c.Skew() != 0 {
		t.Errorf("Now() = %s, Skew() = %s, %v; want the local clock", c.Now(), c.Skew(), err)
	}
}
