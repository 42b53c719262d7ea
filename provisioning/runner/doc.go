// Package runner owns the background: it claims due accounts, target by target,
// runs the engine on them and sleeps until the next is due.
//
// It does not own what a run does (package provisioning) or the rows (package
// provisioning/store). Several runners may share one database; each account has
// one worker at a time, and a dead runner's accounts come back when their leases
// end.
package runner
