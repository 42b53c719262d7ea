package rules

import (
	"net/netip"
	"time"
)

// Request is everything rules may ask about. Both languages see the same facts
// under their own names. Values are as they are: a list is never made out of a
// value that has commas.
type Request struct {
	User      User
	App       App
	Connector Connector
	Operation Operation
	Scopes    []string
	ACR       string
	AMR       []string
	IP        netip.Addr // the browser's; the zero Addr when nobody is there
	Trigger   Trigger
	AuthTime  time.Time // of the sign-in; zero when nobody signed in
	Account   Account
	Now       time.Time // in the time zone of the rule set
}

// ClaimRoles is the claim that has a user's roles.
const ClaimRoles = "roles"

// User is the person the account is for.
type User struct {
	ID            string
	Username      string
	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Name          string
	Locale        string
	PhoneNumber   string
	Active        bool
	Source        string // the upstream provider the user came from; "" for our own
	Groups        []string
	Roles         []string
	Claims        map[string][]string // by claim name or URI; numbers and booleans as JSON writes them
}

// App is the application that the user signs in to.
type App struct {
	Name     string
	ClientID string
	Labels   []string
}

// Connector is the target the account would be in.
type Connector struct {
	Name    string // of the target
	Type    string // of the connector
	Binding string
}

// Operation is what would be done to the account. Deprovisioning is none: rules
// are not asked about it.
type Operation string

// The operations.
const (
	OperationCreate Operation = "create"
	OperationUpdate Operation = "update"
)

// Trigger is why the rules are asked.
type Trigger string

// The triggers.
const (
	TriggerJIT       Trigger = "jit"    // a sign-in
	TriggerChange    Trigger = "change" // of the user, the binding, the target or the rules
	TriggerRetry     Trigger = "retry"
	TriggerReconcile Trigger = "reconcile"
	TriggerSimulate  Trigger = "simulate"
)

// Triggers returns every trigger, in the order of their constants.
func Triggers() []Trigger {
	return []Trigger{TriggerJIT, TriggerChange, TriggerRetry, TriggerReconcile, TriggerSimulate}
}

// Account is what is known of the user's account in the target.
type Account struct {
	Linked          bool
	RemoteID        string
	LastProvisioned time.Time // zero for never
}
