package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// namespace begins every name that is ours.
const namespace = "anteroom"

// kindOK is the kind of what did not fail.
const kindOK = "ok"

// Connectors tells of connectors; *plugins.Host is one.
type Connectors interface {
	// Totals returns what every connector did since the start; counters never fall.
	Totals() []plugins.Totals
}

// Options are the parts of Metrics. All are required.
type Options struct {
	Connectors Connectors
	Ledger     Ledger
	// Skew returns how far this machine's clock is ahead of the database's.
	Skew    func() time.Duration
	Now     func() time.Time // the database's time
	Version string           // of the server
	Go      string           // version of Go it was built with
	Log     *slog.Logger
}

// Metrics is one server's. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	ledger   *ledger
	log      *slog.Logger

	decisions *prometheus.CounterVec
	permits   prometheus.Histogram
	attempts  *prometheus.CounterVec
	requests  *prometheus.HistogramVec
}

// New returns metrics with a registry of their own.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), log: o.Log, ledger: newLedger(o.Ledger, o.Now, o.Log),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "gate", Name: "decisions_total", Help: "Decisions of the gate that this server recorded.",
		}, []string{"verdict", "reason"}),
		permits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "gate", Name: "permit_duration_seconds", Help: "Time the gate took to decide on a permit.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "attempts_total", Help: "Attempts of this server to bring an account in sync that ended.",
		}, []string{"target", "outcome", "kind"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "http", Name: "request_duration_seconds", Help: "Time from a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"route", "status"}),
	}
	m.registry.MustRegister(
		m.decisions, m.permits, m.attempts, m.requests, m.ledger, newConnectors(o.Connectors), build(o), skew(o),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func build(o Options) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what the server was built from.",
		ConstLabels: prometheus.Labels{"version": o.Version, "goversion": o.Go},
	})
	g.Set(1)
	return g
}

func skew(o Options) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "clock_skew_seconds", Help: "How far this machine's clock is ahead of the database's.",
	}, func() float64 { return o.Skew().Seconds() })
}

// maxScrapes is how many scrapes are answered at a time.
const maxScrapes = 4

// Handler answers scrapes. It has no authentication. What is in the database is
// read at most every 15 seconds, whoever asks.
func (m *Metrics) Handler() http.Handler {
	page := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelError), MaxRequestsInFlight: maxScrapes,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.ledger.refresh(r.Context())
		page.ServeHTTP(w, r)
	})
}

// Permit counts a decision on a permit, or that there was none because of err,
// and how long it took.
func (m *Metrics) Permit(d provisioning.Decision, err error, took time.Duration) {
	m.Decided(d, err)
	m.permits.Observe(took.Seconds())
}

// Decided counts a recorded decision, or that there was none because of err.
func (m *Metrics) Decided(d provisioning.Decision, err error) {
	if err != nil {
		m.decisions.WithLabelValues("error", "error").Inc()
		return
	}
	m.decisions.WithLabelValues(string(d.Verdict), reason(d)).Inc()
}

// Attempt counts an attempt that ended.
func (m *Metrics) Attempt(a provisioning.Attempt) {
	outcome := string(a.Outcome)
	if outcome == "" {
		outcome = "failed"
	}
	m.attempts.WithLabelValues(string(a.Target), outcome, kind(a.Kind)).Inc()
}

// Request counts a request and how long it took.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, class(status)).Observe(took.Seconds())
}

// class is a status without its last two digits, RFC 9110 section 15.
func class(status int) string {
	classes := [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}
	if i := status/100 - 1; i >= 0 && i < len(classes) {
		return classes[i]
	}
	return "other"
}

func kind(k sdk.Kind) string {
	if k == "" {
		return kindOK
	}
	return string(k)
}
