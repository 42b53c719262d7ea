package mapping

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/anteroom-id/anteroom/sdk"
)

// Rule gives one attribute its value: from a profile field, or a constant.
type Rule struct {
	Attribute string
	Source    string
	Constant  any // used when Source is ""
}

// Problem is one thing wrong with a mapping.
type Problem struct {
	Attribute string
	Message   string
}

// Error names the attribute and what is wrong.
func (p *Problem) Error() string { return fmt.Sprintf("mapping: %s: %s", p.Attribute, p.Message) }

// Mapping is a checked set of rules.
type Mapping struct{ entries []entry }

type entry struct {
	attribute sdk.Attribute
	source    source
	constant  any // set when source.read is nil
}

// Compile checks rules against the attributes a connector declares; nil rules
// take the declared defaults. An owner attribute always holds the user's id. The
// error joins every [*Problem].
func Compile(rules []Rule, declared []sdk.Attribute) (*Mapping, error) {
	byName := make(map[string]sdk.Attribute, len(declared))
	for _, a := range declared {
		byName[a.Name] = a
	}
	m := &Mapping{}
	mapped := map[string]bool{}
	var problems []error
	for _, r := range Effective(rules, declared) {
		a, ok := byName[r.Attribute]
		e, message := compile(r, a)
		switch {
		case !ok:
			message = "the connector has no such attribute"
		case mapped[r.Attribute]:
			message = "mapped twice"
		}
		mapped[r.Attribute] = true
		if message != "" {
			problems = append(problems, &Problem{r.Attribute, message})
			continue
		}
		m.entries = append(m.entries, e)
	}
	problems = append(problems, unmapped(declared, mapped)...)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return m, nil
}

// Effective returns the rules as [Compile] understands them: the declared
// defaults if there are none, and the owner's.
func Effective(rules []Rule, declared []sdk.Attribute) []Rule {
	if rules == nil {
		rules = defaults(declared)
	}
	return withOwner(rules, declared)
}

func defaults(declared []sdk.Attribute) []Rule {
	var out []Rule
	for _, a := range declared {
		if a.Source != "" && !a.Owner {
			out = append(out, Rule{Attribute: a.Name, Source: a.Source})
		}
	}
	return out
}

// withOwner adds the rule for an owner attribute that has none.
func withOwner(rules []Rule, declared []sdk.Attribute) []Rule {
	out := append([]Rule(nil), rules...)
	for _, a := range declared {
		if a.Owner && !mentions(rules, a.Name) {
			out = append(out, Rule{Attribute: a.Name, Source: ownerSource})
		}
	}
	return out
}

func mentions(rules []Rule, attribute string) bool {
	for _, r := range rules {
		if r.Attribute == attribute {
			return true
		}
	}
	return false
}

func unmapped(declared []sdk.Attribute, mapped map[string]bool) []error {
	var out []error
	for _, a := range declared {
		if a.Required && !mapped[a.Name] {
			out = append(out, &Problem{a.Name, "the connector requires this attribute and nothing is mapped to it"})
		}
	}
	return out
}

// compile checks one rule; the message is "" when it is good.
func compile(r Rule, a sdk.Attribute) (entry, string) {
	switch {
	case a.Owner && r.Source != ownerSource:
		return entry{}, "marks whose account it is and must take " + ownerSource
	case r.Source != "" && r.Constant != nil:
		return entry{}, "has both a source and a constant"
	case r.Source != "":
		return compileSource(r.Source, a)
	case r.Constant == nil:
		return entry{}, "has neither a source nor a constant"
	default:
		return compileConstant(r.Constant, a)
	}
}

func compileSource(name string, a sdk.Attribute) (entry, string) {
	src, ok := findSource(name)
	switch {
	case !ok:
		return entry{}, fmt.Sprintf("unknown source %q", name)
	case src.untyped && a.Type == sdk.AttributeObject:
		return entry{}, fmt.Sprintf("source %q is text and cannot fill an object", name)
	case !src.untyped && src.typ != a.Type:
		return entry{}, fmt.Sprintf("source %q is a %s, the attribute a %s", name, src.typ, a.Type)
	case src.multi && !src.untyped && !a.MultiValued:
		return entry{}, fmt.Sprintf("source %q has several values, the attribute one", name)
	default:
		return entry{attribute: a, source: src}, ""
	}
}

func compileConstant(v any, a sdk.Attribute) (entry, string) {
	values, isList := v.([]any)
	if !isList {
		values = []any{v}
	}
	if isList && !a.MultiValued {
		return entry{}, "the constant is a list, the attribute has one value"
	}
	out := make([]any, 0, len(values))
	for _, v := range values {
		n, ok := normal(v)
		if !ok || typeOf(n) != a.Type {
			return entry{}, fmt.Sprintf("the constant is not a %s", a.Type)
		}
		out = append(out, n)
	}
	return entry{attribute: a, constant: shape(out, a)}, ""
}

// normal returns a value as encoding/json decodes it: configuration files also
// have integers.
func normal(v any) (any, bool) {
	switch n := v.(type) {
	case string, bool, map[string]any:
		return v, true
	case float64:
		return v, !math.IsNaN(n) && !math.IsInf(n, 0)
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	default:
		return nil, false
	}
}

func typeOf(v any) sdk.AttributeType {
	switch v.(type) {
	case string:
		return sdk.AttributeString
	case bool:
		return sdk.AttributeBool
	case float64:
		return sdk.AttributeNumber
	default:
		return sdk.AttributeObject
	}
}

// shape returns values as the attribute has them: a list, or the first; nil for
// none.
func shape(values []any, a sdk.Attribute) any {
	switch {
	case len(values) == 0:
		return nil
	case a.MultiValued:
		return values
	default:
		return values[0]
	}
}

// Apply returns the attributes the account of p should have. Every mapped
// attribute is there; nil says that it should have no value. The error is an
// [*sdk.Error] of kind invalid that names the attribute: a required one is
// empty, or a claim is not of its type.
func (m *Mapping) Apply(p Profile) (sdk.Attributes, error) {
	out := make(sdk.Attributes, len(m.entries))
	for _, e := range m.entries {
		v, err := e.value(p)
		if err != nil {
			return nil, err
		}
		if v == nil && e.attribute.Required {
			return nil, invalid(e.attribute.Name, "the user has no value for this required attribute")
		}
		out[e.attribute.Name] = v
	}
	return out, nil
}

func (e entry) value(p Profile) (any, error) {
	if e.source.read == nil {
		return e.constant, nil
	}
	values := e.source.read(p)
	if e.source.untyped {
		for i, v := range values {
			parsed, err := parse(v, e.attribute.Type)
			if err != nil {
				return nil, invalid(e.attribute.Name, "the user's value is not a "+string(e.attribute.Type))
			}
			values[i] = parsed
		}
	}
	return shape(values, e.attribute), nil
}

var errNotFinite = errors.New("not a finite number")

// parse reads a claim's text as the attribute's type.
func parse(v any, typ sdk.AttributeType) (any, error) {
	s, _ := v.(string)
	switch typ {
	case sdk.AttributeBool:
		return strconv.ParseBool(s)
	case sdk.AttributeNumber:
		f, err := strconv.ParseFloat(s, 64)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, errNotFinite
		}
		return f, err
	default:
		return s, nil
	}
}

func invalid(attribute, message string) error {
	return &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: attribute, Message: message}
}
