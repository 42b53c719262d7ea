// Package store owns the SQL of the server's nouns: users, applications,
// sessions, sign-ins, codes, tokens and keys, with their migrations.
//
// It does not own what they mean: each type here implements an interface of the
// package whose noun it keeps. Every method takes part in the transaction that
// ctx carries; see package sqldb.
package store
