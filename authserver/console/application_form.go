package console

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/anteroom-id/anteroom/authserver/console/form"
	"github.com/anteroom-id/anteroom/authserver/resources"
)

// The fields of an application's form that are in no document.
const (
	fieldDo      = "do"      // which button was pressed
	fieldRows    = "rows"    // how many bindings the form has
	fieldVersion = "version" // of the document that the form was drawn from
	fieldAdd     = "add"     // the target to add
	doUpdate     = "update"
	doAdd        = "add"
	doRemove     = "remove:" // and the row
)

// maxRows bounds the bindings of an application.
const maxRows = 200

// applicationPage is an application's form.
type applicationPage struct {
	Action   string
	Version  string
	Known    bool
	ClientID string
	// HasSecret is set for one that authenticates by a secret.
	HasSecret bool
	Sections  []form.Filled
	Bindings  []bindingRow
	// Targets are those that no binding is for yet.
	Targets []form.Option
	Problem string // of the form as a whole
	// Sentences say what each combination of the options does.
	Sentences map[string]string
}

// bindingRow is one binding of the form.
type bindingRow struct {
	Index    int
	Target   string
	Options  []form.Field
	Policies form.Filled
	Sentence string
	Problem  string
}

// fillApplication draws the form of a document.
func fillApplication(a resources.Application, known bool, names resources.Names, problems form.Problems) (applicationPage, error) {
	values, err := form.Values(a)
	if err != nil {
		return applicationPage{}, err
	}
	p := applicationPage{Action: pathApplications, Known: known, ClientID: a.ClientID, HasSecret: a.Secret != nil, Sections: form.Fill(applicationSections(known), values, problems), Sentences: sentences()}
	if known {
		p.Action = applicationURL(a.ClientID)
	}
	var bound []string
	if a.Outbound != nil {
		for i, b := range *a.Outbound {
			bound = append(bound, b.Target)
			p.Bindings = append(p.Bindings, fillBinding(i, b, names, values, problems))
		}
	}
	for _, t := range names.Targets {
		if !slices.Contains(bound, t) {
			p.Targets = append(p.Targets, form.Option{Value: t, Label: t})
		}
	}
	if p.Problem = problems[""]; p.Problem == "" && len(problems) > 0 {
		p.Problem = "Nothing was stored yet: see what is marked below."
	}
	return p, nil
}

func fillBinding(i int, b resources.Binding, names resources.Names, values url.Values, problems form.Problems) bindingRow {
	filled := form.Fill([]form.Section{
		{Inputs: bindingInputs(i)}, {Title: "Rules and policies", Folded: true, Inputs: policyInputs(i, names)},
	}, values, problems)
	return bindingRow{
		Index: i, Target: b.Target, Options: filled[0].Fields, Policies: filled[1], Sentence: b.Explain(), Problem: problems.At(bindingPath(i, "target")),
	}
}

// readApplication makes a document of what was sent for the one that is there.
func readApplication(current resources.Application, known bool, names resources.Names, sent url.Values) (resources.Application, form.Problems, error) {
	inputs := allInputs(applicationSections(known))
	current.Outbound = nil // as sent, row by row
	rows := rowsOf(sent)
	for i := range rows {
		inputs = append(inputs, form.Input{Path: bindingPath(i, "target"), Kind: form.Text, Required: true})
		inputs = append(inputs, bindingInputs(i)...)
		inputs = append(inputs, policyInputs(i, names)...)
	}
	var out resources.Application
	problems, err := form.Update(current, inputs, sent, &out)
	if out.Outbound == nil {
		out.Outbound = &[]resources.Binding{}
	}
	return out, problems, err
}

// rowsOf returns how many bindings were sent.
func rowsOf(sent url.Values) int {
	n, err := strconv.Atoi(sent.Get(fieldRows))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, maxRows)
}

// addBinding adds one for the target, unless there is one.
func addBinding(a *resources.Application, target string) {
	if target == "" || slices.ContainsFunc(*a.Outbound, func(b resources.Binding) bool { return b.Target == target }) {
		return
	}
	jit := true
	*a.Outbound = append(*a.Outbound, resources.Binding{Target: target, JITOutbound: &jit})
}

// removeBinding takes the row out.
func removeBinding(a *resources.Application, row string) {
	if i, err := strconv.Atoi(row); err == nil && i >= 0 && i < len(*a.Outbound) {
		*a.Outbound = slices.Delete(*a.Outbound, i, i+1)
	}
}

// sentences are what the eight combinations do, by the options in order: "101" is
// Blocking and JIT Outbound.
func sentences() map[string]string {
	out := map[string]string{}
	for i := range 8 {
		blocking, rules, jit := i&4 != 0, i&2 != 0, i&1 != 0
		out[strconv.Itoa(i>>2)+strconv.Itoa(i>>1&1)+strconv.Itoa(i&1)] = resources.Binding{Blocking: blocking, EnableRules: rules, JITOutbound: &jit}.Explain()
	}
	return out
}
