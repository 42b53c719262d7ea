// Package passkey owns the passkeys of users (WebAuthn Level 3): how one is added, and
// how a browser's answer proves who is there.
//
// It does not own the sign-in (package flow) nor the pages to manage passkeys (package
// selfservice). A challenge counts once, and only where it was asked for. The one key
// that is stored is public.
package passkey
