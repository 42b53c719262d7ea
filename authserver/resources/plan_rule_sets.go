package resources

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/template"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

func (p *planner) ruleSets(doc Document) {
	known := p.known(doc)
	for i, s := range doc.RuleSets {
		p.ruleSet(fmt.Sprintf("rule_sets[%d].", i), s, known)
	}
}

// known is what policies may name: what is there, and what the document adds.
func (p *planner) known(doc Document) xacml.Known {
	k := p.state.known() // the document's targets are among them
	for _, a := range doc.Applications {
		k.Apps = append(k.Apps, a.application(p.state.applications[a.ClientID]).Name)
	}
	return k
}

func (p *planner) ruleSet(path string, s RuleSet, known xacml.Known) {
	current, exists := p.state.ruleSets[s.Name]
	p.state.ruleSets[s.Name] = current // there is one of this name, whatever is wrong with it
	documents := sources{set: s, path: path}
	wanted, ok := p.wantedRuleSet(documents)
	if !ok {
		return
	}
	compiled, err := language.Compile(wanted)
	if err != nil {
		documents.report(err, &p.problems)
		return
	}
	documents.lint(compiled, known, &p.plan.Warnings)
	p.add(compareRuleSets(current, exists, wanted), func(ctx context.Context, b *Backend) error { return b.RuleSets.Put(ctx, wanted) })
}

// wantedRuleSet returns the rule set as it shall be, unless its text cannot be had.
func (p *planner) wantedRuleSet(d sources) (rules.RuleSet, bool) {
	s, before := d.set, len(p.problems)
	out := rules.RuleSet{
		Name: s.Name, Language: s.language(), Source: s.Source, WSO2: s.Compat == CompatWSO2,
		DefaultDecision: rules.DefaultDecision(s.DefaultDecision), Timezone: s.Timezone,
	}
	if s.Template != "" {
		p.render(d, &out)
	}
	if s.File != "" {
		out.Source = p.backend.ruleFile(d.path+"file", s.File, &p.problems)
	}
	out.Source = unixLines(out.Source)
	size := len(out.Source)
	for i, policy := range s.Policies {
		text := policy.Source
		if policy.File != "" {
			text = p.backend.ruleFile(fmt.Sprintf("%spolicies[%d].file", d.path, i), policy.File, &p.problems)
		}
		out.Policies = append(out.Policies, unixLines(text))
		size += len(text)
	}
	if size > maxRuleSetBytes {
		p.problems.add(strings.TrimSuffix(d.path, "."), "is larger than %d MiB", maxRuleSetBytes>>20)
	}
	if out.DefaultDecision == rules.DefaultDeny {
		out.DefaultDecision = "" // it is the default, and no other revision
	}
	if out.Timezone == "UTC" {
		out.Timezone = ""
	}
	return out, len(p.problems) == before
}

// unixLines makes a text the same wherever its file was written.
func unixLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// render takes the rule set that a template makes.
func (p *planner) render(d sources, out *rules.RuleSet) {
	values := template.Values{}
	for name, v := range d.set.Parameters {
		values[name], _ = texts(v)
	}
	t, _ := template.Find(d.set.Template)
	made, err := t.Render(out.Language, values)
	if wrong, ok := errors.AsType[template.Problems](err); ok {
		for line := range strings.Lines(wrong.Error()) {
			name, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
			p.problems.add(d.path+"parameters."+name, "%s", what)
		}
	} else if err != nil {
		p.problems.add(d.path+"template", "%v", err)
	}
	out.Source = made.Source
	if made.Timezone != "" {
		out.Timezone = made.Timezone
	}
}

// ruleFile reads a file that is named in the document: its name is relative to
// the document's folder.
func (b *Backend) ruleFile(path, name string, p *Problems) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.Dir, name)
	}
	raw, err := b.ReadFile(name)
	switch {
	case err != nil:
		p.add(path, "%v", pathError(err))
	case len(strings.TrimSpace(string(raw))) == 0:
		p.add(path, "%s is empty", name)
	}
	return strings.TrimPrefix(string(raw), "\ufeff")
}

// compareRuleSets shows texts by what became of their lines: they are too long to
// be shown whole.
func compareRuleSets(current provisioning.StoredRuleSet, exists bool, wanted rules.RuleSet) *Change {
	var old any
	if exists {
		old = exportRuleSet(current.RuleSet)
	}
	c := compare("rule_set", wanted.Name, old, exportRuleSet(wanted))
	if c == nil {
		return nil
	}
	for i, f := range c.Fields {
		if f.Path == "source" || strings.HasPrefix(f.Path, "policies.") {
			c.Fields[i] = FieldChange{Path: f.Path, Old: lineCount(f.Old), New: lineCount(f.New) + firstDifference(f.Old, f.New)}
		}
	}
	if exists {
		revision := FieldChange{Path: "revision", Old: fmt.Sprint(current.Revision), New: fmt.Sprint(current.Revision + 1)}
		c.Fields = slices.Insert(c.Fields, 0, revision)
	}
	return c
}

func lineCount(text string) string {
	switch n := strings.Count(strings.TrimRight(text, "\n"), "\n") + 1; {
	case text == "":
		return ""
	case n == 1:
		return "1 line"
	default:
		return fmt.Sprintf("%d lines", n)
	}
}

// firstDifference says from which line on two texts differ.
func firstDifference(old, wanted string) string {
	if old == "" || wanted == "" {
		return ""
	}
	a, b := strings.Split(old, "\n"), strings.Split(wanted, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf(", another from line %d on", i+1)
		}
	}
	return fmt.Sprintf(", another from line %d on", min(len(a), len(b)))
}

func exportRuleSet(s rules.RuleSet) RuleSet {
	out := RuleSet{
		Name: s.Name, Language: string(s.Language), Source: s.Source, DefaultDecision: string(s.DefaultDecision), Timezone: s.Timezone,
	}
	if s.WSO2 {
		out.Compat = CompatWSO2
	}
	for _, text := range s.Policies {
		out.Policies = append(out.Policies, Policy{Source: text})
	}
	return out
}
