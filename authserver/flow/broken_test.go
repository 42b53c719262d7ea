package flow_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// Most sign-ins break off on some page: when all is over, housekeeping leaves nothing
// of them. ANTEROOM_FLOWS says how many; make flows takes 10,000.
func TestBrokenSignInsLeaveNothing(t *testing.T) {
	signIns := 20
	if v := os.Getenv("ANTEROOM_FLOWS"); v != "" {
		var err error
		if signIns, err = strconv.Atoi(v); err != nil {
			t.Fatalf("ANTEROOM_FLOWS: %v", err)
		}
	}
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := asking(t, db)
		for i := range signIns {
			s.breakOff(i)
		}
		for _, table := range []string{"sign_ins", "sessions", "throttles"} {
			if s.count(table) == 0 {
				t.Errorf("%s is empty already: the sign-ins did not reach it", table)
			}
			t.Logf("%d sign-ins, of which %d ended: %d rows of %s", signIns, s.codes(), s.count(table), table)
		}
		s.clock.advance(400 * 24 * time.Hour)
		sessions := func(ctx context.Context, before time.Time, limit int) (int64, error) {
			return store.Sessions{DB: db}.Sweep(ctx, before, before.Add(-session.DefaultIdle), limit)
		}
		for table, sweep := range map[string]func(context.Context, time.Time, int) (int64, error){
			"sign_ins": store.SignIns{DB: db}.Sweep, "throttles": store.Throttle{DB: db}.Sweep, "sessions": sessions,
		} {
			for n := int64(1); n > 0; {
				var err error
				n, err = sweep(t.Context(), s.clock.Now(), 500)
				must(t, err)
			}
			if n := s.count(table); n != 0 {
				t.Errorf("after housekeeping: %d rows of %s", n, table)
			}
		}
	}, store.Migrations())
}

// breakOff begins a sign-in and leaves it on its first page, after a wrong password or
// when asked for consent; every fourth gets its code.
func (s *stack) breakOff(i int) {
	s.t.Helper()
	s.clock.advance(10 * time.Minute) // or the one network they come from is throttled
	b := s.browser().get(asksAgain).at("/sign-in")
	switch i % 4 {
	case 0:
	case 1:
		b.submit("/sign-in", map[string]string{"login": "nobody" + strconv.Itoa(i), "password": "nonsense"})
	case 2:
		b.signIn().at("/consent")
	default:
		b.signIn().at("/consent").submit(allow, nil).backWith("code", "")
	}
}
