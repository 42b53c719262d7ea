package cel

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/source"
)

// Limits of a document.
const (
	MaxSource = 256 << 10 // bytes
	MaxRules  = 200
)

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
type reader struct{ *source.Reader }

// parse reads a source. Every problem is in the reader; the document is nil when
// there is nothing to go on with.
func parse(text string) (d *document, r *reader) {
	from := source.Read(text, MaxSource, func(from *source.Reader, body ast.Node) {
		d = (&reader{from}).document(body)
	})
	return d, &reader{from}
}

func (r *reader) document(body ast.Node) *document {
	d := &document{algorithm: rules.DenyOverrides, otherwise: rules.Deny, zone: time.UTC}
	var list ast.Node
	r.Fields(body, "a rule set", map[string]func(ast.Node){
		"combining":        func(n ast.Node) { d.algorithm = r.combining(n) },
		"default_decision": func(n ast.Node) { d.otherwise = r.effect(n) },
		"timezone":         func(n ast.Node) { d.zone = r.timezone(n) },
		"rules":            func(n ast.Node) { list = n },
	})
	if list == nil {
		if len(r.Problems) == 0 {
			r.Node(body, "rules: required")
		}
		return d
	}
	items := r.Items(list, "rules")
	if len(items) == 0 || len(items) > MaxRules {
		r.Node(list, "rules: must be a list of 1 to %d rules", MaxRules)
		return d
	}
	seen := map[string]bool{}
	for _, n := range items {
		d.rules = append(d.rules, r.rule(n, seen))
	}
	return d
}

func (r *reader) rule(n ast.Node, seen map[string]bool) *ruleSource {
	out := &ruleSource{at: r.Beginning(n)}
	given := r.Fields(n, "a rule", map[string]func(ast.Node){
		"id":          func(n ast.Node) { out.id = r.id(n, seen) },
		"effect":      func(n ast.Node) { out.effect = r.effect(n) },
		"operations":  func(n ast.Node) { out.operations = r.operations(n) },
		"when":        func(n ast.Node) { out.when = r.expression(n) },
		"obligations": func(n ast.Node) { out.obligations = r.obligations(n) },
	})
	for _, key := range []string{"id", "effect", "when"} {
		if given != nil && !slices.Contains(given, key) {
			r.Node(n, "%s: required", key)
		}
	}
	return out
}

func (r *reader) combining(n ast.Node) rules.Algorithm {
	a := rules.Algorithm(r.Text(n))
	switch a {
	case rules.DenyOverrides, rules.PermitOverrides, rules.FirstApplicable, rules.DenyUnlessPermit, rules.PermitUnlessDeny:
		return a
	}
	r.Node(n, "must be deny-overrides, permit-overrides, first-applicable, deny-unless-permit or permit-unless-deny")
	return rules.DenyOverrides
}

func (r *reader) effect(n ast.Node) rules.Decision {
	switch r.Text(n) {
	case "permit":
		return rules.Permit
	case "deny":
		return rules.Deny
	}
	r.Node(n, "must be permit or deny")
	return rules.Deny
}

func (r *reader) timezone(n ast.Node) *time.Location {
	name := r.Text(n)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // the machine's own zone would decide differently elsewhere
		r.Node(n, "must be the name of a time zone, such as Europe/Berlin")
		return time.UTC
	}
	return zone
}

func (r *reader) id(n ast.Node, seen map[string]bool) string {
	id := r.Text(n)
	switch {
	case id == "" || len(id) > 100 || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }):
		r.Node(n, "must be a text of 1 to 100 bytes")
	case seen[id]:
		r.Node(n, "%q names two rules", id)
	}
	seen[id] = true
	return id
}

func (r *reader) operations(n ast.Node) []rules.Operation {
	var out []rules.Operation
	for _, item := range r.Items(n, "operations") {
		op := rules.Operation(r.Text(item))
		switch {
		case op != rules.OperationCreate && op != rules.OperationUpdate:
			r.Node(item, "must be create or update: rules are not asked about anything else")
		case slices.Contains(out, op):
			r.Node(item, "%s is listed twice", op)
		}
		out = append(out, op)
	}
	if len(out) == 0 {
		r.Node(n, "must list create, update or both; leave it out for both")
	}
	return out
}

func (r *reader) expression(n ast.Node) placedText {
	e := placedText{text: r.Text(n), at: r.Start(n)}
	switch {
	case strings.TrimSpace(e.text) == "":
		r.Node(n, `must be a condition, in quotes; "true" for always`)
	case len(e.text) > expression.MaxText:
		r.Node(n, "is longer than %d bytes", expression.MaxText)
	default:
		e.places = align(r.Source, e.at, e.text)
		e.at = e.places[0]
	}
	return e
}

func (r *reader) obligations(n ast.Node) []rules.Obligation {
	var out []rules.Obligation
	for _, item := range r.Items(n, "obligations") {
		var o rules.Obligation
		given := r.Fields(item, "an obligation", map[string]func(ast.Node){
			"id":     func(n ast.Node) { o.ID = r.Text(n) },
			"values": func(n ast.Node) { o.Assignments = r.assignments(n) },
		})
		if given != nil && o.ID == "" {
			r.Node(item, "id: required")
		}
		out = append(out, o)
	}
	return out
}

// assignments takes a list for several values of one name.
func (r *reader) assignments(n ast.Node) []rules.Assignment {
	var out []rules.Assignment
	for _, entry := range r.Entries(n, "values") {
		values := []ast.Node{entry.Value}
		if list, ok := entry.Value.(*ast.SequenceNode); ok {
			values = list.Values
		}
		for _, v := range values {
			out = append(out, rules.Assignment{ID: r.Text(entry.Key), Type: "string", Value: r.Text(v)})
		}
	}
	return out
}
