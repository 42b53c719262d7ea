package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/cases"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

type rulesetTestCommand struct {
	Files   []string `arg:"" name:"file" help:"Files of cases; docs/rules-testing.md describes them."`
	RuleSet string   `help:"Ask this rule set, which was applied, whatever the files name." placeholder:"NAME"`
	Explain bool     `help:"Say why of cases that pass, too."`
}

// testResult is what test prints.
type testResult struct {
	Passed int        `json:"passed"`
	Failed int        `json:"failed"`
	Cases  []caseView `json:"cases"`
}

type caseView struct {
	File        string             `json:"file"`
	Line        int                `json:"line"`
	Column      int                `json:"column"`
	Name        string             `json:"name"`
	Passed      bool               `json:"passed"`
	Expect      string             `json:"expect"`
	Decision    rules.Decision     `json:"decision"`
	Rule        string             `json:"rule,omitempty"` // that decided
	Problem     string             `json:"problem,omitempty"`
	Explanation *rules.Explanation `json:"explanation,omitempty"`
}

// Run runs every case of every file, unless one of the files is wrong.
func (c rulesetTestCommand) Run(r *run) error {
	result := testResult{Cases: []caseView{}}
	var problems rules.Problems
	for _, name := range c.Files {
		outcomes, err := c.runCases(r, name)
		if err != nil {
			var more rules.Problems
			if !errors.As(err, &more) {
				return err
			}
			problems = append(problems, more...)
		}
		for _, o := range outcomes {
			result.add(c.view(name, o))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	if err := r.printText(result, result.write); err != nil {
		return err
	}
	if result.Failed > 0 {
		return fmt.Errorf("%d of %s failed", result.Failed, plural(len(result.Cases), "case", "cases"))
	}
	return nil
}

// runCases runs one file. What is wrong with it, or with its rule set, is
// [rules.Problems], each with the file it is in.
func (c rulesetTestCommand) runCases(r *run, name string) ([]cases.Outcome, error) {
	text, err := readText(r, name)
	if err != nil {
		return nil, err
	}
	here := map[string]string{"": name}
	f, err := cases.Parse(text)
	if err != nil {
		return nil, inFiles(err, here)
	}
	if c.RuleSet != "" {
		f.RuleSet = &cases.Reference{Name: c.RuleSet}
	}
	if f.RuleSet == nil {
		return nil, rules.Problems{{Source: name, Line: 1, Column: 1, Text: "rule_set: required"}}
	}
	set, err := f.RuleSet.Load(library{r, name})
	if err != nil {
		return nil, inFiles(err, here)
	}
	compiled, err := language.Compile(set)
	if err != nil {
		return nil, inFiles(err, namesIn(name, f.RuleSet))
	}
	outcomes, err := f.Run(compiled)
	if err != nil {
		return nil, inFiles(err, here)
	}
	return outcomes, nil
}

// library has what a file of cases refers to: files, and what was applied.
type library struct {
	run  *run
	from string // the file
}

// File reads a file beside the one of cases.
func (l library) File(name string) (string, error) { return readTextFile(beside(l.from, name)) }

// Kept opens the database: only a file that names a rule set in it needs one.
func (l library) Kept(name string) (set rules.RuleSet, err error) {
	err = l.run.with(func(ctx context.Context, s *daemon.System) error {
		kept, err := s.RuleSets.Get(ctx, name, 0)
		if err != nil {
			return about(fmt.Sprintf("rule set %q", name), err)
		}
		set = kept.RuleSet
		return nil
	})
	return set, err
}

// beside returns where a file is that a file of cases names.
func beside(name, other string) string {
	if filepath.IsAbs(other) {
		return other
	}
	return filepath.Join(filepath.Dir(name), other)
}

// namesIn gives the documents of a rule set the names of their files. One that is
// within the file of cases counts its own lines.
func namesIn(name string, f *cases.Reference) map[string]string {
	source := name + ": rule_set"
	switch {
	case f.Name != "":
		source = "rule set " + f.Name
	case f.File != "":
		source = beside(name, f.File)
	}
	var policies []string
	for _, other := range f.Policies {
		policies = append(policies, beside(name, other))
	}
	return documentNames(source, policies)
}

func (c rulesetTestCommand) view(file string, o cases.Outcome) caseView {
	v := caseView{
		File: file, Line: o.Case.Line, Column: o.Case.Column, Name: o.Case.Name, Passed: o.Problem == "", Expect: string(o.Case.Expect),
		Decision: o.Explanation.Result.Decision, Rule: o.Explanation.Result.Rule, Problem: o.Problem,
	}
	if !v.Passed || c.Explain {
		v.Explanation = &o.Explanation
	}
	return v
}

func (t *testResult) add(v caseView) {
	if v.Passed {
		t.Passed++
	} else {
		t.Failed++
	}
	t.Cases = append(t.Cases, v)
}

// write prints the cases that failed, and the others where they are explained.
func (t *testResult) write(w io.Writer) error {
	var b strings.Builder
	for _, v := range t.Cases {
		verdict := "passed"
		switch {
		case !v.Passed:
			verdict = "FAILED: " + v.Problem
		case v.Explanation == nil:
			continue
		}
		row(&b, fmt.Sprintf("%s:%d:%d: %s: %s", v.File, v.Line, v.Column, v.Name, verdict))
		for line := range strings.Lines(v.Explanation.Text()) {
			b.WriteString("    " + line)
		}
	}
	row(&b, fmt.Sprintf("%d passed, %d failed", t.Passed, t.Failed))
	_, err := io.WriteString(w, b.String())
	return err
}
