// Package wire carries the types of package sdk over gRPC: both ends of
// protocol anteroom.connector.v1, the go-plugin handshake, and every conversion
// in between.
//
// It owns how a failure crosses the process boundary without losing its kind or
// its effect, and how a call that never left is told from one whose outcome is
// unknown. It does not own the child process (package serve on the connector's
// side, the host's runner on the other), retries, or what to do about a failure.
//
// Connector authors do not need it, and it is no stable interface; the protocol
// in connectorv1/connector.proto is. The host's starting point is [NewClient],
// the connector's [NewServer].
package wire
