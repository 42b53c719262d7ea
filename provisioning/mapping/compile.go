package mapping

import (
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"

	"github.com/anteroom-id/anteroom/sdk"
)

// Problem is one thing wrong with a mapping.
type Problem struct {
	Attribute string // or the table: "maps.roles"
	Message   string
}

// Error names the attribute and what is wrong.
func (p *Problem) Error() string { return fmt.Sprintf("mapping: %s: %s", p.Attribute, p.Message) }

// Mapping is a checked set of rules. It is immutable and safe for concurrent use.
type Mapping struct {
	entries []entry
	tables  map[string]ref.Val // by the name of the variable
}

// entry is a checked rule. A kept one has candidates, or is a UUID; any other reads.
type entry struct {
	rule       Rule
	attribute  sdk.Attribute
	when       When
	onNull     OnNull
	fallback   any
	read       func(s *subject) (any, error)
	candidates []program
}

// Compile checks rules against the attributes a connector declares; nil rules
// take the declared defaults. An owner attribute always holds the user's id. The
// error joins every [*Problem].
func Compile(rules []Rule, tables Tables, declared []sdk.Attribute) (*Mapping, error) {
	byName := make(map[string]sdk.Attribute, len(declared))
	for _, a := range declared {
		byName[a.Name] = a
	}
	c := compiler{tables: tables}
	m := &Mapping{}
	mapped := map[string]bool{}
	problems := tables.check()
	for _, r := range effective(rules, declared) {
		a, ok := byName[r.Attribute]
		e, message := entry{}, "the connector has no such attribute"
		if ok {
			e, message = c.rule(r, a)
		}
		if mapped[r.Attribute] {
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
	m.tables = tables.values(c.env)
	return m, nil
}

// effective returns the declared defaults if there are no rules, and adds the
// owner's.
func effective(rules []Rule, declared []sdk.Attribute) []Rule {
	out := append([]Rule(nil), rules...)
	for _, a := range declared {
		if a.Owner && !mentions(rules, a.Name) {
			out = append(out, Rule{Attribute: a.Name, Source: ownerSource})
		}
		if rules == nil && a.Source != "" && !a.Owner {
			out = append(out, Rule{Attribute: a.Name, Source: a.Source})
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

// compiler makes entries. The environment of expressions is there from the first one
// on.
type compiler struct {
	tables Tables
	env    *cel.Env
}

// rule checks one rule; the message is "" when it is good.
func (c *compiler) rule(r Rule, a sdk.Attribute) (entry, string) {
	if message := r.check(a); message != "" {
		return entry{}, message
	}
	if a.Owner && r.Source != ownerSource {
		return entry{}, "marks whose account it is and must take " + ownerSource
	}
	e := entry{rule: r, attribute: a, when: r.when(a), onNull: r.onNull(a)}
	message := c.value(&e)
	if message == "" && r.Default != nil {
		e.fallback, message = constant("default", r.Default, a)
	}
	return e, message
}

// value gives the entry what its value is made of.
func (c *compiler) value(e *entry) string {
	switch r := e.rule; {
	case r.Source != "":
		return compileSource(e)
	case r.Constant != nil:
		v, message := constant("constant", r.Constant, e.attribute)
		e.read = func(*subject) (any, error) { return v, nil }
		return message
	case r.Expression != "":
		return c.expression(e)
	case e.attribute.Type != sdk.AttributeString || e.attribute.MultiValued:
		return fmt.Sprintf("a %s value is one string, the attribute is not", r.Kinds()[0])
	case r.Unique != nil:
		return c.unique(e)
	}
	return "" // a UUID
}

func compileSource(e *entry) string {
	name, a := e.rule.Source, e.attribute
	src, ok := findSource(name)
	switch {
	case !ok:
		return fmt.Sprintf("unknown source %q", name)
	case src.untyped && a.Type == sdk.AttributeObject:
		return fmt.Sprintf("source %q is text and cannot fill an object", name)
	case !src.untyped && src.typ != a.Type:
		return fmt.Sprintf("source %q is a %s, the attribute a %s", name, src.typ, a.Type)
	case src.multi && !src.untyped && !a.MultiValued:
		return fmt.Sprintf("source %q has several values, the attribute one", name)
	}
	e.read = func(s *subject) (any, error) { return src.value(s.Profile, a) }
	return ""
}

// constant returns a value of the configuration as the attribute has it.
func constant(key string, v any, a sdk.Attribute) (any, string) {
	values, isList := v.([]any)
	if !isList {
		values = []any{v}
	}
	if isList && !a.MultiValued {
		return nil, "the " + key + " is a list, the attribute has one value"
	}
	out := make([]any, 0, len(values))
	for _, v := range values {
		n, ok := normal(v)
		if !ok || typeOf(n) != a.Type {
			return nil, fmt.Sprintf("the %s is not a %s", key, a.Type)
		}
		out = append(out, n)
	}
	return shape(out, a), ""
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
