// Package contract is the suite that every first-party connector passes against
// every server it is made for: what a user, an admin and the ledger may rely on
// whatever the target is.
//
// It runs the engine of package provisioning, on a ledger in SQLite, with a
// connector that is opened in this process, against a real server (or a fake
// that is checked against the vendor's own description) behind a [Link] that can
// fail. A server says what it is with a [Server]; the cases are in [Cases] and
// know no protocol. What a server cannot show is excluded by name and with a
// reason. The outcome is a matrix of servers and cases, which is written into
// docs/connector-contract.md.
//
// It does not own what the conformance kit (sdk/sdktest) checks: the transport,
// the child process, descriptions, configuration.
//
// To add a server, write a function that returns its [Server] in a test file of
// this folder and add it to the list in contract_test.go.
package contract
