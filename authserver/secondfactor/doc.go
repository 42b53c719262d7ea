// Package secondfactor owns what a user has beside the password: an authenticator
// app (TOTP, RFC 6238), and recovery codes for when it is lost.
//
// It does not own when a code is asked for (package flow) nor the pages to enrol
// (package selfservice). The app's secret is sealed and tied to its user; of
// recovery codes only the digest is stored.
package secondfactor
