// Package outbound owns HTTP to addresses that applications registered, and to
// upstreams and what they name. They lead
// to public addresses only, whatever a name resolves to, unless an admin allowed a
// network: the server must not become a way into the network it stands in.
//
// It does not own what is asked there.
package outbound
