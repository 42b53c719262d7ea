package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/metrics"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// buildMetrics makes the metrics if somebody may read them; else nothing is
// counted.
func (s *System) buildMetrics() {
	if s.Config.MetricsListen == "" {
		return
	}
	s.metrics = metrics.New(metrics.Options{
		Connectors: s.plugins, Ledger: metricsLedger{s.Accounts, s.Health}, Skew: s.clock.Skew, Now: s.Now,
		Version: builtVersion(), Go: runtime.Version(), Log: s.log,
	})
}

// builtVersion is the module's version as the binary was built from it.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// scrapeTimeout bounds the writing of a page.
const scrapeTimeout = 30 * time.Second

// startMetrics answers scrapes on a listener of their own until ctx ends; the
// channel closes then. Without metrics it is closed at once.
func (s *System) startMetrics(ctx context.Context) (<-chan struct{}, error) {
	done := make(chan struct{})
	if s.metrics == nil {
		close(done)
		return done, nil
	}
	listener, err := net.Listen("tcp", s.Config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: scrapeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
	}
	go func() {
		defer close(done)
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
		defer stop()
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.ErrorContext(ctx, "metrics are no longer served", "error", err)
		}
	}()
	s.log.InfoContext(ctx, "serving metrics", "listen", listener.Addr().String())
	return done, nil
}

// metricsLedger is the two stores that metrics read.
type metricsLedger struct {
	*store.Accounts
	health *store.Health
}

// Targets implements metrics.Ledger.
func (l metricsLedger) Targets(ctx context.Context) ([]provisioning.TargetState, error) {
	return l.health.List(ctx)
}

// observedGate returns the gate that sign-ins ask.
func (s *System) observedGate() flow.Gate {
	if s.metrics == nil {
		return s.Gate
	}
	return countedGate{s.Gate, s.metrics}
}

// decisionObserver is told of decisions that were recorded; the transaction they
// are part of may yet fail.
type decisionObserver interface {
	Permit(d provisioning.Decision, err error, took time.Duration)
	Decided(d provisioning.Decision, err error)
}

// countedGate tells of every decision that the gate records.
type countedGate struct {
	*provisioning.Gate
	observer decisionObserver
}

// Permit implements flow.Gate and op.Gate.
func (g countedGate) Permit(ctx context.Context, r provisioning.Request) (provisioning.Permit, provisioning.Decision, error) {
	began := time.Now()
	p, d, err := g.Gate.Permit(ctx, r)
	g.observer.Permit(d, err, time.Since(began))
	return p, d, err
}

// Start implements flow.Gate and op.Gate.
func (g countedGate) Start(ctx context.Context, r provisioning.Request) (provisioning.Decision, error) {
	d, err := g.Gate.Start(ctx, r)
	g.observer.Decided(d, err)
	return d, err
}

// observedLedger returns the ledger that the engine writes.
func (s *System) observedLedger(l provisioning.Ledger) provisioning.Ledger {
	if s.metrics == nil {
		return l
	}
	return countedLedger{l, s.metrics}
}

// attemptObserver is told of attempts whose end was written down.
type attemptObserver interface {
	Attempt(a provisioning.Attempt)
}

// countedLedger tells of every attempt that ended.
type countedLedger struct {
	provisioning.Ledger
	observer attemptObserver
}

// Finish implements provisioning.Ledger.
func (l countedLedger) Finish(ctx context.Context, lease provisioning.Lease, r provisioning.Result) error {
	err := l.Ledger.Finish(ctx, lease, r)
	if err == nil && r.Attempt != nil {
		l.observer.Attempt(*r.Attempt)
	}
	return err
}

var _ metrics.Ledger = metricsLedger{}
