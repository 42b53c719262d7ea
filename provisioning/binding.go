package provisioning

import (
	"encoding/json"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Target is a configured connector: one downstream system.
type Target struct {
	Name      TargetName
	Connector string          // name in the connector catalog
	Config    json.RawMessage // a JSON object without the secrets
	Secrets   map[string]sdk.Secret
	// Mapping gives account attributes their source; nil takes the defaults the
	// connector declares.
	Mapping []AttributeMapping
	// Maps are tables that expressions of the mapping look things up in, by name.
	Maps map[string]map[string]string
	// Groups maps groups of a user to groups of the target: an account is in
	// exactly those its user's groups map to. nil leaves groups alone.
	Groups map[string][]string
	Adopt  AdoptPolicy
	// OnUserDelete says what becomes of an account we created when its user is
	// deleted.
	OnUserDelete DeletePolicy
	// MaxConcurrency is how many runs may be under way at a time, over all
	// instances; 1 to [MaxConcurrency], 0 takes [DefaultConcurrency].
	MaxConcurrency int
	// RatePerMinute is how many runs may begin per minute, over all instances; 0
	// for no limit. A run is one account brought in sync: one to a few calls.
	RatePerMinute int
	// Maintenance holds up all work of the target.
	Maintenance bool
	// ReconcileEvery is how often the ledger is compared with the target; 0 is
	// never.
	ReconcileEvery time.Duration
	// Revision counts changes of Connector, Config, Secrets, Mapping, Maps and Groups. It is the
	// generation under which the connector is configured.
	Revision int64
}

// AdoptPolicy says whether an account that is there already becomes ours.
type AdoptPolicy string

// The adoption policies.
const (
	AdoptNever       AdoptPolicy = "never"
	AdoptIfUnclaimed AdoptPolicy = "if_unclaimed" // the default: the owner attribute is empty or ours
	AdoptAlways      AdoptPolicy = "always"
)

// DeletePolicy says how an account ends.
type DeletePolicy string

// The ways an account ends.
const (
	DeleteSuspend DeletePolicy = "suspend" // the default
	DeleteDelete  DeletePolicy = "delete"
)

// FailurePolicy says whether a failed blocking account refuses the sign-in.
type FailurePolicy string

// The failure policies.
const (
	FailureDeny  FailurePolicy = "deny"
	FailureAllow FailurePolicy = "allow"
)

// RefreshPolicy says what a refresh of tokens re-checks.
type RefreshPolicy string

// The refresh policies.
const (
	RefreshCheck  RefreshPolicy = "check"  // the ledger only
	RefreshEnsure RefreshPolicy = "ensure" // a short wait for work that is due
	RefreshSkip   RefreshPolicy = "skip"   // the user only
)

// RulePolicy says what follows when rules do not permit.
type RulePolicy string

// The rule policies.
const (
	RuleSkip   RulePolicy = "skip"   // the sign-in goes on without the account
	RuleRefuse RulePolicy = "refuse" // a blocking sign-in is refused
)

// LossPolicy says what becomes of an account that no binding wants any more.
type LossPolicy string

// The loss policies.
const (
	LossKeep    LossPolicy = "keep"
	LossSuspend LossPolicy = "suspend"
	LossDelete  LossPolicy = "delete" // only what we created; else it is unlinked
)

// Desired returns what is desired of a lost account; ok is false when it is kept.
// An unknown policy keeps.
func (p LossPolicy) Desired() (d Desired, ok bool) {
	switch p {
	case LossSuspend:
		return DesiredSuspended, true
	case LossDelete:
		return DesiredAbsent, true
	default:
		return "", false
	}
}

// DefaultClient is the client id of the default bindings: those of users who
// belong to no application. Its brackets keep applications from taking it.
const DefaultClient ClientID = "(default)"

// Binding ties an application to a target, with the three options and the
// policies that refine them.
type Binding struct {
	Client          ClientID
	Target          TargetName
	Blocking        bool     // no success, no token
	EnableRules     bool     // rule sets decide who gets an account
	RuleSets        []string // their names; with several, one that denies denies
	JITOutbound     bool     // accounts are made at sign-in
	Timeout         time.Duration
	OnCreateFailure FailurePolicy
	OnUpdateFailure FailurePolicy
	OnRuleDeny      RulePolicy
	OnRuleError     RulePolicy // rules gave no decision
	OnRefresh       RefreshPolicy
	OnLoss          LossPolicy // what becomes of accounts when rules or the binding no longer grant them
	ReportOnly      bool       // decide and record, never hold or refuse
	Position        int        // order on the wait page
}

// DefaultTimeout is how long a sign-in waits for a blocking account.
const DefaultTimeout = 10 * time.Second

// NewBinding returns a binding with the documented defaults.
func NewBinding(client ClientID, target TargetName) Binding {
	return Binding{
		Client: client, Target: target, JITOutbound: true, Timeout: DefaultTimeout,
		OnCreateFailure: FailureDeny, OnUpdateFailure: FailureDeny,
		OnRuleDeny: RuleSkip, OnRuleError: RuleRefuse, OnRefresh: RefreshCheck, OnLoss: LossKeep,
	}
}
