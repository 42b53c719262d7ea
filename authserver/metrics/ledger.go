package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Ledger is what the database has of accounts and targets.
type Ledger interface {
	// Census counts the accounts of all targets by state.
	Census(ctx context.Context) ([]provisioning.AccountCount, error)
	// Targets returns what holds up each target.
	Targets(ctx context.Context) ([]provisioning.TargetState, error)
}

const (
	// readEvery is how old what was read may be: a census is not for every scrape.
	readEvery = 15 * time.Second
	// readTimeout is less than a scrape waits.
	readTimeout = 5 * time.Second
)

// ledger remembers what the database had when it was last read.
type ledger struct {
	source Ledger
	now    func() time.Time
	log    *slog.Logger

	accounts, held, breaker, hold, up *prometheus.Desc

	mu      sync.Mutex
	readAt  time.Time // of the last try
	failed  bool
	counts  []provisioning.AccountCount
	targets []provisioning.TargetState
}

func newLedger(source Ledger, now func() time.Time, log *slog.Logger) *ledger {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &ledger{
		source: source, now: now, log: log,
		accounts: desc("accounts", "Accounts in the ledger, the same on every server.", "target", "state"),
		held:     desc("accounts_held", "Accounts whose suspension or deletion waits for an admin.", "target"),
		breaker:  desc("target_breaker_state", "1 for the state that the target's circuit breaker is in.", "target", "state"),
		hold:     desc("target_hold", "1 for the reason that the target's work waits for.", "target", "reason"),
		up:       desc("ledger_up", "1 if the last read of accounts and targets from the database went well."),
	}
}

// refresh reads the database unless that was tried a moment ago. When it fails
// there are no counts: old ones would look like new ones.
func (l *ledger) refresh(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !l.readAt.IsZero() && now.Sub(l.readAt) < readEvery {
		return
	}
	// A scrape that gives up must not leave the next one without counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	l.readAt = now
	err := l.read(ctx)
	if l.failed = err != nil; l.failed {
		l.counts, l.targets = nil, nil
		l.log.WarnContext(ctx, "accounts not counted for metrics", "error", err)
	}
}

func (l *ledger) read(ctx context.Context) error {
	var err error
	if l.counts, err = l.source.Census(ctx); err != nil {
		return err
	}
	l.targets, err = l.source.Targets(ctx)
	return err
}

// Describe implements prometheus.Collector.
func (l *ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.accounts, l.held, l.breaker, l.hold, l.up} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (l *ledger) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	send(l.up, one(!l.failed && !l.readAt.IsZero()))
	now := l.now()
	for _, t := range l.targets {
		name := string(t.Target)
		counts := l.countsOf(t.Target)
		for _, state := range states() {
			send(l.accounts, float64(counts.states[state]), name, string(state))
		}
		send(l.held, float64(counts.held), name)
		is := breakerState(t.Health, now)
		for _, state := range []string{breakerClosed, breakerOpen, breakerHalfOpen} {
			send(l.breaker, one(state == is), name, state)
		}
		hold, _ := t.Hold(now)
		for _, reason := range []provisioning.Hold{provisioning.HoldMaintenance, provisioning.HoldPaused, provisioning.HoldOpen} {
			send(l.hold, one(reason == hold), name, string(reason))
		}
	}
}

// counted is what a target has.
type counted struct {
	states map[provisioning.State]int64
	held   int64
}

func (l *ledger) countsOf(target provisioning.TargetName) counted {
	out := counted{states: map[provisioning.State]int64{}}
	for _, c := range l.counts {
		if c.Target != target {
			continue
		}
		out.states[c.State] += c.Count
		if c.Held {
			out.held += c.Count
		}
	}
	return out
}

// states are those that have a series even when no account is in them, so that
// one does not appear with its first failure.
func states() []provisioning.State {
	return []provisioning.State{
		provisioning.StatePending, provisioning.StateInSync, provisioning.StateRetrying,
		provisioning.StateFailed, provisioning.StateSuspended, provisioning.StateAbsent,
	}
}

// The states of a circuit breaker.
const (
	breakerClosed   = "closed"
	breakerOpen     = "open"
	breakerHalfOpen = "half_open" // a probe is under way
)

func breakerState(h provisioning.Health, now time.Time) string {
	switch {
	case !h.Open():
		return breakerClosed
	case h.ProbeUntil.After(now):
		return breakerHalfOpen
	default:
		return breakerOpen
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
