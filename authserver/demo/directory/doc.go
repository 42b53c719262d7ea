// Package directory is the demo's downstream system: a SCIM 2.0 server with its
// accounts in memory, and a page that shows them and can make it misbehave.
//
// It owns nothing that lasts and is not meant for anything but a demonstration
// or a test: the page and its switches need no sign-in, the SCIM service needs
// the bearer token. The protocol is the business of github.com/elimity-com/scim.
//
// SCIM is served below /scim/v2, the page at /. The starting point is [New].
package directory
