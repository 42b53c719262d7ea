package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// State is where an account stands.
type State string

// The states of an account.
const (
	StatePending   State = "pending"   // work is due and was not tried yet
	StateInSync    State = "in_sync"   // the target has what was desired
	StateRetrying  State = "retrying"  // failed for a reason that may pass; due again at NextAttemptAt
	StateFailed    State = "failed"    // needs somebody; retryable by hand
	StateSuspended State = "suspended" // the target has it, inactive, as desired
	StateAbsent    State = "absent"    // the target does not have it, as desired
)

// Desired is what should be true of an account.
type Desired string

// What may be desired of an account.
const (
	DesiredPresent   Desired = "present"
	DesiredSuspended Desired = "suspended"
	DesiredAbsent    Desired = "absent"
)

// Account is the ledger row user × target. It is the state, the queue item and
// the lock in one.
type Account struct {
	User       UserID
	Target     TargetName
	Desired    Desired
	DesiredRev int64 // bumped by every change
	AppliedRev int64 // work is due while it is behind DesiredRev
	State      State

	ExternalID string // the target's immutable id, "" while there is no link
	Created    bool   // we made it; only such accounts are ever deleted
	Adopted    bool   // it was there and became ours
	// Client is the application whose binding the account is there for, "" if that
	// is not known. Lost is set once no binding wants the account any more.
	Client ClientID
	Lost   bool
	// Held is set while suspending or deleting the account waits for an admin, see
	// [Admission].
	Held      bool
	Suspended bool // we made it inactive, or may have, and have not reactivated it
	// RuledAt is when rules last permitted what is desired; zero for never. Decision
	// has what was known of the sign-in then.
	RuledAt  time.Time
	Decision DecisionID
	// CreateSent is set before a create goes out and cleared once its end is
	// known. While it is set the target may have an account we do not know of.
	CreateSent bool
	// TargetRev is the target's revision that the account was last in sync with.
	TargetRev int64
	// Sent holds a keyed digest per attribute as last sent, so that an update
	// sends only what differs without the ledger keeping values.
	Sent map[string]string

	Outcome       Outcome  // of the last run that ended well
	Kind          sdk.Kind // of the last failure, "" after a success
	Detail        string   // for an admin, redacted
	Field         string   // the attribute at fault, "" if none
	Attempts      int      // since the last success or change
	FirstFailedAt time.Time
	NextAttemptAt time.Time // zero when nothing is due; the lease's end while it is leased
	Trigger       Trigger   // what made the work due
	Fence         int64     // grows with every lease
	LeaseUntil    time.Time // zero when nobody works on it
	UpdatedAt     time.Time
}

// InSync reports whether the target has what is desired now.
func (a Account) InSync() bool { return a.AppliedRev >= a.DesiredRev && a.AppliedRev > 0 }

// Usable reports whether the user has this account now: it is desired, linked,
// and the target has what is desired.
func (a Account) Usable() bool {
	return a.State == StateInSync && a.Desired == DesiredPresent && a.ExternalID != "" && a.InSync() && !a.Skipped()
}

// Skipped reports whether the account was left as it was, or not made, because
// rules did not permit it.
func (a Account) Skipped() bool {
	return a.Desired == DesiredPresent && a.Outcome == OutcomeSkipped && a.InSync()
}

// ruledOut reports whether rules kept the last run from the account: they denied it,
// or gave no decision.
func (a Account) ruledOut() bool {
	return a.Skipped() || a.Desired == DesiredPresent && a.Kind == kindRules && (a.State == StateRetrying || a.State == StateFailed)
}

// Working reports whether a worker holds the account's lease at now.
func (a Account) Working(now time.Time) bool { return a.LeaseUntil.After(now) }

// Trigger says what made an account's work due.
type Trigger string

// The triggers.
const (
	TriggerSignIn     Trigger = "sign_in"    // a person may be waiting
	TriggerBackground Trigger = "background" // a change of the user or target, or a retry
	TriggerManual     Trigger = "manual"     // somebody pressed Retry
)

// AccountFilter selects accounts; zero fields select all. Accounts come in the
// order of user and target.
type AccountFilter struct {
	User        UserID
	Target      TargetName
	State       State
	Held        bool       // only those that wait for an admin
	AfterUser   UserID     // with AfterTarget: only what comes after this account
	AfterTarget TargetName // see AfterUser
	Limit       int        // at most this many; 0 means 100
}

// Wish asks for accounts.
type Wish struct {
	User    UserID
	Client  ClientID // whose bindings ask
	Targets []TargetName
	Trigger Trigger
	// Belongs is set when the user belongs to the application: then the accounts
	// are there for its bindings from now on, whoever asked first.
	Belongs bool
	// Decision is set when rules permit the accounts, and has what they were told.
	Decision DecisionID
}

// Loss says that a binding no longer grants a user an account.
type Loss struct {
	User   UserID
	Target TargetName
	Policy LossPolicy
	// Decision has what rules were told when a sign-in lost the account; "" keeps
	// what they were told last.
	Decision DecisionID
}

// Outcome says how a run ended well.
type Outcome string

// The outcomes.
const (
	OutcomeCreated     Outcome = "created"
	OutcomeUpdated     Outcome = "updated"
	OutcomeUnchanged   Outcome = "unchanged"
	OutcomeAdopted     Outcome = "adopted"
	OutcomeReactivated Outcome = "reactivated"
	OutcomeSuspended   Outcome = "suspended"
	OutcomeDeleted     Outcome = "deleted"
	OutcomeHeld        Outcome = "held"     // of an attempt that waits for an admin, never of an account
	OutcomeSkipped     Outcome = "skipped"  // rules do not permit it
	OutcomeUnlinked    Outcome = "unlinked" // forgotten, because it was never ours to delete
)

// Lease is the right to work on an account until Until. What is written under
// it is kept only while its fence is still the row's.
type Lease struct {
	Account Account
	Owner   string
	Fence   int64
	Until   time.Time
	// Probe numbers the probe that this run is for a target whose breaker is open;
	// 0 for ordinary runs.
	Probe int64
}

// Attempt is one run of the engine for an account, with its calls. Its row is
// committed before the first call.
type Attempt struct {
	ID          AttemptID
	User        UserID
	Target      TargetName
	Rev         int64  // the desired revision this run applies
	OperationID string // hash of user, target and revision
	Number      int
	Trigger     Trigger
	StartedAt   time.Time
	EndedAt     time.Time // zero while it runs, or when the process died
	Calls       []Call
	Outcome     Outcome
	Kind        sdk.Kind
	Detail      string
	Changed     []string // names of the attributes sent, never values
}

// Call is one call of a connector within an attempt.
type Call struct {
	Verb   string        `json:"verb"` // "lookup", "create", …
	Key    string        `json:"key,omitempty"`
	Took   time.Duration `json:"took"`
	Result string        `json:"result"` // "1 account", "created", or the error's kind
	Detail string        `json:"detail,omitempty"`
}
