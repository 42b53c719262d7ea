package google

import (
	"maps"
	"slices"
	"strings"

	directory "google.golang.org/api/admin/directory/v1"
)

// The lists of a user resource that are looked into, by their field in
// [directory.User].
const (
	listExternalIDs   = "ExternalIds"
	listPhones        = "Phones"
	listOrganizations = "Organizations"
)

// entries is a list of a user resource. Entries that belong to somebody else are
// kept as they are.
type entries []map[string]any

// listOf returns the place of a list in a resource.
func listOf(u *directory.User, name string) *any {
	switch name {
	case listExternalIDs:
		return &u.ExternalIds
	case listPhones:
		return &u.Phones
	default:
		return &u.Organizations
	}
}

// entriesOf reads a list leniently.
func entriesOf(u *directory.User, name string) entries {
	list, _ := (*listOf(u, name)).([]any)
	var out entries
	for _, e := range list {
		if entry, ok := e.(map[string]any); ok {
			out = append(out, entry)
		}
	}
	return out
}

// find returns the index of the entry the attribute is in, -1 if there is none.
func (list entries) find(p place, customType string) int {
	return slices.IndexFunc(list, func(e map[string]any) bool {
		kind, _ := e["type"].(string)
		custom, _ := e["customType"].(string)
		return strings.EqualFold(kind, p.kind) && (!p.custom || strings.EqualFold(custom, customType))
	})
}

// value returns the attribute's value, "" if there is none.
func (list entries) value(p place, customType string) string {
	i := list.find(p, customType)
	if i < 0 {
		return ""
	}
	text, _ := list[i][p.member].(string)
	return text
}

// with returns the list with the attribute's value; "" takes it out, and with it
// an entry that says nothing else.
func (list entries) with(p place, customType, value string) entries {
	out := make(entries, 0, len(list)+1)
	for _, e := range list {
		out = append(out, maps.Clone(e))
	}
	i := out.find(p, customType)
	switch {
	case i >= 0 && value != "":
		out[i][p.member] = value
	case i >= 0:
		if delete(out[i], p.member); says(out[i]) == 0 {
			out = slices.Delete(out, i, i+1)
		}
	case value != "":
		entry := map[string]any{"type": p.kind, p.member: value}
		if p.custom {
			entry["customType"] = customType
		}
		out = append(out, entry)
	}
	return out
}

// says counts the members of an entry beside its kind.
func says(entry map[string]any) int {
	n := 0
	for member := range entry {
		if member != "type" && member != "customType" && member != "primary" {
			n++
		}
	}
	return n
}
