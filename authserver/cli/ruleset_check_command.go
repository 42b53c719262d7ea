package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/cases"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

type rulesetCheckCommand struct {
	File         string `arg:"" help:"Rule set in CEL (YAML) or XACML, - for standard input."`
	ruleSetFlags `embed:""`
	Application  []string `help:"Name of an application; with at least one, other names in policies are warned about." sep:"none" placeholder:"NAME"`
	Target       []string `help:"Name of a target; with at least one, other names in policies are warned about." sep:"none" placeholder:"NAME"`
}

// ruleSetFlags say what a file does not of the rule set in it.
type ruleSetFlags struct {
	Language        string   `help:"Language: ${enum}; by default xacml of XML, else cel." enum:"cel,xacml," default:""`
	Policy          []string `help:"A further XACML document that the rule set refers to; repeat for several." sep:"none" placeholder:"FILE"`
	WSO2            bool     `name:"wso2" help:"Give XACML policies each role a second time as Internal/ROLE."`
	Timezone        string   `help:"Time zone of XACML policies, such as Europe/Berlin." placeholder:"ZONE"`
	DefaultDecision string   `help:"What XACML policies that do not apply stand for: deny or permit." placeholder:"DECISION"`
}

// rulesetView is a rule set that compiles.
type rulesetView struct {
	Language        string            `json:"language"`
	DefaultDecision rules.Decision    `json:"default_decision"`
	Timezone        string            `json:"timezone"`
	Uses            []rules.Attribute `json:"uses"`
	Warnings        []warningView     `json:"warnings"`
}

type warningView struct {
	Kind   string `json:"kind"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// Run compiles the rule set. Warnings are no failure: none makes a policy wrong.
func (c rulesetCheckCommand) Run(r *run) error {
	set, err := c.ruleSet(r, c.File)
	if err != nil {
		return err
	}
	names := documentNames(c.File, c.Policy)
	compiled, err := language.Compile(set)
	if err != nil {
		return inFiles(err, names)
	}
	view := rulesetView{
		Language: string(set.Language), DefaultDecision: compiled.Default(), Timezone: compiled.Zone().String(),
		Uses: append([]rules.Attribute{}, compiled.Uses()...), Warnings: c.warnings(compiled, names),
	}
	return r.print(view, func(w io.Writer) {
		for _, warning := range view.Warnings {
			row(w, fmt.Sprintf("%s:%d:%d: warning: %s", warning.File, warning.Line, warning.Column, warning.Text))
		}
		row(w, fmt.Sprintf("ok: %s, %s by default, time zone %s, %s", view.Language,
			strings.ToLower(view.DefaultDecision.String()), view.Timezone, plural(len(view.Warnings), "warning", "warnings")))
		for _, a := range view.Uses {
			row(w, "asks for "+a.ID)
		}
	})
}

func (f ruleSetFlags) ruleSet(r *run, file string) (set rules.RuleSet, err error) {
	set = rules.RuleSet{
		Language: rules.Language(f.Language), DefaultDecision: rules.DefaultDecision(f.DefaultDecision), Timezone: f.Timezone, WSO2: f.WSO2,
	}
	if set.Source, err = readText(r, file); err != nil {
		return set, err
	}
	if set.Language == "" {
		set.Language = languageOf(file, set.Source)
	}
	for _, name := range f.Policy {
		text, err := readText(r, name)
		if err != nil {
			return set, err
		}
		set.Policies = append(set.Policies, text)
	}
	return set, nil
}

// languageOf goes by the name of a file, and by how its text begins: no rule set in
// YAML begins as XML does.
func languageOf(file, text string) rules.Language {
	if strings.HasPrefix(strings.TrimLeft(text, "\ufeff \t\r\n"), "<") {
		return rules.LanguageXACML
	}
	return cases.LanguageOf(file)
}

// linter is what a rule set in XACML can do beside deciding.
type linter interface {
	Lint(known xacml.Known) []xacml.Finding
}

// warnings leaves out what is about names unless some are known.
func (c rulesetCheckCommand) warnings(set rules.Compiled, names map[string]string) []warningView {
	out := []warningView{}
	l, ok := set.(linter)
	if !ok {
		return out
	}
	for _, f := range l.Lint(xacml.Known{Apps: c.Application, Targets: c.Target}) {
		if f.Kind == xacml.FindingUnknownApp && len(c.Application) == 0 || f.Kind == xacml.FindingUnknownTarget && len(c.Target) == 0 {
			continue
		}
		out = append(out, warningView{string(f.Kind), names[f.Source], f.Line, f.Column, f.Text})
	}
	return out
}

// readText reads a file that was named on the command line, - for standard input.
func readText(r *run, name string) (string, error) {
	if name != "-" {
		return readTextFile(name)
	}
	raw, err := io.ReadAll(r.env.Stdin)
	return string(raw), err
}

func readTextFile(name string) (string, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read rule set: %w", err)
	}
	return string(raw), nil
}

// documentNames gives the documents of a rule set the names of their files.
func documentNames(source string, policies []string) map[string]string {
	names := map[string]string{"": source, "source": source}
	for i, name := range policies {
		names[fmt.Sprintf("policies[%d]", i)] = name
	}
	return names
}

// inFiles says of mistakes in which file they are. Others are about the whole rule
// set, and say so themselves.
func inFiles(err error, names map[string]string) error {
	var many rules.Problems
	var one *rules.Error
	if !errors.As(err, &many) {
		if !errors.As(err, &one) {
			return err
		}
		many = rules.Problems{one}
	}
	out := slices.Clone(many)
	for i, p := range out {
		named := *p
		if p.Line > 0 {
			named.Source = names[p.Source]
		}
		out[i] = &named
	}
	return out
}
