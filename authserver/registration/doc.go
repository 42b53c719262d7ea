// Package registration owns applications that register themselves: the endpoints of
// OpenID Connect Dynamic Client Registration 1.0, RFC 7591 and RFC 7592, the tokens
// that let somebody use them, and what such an application may be.
//
// It does not own applications as such (package application), what a person is asked
// about them (package flow) or which accounts they need (package provisioning).
package registration
