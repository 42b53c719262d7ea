// Package storetest owns the conformance suites of the ledger's stores: what
// every store must do, on every dialect. It does not own the stores.
package storetest
