// Package plugins is the host of connectors: it finds their binaries, runs only
// those an admin has pinned, keeps their processes alive, and hands out
// connections that behave like the target itself.
//
// It owns the check of pins, the life of the processes (start, health, crash,
// backoff, quarantine, idle stop), the move from one version to another, which
// instance is configured in which process, deadlines, the counters of calls, and
// the redaction of everything a connector says. It does not own what lies in the
// folder (package catalog), what is said over the wire (package sdk/wire), how a
// child is run and killed (package runner) or confined (package sandbox), where
// pins and configurations are stored, or what a failure means for a user.
//
// One process serves every instance of one binary that needs the same TCP ports:
// what a process may connect to is fixed before it runs ([Host.Isolation], package
// sandbox). It is started by the first
// call that needs it, and started again by the first call after it ended: at once
// after a first crash, then after growing pauses, and once a minute when it
// crashes again and again. A call that certainly changed nothing is repeated once
// on the new process; one whose outcome is unknown never is. A process that nobody
// calls for long is stopped until somebody does.
//
// A newly pinned version is started beside the one that serves, and takes over
// when it has described itself as approved and taken every configuration; calls
// under way end where they began ([Host.Upgrade]).
//
// The starting point is [New]; the result of [Host.Open] is a [Conn].
package plugins
