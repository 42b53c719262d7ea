// Package conformance is what every connector must do, as a table of checks that
// are run against a real one: over an in-memory connection when it is Go, and as
// a child process in any language.
//
// It owns the checks, the faults that are put between the connector and its
// target, and the report. It does not own how a test or a command shows them
// (package sdktest, anteroom connector test), and it never uses the host's code:
// what both get wrong would go unseen.
//
// A run writes to the target: accounts whose names begin with "kit-". They are
// deleted at the end where the connector can. Use a test tenant.
//
// The starting point is [Open]; the result of [Session.Run] is a [Result].
package conformance
