// Package user owns people: what a user is, how they are registered, changed,
// disabled and deleted, and how a password is checked, stored and protected
// against guessing.
//
// It does not own browser sessions (package session), the SQL (package store) or
// accounts in other systems: every change tells [Lifecycle] in its own
// transaction, so provisioning misses none.
package user
