package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
)

const (
	// lookEvery is how soon a change of a connector's state is reported.
	lookEvery = 2 * time.Second
	// reportEvery is how old the counters of a report may be.
	reportEvery = 30 * time.Second
	// reportAge is the age at which a report is a killed server's.
	reportAge = 90 * time.Second
	// reportTimeout is less than a report is worth.
	reportTimeout = 2 * time.Second
)

// startReports tells the database how this server's connectors are until ctx
// ends; the channel closes then. Commands show it.
func (s *System) startReports(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.endReports(context.WithoutCancel(ctx))
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		var last store.ConnectorReport
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				last = s.report(ctx, last)
			}
		}
	}()
	return done
}

// report stores what has changed, and what has not every now and then; it returns
// the report stored last.
func (s *System) report(ctx context.Context, last store.ConnectorReport) store.ConnectorReport {
	r := store.ConnectorReport{Instance: s.owner, At: s.Now(), Stats: s.plugins.Stats()}
	if slices.EqualFunc(r.Stats, last.Stats, sameState) && (r.At.Sub(last.At) < reportEvery || len(r.Stats) == 0) {
		return last
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := s.reports.Put(ctx, r); err != nil {
		s.log.WarnContext(ctx, "connector report not stored", "error", err)
		return last
	}
	return r
}

// sameState leaves the counters aside: they change with every call.
func sameState(a, b plugins.Stats) bool {
	return a.Name == b.Name && a.Digest == b.Digest && a.State == b.State && a.PID == b.PID && a.Problem == b.Problem && a.Starts == b.Starts
}

func (s *System) endReports(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := s.reports.Remove(ctx, s.owner); err != nil {
		s.log.WarnContext(ctx, "connector report not removed", "error", err)
	}
}
