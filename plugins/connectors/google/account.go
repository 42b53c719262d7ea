package google

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	directory "google.golang.org/api/admin/directory/v1"
	"google.golang.org/api/googleapi"

	"github.com/anteroom-id/anteroom/sdk"
)

// account is a user resource as the host sees it. Google tells all it has, so
// that what is not there has no value.
func (t *Target) account(u *directory.User) sdk.Account {
	active := !u.Suspended
	a := sdk.Account{ID: u.Id, Active: &active, Attributes: sdk.Attributes{}}
	for _, at := range attributes() {
		if at.Name != attrCustomSchemas {
			a.Attributes[at.Name] = t.read(u, at)
		}
	}
	if schemas := t.readSchemas(u); len(schemas) > 0 {
		a.Attributes[attrCustomSchemas] = schemas
	} else if len(t.cfg.CustomSchemas) > 0 {
		a.Attributes[attrCustomSchemas] = nil
	}
	return a
}

// read returns the value of an attribute that is a string, "" for none.
func (t *Target) read(u *directory.User, a attribute) string {
	if a.list != "" {
		return entriesOf(u, a.list).value(a.place, t.cfg.ExternalIDType)
	}
	if field := fieldOf(u, a.Name); field != nil {
		return *field
	}
	return ""
}

// fieldOf returns the place of an attribute that is a field of the resource, nil
// if it is something else, or there are no names in the resource.
func fieldOf(u *directory.User, name string) *string {
	switch {
	case name == attrPrimaryEmail:
		return &u.PrimaryEmail
	case name == attrOrgUnitPath:
		return &u.OrgUnitPath
	case name == attrGivenName && u.Name != nil:
		return &u.Name.GivenName
	case name == attrFamilyName && u.Name != nil:
		return &u.Name.FamilyName
	}
	return nil
}

// readSchemas returns the values of the managed custom schemas, as JSON decodes
// them.
func (t *Target) readSchemas(u *directory.User) map[string]any {
	out := map[string]any{}
	for _, name := range t.cfg.CustomSchemas {
		var fields map[string]any
		if json.Unmarshal(u.CustomSchemas[name], &fields) == nil && len(fields) > 0 {
			out[name] = fields
		}
	}
	return out
}

// body is what to send so that current becomes as the change says; nil if it is
// so already. Without a current resource it is a new one.
func (t *Target) body(c change, current *directory.User) *directory.User {
	u, differs := &directory.User{}, current == nil
	if current == nil {
		current = &directory.User{}
	}
	for _, s := range c.set {
		if s.list == "" && !same(s.attribute, t.read(current, s.attribute), s.value) {
			writeField(u, current, s.Name, s.value)
			differs = true
		}
	}
	for _, a := range c.clear {
		if a.Name == attrOrgUnitPath && current.OrgUnitPath != "" && current.OrgUnitPath != topmost {
			u.OrgUnitPath, differs = topmost, true
		}
	}
	for _, name := range []string{listExternalIDs, listPhones, listOrganizations} {
		differs = t.writeList(u, c, current, name) || differs
	}
	differs = t.writeSchemas(u, c, current) || differs
	if !differs {
		return nil
	}
	return u
}

// topmost is the organisational unit of accounts that are in no other.
const topmost = "/"

// same reports whether a value is there already. Google writes addresses in
// lower case.
func same(a attribute, have, want string) bool {
	return have == want || !a.CaseExact && strings.EqualFold(have, want)
}

// writeField sets a field. Both parts of a name are sent, so that none is lost.
func writeField(u, current *directory.User, name, value string) {
	if strings.HasPrefix(name, "name.") && u.Name == nil {
		u.Name = &directory.UserName{}
		if current.Name != nil {
			u.Name.GivenName, u.Name.FamilyName = current.Name.GivenName, current.Name.FamilyName
		}
	}
	*fieldOf(u, name) = value
}

// writeList sets the whole list where the change is about it, and reports whether
// that changes anything.
func (t *Target) writeList(u *directory.User, c change, current *directory.User, name string) bool {
	before := entriesOf(current, name)
	after := before
	for _, s := range c.set {
		if s.list == name {
			after = after.with(s.place, t.cfg.ExternalIDType, s.value)
		}
	}
	for _, a := range c.clear {
		if a.list == name {
			after = after.with(a.place, t.cfg.ExternalIDType, "")
		}
	}
	switch {
	case len(before) == len(after) && (len(after) == 0 || reflect.DeepEqual(before, after)):
		return false
	case len(after) == 0:
		u.NullFields = append(u.NullFields, name)
	default:
		*listOf(u, name) = after
	}
	return true
}

// writeSchemas sets the managed schemas that differ: fields without a value are
// sent as null, which removes them.
func (t *Target) writeSchemas(u *directory.User, c change, current *directory.User) (differs bool) {
	have := t.readSchemas(current)
	for _, name := range slices.Sorted(maps.Keys(c.schemas)) {
		before, _ := have[name].(map[string]any)
		after := maps.Clone(c.schemas[name])
		maps.DeleteFunc(after, func(_ string, v any) bool { return v == nil })
		if len(before) == 0 && len(after) == 0 || reflect.DeepEqual(before, after) {
			continue
		}
		if after == nil {
			after = map[string]any{}
		}
		for field := range before {
			if _, kept := after[field]; !kept {
				after[field] = nil
			}
		}
		encoded, err := json.Marshal(after)
		if err != nil {
			continue // it was decoded from JSON
		}
		if u.CustomSchemas == nil {
			u.CustomSchemas = map[string]googleapi.RawMessage{}
		}
		u.CustomSchemas[name], differs = encoded, true
	}
	return differs
}
