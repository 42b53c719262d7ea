package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// StoredRuleSet is a revision of a rule set as it is kept.
type StoredRuleSet struct {
	rules.RuleSet
	CreatedAt time.Time
}

// RuleSetHead names the current revision of a rule set by what it is compiled
// from.
type RuleSetHead struct {
	Name     string
	Revision int64
	Digest   string
}

// RuleTrace is what one rule set said: names and places, never values.
type RuleTrace struct {
	Set      string           `json:"set"`
	Revision int64            `json:"revision,omitempty"`
	Decision string           `json:"decision"`
	Default  bool             `json:"default,omitempty"` // the set did not apply, and its default decision counts
	Policy   string           `json:"policy,omitempty"`
	Rule     string           `json:"rule,omitempty"`
	Status   rules.StatusCode `json:"status,omitempty"`
	Message  string           `json:"message,omitempty"`
}
