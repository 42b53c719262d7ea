package mapping

import (
	"errors"

	"github.com/anteroom-id/anteroom/sdk"
)

// Phase is what the attributes are for.
type Phase string

// The phases.
const (
	ForCreate Phase = "create" // all but those that are made once: see [Mapping.Kept]
	ForUpdate Phase = "update" // those that a later write may change
	ForLookup Phase = "lookup" // the correlation keys, before it is known whether there is an account
)

// in reports whether the entry has a value in a phase.
func (e entry) in(p Phase) bool {
	switch {
	case e.rule.kept():
		return false
	case p == ForCreate:
		return e.when != OnUpdate
	case p == ForUpdate:
		return e.when != OnCreate
	default:
		return e.attribute.Correlate > 0 && e.when != OnUpdate
	}
}

// Apply returns the attributes that the account of p should have in a phase. Every
// attribute that is to be set or removed is there; nil says that it should have no
// value. The error is an [*sdk.Error] of kind invalid that names the attribute: a
// required one is empty, a claim is not of its type, or an expression fails.
func (m *Mapping) Apply(p Profile, phase Phase) (sdk.Attributes, error) {
	s := m.subject(p)
	out := make(sdk.Attributes, len(m.entries))
	for _, e := range m.entries {
		if !e.in(phase) {
			continue
		}
		v, sent, err := e.value(s)
		if err != nil {
			return nil, err
		}
		if sent {
			out[e.attribute.Name] = v
		}
	}
	return out, nil
}

// value returns the attribute's value, and whether it is sent at all.
func (e entry) value(s *subject) (v any, sent bool, err error) {
	v, err = e.read(s)
	switch {
	case err != nil && e.rule.OnError == ErrorOmit:
		return nil, false, nil
	case err != nil:
		return nil, false, e.failed(err)
	case v != nil:
		return v, true, nil
	}
	switch e.onNull {
	case NullFail:
		return nil, false, e.failed(errors.New("the user has no value for this " + e.required() + "attribute"))
	case NullDefault:
		return e.fallback, true, nil
	}
	return nil, e.onNull == NullClear, nil
}

func (e entry) required() string {
	if e.attribute.Required {
		return "required "
	}
	return ""
}

func (e entry) failed(err error) error {
	return &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: e.attribute.Name, Message: err.Error()}
}

// Kept returns the attributes that get a value when the account is made, and keep it.
func (m *Mapping) Kept() []Kept {
	var out []Kept
	for _, e := range m.entries {
		if e.rule.kept() {
			out = append(out, Kept{Attribute: e.attribute, UUID: e.rule.UUID})
		}
	}
	return out
}

// Kept is an attribute whose value is made once: a UUID, or unique in the target.
type Kept struct {
	Attribute sdk.Attribute
	UUID      bool
}

// OnlyUpdated returns the names of attributes that are not sent when an account is
// made.
func (m *Mapping) OnlyUpdated() []string {
	var out []string
	for _, e := range m.entries {
		if e.when == OnUpdate {
			out = append(out, e.attribute.Name)
		}
	}
	return out
}

// Shown is one attribute of a mapping, for who looks at it.
type Shown struct {
	Rule      Rule
	Attribute sdk.Attribute
	When      When
	Value     any
	Err       error // why there is no value
}

// Rules returns the rules as they are understood, in order: with the declared
// defaults and the owner's.
func (m *Mapping) Rules() []Shown {
	out := make([]Shown, len(m.entries))
	for i, e := range m.entries {
		out[i] = Shown{Rule: e.rule, Attribute: e.attribute, When: e.when}
	}
	return out
}

// Preview is Rules with the values that p gives; a value that is made once is not
// there.
func (m *Mapping) Preview(p Profile) []Shown {
	s, out := m.subject(p), m.Rules()
	for i, e := range m.entries {
		if !e.rule.kept() {
			out[i].Value, _, out[i].Err = e.value(s)
		}
	}
	return out
}
