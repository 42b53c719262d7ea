package tcpproxy

import "time"

// Fault is what happens to one request.
type Fault struct {
	hold    bool // the upstream does not get the request
	delay   time.Duration
	answer  []byte // sent instead of the upstream's
	replies replies
	reset   bool
}

// replies says what becomes of what the upstream answers.
type replies int32

const (
	passed replies = iota
	dropped
	hung
)

// Pass lets the request through.
func Pass() Fault { return Fault{} }

// Delay waits and then lets the request through.
func Delay(d time.Duration) Fault { return Fault{delay: d} }

// DropReply lets the upstream do the work, and closes the connection when it
// answers.
func DropReply() Fault { return Fault{replies: dropped} }

// HangReply lets the upstream do the work and keeps the answer back for ever.
func HangReply() Fault { return Fault{replies: hung} }

// Hang takes the request and never answers; the upstream does not see it.
func Hang() Fault { return Fault{hold: true, replies: hung} }

// Reset takes the request and resets the connection; the upstream does not see
// the request.
func Reset() Fault { return Fault{hold: true, reset: true} }

// Answer sends these bytes in the upstream's place and closes the connection;
// the upstream does not see the request.
func Answer(b []byte) Fault { return Fault{hold: true, answer: b} }
