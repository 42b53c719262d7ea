// Package authserver owns the HTTP surface as a whole: the one mount list and
// what every request passes through (request id, recovery, logging, health). It
// does not own any endpoint: each family has a package of its own.
package authserver
