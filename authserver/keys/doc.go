// Package keys owns the server's cryptographic keys: encryption at rest
// ([Sealer]), the keys that sign ID tokens ([Ring]) and named random secrets
// ([Secrets]).
//
// The keyset of the Sealer lives in a file outside the database. Everything else
// lives in the database, sealed under it, so that a copy of the database alone
// is worth nothing. Package keys does not own the SQL (package store) or what is
// signed (package op).
package keys
