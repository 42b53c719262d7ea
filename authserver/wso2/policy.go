package wso2

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

// Policy is a provisioning policy of WSO2: a file of XACML.
type Policy struct {
	Name string // of the file
	Text []byte
}

// Proposal is a binding that a policy is about. An application is known by its
// name alone, so that its binding cannot be written into the document.
type Proposal struct {
	Application string   `json:"application,omitempty"` // WSO2's name, "" for every one
	Target      string   `json:"target"`
	Blocking    bool     `json:"blocking"`
	EnableRules bool     `json:"enable_rules"`
	RuleSets    []string `json:"rule_sets"`
}

// String writes the binding as outbound_provisioning has it.
func (p Proposal) String() string {
	return fmt.Sprintf("%s: {target: %s, blocking: %t, enable_rules: %t, rule_sets: [%s]}",
		cmp.Or(show(p.Application), "every application"), p.Target, p.Blocking, p.EnableRules, strings.Join(p.RuleSets, ", "))
}

// The notes on policies.
const (
	noteCarried = "whom the policy does not apply to is not provisioned, as in WSO2: default_decision is deny"
	notePresent = "it wants groups, roles or claims to be present (MustBePresent): for users without any there is no decision, and a blocking sign-in is refused; make it false, or set on_rule_error on the binding"
	noteOff     = "rules were off for this connector, so no binding is proposed"
)

// policies makes rule sets of policies: one for each target that a policy is
// about, since a policy names the identity provider and not the target.
func (b *importer) policies(p provider, policies []Policy) {
	for _, policy := range policies {
		text := strings.ReplaceAll(strings.TrimPrefix(string(policy.Text), "\ufeff"), "\r\n", "\n")
		file := show(path.Base(policy.Name))
		if _, err := compilePolicy(text); err != nil {
			b.decide("", file, fmt.Sprintf("it is not carried over: %s", mistake(err)))
			continue
		}
		about, err := readScope(text)
		if err != nil { // it was compiled, so it is well-formed
			b.decide("", file, fmt.Sprintf("it is not carried over: %v", err))
			continue
		}
		b.policy(p, file, text, about)
	}
}

func (b *importer) policy(p provider, file, text string, about scope) {
	provider := p.name
	named, actions := about.values(idpName), about.values(actionName)
	if provider == "" && len(named) == 1 {
		provider = named[0] // a connector alone does not say whose it is
	}
	switch {
	case len(actions) > 0 && !slices.Contains(actions, "provisioning"):
		b.notNeeded(file, "it is about something else than provisioning: "+show(strings.Join(actions, ", ")))
	case len(named) > 0 && !slices.Contains(named, provider):
		b.notNeeded(file, "it is for another connection: "+show(strings.Join(named, ", ")))
	case len(b.targets) == 0:
		b.decide("", file, "there is no target that it could be for")
	case len(named) == 0 || len(b.targets) == 1: // it is about every target alike
		b.ruleSet(b.targets, file, b.unused(about.name(file), ""), about.rename(text, provider, b.targets[0].name), about)
		b.examine(file, text, provider, about)
	default:
		for i, t := range b.targets {
			b.ruleSet(b.targets[i:i+1], file, b.unused(about.name(file), "-"+t.name), about.rename(text, provider, t.name), about)
		}
		b.examine(file, text, provider, about)
	}
}

// ruleSet adds a rule set for targets.
func (b *importer) ruleSet(targets []made, file, name, text string, about scope) {
	of := "" // all of them
	if len(targets) == 1 {
		of = targets[0].name
	}
	b.out.Document.RuleSets = append(b.out.Document.RuleSets, resources.RuleSet{
		Name: name, Language: string(rules.LanguageXACML), Source: text, Compat: resources.CompatWSO2,
	})
	b.out.Report = append(b.out.Report, Line{Target: of, Key: file, Verdict: Carried, To: "rule_sets." + name, Note: noteCarried})
	for _, t := range targets {
		if t.rules {
			b.propose(t, name, about.values(spName))
		} else {
			b.decide(t.name, file, noteOff)
		}
	}
}

// examine says what an admin should look at in a policy.
func (b *importer) examine(file, text, provider string, about scope) {
	for _, note := range about.notes() {
		b.decide("", file, note)
	}
	renamed := about.rename(text, provider, b.targets[0].name) // what is left of the name cannot be renamed
	set, err := compilePolicy(renamed)
	if err != nil {
		b.decide("", file, mistake(err))
		return
	}
	known := xacml.Known{Apps: about.values(spName), Targets: []string{b.targets[0].name}}
	for _, f := range set.Lint(known) {
		if f.Kind != xacml.FindingNotApplicable { // noteCarried has said it
			b.decide("", fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column), f.Text)
		}
	}
}

// propose adds a rule set to the bindings that it is about.
func (b *importer) propose(t made, set string, apps []string) {
	if len(apps) == 0 {
		apps = []string{""}
	}
	for _, app := range apps {
		i := slices.IndexFunc(b.out.Bindings, func(p Proposal) bool { return p.Application == app && p.Target == t.name })
		if i < 0 {
			i = len(b.out.Bindings)
			b.out.Bindings = append(b.out.Bindings, Proposal{Application: app, Target: t.name, Blocking: t.blocking, EnableRules: true})
		}
		b.out.Bindings[i].RuleSets = append(b.out.Bindings[i].RuleSets, set)
	}
}

// flags says what becomes of a connector's switch for rules.
func (b *importer) flags() {
	for i, l := range b.out.Report {
		if !isRulesFlag(&node{name: l.Key}) || l.Verdict != Decide {
			continue
		}
		for _, p := range b.out.Bindings {
			if p.Target == l.Target {
				b.out.Report[i].Verdict, b.out.Report[i].To = Carried, "enable_rules and rule_sets"
				b.out.Report[i].Note = "in the bindings that are proposed at the end of the file"
			}
		}
	}
}

func isRulesFlag(n *node) bool { return n.is("IsRulesEnabled", "rulesEnabled") }

func (b *importer) notNeeded(key, note string) {
	b.out.Report = append(b.out.Report, Line{Key: key, Verdict: NotNeeded, Note: note})
}

func (b *importer) decide(target, key, note string) {
	b.out.Report = append(b.out.Report, Line{Target: target, Key: key, Verdict: Decide, Note: note})
}

// unused returns the name with its suffix, and a number if there is a rule set of
// that name.
func (b *importer) unused(name, suffix string) string {
	const maxName = 58 // and the number
	name = strings.Trim(name[:min(len(name), maxName-len(suffix))], "-") + suffix
	out := name
	for n := 2; slices.ContainsFunc(b.out.Document.RuleSets, func(s resources.RuleSet) bool { return s.Name == out }); n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	return out
}

// linted is a compiled policy.
type linted interface {
	rules.Compiled
	Lint(xacml.Known) []xacml.Finding
}

func compilePolicy(text string) (linted, error) {
	set, err := language.Compile(rules.RuleSet{Language: rules.LanguageXACML, Source: text, WSO2: true})
	if err != nil {
		return nil, err
	}
	out, ok := set.(linted)
	if !ok {
		return nil, errors.New("it cannot be looked at")
	}
	return out, nil
}

// mistake says what is wrong with a policy, with its place and not the name that
// errors have for the document.
func mistake(err error) string {
	return strings.TrimPrefix(err.Error(), "source:")
}
