// Package sandbox confines a program before its first instruction: it owns what
// a confined program may do ([Policy]), how much of that the system can enforce
// ([Level], [Probe]), and the launcher that carries it out ([Main]).
//
// A process cannot confine another one, so the host starts itself once more. The
// new process gives up its privileges, sets limits, loads a Landlock ruleset and
// a seccomp filter, and then becomes the program: nothing of the program has run
// by then. It knows nothing of connectors or of how the program is fed and ended;
// that is package runner.
//
// Every step that a kernel does not offer is left out and reported, or refuses
// the start, as [Policy.Require] says. Only Linux on amd64 and arm64 has them
// all; other systems have none.
package sandbox
