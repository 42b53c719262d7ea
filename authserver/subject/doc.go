// Package subject owns what applications know a user and a session by: the sub
// and sid of every token. For most that is the user's id and the session's; an
// application with pairwise subjects (OpenID Connect Core 1.0 section 8) gets
// values that nobody else gets but the applications of its sector.
//
// It does not own applications, whose settings say what they get (package
// application), the tokens (package op) or the SQL (package store).
package subject
