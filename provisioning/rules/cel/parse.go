package cel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Limits of a document.
const (
	MaxSource   = 256 << 10 // bytes
	MaxRules    = 200
	maxNesting  = 32
	maxTokens   = 20_000
	maxProblems = 50
)

// Problems is everything wrong with a document, in the order of the source.
type Problems []*rules.Error

// Unwrap returns each problem.
func (p Problems) Unwrap() []error {
	out := make([]error, 0, len(p))
	for _, e := range p {
		out = append(out, e)
	}
	return out
}

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// document is what the YAML says, before any expression is compiled.
type document struct {
	algorithm rules.Algorithm
	otherwise rules.Decision
	zone      *time.Location
	rules     []*ruleSource
}

type ruleSource struct {
	at          int // its first byte in the source
	id          string
	effect      rules.Decision
	operations  []rules.Operation
	when        placedText
	obligations []rules.Obligation
}

// reader turns a syntax tree into a document and collects what is wrong.
type reader struct {
	src      string
	problems Problems
}

// parse reads a source. Every problem is in the reader; the document is nil when
// there is nothing to go on with.
func parse(source string) (d *document, r *reader) {
	r = &reader{src: strings.ReplaceAll(source, "\r\n", "\n")}
	defer func() {
		if recover() != nil { // of the YAML library: a source must not stop the server
			d = nil
			r.at(0, "cannot be read as YAML")
		}
	}()
	if text := unfit(r.src); text != "" {
		r.at(0, "%s", text)
		return nil, r
	}
	if !r.guard() {
		return nil, r
	}
	file, err := parser.ParseBytes([]byte(r.src), 0)
	if err != nil {
		r.syntax(err)
		return nil, r
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.at(0, "must be one document with rules")
		return nil, r
	}
	return r.document(file.Docs[0].Body), r
}

// unfit says why a source is not even parsed.
func unfit(src string) string {
	switch {
	case len(src) > MaxSource:
		return fmt.Sprintf("is larger than %d KiB", MaxSource>>10)
	case !utf8.ValidString(src) || strings.ContainsRune(src, 0):
		return "is not UTF-8 text"
	}
	return ""
}

// guard looks at the tokens first. The parser of the library recurses, and needs a
// time that grows with the square of the nesting; and what makes a document mean
// something else than it shows is not for rule sets.
func (r *reader) guard() bool {
	tokens := lexer.Tokenize(r.src)
	if len(tokens) > maxTokens {
		r.at(0, "has more than %d words and signs", maxTokens)
		return false
	}
	depth, opened, line := 0, 0, 0 // opened: entries one within the other on a line
	for _, t := range tokens {
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType, token.DirectiveType:
			r.at(r.offset(line, t.Position.Column), "anchors, aliases, tags, merges, explicit keys and directives are not allowed")
			return false
		case token.SequenceStartType, token.MappingStartType:
			depth, opened = depth+1, 0
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.CollectEntryType:
			opened = 0
		case token.SequenceEntryType, token.MappingValueType:
			opened++
		}
		if max(depth, opened) > maxNesting {
			r.at(r.offset(line, t.Position.Column), "is nested too deeply")
			return false
		}
	}
	return true
}

func (r *reader) syntax(err error) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		r.at(r.offset(p.Line, p.Column), "%s", e.GetMessage())
		return
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	r.at(0, "%s", line)
}

func (r *reader) document(body ast.Node) *document {
	d := &document{algorithm: rules.DenyOverrides, otherwise: rules.Deny, zone: time.UTC}
	var list ast.Node
	r.fields(body, "a rule set", map[string]func(ast.Node){
		"combining":        func(n ast.Node) { d.algorithm = r.combining(n) },
		"default_decision": func(n ast.Node) { d.otherwise = r.effect(n) },
		"timezone":         func(n ast.Node) { d.zone = r.timezone(n) },
		"rules":            func(n ast.Node) { list = n },
	})
	if list == nil {
		if len(r.problems) == 0 {
			r.node(body, "rules: required")
		}
		return d
	}
	items := r.items(list, "rules")
	if len(items) == 0 || len(items) > MaxRules {
		r.node(list, "rules: must be a list of 1 to %d rules", MaxRules)
		return d
	}
	seen := map[string]bool{}
	for _, n := range items {
		d.rules = append(d.rules, r.rule(n, seen))
	}
	return d
}

func (r *reader) rule(n ast.Node, seen map[string]bool) *ruleSource {
	out := &ruleSource{at: r.beginning(n)}
	given := r.fields(n, "a rule", map[string]func(ast.Node){
		"id":          func(n ast.Node) { out.id = r.id(n, seen) },
		"effect":      func(n ast.Node) { out.effect = r.effect(n) },
		"operations":  func(n ast.Node) { out.operations = r.operations(n) },
		"when":        func(n ast.Node) { out.when = r.expression(n) },
		"obligations": func(n ast.Node) { out.obligations = r.obligations(n) },
	})
	for _, key := range []string{"id", "effect", "when"} {
		if given != nil && !slices.Contains(given, key) {
			r.node(n, "%s: required", key)
		}
	}
	return out
}

func (r *reader) combining(n ast.Node) rules.Algorithm {
	a := rules.Algorithm(r.text(n))
	switch a {
	case rules.DenyOverrides, rules.PermitOverrides, rules.FirstApplicable, rules.DenyUnlessPermit, rules.PermitUnlessDeny:
		return a
	}
	r.node(n, "must be deny-overrides, permit-overrides, first-applicable, deny-unless-permit or permit-unless-deny")
	return rules.DenyOverrides
}

func (r *reader) effect(n ast.Node) rules.Decision {
	switch r.text(n) {
	case "permit":
		return rules.Permit
	case "deny":
		return rules.Deny
	}
	r.node(n, "must be permit or deny")
	return rules.Deny
}

func (r *reader) timezone(n ast.Node) *time.Location {
	name := r.text(n)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // the machine's own zone would decide differently elsewhere
		r.node(n, "must be the name of a time zone, such as Europe/Berlin")
		return time.UTC
	}
	return zone
}

func (r *reader) id(n ast.Node, seen map[string]bool) string {
	id := r.text(n)
	switch {
	case id == "" || len(id) > 100 || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }):
		r.node(n, "must be a text of 1 to 100 bytes")
	case seen[id]:
		r.node(n, "%q names two rules", id)
	}
	seen[id] = true
	return id
}

func (r *reader) operations(n ast.Node) []rules.Operation {
	var out []rules.Operation
	for _, item := range r.items(n, "operations") {
		op := rules.Operation(r.text(item))
		switch {
		case op != rules.OperationCreate && op != rules.OperationUpdate:
			r.node(item, "must be create or update: rules are not asked about anything else")
		case slices.Contains(out, op):
			r.node(item, "%s is listed twice", op)
		}
		out = append(out, op)
	}
	if len(out) == 0 {
		r.node(n, "must list create, update or both; leave it out for both")
	}
	return out
}

func (r *reader) expression(n ast.Node) placedText {
	e := placedText{text: r.text(n), at: r.start(n)}
	switch {
	case strings.TrimSpace(e.text) == "":
		r.node(n, `must be a condition, in quotes; "true" for always`)
	case len(e.text) > expression.MaxText:
		r.node(n, "is longer than %d bytes", expression.MaxText)
	default:
		e.places = align(r.src, e.at, e.text)
		e.at = e.places[0]
	}
	return e
}

func (r *reader) obligations(n ast.Node) []rules.Obligation {
	var out []rules.Obligation
	for _, item := range r.items(n, "obligations") {
		var o rules.Obligation
		given := r.fields(item, "an obligation", map[string]func(ast.Node){
			"id":     func(n ast.Node) { o.ID = r.text(n) },
			"values": func(n ast.Node) { o.Assignments = r.assignments(n) },
		})
		if given != nil && o.ID == "" {
			r.node(item, "id: required")
		}
		out = append(out, o)
	}
	return out
}

// assignments takes a list for several values of one name.
func (r *reader) assignments(n ast.Node) []rules.Assignment {
	var out []rules.Assignment
	for _, entry := range r.entries(n, "values") {
		values := []ast.Node{entry.Value}
		if list, ok := entry.Value.(*ast.SequenceNode); ok {
			values = list.Values
		}
		for _, v := range values {
			out = append(out, rules.Assignment{ID: r.text(entry.Key), Type: "string", Value: r.text(v)})
		}
	}
	return out
}
