// Package store owns the SQL of the ledger: targets, bindings, accounts,
// attempts and decisions, and their migrations, for both dialects.
//
// It owns no rule of when work is due or what an outcome means: that is package
// provisioning, whose interfaces its types satisfy. Every method takes part in
// the transaction its context carries.
package store
