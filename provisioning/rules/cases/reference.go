package cases

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/source"
	"github.com/anteroom-id/anteroom/provisioning/rules/template"
)

// Reference is a rule set as a file of cases names it: by its name where rule sets are
// kept, by a file, by its source, or by a template. Exactly one of these is set.
type Reference struct {
	Name     string
	File     string
	Source   string
	Template string
	Answers  template.Values // to the parameters of the template
	// Policies are files of further XACML documents.
	Policies []string
	// Set has the choices beside the source.
	Set rules.RuleSet

	line, column int
}

// Library has what files of cases refer to. Errors are handed on.
type Library interface {
	// File returns the text of a file, which is named from where the file of cases is.
	File(name string) (string, error)
	// Kept returns the current revision of a rule set that is kept.
	Kept(name string) (rules.RuleSet, error)
}

// Load returns the rule set.
func (f *Reference) Load(from Library) (set rules.RuleSet, err error) {
	if f.Name != "" {
		return from.Kept(f.Name)
	}
	if set, err = f.load(from); err != nil {
		return set, err
	}
	for _, name := range f.Policies {
		text, err := from.File(name)
		if err != nil {
			return set, err
		}
		set.Policies = append(set.Policies, text)
	}
	return set, nil
}

func (f *Reference) load(from Library) (rules.RuleSet, error) {
	set := f.Set
	if set.Language == "" {
		set.Language = LanguageOf(f.File)
	}
	var err error
	switch {
	case f.Template != "":
		return f.render(set)
	case f.File != "":
		set.Source, err = from.File(f.File)
	default:
		set.Source = f.Source
	}
	return set, err
}

func (f *Reference) render(set rules.RuleSet) (rules.RuleSet, error) {
	form, ok := template.Find(f.Template)
	if !ok {
		return set, f.problem("there is no template %q", f.Template)
	}
	made, err := form.Render(set.Language, f.Answers)
	if err != nil {
		return set, f.problem("template %s: %s", f.Template, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	set.Source = made.Source
	if made.Timezone != "" {
		set.Timezone = made.Timezone
	}
	return set, nil
}

func (f *Reference) problem(format string, args ...any) error {
	return rules.Problems{{Line: f.line, Column: f.column, Text: "rule_set: " + fmt.Sprintf(format, args...)}}
}

// LanguageOf returns the language of a file by its name: XACML of one that ends in
// .xml.
func LanguageOf(name string) rules.Language {
	if strings.EqualFold(path.Ext(name), ".xml") {
		return rules.LanguageXACML
	}
	return rules.LanguageCEL
}

// reference takes a text for the name of a file.
func (r *reader) reference(n ast.Node) *Reference {
	out := &Reference{}
	out.line, out.column = source.Position(r.Source, r.Beginning(n))
	if text(n) {
		if out.File = r.Text(n); out.File == "" {
			r.Node(n, "must name a file")
		}
		return out
	}
	given := r.Fields(n, "a rule set", map[string]func(ast.Node){
		"name":             r.into(&out.Name),
		"file":             r.into(&out.File),
		"source":           r.into(&out.Source),
		"template":         r.into(&out.Template),
		"parameters":       func(n ast.Node) { out.Answers = r.claims(n) },
		"policies":         func(n ast.Node) { out.Policies = r.Texts(n, "policies") },
		"language":         func(n ast.Node) { out.Set.Language = r.language(n) },
		"default_decision": func(n ast.Node) { out.Set.DefaultDecision = rules.DefaultDecision(r.Text(n)) },
		"timezone":         r.into(&out.Set.Timezone),
		"compat":           func(n ast.Node) { out.Set.WSO2 = r.compat(n) },
	})
	ways := 0
	for _, s := range []string{out.Name, out.File, out.Source, out.Template} {
		if s != "" {
			ways++
		}
	}
	if given != nil && ways != 1 {
		r.At(r.Beginning(n), "rule_set: give one of name, file, source and template")
	}
	if out.Name != "" && len(given) > 1 {
		r.At(r.Beginning(n), "rule_set: one that is kept has everything else itself")
	}
	if slices.Contains(given, "parameters") && out.Template == "" {
		r.At(r.Beginning(n), "rule_set: parameters are of a template")
	}
	return out
}

func (r *reader) language(n ast.Node) rules.Language {
	l := rules.Language(r.Text(n))
	if l != rules.LanguageCEL && l != rules.LanguageXACML {
		r.Node(n, "must be cel or xacml")
	}
	return l
}

// compat is none or that of WSO2.
func (r *reader) compat(n ast.Node) bool {
	if r.Text(n) != "wso2" {
		r.Node(n, "must be wso2, or left out")
	}
	return true
}
