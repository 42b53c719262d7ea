// Package flow owns the life of a sign-in: one persisted row per authorization
// request, driven by the pure function Next, and the pages a person sees on the
// way (sign-in, registration, wait, failure).
//
// It does not own the OAuth protocol: package op validates the request before a
// sign-in begins and writes the response when Next says issue. Handlers never
// call each other; each makes one transition and redirects.
package flow
