// Package forwarded owns whose a request is: the address of the client, told by
// the reverse proxies that the configuration trusts.
//
// It does not own what an address is good for: throttling (package user) and rules
// (package provisioning).
package forwarded
