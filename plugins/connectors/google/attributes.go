package google

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

// Names of attributes that are spoken of elsewhere.
const (
	attrExternalID    = "externalId"
	attrPrimaryEmail  = "primaryEmail"
	attrGivenName     = "name.givenName"
	attrFamilyName    = "name.familyName"
	attrOrgUnitPath   = "orgUnitPath"
	attrPhone         = "phone"
	attrTitle         = "title"
	attrCustomSchemas = "customSchemas"
)

// maxName is the longest part of a name, in characters.
const maxName = 60

// place is where an attribute is in a user resource: a field of the resource
// itself, or a member of one entry of a list.
type place struct {
	list   string // externalIds, phones, organizations; "" for a field
	kind   string // the entry's type
	custom bool   // the entry's customType is the configured one
	member string // of the entry
}

// attribute ties a declared attribute to its place.
type attribute struct {
	sdk.Attribute
	place
}

// attributes is the table of everything this connector reads and writes.
func attributes() []attribute {
	return []attribute{
		{sdk.Attribute{Name: attrExternalID, Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user, in the entry of externalIds with the type custom and the configured custom type"},
			place{list: listExternalIDs, kind: "custom", custom: true, member: "value"}},
		{sdk.Attribute{Name: attrPrimaryEmail, Required: true, Correlate: 2, Source: "user.email", Help: "Address and sign-in name, in a domain of the customer; after a rename Google keeps the old one as an alias"}, place{}},
		{sdk.Attribute{Name: attrGivenName, Required: true, CaseExact: true, Source: "user.given_name", Help: "At most 60 characters"}, place{}},
		{sdk.Attribute{Name: attrFamilyName, Required: true, CaseExact: true, Source: "user.family_name", Help: "At most 60 characters"}, place{}},
		{sdk.Attribute{Name: attrOrgUnitPath, CaseExact: true, Help: "Organisational unit such as /Sales/Paris; removed, the account goes to the topmost"}, place{}},
		{sdk.Attribute{Name: attrPhone, CaseExact: true, Help: "The work phone number"}, place{list: listPhones, kind: "work", member: "value"}},
		{sdk.Attribute{Name: "mobilePhone", CaseExact: true, Help: "The mobile phone number"}, place{list: listPhones, kind: "mobile", member: "value"}},
		{sdk.Attribute{Name: "employeeId", CaseExact: true, Help: "In the entry of externalIds with the type organization"}, place{list: listExternalIDs, kind: "organization", member: "value"}},
		{sdk.Attribute{Name: attrTitle, CaseExact: true, Help: "Such as Vice President"}, place{list: listOrganizations, kind: "work", member: "title"}},
		{sdk.Attribute{Name: "department", CaseExact: true}, place{list: listOrganizations, kind: "work", member: "department"}},
		{sdk.Attribute{Name: "costCenter", CaseExact: true}, place{list: listOrganizations, kind: "work", member: "costCenter"}},
		{sdk.Attribute{Name: attrCustomSchemas, Type: sdk.AttributeObject, CaseExact: true, Help: "Values of the configured custom schemas: an object by schema, of objects by field"}, place{}},
	}
}

// declared returns the table as the host sees it.
func declared() []sdk.Attribute {
	var out []sdk.Attribute
	for _, a := range attributes() {
		out = append(out, a.Attribute)
	}
	return out
}

// change is what a write does to an account, checked and in table order.
type change struct {
	set     []assignment
	clear   []attribute
	schemas map[string]map[string]any // whole values by schema; nil leaves them alone
}

type assignment struct {
	attribute
	value string
}

func (c change) empty() bool { return len(c.set) == 0 && len(c.clear) == 0 && c.schemas == nil }

// lists reports whether entries of lists change, which are only written whole.
func (c change) lists() bool {
	return slices.ContainsFunc(c.set, func(s assignment) bool { return s.list != "" }) ||
		slices.ContainsFunc(c.clear, func(a attribute) bool { return a.list != "" })
}

// values are the user's values in the change, kept out of messages.
func (c change) values() []string {
	var out []string
	for _, s := range c.set {
		out = append(out, s.value)
	}
	for _, fields := range c.schemas {
		for _, v := range fields {
			if text, ok := v.(string); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

// newChange checks names, types and lengths. An empty string removes. The error
// is [sdk.KindInvalid] with the field.
func (t *Target) newChange(set sdk.Attributes, remove []string) (change, error) {
	var c change
	known := map[string]bool{}
	for _, a := range attributes() {
		known[a.Name] = true
		value, given := set[a.Name]
		given = given || slices.Contains(remove, a.Name)
		if !given {
			continue
		}
		if err := t.assign(&c, a, value); err != nil {
			return change{}, err
		}
	}
	for name := range set {
		remove = append(slices.Clip(remove), name)
	}
	for _, name := range remove {
		if !known[name] {
			return change{}, sdk.Invalid(name, "is not an attribute of this connector")
		}
	}
	return c, nil
}

func (t *Target) assign(c *change, a attribute, value any) (err error) {
	if a.Name == attrCustomSchemas {
		c.schemas, err = t.customSchemas(value)
		return err
	}
	text, isString := value.(string)
	switch {
	case value != nil && !isString:
		return sdk.Invalid(a.Name, "must be a string")
	case !utf8.ValidString(text):
		return sdk.Invalid(a.Name, "must be valid text")
	case a.Required && strings.TrimSpace(text) == "":
		return sdk.Invalid(a.Name, "is required by Google and cannot be empty")
	case a.Name == attrPrimaryEmail && checkEmail(text) != nil:
		return sdk.Invalid(a.Name, "must be an e-mail address")
	case strings.HasPrefix(a.Name, "name.") && utf8.RuneCountInString(text) > maxName:
		return sdk.Invalid(a.Name, fmt.Sprintf("is longer than %d characters", maxName))
	case a.Name == attrOrgUnitPath && text != "" && !strings.HasPrefix(text, "/"):
		return sdk.Invalid(a.Name, "must begin with /")
	case text == "":
		c.clear = append(c.clear, a)
	default:
		c.set = append(c.set, assignment{a, text})
	}
	return nil
}

// customSchemas checks the value of that attribute. Every managed schema is in
// the result: one without a value is emptied.
func (t *Target) customSchemas(value any) (map[string]map[string]any, error) {
	given, isObject := value.(map[string]any)
	if value != nil && !isObject {
		return nil, sdk.Invalid(attrCustomSchemas, "must be an object by schema")
	}
	for name := range given {
		if !slices.Contains(t.cfg.CustomSchemas, name) {
			return nil, sdk.Invalid(attrCustomSchemas, "names a schema that custom_schemas of the configuration does not")
		}
	}
	out := map[string]map[string]any{}
	for _, name := range t.cfg.CustomSchemas {
		fields, ok := given[name].(map[string]any)
		if given[name] != nil && !ok {
			return nil, sdk.Invalid(attrCustomSchemas, "must hold an object by field for each schema")
		}
		out[name] = fields
	}
	return out, nil
}
