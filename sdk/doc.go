// Package sdk is what a connector is: a program that keeps accounts in ONE kind
// of downstream system (a SCIM directory, Google Workspace, an LDAP server, …)
// on behalf of Anteroom.
//
// An author writes a configuration struct, a function that opens a [Target]
// with it, and three verbs: Lookup, Create and Update. What else the system can
// do is said by implementing more of the small interfaces: [Getter],
// [ActiveSetter], [Deleter], [Lister], [GroupSetter], [Checker].
//
// The host owns the algorithm. It decides when to look up, adopt, create or
// update, when to try again and when to stop; a connector only performs one
// verb against the system, within the context's deadline, and reports honestly
// what happened: an [Error] says which kind of failure it was and, above all,
// whether the system may have been changed (its [Effect]). A write that the
// system has accepted and not done yet is [Pending]. [Logger] gives the logger of
// a call, and package sdkhttp a client that reports as it should.
//
// The package imports the standard library only. It does not own the transport
// (package wire), the child process's life (package serve) or the conformance
// kit (package sdktest).
//
// The starting point is [Define].
package sdk
