// Package rp is the demo's application: a relying party on go-oidc and x/oauth2
// that knows the server by its protocol only.
//
// It signs users in with the code flow (PKCE, state, nonce, the iss parameter of
// RFC 9207), shows what it was told about them, and explains errors. It keeps
// one browser's session in a cookie and no tokens at all. It is an example and a
// test's counterpart, not a library. The starting point is [New].
package rp
