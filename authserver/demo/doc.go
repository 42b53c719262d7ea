// Package demo owns `anteroom demo`: the server on a fresh database, an example
// application and a SCIM directory with switches, all on loopback, and the walk
// through them that `--check` does by itself.
//
// It owns no product code: it uses the server as an admin and a user would.
package demo
