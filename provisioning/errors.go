package provisioning

import "errors"

// The errors callers compare with errors.Is.
var (
	ErrUserNotFound     = errors.New("user not found")
	ErrUserInactive     = errors.New("user is disabled")
	ErrTargetNotFound   = errors.New("target not found")
	ErrAccountNotFound  = errors.New("account not found")
	ErrBindingNotFound  = errors.New("binding not found")
	ErrDecisionNotFound = errors.New("decision not found")
	ErrRuleSetNotFound  = errors.New("rule set not found")
	// ErrRuleSetInUse means a binding names the rule set.
	ErrRuleSetInUse = errors.New("rule set is in use")
	// ErrDraftUnused means no binding names the rule set that a draft stands for.
	ErrDraftUnused = errors.New("no binding names the rule set of the draft")
	// ErrTargetInUse means the target is bound to an application or has accounts.
	ErrTargetInUse = errors.New("target is in use")
	// ErrLinked means the external id is linked to another user's account.
	ErrLinked = errors.New("external id is linked to another user")
	// ErrLeaseLost means another worker took the account: what this one wanted to
	// write was dropped.
	ErrLeaseLost = errors.New("lease lost")
)
