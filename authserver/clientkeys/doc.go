// Package clientkeys owns the key sets that applications publish at their jwks_uri:
// it fetches them, keeps them for a while and bounds how often they are asked for.
//
// It does not own which addresses may be asked (package outbound) nor what is
// verified with the keys (package op).
package clientkeys
