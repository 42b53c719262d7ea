package resources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

// sources tells where in the document the texts of a rule set are.
type sources struct {
	set  RuleSet
	path string
}

// at returns the path of the text that errors call source.
func (d sources) at(source string) string {
	switch s, policy := d.set, d.policy(source); {
	case policy != nil && policy.File != "":
		return d.path + source + ".file"
	case policy != nil:
		return d.path + source + ".source"
	case s.InPlace != nil:
		return d.path + "rules"
	case s.File != "":
		return d.path + "file"
	case s.Template != "":
		return d.path + "template"
	default:
		return d.path + "source"
	}
}

// place says where in the text something is, in front of what is said of it.
func (d sources) place(source string, line, column int) string {
	switch at := d.at(source); {
	case line == 0:
		return ""
	case d.set.InPlace != nil:
		return fmt.Sprintf("[%d:%d] ", line+d.set.InPlace.Line-1, column+d.set.InPlace.Column-1)
	case strings.HasSuffix(at, "file"):
		return fmt.Sprintf("%s:%d:%d: ", d.file(source), line, column)
	default:
		return fmt.Sprintf("line %d, column %d: ", line, column)
	}
}

func (d sources) file(source string) string {
	if policy := d.policy(source); policy != nil {
		return policy.File
	}
	return d.set.File
}

// policy returns the further document that errors call source, nil for the first
// one.
func (d sources) policy(source string) *Policy {
	for i := range d.set.Policies {
		if source == fmt.Sprintf("policies[%d]", i) {
			return &d.set.Policies[i]
		}
	}
	return nil
}

// report adds the mistakes of a rule set's author.
func (d sources) report(err error, p *Problems) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			d.report(one, p)
		}
		return
	}
	mistake, ok := errors.AsType[*rules.Error](err)
	if !ok {
		p.add(d.at(""), "%v", err)
		return
	}
	if text, ok := strings.CutPrefix(mistake.Text, "timezone: "); ok && mistake.Line == 0 {
		p.add(d.path+"timezone", "%s", text)
		return
	}
	p.add(d.at(mistake.Source), "%s", d.place(mistake.Source, mistake.Line, mistake.Column)+mistake.Text)
}

// linter is a compiled rule set that has names in it which may be wrong: XACML.
type linter interface {
	Lint(xacml.Known) []xacml.Finding
}

// obliging is a compiled rule set that says what its Permits oblige to: CEL.
type obliging interface{ Obligations() []string }

// lint adds what an admin should look at in a rule set that is right.
func (d sources) lint(set rules.Compiled, known xacml.Known, p *Problems) {
	if native, ok := set.(obliging); ok {
		for _, id := range native.Obligations() {
			p.add(d.at(""), "a permit obliges to %q: an obligation that is not known cannot be fulfilled, and then the permit does not count", id)
		}
	}
	policy, ok := set.(linter)
	if !ok {
		return
	}
	for _, f := range policy.Lint(known) {
		p.add(d.at(f.Source), "%s", d.place(f.Source, f.Line, f.Column)+f.Text)
	}
}
