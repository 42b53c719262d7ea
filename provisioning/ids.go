package provisioning

import "github.com/google/uuid"

// UserID identifies a user for ever; it is the OIDC sub.
type UserID string

// ClientID identifies an application; it is the OAuth client_id.
type ClientID string

// TargetName identifies a target: the name an admin gave it.
type TargetName string

// DecisionID identifies one decision of the gate. It is evidence: every code
// and token row carries one.
type DecisionID string

// AttemptID identifies one run of the engine for an account.
type AttemptID string

// newID returns a time-ordered unique id, so that rows land near each other.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
