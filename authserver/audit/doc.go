// Package audit owns the record of what admins did: who, when, to what. An act and
// its event are one transaction, so that neither is there without the other, and
// nobody acts without saying who they are.
//
// It does not own the acts, their SQL (package store), or what the server does by
// itself: that is in its log and in the ledger.
package audit
