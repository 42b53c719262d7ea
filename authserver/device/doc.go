// Package device owns requests of devices that have no browser (RFC 8628): what
// such a request is, its user code, and the page where a person enters the code
// and says whether the device is theirs.
//
// It does not own the endpoints that devices call (package op), the sign-in that
// follows the page (package flow) or SQL (package store).
package device
