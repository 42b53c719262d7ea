package sdk

import (
	"context"
	"iter"
)

// Target is one configured downstream system. Its methods are called
// concurrently, each with a deadline. Every error should be an [*Error]; any
// other error counts as [KindInternal] with effect unknown.
type Target interface {
	// Lookup returns the accounts whose attribute req.Key equals req.Value: none,
	// one, or as many as there are (the host stops on more than one). The host
	// compares the answer itself, so a superset is harmless but an omission is
	// not. It changes nothing. An absent account is an empty result, not an error.
	Lookup(ctx context.Context, req LookupRequest) ([]Account, error)
	// Create makes a new account and returns it with the id the system gave it.
	// A name that is already taken is [KindConflict].
	Create(ctx context.Context, req CreateRequest) (Account, error)
	// Update changes exactly the attributes named in req and leaves the others
	// alone. An account that is gone is [KindNotFound].
	Update(ctx context.Context, req UpdateRequest) (Account, error)
}

// Getter is a Target that can read an account by its id. An account that is
// gone is [KindNotFound].
type Getter interface {
	Get(ctx context.Context, req GetRequest) (Account, error)
}

// ActiveSetter is a Target that can suspend an account and bring it back. Both
// are idempotent.
type ActiveSetter interface {
	SetActive(ctx context.Context, req SetActiveRequest) (Account, error)
}

// Deleter is a Target that can remove an account for good. Deleting an account
// that is already gone succeeds.
type Deleter interface {
	Delete(ctx context.Context, req DeleteRequest) error
}

// Lister is a Target that can enumerate its accounts, for drift reports. The
// sequence ends after the first error it yields.
type Lister interface {
	List(ctx context.Context, req ListRequest) iter.Seq2[Account, error]
}

// GroupSetter is a Target that can put an account into exactly the named groups.
type GroupSetter interface {
	SetGroups(ctx context.Context, req SetGroupsRequest) error
}

// Checker is a Target that can tell an admin, step by step, whether its
// configuration works: name resolution, connection, credentials, permission.
// It changes nothing in the system.
type Checker interface {
	Check(ctx context.Context) ([]CheckStep, error)
}

// Operation identifies one intended change. ID is the same on every retry of the
// same intent, and different for another one: systems with native idempotency
// keys should be given it.
type Operation struct {
	ID      string // at most 64 characters of base64url
	Attempt int    // counts from 1
	Dialog  bool   // a person is waiting for the answer
}

// LookupRequest asks for accounts by one correlating attribute.
type LookupRequest struct {
	Key   string // name of a declared attribute with Correlate > 0
	Value string // never empty
}

// GetRequest asks for one account by the id the system gave it.
type GetRequest struct {
	ID string
}

// CreateRequest asks for a new account with these attributes.
type CreateRequest struct {
	Operation  Operation
	Attributes Attributes
	Active     bool
}

// UpdateRequest asks to change some attributes of an account.
type UpdateRequest struct {
	Operation Operation
	ID        string
	Version   string     // [Account.Version] of the last read, "" when unknown
	Set       Attributes // new values, whole (a multi-valued attribute is replaced)
	Clear     []string   // attributes to remove
}

// SetActiveRequest asks to suspend (Active false) or reactivate an account.
type SetActiveRequest struct {
	Operation Operation
	ID        string
	Active    bool
}

// DeleteRequest asks to remove an account.
type DeleteRequest struct {
	Operation Operation
	ID        string
}

// ListRequest asks for every account.
type ListRequest struct {
	PageSize int // a wish; 0 leaves it to the connector
}

// SetGroupsRequest asks that the account be in exactly these groups, by the
// names an admin gave in the mapping.
type SetGroupsRequest struct {
	Operation Operation
	ID        string
	Groups    []string
}

// CheckStep is one line of a connection check, in the order it was tried.
type CheckStep struct {
	Name   string // "dns", "tcp", "tls", "credentials", "permission", "schema", …
	Status CheckStatus
	Detail string // for an admin; no secrets
	Fix    string // what to do about a failure, "" when unknown
}

// CheckStatus is the result of one [CheckStep].
type CheckStatus string

// The results of a check step.
const (
	CheckPassed  CheckStatus = "passed"
	CheckFailed  CheckStatus = "failed"
	CheckSkipped CheckStatus = "skipped"
)
