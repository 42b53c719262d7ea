// Package resourceserver owns resource servers: the APIs that take this server's
// access tokens, and what a token for each of them may be (RFC 6749 section 1.1, RFC
// 8707). It does not own the SQL (package store) or the protocol (package op).
package resourceserver
