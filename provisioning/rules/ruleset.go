package rules

import (
	"strconv"
	"time"
)

// Language is what a rule set is written in.
type Language string

// The languages.
const (
	LanguageCEL   Language = "cel"   // the native one: YAML with conditions in CEL
	LanguageXACML Language = "xacml" // XACML 3.0
)

// DefaultDecision is what a rule set that has nothing to say stands for.
type DefaultDecision string

// The default decisions.
const (
	DefaultDeny   DefaultDecision = "deny" // also of ""
	DefaultPermit DefaultDecision = "permit"
)

// RuleSet is a rule set as its author wrote it. A stored revision never changes.
type RuleSet struct {
	Name     string
	Revision int64 // counts from 1; 0 for a draft
	Language Language
	Source   string
	// Policies are further XACML documents, which Source refers to.
	Policies []string
	// DefaultDecision, Timezone and WSO2 are for XACML; a native rule set says the
	// first two in its source. Timezone is a name of the IANA database, "" for UTC.
	DefaultDecision DefaultDecision
	Timezone        string
	// WSO2 gives policies each role a second time as Internal/ROLE, as WSO2 names
	// those it keeps itself.
	WSO2 bool
}

// Digest names everything the rule set is compiled from. Equal digests mean equal
// rule sets, whatever they are called.
func (s RuleSet) Digest() string {
	parts := []string{string(s.Language), string(s.DefaultDecision), s.Timezone, strconv.FormatBool(s.WSO2), s.Source}
	return Digest(append(parts, s.Policies...)...)
}

// Compiled is a rule set that can be asked, with the choices of its author.
type Compiled interface {
	Evaluator
	// Default is what the author wants of a NotApplicable, Permit or Deny. Decide
	// leaves it: other sets of the same binding may apply.
	Default() Decision
	// Zone is the time zone of the set's clock. Decide takes Request.Now there.
	Zone() *time.Location
	// Explain decides as Decide does, and says why. Values of attributes for which
	// hide is true are not in the answer; a nil hide shows all. Policies may have
	// several names for an attribute: it is hidden under all when it is under that of
	// native rule sets. Explain evaluates every part once more: it is for people, not
	// for the sign-in. It never panics.
	Explain(r *Request, hide func(Attribute) bool) Explanation
}
