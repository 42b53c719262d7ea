// Package serve is what a connector's main function calls: [Connector] makes the
// process a connector.
//
// It owns the process: its standard streams, its signals, its end, and what it
// says when a person starts it by hand. It does not own the protocol (package
// wire) or what a connector can do (package sdk).
package serve
