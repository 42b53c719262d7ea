package daemon

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

const (
	cleanEvery = time.Minute
	// cleanBatch keeps a cleaning transaction short: writers wait for it.
	cleanBatch = 500
)

// cleaner removes expired rows, a batch at a time, and returns how many.
type cleaner func(ctx context.Context, limit int) (int, error)

// startHousekeeping removes expired rows until ctx ends; the channel closes then.
func (s *System) startHousekeeping(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(cleanEvery)
		defer tick.Stop()
		prune := time.NewTicker(pruneEvery)
		defer prune.Stop()
		clock := time.NewTicker(sqldb.ClockEvery)
		defer clock.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-clock.C:
				s.lookAtClock(ctx)
			case <-tick.C:
				s.clean(ctx)
			case <-prune.C:
				s.prune(ctx)
			}
		}
	}()
	return done
}

// clockTimeout is less than a look is worth.
const clockTimeout = 2 * time.Second

// largeSkew is worth telling an admin. It does no harm here, but tokens carry the
// database's time, and applications compare it with theirs.
const largeSkew = 5 * time.Second

func (s *System) lookAtClock(ctx context.Context) {
	look, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	if err := s.clock.Look(look); err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "clock not compared with the database's", "error", err)
		}
		return
	}
	if skew := s.clock.Skew(); skew.Abs() > largeSkew && !s.skewed {
		s.skewed = true
		s.log.WarnContext(ctx, "this machine's clock differs from the database's, which is used", "ahead", skew)
	}
}

// startSweeping carries changes of bindings and targets to their users until ctx
// ends; the channel closes then.
func (s *System) startSweeping(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Sweeper.Run(ctx)
	}()
	return done
}

// The records that are no secret and help to explain a sign-in are kept longer
// than they can be used.
const (
	keepSignIns   = 30 * 24 * time.Hour
	keepThrottles = 24 * time.Hour
)

func (s *System) cleaners() map[string]cleaner {
	sweep := func(f func(ctx context.Context, now time.Time, limit int) (int64, error)) cleaner {
		return func(ctx context.Context, limit int) (int, error) {
			n, err := f(ctx, s.Now(), limit)
			return int(n), err
		}
	}
	return map[string]cleaner{
		"tokens": func(ctx context.Context, limit int) (int, error) { return s.tokens.DeleteExpired(ctx, s.Now(), limit) },
		"sign-ins": sweep(func(ctx context.Context, now time.Time, limit int) (int64, error) {
			return s.SignIns.Sweep(ctx, now.Add(-keepSignIns), limit)
		}),
		"sessions": sweep(func(ctx context.Context, now time.Time, limit int) (int64, error) {
			return store.Sessions{DB: s.db}.Sweep(ctx, now, now.Add(-session.DefaultIdle), limit)
		}),
		"applications of sessions": func(ctx context.Context, limit int) (int, error) {
			n, err := store.Participants{DB: s.db}.Sweep(ctx, limit)
			return int(n), err
		},
		"challenges for passkeys": sweep(store.PasskeyChallenges{DB: s.db}.Sweep),
		"mailed links":            sweep(store.MailTokens{DB: s.db}.Sweep),
		"trips to sign out":       sweep(store.Departures{DB: s.db}.Sweep),
		"trips to upstreams":      sweep(store.Attempts{DB: s.db}.Sweep),
		"unused applications":     s.Registrations.RemoveUnused,
		"registration tokens": sweep(func(ctx context.Context, now time.Time, limit int) (int64, error) {
			return store.Registrations{DB: s.db}.SweepTokens(ctx, now.Add(-keepRegistrationTokens), limit)
		}),
		"audit events": sweep(func(ctx context.Context, now time.Time, limit int) (int64, error) {
			if s.Config.KeepAudit <= 0 { // a configuration that was not loaded: to keep is safe
				return 0, nil
			}
			return store.AuditEvents{DB: s.db}.Sweep(ctx, now.Add(-s.Config.KeepAudit), limit)
		}),
		"identities": sweep(s.SignIns.ForgetIdentities),
		"throttles": sweep(func(ctx context.Context, now time.Time, limit int) (int64, error) {
			return store.Throttle{DB: s.db}.Sweep(ctx, now.Add(-keepThrottles), limit)
		}),
	}
}

func (s *System) clean(ctx context.Context) {
	for name, c := range s.cleaners() {
		for {
			n, err := c(ctx, cleanBatch)
			if err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "clean expired rows", "of", name, "error", err)
			}
			if err != nil || n < cleanBatch {
				break
			}
		}
	}
}
