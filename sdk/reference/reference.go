package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Markdown returns the page of a connector. It is the same text for the same
// description.
func Markdown(d sdk.Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", d.DisplayName)
	fmt.Fprintf(&b, "Connector `%s`, version %s. This page is generated from the connector; `anteroom connector inspect %s` shows the same.\n", d.Name, d.Version, d.Name)
	writeFields(&b, d)
	writeAttributes(&b, d.Attributes)
	writeCapabilities(&b, d)
	return b.String()
}

func writeFields(b *strings.Builder, d sdk.Description) {
	b.WriteString("\n## Configuration\n\n")
	if len(d.Config) == 0 {
		b.WriteString("None.\n")
		return
	}
	b.WriteString("| field | type | | default | |\n|---|---|---|---|---|\n")
	for _, f := range d.Form() {
		row(b, code(f.Name), fieldType(f), fieldNeed(f), code(f.Default), help(f.Group, f.Help))
	}
	if slices.ContainsFunc(d.Config, func(f sdk.Field) bool { return f.Secret }) {
		b.WriteString("\nSecrets are given under `secrets`, the other fields under `config`; see [resources.md](../resources.md).\n")
	}
}

func fieldType(f sdk.Field) string {
	switch {
	case f.Secret:
		return "secret"
	case f.Enum != nil:
		return "one of " + codes(f.Enum)
	case f.Type == sdk.FieldStrings:
		return "list of strings"
	}
	return string(f.Type)
}

// fieldNeed says when the field must, or may, be given.
func fieldNeed(f sdk.Field) string {
	need := "optional"
	if f.Required {
		need = "required"
	}
	if f.When.Field != "" {
		need += " when " + code(f.When.Field) + " is " + codes(f.When.Values)
	}
	return need
}

func help(group, text string) string {
	if group == "" {
		return text
	}
	return group + ": " + text
}

func writeAttributes(b *strings.Builder, attributes []sdk.Attribute) {
	b.WriteString("\n## Attributes\n\n")
	if len(attributes) == 0 {
		b.WriteString("None.\n")
		return
	}
	b.WriteString("| attribute | type | | mapped from | |\n|---|---|---|---|---|\n")
	for _, a := range attributes {
		source := code(a.Source)
		if a.Owner {
			source = "`user.id`, always"
		}
		row(b, code(a.Name), attributeType(a), strings.Join(attributeTraits(a), ", "), source, a.Help)
	}
	b.WriteString("\nLookups try the keys in the order given. What an attribute is mapped from is the default; a target's `mapping` changes it.\n")
}

func attributeType(a sdk.Attribute) string {
	if a.MultiValued {
		return "list of " + string(a.Type)
	}
	return string(a.Type)
}

func attributeTraits(a sdk.Attribute) []string {
	var traits []string
	add := func(is bool, trait string) {
		if is {
			traits = append(traits, trait)
		}
	}
	add(a.Required, "required")
	add(a.Correlate > 0, fmt.Sprintf("key %d", a.Correlate))
	add(a.Owner, "holds whose account it is")
	add(a.CreateOnly, "set once")
	add(a.CaseExact, "case matters")
	add(a.Secret, "not shown")
	return traits
}

// verbs are the capabilities in the order of the page, with what an admin gets
// from each and what happens without it.
var verbs = [...]struct {
	capability    sdk.Capability
	with, without string
}{
	{sdk.CapabilityGet, "accounts are read before they are changed", "an account is changed without being read"},
	{sdk.CapabilitySetActive, "a disabled user's account is suspended", "accounts cannot be suspended"},
	{sdk.CapabilityDelete, "accounts can be deleted", "accounts cannot be deleted"},
	{sdk.CapabilityList, "drift can be reported", "drift cannot be reported"},
	{sdk.CapabilitySetGroups, "groups are set", "groups are not set"},
	{sdk.CapabilityCheck, "`anteroom target check` tries the configuration", "`anteroom target check` cannot try the configuration"},
}

func writeCapabilities(b *strings.Builder, d sdk.Description) {
	b.WriteString("\n## Capabilities\n\n| capability | | |\n|---|---|---|\n")
	for _, v := range verbs {
		has, text := "no", v.without
		if d.Has(v.capability) {
			has, text = "yes", v.with
		}
		row(b, code(string(v.capability)), has, text)
	}
}

// row writes a row of a table. A cell cannot end it.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("|")
	for _, c := range cells {
		c = strings.Join(strings.Fields(strings.ReplaceAll(c, "|", `\|`)), " ")
		if c == "" {
			b.WriteString(" |")
			continue
		}
		b.WriteString(" " + c + " |")
	}
	b.WriteString("\n")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "`", "'") + "`"
}

func codes(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = code(v)
	}
	return strings.Join(quoted, ", ")
}
