// Package resources owns the YAML form of what an admin manages: targets, rule
// sets, applications with their outbound provisioning, upstreams and users. It parses it
// strictly, says what would change, applies the change in one transaction and
// exports what is there. It compiles rule sets before they are kept; what they mean
// is not its own.
//
// Secrets are given by reference (environment variable or file) and never
// exported. Apply adds and changes; it deletes nothing but bindings left out of
// a listed application's outbound_provisioning.
package resources
