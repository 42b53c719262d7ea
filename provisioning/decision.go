package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Verdict is what the gate says.
type Verdict string

// The verdicts.
const (
	VerdictPermit Verdict = "permit"
	VerdictWait   Verdict = "wait" // work that must succeed first is under way
	VerdictDeny   Verdict = "deny"
)

// Grant is what asks for a permit.
type Grant string

// The grants the gate knows.
const (
	GrantAuthorize         Grant = "authorize"
	GrantCode              Grant = "authorization_code"
	GrantRefresh           Grant = "refresh_token"
	GrantClientCredentials Grant = "client_credentials"
	GrantDevice            Grant = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628
)

// Request asks the gate about one authorization.
type Request struct {
	Client    ClientID
	User      UserID // "" for client_credentials only
	Grant     Grant
	SignIn    string     // the sign-in's id, "" for grants without one
	Reference string     // the support reference shown to the user
	Earlier   DecisionID // the decision on the code or refresh token row
	// WaitingSince is when this sign-in was first told to wait; zero before. A
	// binding's Timeout counts from it.
	WaitingSince time.Time
	// Facts are what is known of the sign-in. For a grant after it the gate takes
	// those of the earlier decision.
	Facts Facts
	// Exempt is set for Anteroom's own admin application, which no target may
	// lock out.
	Exempt bool
}

// Facts are what is known of a sign-in beside who signs in to what, as rules may
// ask for it.
type Facts struct {
	Scopes   []string  `json:"scopes,omitempty"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"`
	IP       string    `json:"ip,omitempty"` // the browser's
	AuthTime time.Time `json:"auth_time,omitzero"`
	// Began is when the sign-in began to wait for accounts; zero if it did not. The
	// gate sets it.
	Began time.Time `json:"began,omitzero"`
}

// Decision is the gate's recorded answer, with the whole reasoning.
type Decision struct {
	ID       DecisionID
	Request  Request
	Verdict  Verdict
	Failure  Failure // the worst of the findings; zero when permitted
	Findings []Finding
	// Timeout is the longest timeout among the bindings that wait, 0 if none does:
	// what a deadline is made of. It is not stored.
	Timeout   time.Duration
	DecidedAt time.Time
}

// Finding is what the gate saw of one binding.
type Finding struct {
	Target   TargetName  `json:"target"`
	Blocking bool        `json:"blocking"`
	Verdict  Verdict     `json:"verdict"`
	Reason   string      `json:"reason"` // constant text: "in sync", "not blocking", "work is due", …
	Rule     RuleOutcome `json:"rule,omitempty"`
	Rules    []RuleTrace `json:"rules,omitempty"` // what each rule set said
	State    State       `json:"state,omitempty"`
	Kind     sdk.Kind    `json:"kind,omitempty"`
	Progress Progress    `json:"progress,omitempty"`
	RetryAt  time.Time   `json:"retry_at,omitzero"`
	Detail   string      `json:"detail,omitempty"` // what the connector says to the person, while Progress is pending
	Failure  FailureCode `json:"failure,omitempty"`
	Text     string      `json:"text,omitempty"`  // key of a localised text; goes with Failure
	Would    Verdict     `json:"would,omitempty"` // what would have been said, if the binding did not only report
}

// Progress is a target's line on the wait page.
type Progress string

// What a line on the wait page says.
const (
	ProgressQueued   Progress = "queued"
	ProgressWorking  Progress = "working"
	ProgressDone     Progress = "done"
	ProgressRetrying Progress = "retrying"
	ProgressPending  Progress = "pending" // the target has accepted it and not done it yet
	ProgressFailed   Progress = "failed"
)

// FailureCode says why a sign-in cannot go on, in the user's terms.
type FailureCode string

// The ways a sign-in fails at the gate.
const (
	// FailureRefused: refused for good; access_denied.
	FailureRefused FailureCode = "refused"
	// FailureUnavailable: the target is down or out of time;
	// temporarily_unavailable.
	FailureUnavailable FailureCode = "unavailable"
	// FailureInternal: ours; server_error.
	FailureInternal FailureCode = "internal"
)

// Failure is a failure code with the text key the page shows.
type Failure struct {
	Code FailureCode `json:"code,omitempty"`
	Text string      `json:"text,omitempty"` // key of a localised text, from the table of kinds
}
