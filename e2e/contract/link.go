package contract

// Op says what a request of a connector does to the system, as far as a link can
// tell. What is none of these (a read of the system's own description) is not
// counted and never fails.
type Op uint8

// What a request may do.
const (
	Read   Op = 1 << iota // asks for accounts, and changes nothing
	Create                // makes an account
	Change                // changes or removes something
	Token                 // asks for a token, or signs in

	Write = Create | Change
	Any   = Read | Create | Change
)

// Fault is something that happens to a request.
type Fault string

// The faults. Those that are answers do not let the system see the request.
const (
	RateLimited     Fault = "429 with Retry-After in seconds"
	RateLimitedDate Fault = "429 with Retry-After as a date"
	Unavailable     Fault = "503, or what stands for it"
	Unauthorized    Fault = "401, or what stands for it"
	Hang            Fault = "no answer, and the system has not seen it"
	Lost            Fault = "done, and the connection breaks before the answer"
	Reset           Fault = "the connection breaks, and the system has not seen it"
	Malformed       Fault = "a success whose body breaks off"
	HTML            Fault = "a success that is a web page"
	Huge            Fault = "a success of several megabytes"
	Echo            Fault = "a refusal that repeats the request with its credentials"
)

// RetryAfter is how many seconds [RateLimited] and [RateLimitedDate] ask for.
const RetryAfter = 7

// Link is between a connector and a system. Its methods are called concurrently.
type Link interface {
	// Count tells how many requests there were of the kinds in op.
	Count(op Op) int
	// Script makes the next requests of the kinds in op suffer the faults, one
	// each; then such requests pass again.
	Script(op Op, faults ...Fault)
	// Always makes all of them suffer the fault, until stop is called.
	Always(op Op, f Fault) (stop func())
}
