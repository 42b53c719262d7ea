// Package session owns what a browser carries: the single sign-on session, the
// browser key that binds sign-ins to the browser that began them, and the marks of
// the logins that signed in from it.
//
// It does not own how a user proves who they are (package user) or what a
// session is good for (package flow). The cookie holds a random value; the
// database holds its hash, so a stolen database is no pile of sessions.
package session
