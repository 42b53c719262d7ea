package language

import (
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/cel"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

// Compile makes a rule set ready to be asked. Mistakes of its author are
// [*rules.Error]s, alone or as [rules.Problems]; those that are not in a document
// have no line.
func Compile(s rules.RuleSet) (rules.Compiled, error) {
	switch s.Language {
	case rules.LanguageCEL:
		return compileCEL(s)
	case rules.LanguageXACML:
		return compileXACML(s)
	default:
		return nil, &rules.Error{Text: fmt.Sprintf("language: %q is neither cel nor xacml", s.Language)}
	}
}

func compileCEL(s rules.RuleSet) (rules.Compiled, error) {
	if len(s.Policies) > 0 || s.DefaultDecision != "" || s.Timezone != "" || s.WSO2 {
		return nil, &rules.Error{Text: "a rule set in CEL has its default decision and time zone in its source, and no further policies"}
	}
	set, err := cel.Compile(s.Source)
	if err != nil {
		return nil, err
	}
	return set, nil
}

func compileXACML(s rules.RuleSet) (rules.Compiled, error) {
	zone, err := time.LoadLocation(s.Timezone) // "" is UTC
	if err != nil || s.Timezone == "Local" {   // the machine's own zone would decide differently elsewhere
		return nil, &rules.Error{Text: fmt.Sprintf("timezone: %q is not the name of a time zone, such as Europe/Berlin", s.Timezone)}
	}
	out := policies{zone: zone, otherwise: rules.Deny}
	switch s.DefaultDecision {
	case "", rules.DefaultDeny:
	case rules.DefaultPermit:
		out.otherwise = rules.Permit
	default:
		return nil, &rules.Error{Text: fmt.Sprintf("default_decision: %q is neither deny nor permit", s.DefaultDecision)}
	}
	root := xacml.Document{XML: []byte(s.Source)}
	var referenced []xacml.Document
	for i, p := range s.Policies {
		root.Name = "source"
		referenced = append(referenced, xacml.Document{Name: fmt.Sprintf("policies[%d]", i), XML: []byte(p)})
	}
	if out.Set, err = xacml.Compile(xacml.Options{WSO2: s.WSO2}, root, referenced...); err != nil {
		return nil, err
	}
	return out, nil
}

// policies are XACML documents with what they do not say themselves.
type policies struct {
	*xacml.Set
	zone      *time.Location
	otherwise rules.Decision
}

var (
	_ rules.Compiled = policies{}
	_ rules.Compiled = (*cel.Set)(nil)
)

// Default returns the default decision.
func (p policies) Default() rules.Decision { return p.otherwise }

// Zone returns the time zone of times without one.
func (p policies) Zone() *time.Location { return p.zone }

// Decide asks the policies in their time zone.
func (p policies) Decide(r *rules.Request) rules.Result { return p.Set.Decide(p.there(r)) }

// Explain explains what Decide decides.
func (p policies) Explain(r *rules.Request, hide func(rules.Attribute) bool) rules.Explanation {
	return p.Set.Explain(p.there(r), hide)
}

func (p policies) there(r *rules.Request) *rules.Request {
	if r == nil {
		return nil // which the set has an answer for
	}
	there := *r
	there.Now = r.Now.In(p.zone)
	return &there
}
