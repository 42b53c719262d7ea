// Package mail owns handing a message to an SMTP server.
//
// It does not own what is written, or when it is tried again (package recovery).
package mail
