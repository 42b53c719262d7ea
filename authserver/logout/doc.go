// Package logout owns what applications hear of the end of a session: which of
// them want to know, the logout tokens of the back channel with their delivery in
// the background, and the addresses of the front channel.
//
// It does not own sessions (package session), the pages (package flow) or the
// request of an application to sign out (package op).
package logout
