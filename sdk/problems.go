package sdk

import "fmt"

// Problems returns what is wrong with a description: names that are missing or
// taken, and tags, conditions or attributes that contradict each other. [Define]
// panics for the same reasons; this is for who reads the description of a
// connector in another language. Types that are not known here are no problem: a
// later version may have added them.
func (d Description) Problems() []Problem {
	var problems []Problem
	report := func(field, message string) {
		if message != "" {
			problems = append(problems, Problem{Field: field, Message: message})
		}
	}
	if !connectorName.MatchString(d.Name) {
		report("name", fmt.Sprintf("%q is no name: use lower-case letters, digits, - and _, starting with a letter", d.Name))
	}
	if !semanticVersion.MatchString(d.Version) {
		report("version", fmt.Sprintf("%q is no semantic version such as 1.2.3", d.Version))
	}
	seen := map[string]bool{}
	for i, f := range d.Config {
		switch {
		case f.Name == "":
			report("config", "a field has no name")
		case seen[f.Name]:
			report("config", fmt.Sprintf("field %q is declared twice", f.Name))
		case !f.Type.known():
		default:
			report("config", about(f.Name, contradiction(f)))
			report("config", about(f.Name, f.When.contradiction(d.Config[:i])))
		}
		seen[f.Name] = true
	}
	return append(problems, d.attributeProblems(false)...)
}

func about(field, wrong string) string {
	if wrong == "" {
		return ""
	}
	return fmt.Sprintf("field %q: %s", field, wrong)
}

// attributeProblems returns what is wrong with the attributes; strict counts a
// type that is not known.
func (d Description) attributeProblems(strict bool) []Problem {
	var problems []Problem
	names, ranks, owner := map[string]bool{}, map[int]string{}, ""
	for _, a := range d.Attributes {
		wrong := ""
		switch {
		case a.Name == "":
			wrong = "an attribute has no name"
		case names[a.Name]:
			wrong = fmt.Sprintf("attribute %q is declared twice", a.Name)
		case strict && !a.Type.known():
			wrong = fmt.Sprintf("attribute %q has the unknown type %q", a.Name, a.Type)
		case a.Correlate < 0 || a.Correlate > 1000:
			wrong = fmt.Sprintf("attribute %q: Correlate %d is not between 0 and 1000", a.Name, a.Correlate)
		case a.Correlate > 0 && ranks[a.Correlate] != "":
			wrong = fmt.Sprintf("attributes %q and %q have the same Correlate", ranks[a.Correlate], a.Name)
		case a.Owner && owner != "":
			wrong = fmt.Sprintf("attributes %q and %q are both Owner", owner, a.Name)
		}
		if wrong != "" {
			problems = append(problems, Problem{Field: "attributes", Message: wrong})
		}
		names[a.Name], ranks[a.Correlate] = true, a.Name
		if a.Owner {
			owner = a.Name
		}
	}
	return problems
}
