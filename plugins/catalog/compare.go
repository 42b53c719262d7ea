package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Change is one difference between two versions of a connector.
type Change struct {
	// What names the thing: "config base_url", "attribute userName",
	// "capability delete".
	What string `json:"what"`
	// Text says what became of it: "added, required", "removed", "type string
	// became int".
	Text string `json:"text"`
	// Breaks marks what can keep a target from working as it did.
	Breaks bool `json:"breaks,omitempty"`
}

// Compare returns what a target or a mapping can notice when the connector goes
// from one version to another: fields first, then attributes, then capabilities,
// each in the order of their names.
func Compare(from, to sdk.Description) []Change {
	out := compareBy("config", byName(from.Config, fieldName), byName(to.Config, fieldName), describeField, compareField)
	out = append(out, compareBy("attribute", byName(from.Attributes, attributeName), byName(to.Attributes, attributeName), describeAttribute, compareAttribute)...)
	identity := func(c sdk.Capability) string { return string(c) }
	return append(out, compareBy("capability", byName(from.Capabilities, identity), byName(to.Capabilities, identity),
		func(sdk.Capability) (string, bool) { return "", false }, func(sdk.Capability, sdk.Capability) []Change { return nil })...)
}

func fieldName(f sdk.Field) string         { return f.Name }
func attributeName(a sdk.Attribute) string { return a.Name }

func byName[T any](list []T, name func(T) string) map[string]T {
	out := map[string]T{}
	for _, e := range list {
		out[name(e)] = e
	}
	return out
}

// compareBy compares two sets of named things. added describes a new one and
// tells whether having it breaks a target.
func compareBy[T any](kind string, from, to map[string]T, added func(T) (string, bool), differ func(a, b T) []Change) []Change {
	names := map[string]bool{}
	for name := range from {
		names[name] = true
	}
	for name := range to {
		names[name] = true
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	var out []Change
	for _, name := range sorted {
		a, had := from[name]
		b, has := to[name]
		what := kind + " " + name
		switch {
		case !had:
			text, breaks := added(b)
			out = append(out, Change{what, strings.TrimSuffix("added, "+text, ", "), breaks})
		case !has:
			out = append(out, Change{what, "removed", true})
		default:
			for _, c := range differ(a, b) {
				c.What = what
				out = append(out, c)
			}
		}
	}
	return out
}

func describeField(f sdk.Field) (string, bool) {
	text := string(f.Type)
	if f.Secret {
		text += ", secret"
	}
	if f.Required {
		text += ", required"
	}
	return text, f.Required && f.Default == ""
}

func compareField(a, b sdk.Field) []Change {
	out := differences(
		became("type", a.Type, b.Type, true),
		flag("required", a.Required, b.Required, b.Required),
		flag("secret", a.Secret, b.Secret, true),
		became("default", quoted(a.Default), quoted(b.Default), false),
	)
	out = append(out, differences(became("applies when", quoted(a.When.String()), quoted(b.When.String()), false))...)
	lost := slices.ContainsFunc(a.Enum, func(v string) bool { return !slices.Contains(b.Enum, v) }) && len(b.Enum) > 0
	narrowed := len(a.Enum) == 0 && len(b.Enum) > 0
	if !slices.Equal(a.Enum, b.Enum) {
		out = append(out, Change{Text: fmt.Sprintf("values [%s] became [%s]", strings.Join(a.Enum, " "), strings.Join(b.Enum, " ")), Breaks: lost || narrowed})
	}
	return out
}

func describeAttribute(a sdk.Attribute) (string, bool) {
	text := string(a.Type)
	if a.Required {
		text += ", required"
	}
	return text, a.Required && a.Source == ""
}

func compareAttribute(a, b sdk.Attribute) []Change {
	return differences(
		became("type", a.Type, b.Type, true),
		flag("required", a.Required, b.Required, b.Required && b.Source == ""),
		flag("multi-valued", a.MultiValued, b.MultiValued, true),
		flag("create-only", a.CreateOnly, b.CreateOnly, b.CreateOnly),
		flag("case-exact", a.CaseExact, b.CaseExact, false),
		flag("secret", a.Secret, b.Secret, false),
		flag("owner", a.Owner, b.Owner, true),
		became("lookup order", a.Correlate, b.Correlate, b.Correlate == 0),
		became("default mapping", quoted(a.Source), quoted(b.Source), b.Source == ""),
	)
}

func differences(list ...*Change) []Change {
	var out []Change
	for _, c := range list {
		if c != nil {
			out = append(out, *c)
		}
	}
	return out
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func became[T comparable](what string, a, b T, breaks bool) *Change {
	if a == b {
		return nil
	}
	return &Change{Text: fmt.Sprintf("%s %v became %v", what, a, b), Breaks: breaks}
}

func flag(what string, a, b, breaks bool) *Change {
	switch {
	case a == b:
		return nil
	case b:
		return &Change{Text: "became " + what, Breaks: breaks}
	}
	return &Change{Text: "is no longer " + what, Breaks: breaks}
}
