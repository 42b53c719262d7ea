package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom-id/anteroom/plugins"
)

// connectors turns the host's counters into metrics at each scrape.
type connectors struct {
	host                                              Connectors
	calls, durations, inFlight, starts, crashes, size *prometheus.Desc
}

func newConnectors(host Connectors) *connectors {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "connector", name), help, append([]string{"connector"}, labels...), nil)
	}
	return &connectors{
		host:      host,
		calls:     desc("calls_total", "Calls of the connector that ended.", "verb", "kind"),
		durations: desc("call_duration_seconds", "Time calls of the connector took, waiting for a start of its process included.", "verb"),
		inFlight:  desc("calls_in_flight", "Calls of the connector under way."),
		starts:    desc("starts_total", "Starts of the connector's processes, failed ones included."),
		crashes:   desc("crashes_total", "Ends of the connector's processes that the server did not ask for."),
		size:      desc("resident_memory_bytes", "Resident memory of the connector's processes."),
	}
}

// Describe implements prometheus.Collector.
func (c *connectors) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.calls, c.durations, c.inFlight, c.starts, c.crashes, c.size} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *connectors) Collect(ch chan<- prometheus.Metric) {
	for _, t := range c.host.Totals() {
		send := func(d *prometheus.Desc, kind prometheus.ValueType, value int64) {
			ch <- prometheus.MustNewConstMetric(d, kind, float64(value), t.Name)
		}
		send(c.inFlight, prometheus.GaugeValue, t.InFlight)
		send(c.starts, prometheus.CounterValue, t.Starts)
		send(c.crashes, prometheus.CounterValue, t.Crashes)
		send(c.size, prometheus.GaugeValue, t.RSS)
		for _, s := range t.Calls {
			ch <- prometheus.MustNewConstMetric(c.calls, prometheus.CounterValue, float64(s.Count), t.Name, s.Verb, kind(s.Kind))
		}
		for verb, s := range byVerb(t.Calls) {
			ch <- prometheus.MustNewConstHistogram(c.durations, uint64(s.Count), s.Total.Seconds(), buckets(s), t.Name, verb)
		}
	}
}

// byVerb joins what the kinds of failures keep apart.
func byVerb(calls []plugins.CallStats) map[string]plugins.CallStats {
	out := map[string]plugins.CallStats{}
	for _, s := range calls {
		out[s.Verb] = out[s.Verb].Plus(s)
	}
	return out
}

// buckets counts as Prometheus does: each bucket has what the ones before it have.
func buckets(s plugins.CallStats) map[float64]uint64 {
	out := map[float64]uint64{}
	var n int64
	for i, bound := range plugins.CallBounds() {
		n += s.Within[i]
		out[bound.Seconds()] = uint64(n)
	}
	return out
}
