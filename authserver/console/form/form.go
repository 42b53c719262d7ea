package form

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind is how an input is filled in.
type Kind string

// The kinds of inputs.
const (
	Text    Kind = "text"
	Number  Kind = "number"  // a whole number
	Lines   Kind = "lines"   // a list of texts, one a line
	Area    Kind = "area"    // a text of several lines
	Check   Kind = "check"   // true or false
	Choice  Kind = "choice"  // one of Options
	Several Kind = "several" // any of Options, a list
	Secret  Kind = "secret"  // never shown; left empty, it stays as it is
)

// Option is what can be chosen.
type Option struct{ Value, Label string }

// Input is one thing that can be filled in.
type Input struct {
	Path     string // in the document, such as "outbound_provisioning[0].timeout"
	Label    string
	Hint     string
	Kind     Kind
	Options  []Option // of a Choice or Several
	Required bool
	Fixed    bool // shown, and not to be changed
	// Inverted is for a check whose document says the opposite, as "enabled" is of
	// "disabled".
	Inverted bool
}

// Section is a part of a form.
type Section struct {
	Title, Lead string
	Folded      bool // shown when asked for
	Inputs      []Input
}

// Problems are texts by path.
type Problems map[string]string

// At returns the problem at the path, or beneath it: that of a list's element is
// shown where the list is.
func (p Problems) At(path string) string {
	if text, ok := p[path]; ok {
		return text
	}
	var beneath []string
	for at, text := range p {
		if rest, ok := strings.CutPrefix(at, path); ok && (rest[0] == '[' || rest[0] == '.') {
			beneath = append(beneath, placeOf(rest)+": "+text)
		}
	}
	slices.Sort(beneath)
	return strings.Join(beneath, "; ")
}

// placeOf says where beneath an input a problem is: elements of a list are lines.
func placeOf(rest string) string {
	index, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
	n, err := strconv.Atoi(index)
	if !ok || err != nil || after != "" {
		return strings.TrimPrefix(rest, ".")
	}
	return "line " + strconv.Itoa(n+1)
}

// Field is an input with what is in it.
type Field struct {
	Input
	ID      string
	Value   string
	Values  []string // of Several
	Problem string
}

// Checked reports whether a Check is set.
func (f Field) Checked() bool { return (f.Value == "true") != f.Inverted }

// Chosen reports whether the option is.
func (f Field) Chosen(option string) bool {
	if f.Kind == Several {
		return slices.Contains(f.Values, option)
	}
	return f.Value == option
}

// Filled is a section with what is in its inputs.
type Filled struct {
	Section
	Fields []Field
	// Open is set when it is to be seen at once.
	Open bool
}

// Fill puts values and problems into sections. A folded one is open when there is a
// problem in it.
func Fill(sections []Section, values url.Values, problems Problems) []Filled {
	out := make([]Filled, len(sections))
	for i, s := range sections {
		out[i] = Filled{Section: s, Open: !s.Folded}
		for _, in := range s.Inputs {
			f := fill(in, values, problems)
			out[i].Open = out[i].Open || f.Problem != ""
			out[i].Fields = append(out[i].Fields, f)
		}
	}
	return out
}

var notID = regexp.MustCompile(`[^A-Za-z0-9_]+`)

func fill(in Input, values url.Values, problems Problems) Field {
	f := Field{Input: in, ID: "f-" + strings.Trim(notID.ReplaceAllString(in.Path, "-"), "-"), Problem: problems.At(in.Path)}
	if in.Kind == Secret {
		return f
	}
	f.Values = values[in.Path]
	f.Value = strings.Join(f.Values, "\n")
	if in.Kind == Choice && !slices.ContainsFunc(in.Options, func(o Option) bool { return o.Value == f.Value }) {
		f.Options = append(slices.Clone(in.Options), Option{Value: f.Value, Label: f.Value}) // a default that is written out, say
	}
	return f
}
