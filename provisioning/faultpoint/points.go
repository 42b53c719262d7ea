package faultpoint

// Point is a place in the life of an account or of a sign-in.
type Point string

// The variables that a binary with the tag listens to.
const (
	// Env names the point, and after a colon what happens the first time it is
	// passed: "create.after:kill". The actions are kill and stop, which are SIGKILL
	// and SIGSTOP of the own process.
	Env = "ANTEROOM_FAULTPOINT"
	// SkewEnv is a duration by which the machine's clock is wrong.
	SkewEnv = "ANTEROOM_CLOCK_SKEW"
)

// Before and After are the two points around something that is done.
func Before(what string) Point { return Point(what + ".before") }

// After is the point after something was done, see [Before].
func After(what string) Point { return Point(what + ".after") }

// What is done to an account, in the order of a run: writes of the ledger, and
// calls of the connector.
const (
	Claim    = "claim"
	Begin    = "begin"
	Creating = "creating"
	Finish   = "finish"
	Observe  = "observe"
	Admit    = "admit"
	Reserve  = "reserve"

	Lookup    = "lookup"
	Get       = "get"
	Create    = "create"
	Update    = "update"
	SetActive = "set_active"
	Delete    = "delete"
)

// The transactions of a sign-in, each with the two points around its commit.
const (
	CommitSignIn    = "commit_sign_in"   // registration and authentication
	CommitUser      = "commit_user"      // a change of a person
	CommitLifecycle = "commit_lifecycle" // the work that follows from it
	CommitGate      = "commit_gate"      // a decision
	CommitIssue     = "commit_issue"     // a code or tokens, with their decision
)
