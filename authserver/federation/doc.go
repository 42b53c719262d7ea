// Package federation owns sign-in through upstream OpenID providers: what an
// upstream is, the protocol with it as a relying party, whose user an upstream's
// subject is, and how such a user is made and kept up to date.
//
// It does not own pages, sessions or the sign-in itself: package flow does. An
// upstream's answer is believed only after everything in it was verified, and never
// about who somebody is here but by issuer and subject.
package federation
