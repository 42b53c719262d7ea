// Package recovery owns what people prove by reading their mailbox: that an address
// is theirs, and that they may have a new password. It owns the links that are
// mailed for it, the requests to mail them, and the pages the links lead to.
//
// It does not own the SMTP (package mail) nor what follows from a change (package
// user). Asking for mail takes the same time and says the same whoever is asked
// for: only a background worker looks whether there is such a user.
package recovery
