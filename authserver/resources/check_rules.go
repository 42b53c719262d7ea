package resources

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

// CheckRules looks at the rule sets that are kept and at the bindings that ask
// them. Problems keep rules from deciding; warnings are what deserves a second
// thought. Paths are names: rule_sets.NAME, applications.CLIENT….
func (b *Backend) CheckRules(ctx context.Context) (problems, warnings Problems, err error) {
	current, err := b.state(ctx)
	if err != nil {
		return nil, nil, err
	}
	known := current.known()
	for _, name := range slices.Sorted(maps.Keys(current.ruleSets)) {
		checkStored(current.ruleSets[name], known, &problems, &warnings)
	}
	for _, client := range slices.Sorted(maps.Keys(current.bindings)) {
		for _, binding := range current.bindings[client] {
			current.checkBinding(binding, &problems)
		}
	}
	return problems, warnings, nil
}

func checkStored(s provisioning.StoredRuleSet, known xacml.Known, problems, warnings *Problems) {
	form := exportRuleSet(s.RuleSet)
	d := sources{set: form, path: "rule_sets." + s.Name + "."}
	compiled, err := language.Compile(s.RuleSet)
	if err != nil {
		d.report(err, problems)
		return
	}
	d.lint(compiled, known, warnings)
}

func (s state) checkBinding(b provisioning.Binding, p *Problems) {
	path := fmt.Sprintf("applications.%s.outbound_provisioning.%s.", b.Client, b.Target)
	if b.Client == provisioning.DefaultClient {
		path = fmt.Sprintf("default_bindings.%s.", b.Target)
	}
	if b.EnableRules && len(b.RuleSets) == 0 {
		p.add(path+"enable_rules", "%s", textNoRuleSet)
	}
	for _, name := range b.RuleSets {
		if _, ok := s.ruleSets[name]; !ok {
			p.add(path+"rule_sets", "there is no rule set %q", name)
		}
	}
}

// known is what policies may name.
func (s state) known() xacml.Known {
	var k xacml.Known
	for _, a := range s.applications {
		k.Apps = append(k.Apps, a.Name)
	}
	for name := range s.targets {
		k.Targets = append(k.Targets, name)
	}
	return k
}
