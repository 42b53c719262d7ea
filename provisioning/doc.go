// Package provisioning is the heart of Anteroom: it decides whether a sign-in
// may go on, and keeps the accounts of users in downstream systems as they
// should be.
//
// It owns bindings (application × target), the account ledger (user × target),
// attempts, decisions, the gate, and the engine that turns a due account into
// calls of a connector. It does not own users or applications (package
// authserver), SQL (package provisioning/store), child processes (package
// plugins) or HTTP.
//
// The ledger is level-triggered: a change bumps [Account.DesiredRev], work is
// due while AppliedRev is behind, and a worker that holds the row's lease
// brings the target to the state that is desired when it runs. See DESIGN in
// ARCHITECTURE.md, "The ledger and the engine".
package provisioning
