// Package metrics owns the names of the server's metrics, their registry and the
// page that Prometheus reads, in its text format.
//
// It does not own what is counted: the host of connectors counts calls, the
// database has accounts and targets, and package daemon tells it of decisions,
// attempts and requests by way of the observers that their packages declare. Nor
// does it own the listener. Every metric is documented in
// docs/operations-metrics.md, and a test holds the two against each other.
//
// Labels take few values: connectors, targets, verbs, kinds, states, reasons and
// routes. No label is a user, an application, a path or a text of a connector.
package metrics
