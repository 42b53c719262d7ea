package sdk

import (
	"cmp"
	"slices"
)

// Description is what a connector says of itself without configuration: it is
// pure, and the host caches it by the binary's digest.
type Description struct {
	Name         string       `json:"name"`    // the kind of system: "scim2", "ldap"
	Version      string       `json:"version"` // semantic version of the connector
	DisplayName  string       `json:"display_name"`
	Capabilities []Capability `json:"capabilities,omitempty"`
	Config       []Field      `json:"config,omitempty"`
	Attributes   []Attribute  `json:"attributes,omitempty"`
}

// Has reports whether the connector declares the capability.
func (d Description) Has(c Capability) bool {
	for _, have := range d.Capabilities {
		if have == c {
			return true
		}
	}
	return false
}

// Form returns the configuration fields as a form shows them: by Order, and the
// fields of one group together, where its first field stands.
func (d Description) Form() []Field {
	form := slices.Clone(d.Config)
	slices.SortStableFunc(form, func(a, b Field) int { return cmp.Compare(a.Order, b.Order) })
	first := map[string]int{}
	for i, f := range form {
		if _, seen := first[f.Group]; !seen {
			first[f.Group] = i
		}
	}
	slices.SortStableFunc(form, func(a, b Field) int { return cmp.Compare(first[a.Group], first[b.Group]) })
	return form
}

// Capability names an optional verb. Unknown ones are ignored by both sides.
type Capability string

// The optional verbs, each derived from an interface of the Target.
const (
	CapabilityGet       Capability = "get"
	CapabilitySetActive Capability = "set_active"
	CapabilityDelete    Capability = "delete"
	CapabilityList      Capability = "list"
	CapabilitySetGroups Capability = "set_groups"
	CapabilityCheck     Capability = "check"
)

// FieldType is the type of a configuration field.
type FieldType string

// The types a configuration field may have.
const (
	FieldString   FieldType = "string"
	FieldBool     FieldType = "bool"
	FieldInt      FieldType = "int"
	FieldDuration FieldType = "duration" // a Go duration such as "5s"
	FieldStrings  FieldType = "strings"
)

func (t FieldType) known() bool {
	switch t {
	case FieldString, FieldBool, FieldInt, FieldDuration, FieldStrings:
		return true
	}
	return false
}

// Field is one configuration field. It drives validation, the console's form
// and the documentation.
type Field struct {
	Name     string    `json:"name"`
	Type     FieldType `json:"type"`
	Help     string    `json:"help,omitempty"`
	Default  string    `json:"default,omitempty"` // in text form, "" for none
	Enum     []string  `json:"enum,omitempty"`
	Required bool      `json:"required,omitempty"`
	Secret   bool      `json:"secret,omitempty"` // given by reference, encrypted at rest, never returned
	// Order is where the field stands in a form: ascending, and as declared where
	// it is equal.
	Order int `json:"order,omitempty"`
	// Group is the heading the field stands under, "" for none.
	Group string `json:"group,omitempty"`
	// When says when the field applies. Where it does not hold, the field is not
	// shown, not required, and its value is not used.
	When Condition `json:"when,omitzero"`
}

// Attribute is one attribute an account of this kind can carry.
type Attribute struct {
	Name        string        `json:"name"`
	Type        AttributeType `json:"type"`
	Required    bool          `json:"required,omitempty"` // Create fails without it
	MultiValued bool          `json:"multi_valued,omitempty"`
	CreateOnly  bool          `json:"create_only,omitempty"` // Update never sends it
	CaseExact   bool          `json:"case_exact,omitempty"`  // values that differ in case are different values
	// Correlate > 0 makes the attribute a key for Lookup; keys are tried in
	// ascending order.
	Correlate int `json:"correlate,omitempty"`
	// Owner marks the attribute that holds Anteroom's immutable user id. An
	// account where it is empty is unclaimed; with another value it is somebody
	// else's.
	Owner bool `json:"owner,omitempty"`
	// Source is the default mapping: the profile field this attribute takes,
	// such as "user.email". "" leaves it unmapped.
	Source string `json:"source,omitempty"`
	// Secret marks values that are not shown to whoever looks at an account or tries
	// a mapping: a national id, a salary.
	Secret bool   `json:"secret,omitempty"`
	Help   string `json:"help,omitempty"`
}

// AttributeType is the type of an attribute's value (of each value, when
// multi-valued).
type AttributeType string

// The types an attribute may have.
const (
	AttributeString AttributeType = "string"
	AttributeBool   AttributeType = "bool"
	AttributeNumber AttributeType = "number"
	AttributeObject AttributeType = "object"
)

func (t AttributeType) known() bool {
	switch t {
	case AttributeString, AttributeBool, AttributeNumber, AttributeObject:
		return true
	}
	return false
}
