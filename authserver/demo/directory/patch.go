package directory

import (
	"maps"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"
	parser "github.com/scim2/filter-parser/v2"
)

// apply makes one PATCH operation, which the protocol library has checked
// against the schema, in the attributes (RFC 7644, 3.5.2). Extensions are not
// kept here, so paths with a schema are not found.
func apply(attributes map[string]any, op scim.PatchOperation) error {
	if op.Path == nil {
		values, _ := op.Value.(map[string]any)
		for name, value := range values {
			set(attributes, name, value, op.Op)
		}
		return nil
	}
	name := keyOf(attributes, op.Path.AttributePath.AttributeName)
	sub := op.Path.SubAttributeName()
	if sub == "" {
		sub = op.Path.AttributePath.SubAttributeName()
	}
	switch {
	case op.Path.ValueExpression != nil:
		return applyToEntries(attributes, name, sub, op)
	case sub != "":
		parent, _ := attributes[name].(map[string]any)
		if parent = maps.Clone(parent); parent == nil {
			parent = map[string]any{}
		}
		set(parent, sub, op.Value, op.Op)
		attributes[name] = parent
	default:
		set(attributes, name, op.Value, op.Op)
	}
	return nil
}

// set writes or removes one member. Adding to a list appends; adding a complex
// value merges.
func set(m map[string]any, name string, value any, op string) {
	name = keyOf(m, name)
	before := m[name]
	switch {
	case op == scim.PatchOperationRemove:
		delete(m, name)
	case op == scim.PatchOperationAdd && isList(before) && isList(value):
		m[name] = append(slices.Clone(before.([]any)), value.([]any)...)
	case isObject(before) && isObject(value):
		merged := maps.Clone(before.(map[string]any))
		maps.Copy(merged, value.(map[string]any))
		m[name] = merged
	default:
		m[name] = value
	}
}

// applyToEntries works on the entries of a list that match the path's filter.
// None is noTarget, as RFC 7644, 3.5.2.3 wants it.
func applyToEntries(attributes map[string]any, name, sub string, op scim.PatchOperation) error {
	list, _ := attributes[name].([]any)
	matching, err := matcher(name, op.Path.ValueExpression)
	if err != nil {
		return err
	}
	var next []any
	found := false
	for _, element := range list {
		entry, ok := element.(map[string]any)
		if !ok || !matching(entry) {
			next = append(next, element)
			continue
		}
		found = true
		switch {
		case sub != "":
			entry = maps.Clone(entry)
			set(entry, sub, op.Value, op.Op)
			next = append(next, entry)
		case op.Op != scim.PatchOperationRemove:
			next = append(next, op.Value)
		}
	}
	if !found {
		return errors.ScimErrorNoTarget
	}
	attributes[name] = next
	return nil
}

// matcher returns the filter of a value path as a function.
func matcher(name string, expression parser.Expression) (func(map[string]any) bool, error) {
	attribute, ok := schema.CoreUserSchema().Attributes.ContainsAttribute(name)
	if !ok {
		attribute, ok = schema.CoreGroupSchema().Attributes.ContainsAttribute(name)
	}
	if !ok {
		return nil, errors.ScimErrorInvalidPath
	}
	entries := schema.Schema{Attributes: filter.MultiValuedFilterAttributes(attribute)}
	v := filter.NewFilterValidator(expression, entries)
	return func(entry map[string]any) bool { return v.PassesFilter(entry) == nil }, nil
}

// keyOf returns name as m spells it: names have no case (RFC 7643, 2.1).
func keyOf(m map[string]any, name string) string {
	for key := range m {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return name
}

func isList(v any) bool { _, ok := v.([]any); return ok }

func isObject(v any) bool { _, ok := v.(map[string]any); return ok }

// deepCopy copies a JSON value.
func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = deepCopy(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = deepCopy(element)
		}
		return out
	default:
		return v
	}
}
