package scim2

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// URNs of the messages used (RFC 7643, 8.7.1; RFC 7644, 3.5.2).
const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// resource is a SCIM user as JSON, with numbers kept as they were written.
// Attribute names are compared without regard to case (RFC 7643, 2.1).
type resource map[string]any

func decodeResource(body []byte) (resource, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var r resource
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("decode resource: %w", err)
	}
	return r, nil
}

// newResource is the resource of a new account.
func newResource(schema string, c change, active bool) resource {
	r := resource{"schemas": []any{schema}, "active": active}
	r.apply(c)
	return r
}

// keyOf returns name as r spells it, or name itself. Of several spellings it is
// always the same one.
func (r resource) keyOf(name string) string {
	if _, ok := r[name]; ok {
		return name
	}
	found := ""
	for key := range r {
		if strings.EqualFold(key, name) && (found == "" || key < found) {
			found = key
		}
	}
	return cmp.Or(found, name)
}

func (r resource) get(name string) any { return r[r.keyOf(name)] }

func (r resource) text(name string) string {
	s, _ := r.get(name).(string)
	return s
}

// child returns a complex value; an empty one when there is none.
func (r resource) child(name string) resource {
	m, _ := r.get(name).(map[string]any)
	return resource(m)
}

func (r resource) id() string { return r.text("id") }

func (r resource) version() string { return r.child("meta").text("version") }

// entries returns the elements of a multi-valued attribute.
func (r resource) entries(name string) []any {
	list, _ := r.get(name).([]any)
	return list
}

func (r resource) active() *bool { return boolean(r.get("active")) }

// noteVersion puts the entity tag of an answer where a resource has its version,
// unless it tells one itself.
func (r resource) noteVersion(h http.Header) {
	if tag := h.Get("ETag"); tag != "" && r.version() == "" {
		meta := r.copyOf("meta")
		meta[meta.keyOf("version")] = tag
		r[r.keyOf("meta")] = map[string]any(meta)
	}
}

// value returns the attribute's text, "" when it has none.
func (r resource) value(a attribute) string {
	switch {
	case a.entryType != "":
		list := r.entries(a.child)
		if i := ownEntry(list, a.entryType); i >= 0 {
			entry, _ := list[i].(map[string]any)
			return resource(entry).text("value")
		}
		return ""
	case a.parent != "":
		return r.child(a.parent).text(a.child)
	default:
		return r.text(a.child)
	}
}

// ownEntry finds the entry that an attribute with an entry type stands for: the
// one with that type; if no entry has any type, the primary or else the first
// one. -1 when there is none.
func ownEntry(list []any, entryType string) int {
	primary, typed := -1, false
	for i, element := range list {
		m, _ := element.(map[string]any)
		entry := resource(m)
		if strings.EqualFold(entry.text("type"), entryType) {
			return i
		}
		typed = typed || entry.text("type") != "" && entryType != anyType
		if isPrimary, _ := entry.get("primary").(bool); isPrimary && primary < 0 {
			primary = i
		}
	}
	switch {
	case typed || len(list) == 0:
		return -1
	case primary >= 0:
		return primary
	default:
		return 0
	}
}

// account is the resource as the host sees it. The caller has checked the id.
// An attribute that is not there has no value (RFC 7643, 2.5), except the owner:
// a server that does not keep it says nothing about whose the account is.
func (r resource) account() sdk.Account {
	values := sdk.Attributes{}
	for _, a := range attributes() {
		if v := r.value(a); v != "" || !a.Owner {
			values[a.name()] = v
		}
	}
	return sdk.Account{ID: r.id(), Attributes: values, Active: r.active(), Version: r.version()}
}

// apply makes the change in r. Complex values and lists are replaced, never
// modified: a resource may share them with another.
func (r resource) apply(c change) {
	for _, s := range c.set {
		r.assign(s.attribute, s.value)
	}
	for _, a := range c.remove {
		r.drop(a)
	}
	if c.active != nil {
		r[r.keyOf("active")] = *c.active
	}
}

func (r resource) assign(a attribute, value string) {
	switch {
	case a.entryType != "":
		r[r.keyOf(a.child)] = withEntry(r.entries(a.child), a.entryType, value)
	case a.parent != "":
		parent := r.copyOf(a.parent)
		parent[parent.keyOf(a.child)] = value
		r[r.keyOf(a.parent)] = map[string]any(parent)
	default:
		r[r.keyOf(a.child)] = value
	}
}

func (r resource) drop(a attribute) {
	switch {
	case a.entryType != "":
		list := r.entries(a.child)
		if i := ownEntry(list, a.entryType); i >= 0 {
			r[r.keyOf(a.child)] = slices.Delete(slices.Clone(list), i, i+1)
		}
	case a.parent != "":
		parent := r.copyOf(a.parent)
		delete(parent, parent.keyOf(a.child))
		r[r.keyOf(a.parent)] = map[string]any(parent)
		if len(parent) == 0 {
			delete(r, r.keyOf(a.parent))
		}
	default:
		delete(r, r.keyOf(a.child))
	}
}

func (r resource) copyOf(name string) resource {
	if c := maps.Clone(r.child(name)); c != nil {
		return c
	}
	return resource{}
}

// newEntry is an entry of a multi-valued attribute. Some servers demand that
// the only e-mail address is primary.
func newEntry(entryType, value string, primary bool) map[string]any {
	entry := map[string]any{"value": value}
	if entryType != anyType {
		entry["type"] = entryType
	}
	if primary {
		entry["primary"] = true
	}
	return entry
}

// withEntry returns the list with the own entry's value set. A new entry
// becomes primary only where no other is.
func withEntry(list []any, entryType, value string) []any {
	out := slices.Clone(list)
	i := ownEntry(list, entryType)
	if i < 0 {
		return append(out, newEntry(entryType, value, !hasPrimary(list)))
	}
	m, isObject := list[i].(map[string]any)
	if !isObject {
		out[i] = newEntry(entryType, value, true)
		return out
	}
	entry := maps.Clone(resource(m))
	entry[entry.keyOf("value")] = value
	out[i] = map[string]any(entry)
	return out
}

func hasPrimary(list []any) bool {
	return slices.ContainsFunc(list, func(element any) bool {
		m, _ := element.(map[string]any)
		primary, _ := resource(m).get("primary").(bool)
		return primary
	})
}

// forReplace returns a copy for PUT, without what only the server may write.
func (r resource) forReplace() resource {
	next := maps.Clone(r)
	delete(next, next.keyOf("meta"))
	delete(next, next.keyOf("groups"))
	return next
}
