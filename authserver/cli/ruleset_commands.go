package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/template"
)

type rulesetCommands struct {
	List      rulesetListCommand      `cmd:"" help:"List rule sets and who asks them."`
	Show      rulesetShowCommand      `cmd:"" help:"Show a rule set, or an earlier revision of it."`
	History   rulesetHistoryCommand   `cmd:"" help:"List the revisions of a rule set, also of a deleted one."`
	Delete    rulesetDeleteCommand    `cmd:"" help:"Delete a rule set that no binding names; its revisions stay."`
	Templates rulesetTemplatesCommand `cmd:"" help:"List the templates that rule sets are made of, with their parameters."`
	Template  rulesetTemplateCommand  `cmd:"" help:"Print the rule set of a template."`
	Check     rulesetCheckCommand     `cmd:"" help:"Compile a rule set in a file and report what is wrong with it."`
	Replay    rulesetReplayCommand    `cmd:"" help:"Ask a rule set in a file about sign-ins that have been, and count how its answers are others."`
	Test      rulesetTestCommand      `cmd:"" help:"Run files of cases that say what a rule set is to decide."`
}

type rulesetTemplatesCommand struct{}

// templateView is a template.
type templateView struct {
	Name       string          `json:"name"`
	Help       string          `json:"help"`
	Parameters []parameterView `json:"parameters"`
}

type parameterView struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Several  bool   `json:"several"` // whether it takes more than one value
	Required bool   `json:"required"`
	Default  string `json:"default,omitempty"`
	Help     string `json:"help"`
}

func viewTemplate(t template.Template) templateView {
	return templateView{t.Name, t.Help, list(t.Parameters, func(p template.Parameter) parameterView {
		return parameterView{p.Name, string(p.Kind), p.Several(), p.Default == "", p.Default, p.Help}
	})}
}

// Run lists the templates.
func (rulesetTemplatesCommand) Run(r *run) error {
	views := list(template.All(), viewTemplate)
	return r.print(views, func(w io.Writer) {
		for _, v := range views {
			row(w, v.Name+": "+v.Help)
			for _, p := range v.Parameters {
				row(w, "  "+p.Name, p.Kind, usual(p), p.Help)
			}
		}
	})
}

func usual(p parameterView) string {
	if p.Required {
		return "required"
	}
	return "default " + p.Default
}

type rulesetTemplateCommand struct {
	Name     string   `arg:"" help:"Name of the template; see ruleset templates."`
	Language string   `help:"Language of the rule set: ${enum}." enum:"cel,xacml" default:"cel"`
	Set      []string `help:"A parameter; repeat for several. Values are separated by commas; one that has a comma is put in double quotes." sep:"none" placeholder:"NAME=VALUE,…"`
}

// renderedView is the rule set of a template.
type renderedView struct {
	Template string `json:"template"`
	Language string `json:"language"`
	Timezone string `json:"timezone,omitempty"` // of XACML, which has none in its source
	Source   string `json:"source"`
}

// Run prints the source; what a policy has beside it goes to standard error.
func (c rulesetTemplateCommand) Run(r *run) error {
	form, ok := template.Find(c.Name)
	if !ok {
		return fmt.Errorf("there is no template %q; see anteroom ruleset templates", c.Name)
	}
	values, err := parseValues(c.Set)
	if err != nil {
		return err
	}
	set, err := form.Render(rules.Language(c.Language), values)
	var problems template.Problems
	switch {
	case errors.As(err, &problems):
		return fmt.Errorf("%w: template %s: %s", errUsage, c.Name, oneLine(problems.Error()))
	case err != nil:
		return fmt.Errorf("template %s: %w", c.Name, err)
	}
	return r.printText(renderedView{c.Name, c.Language, set.Timezone, set.Source}, func(w io.Writer) error {
		if set.Timezone != "" && set.Timezone != "UTC" {
			_, _ = fmt.Fprintf(r.env.Stderr, "a policy has no time zone in it: give the rule set timezone: %s\n", set.Timezone)
		}
		_, err := io.WriteString(w, set.Source)
		return err
	})
}

// parseValues reads NAME=VALUE,… as often as it is given.
func parseValues(set []string) (template.Values, error) {
	out := template.Values{}
	for _, s := range set {
		name, list, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: --set %s: must be NAME=VALUE", errUsage, s)
		}
		values, err := csv.NewReader(strings.NewReader(list)).Read()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: --set %s: values are separated by commas, and quotes stand around a whole value", errUsage, name)
		}
		out[name] = append(out[name], values...)
	}
	return out, nil
}
