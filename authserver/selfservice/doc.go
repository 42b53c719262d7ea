// Package selfservice owns the pages on which a signed-in user looks after
// themselves: their profile, password, sessions, applications and the end of their account.
//
// It does not own how they sign in (package flow), nor what follows from a change:
// that is the user service's, which tells provisioning.
package selfservice
