package resources

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/template"
)

// RuleSet is a rule set in one of four forms: its source, the name of a file that
// has it, its rules written in place (native only), or a template with parameters.
type RuleSet struct {
	Name string `yaml:"name" json:"name"`
	// Language is cel by default, and xacml for a file whose name ends in .xml.
	Language string `yaml:"language,omitempty" json:"language,omitempty"`
	Source   string `yaml:"source,omitempty" json:"source,omitempty"`
	File     string `yaml:"file,omitempty" json:"file,omitempty"`
	// Policies are further XACML documents, which the first one refers to.
	Policies []Policy `yaml:"policies,omitempty" json:"policies,omitempty"`
	// DefaultDecision, Timezone and Compat stand beside XACML. In place they are,
	// with Combining and Rules, a native rule set, which [Parse] makes Source.
	DefaultDecision string `yaml:"default_decision,omitempty" json:"default_decision,omitempty"`
	Timezone        string `yaml:"timezone,omitempty" json:"timezone,omitempty"`
	Compat          string `yaml:"compat,omitempty" json:"compat,omitempty"`
	Combining       string `yaml:"combining,omitempty" json:"combining,omitempty"`
	Rules           []any  `yaml:"rules,omitempty" json:"rules,omitempty"`
	// Template names one of package template; a parameter takes a text or a list.
	Template   string         `yaml:"template,omitempty" json:"template,omitempty"`
	Parameters map[string]any `yaml:"parameters,omitempty" json:"parameters,omitempty"`
	// InPlace is where Source was written in place, nil if it was not.
	InPlace *Place `yaml:"-" json:"-"`
}

// Policy is an XACML document, or the name of a file that has it.
type Policy struct {
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	File   string `yaml:"file,omitempty" json:"file,omitempty"`
}

// Place is a place in the document, both from 1.
type Place struct{ Line, Column int }

// CompatWSO2 is what compat may be.
const CompatWSO2 = "wso2"

// The limits of rule sets. What a language takes of one document is the language's.
const (
	maxRuleSetBytes    = 4 << 20 // of one rule set, all documents together
	maxRuleSetPolicies = 255
	maxBindingRuleSets = 16
)

func (s RuleSet) language() rules.Language {
	switch {
	case s.Language != "":
		return rules.Language(s.Language)
	case strings.EqualFold(filepath.Ext(s.File), ".xml"):
		return rules.LanguageXACML
	default:
		return rules.LanguageCEL
	}
}

// inPlace reports whether the rules are written in the document itself.
func (s RuleSet) inPlace() bool { return s.Rules != nil || s.Combining != "" }

func (s RuleSet) check(path string, p *Problems) {
	checkName(path+"name", s.Name, p)
	oneOf(p, path+"language", s.Language, rules.LanguageCEL, rules.LanguageXACML)
	forms := 0
	for _, given := range []bool{s.Source != "", s.File != "", s.Template != "", s.inPlace()} {
		if given {
			forms++
		}
	}
	switch {
	case forms != 1:
		p.add(path+"source", "give exactly one of source, file, rules or template")
	case s.Template != "":
		s.checkTemplate(path, p)
	case s.inPlace():
		s.checkInPlace(path, p)
	case s.language() == rules.LanguageXACML:
		s.checkXACML(path, p)
	default:
		s.only(path, p, "is for XACML; a rule set in CEL says it in its source")
	}
	if s.Template == "" && s.Parameters != nil {
		p.add(path+"parameters", "are those of a template, and none is named")
	}
}

// checkInPlace is for rules that Parse has left where they are.
func (s RuleSet) checkInPlace(path string, p *Problems) {
	if s.language() != rules.LanguageCEL {
		p.add(path+"rules", "are for CEL; give XACML as source or file")
		return
	}
	p.add(path+"rules", "cannot be taken out of this document: write one key a line, without { } around them, anchors and tags; or give them as source or file")
}

func (s RuleSet) checkTemplate(path string, p *Problems) {
	s.only(path, p, "is what the template says")
	if _, ok := template.Find(s.Template); !ok {
		p.add(path+"template", "there is no template %q", s.Template)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		if _, ok := texts(s.Parameters[name]); !ok {
			p.add(path+"parameters."+name, "must be a text in quotes, or a list of such")
		}
	}
}

// only reports what is given beside a form that leaves no room for it.
func (s RuleSet) only(path string, p *Problems, text string) {
	for _, f := range []struct {
		name  string
		given bool
	}{{"default_decision", s.DefaultDecision != ""}, {"timezone", s.Timezone != ""}, {"compat", s.Compat != ""}, {"policies", len(s.Policies) > 0}} {
		if f.given {
			p.add(path+f.name, "%s", text)
		}
	}
}

func (s RuleSet) checkXACML(path string, p *Problems) {
	oneOf(p, path+"default_decision", s.DefaultDecision, rules.DefaultDeny, rules.DefaultPermit)
	oneOf(p, path+"compat", s.Compat, CompatWSO2)
	if len(s.Policies) > maxRuleSetPolicies {
		p.add(path+"policies", "must be %d at most", maxRuleSetPolicies)
	}
	for i, policy := range s.Policies {
		if (policy.Source == "") == (policy.File == "") {
			p.add(fmt.Sprintf("%spolicies[%d]", path, i), "give either source or file")
		}
	}
}

// texts returns the values of a template's parameter.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	default:
		return nil, false
	}
}

const textNoRuleSet = "needs at least one name in rule_sets: no rule set never means that everybody is allowed"

// CheckRules reports what is wrong with the rule sets that a binding names.
func (b Binding) CheckRules() Problems {
	var p Problems
	b.checkRules("", &p)
	return p
}

func (b Binding) checkRules(path string, p *Problems) {
	if b.EnableRules && len(b.RuleSets) == 0 {
		p.add(path+"enable_rules", "%s", textNoRuleSet)
	}
	if len(b.RuleSets) > maxBindingRuleSets {
		p.add(path+"rule_sets", "must be %d at most", maxBindingRuleSets)
	}
	seen := map[string]bool{}
	for i, name := range b.RuleSets {
		if seen[name] {
			p.add(fmt.Sprintf("%srule_sets[%d]", path, i), "%q is listed twice", name)
		}
		seen[name] = true
	}
}
