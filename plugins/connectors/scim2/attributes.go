package scim2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// attribute ties a declared attribute to its place in a SCIM user.
type attribute struct {
	sdk.Attribute
	parent string // complex attribute it is part of, "" if none
	child  string // name at the top, or inside the parent
	// entryType is set when the attribute is the value of the entry with this
	// type in a multi-valued SCIM attribute, whose name is child.
	entryType string
}

// anyType is the entry type of a list whose entries have none that counts.
const anyType = "*"

// Keys of Lookup.
const (
	keyExternalID = "externalId"
	keyUserName   = "userName"
)

// attributes is the table of everything this connector reads and writes.
func attributes() []attribute {
	return []attribute{
		{child: keyExternalID, Attribute: sdk.Attribute{Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user"}},
		{child: keyUserName, Attribute: sdk.Attribute{Required: true, Correlate: 2, Source: "user.login", Help: "Name the user signs in with"}},
		{parent: "name", child: "givenName", Attribute: sdk.Attribute{CaseExact: true, Source: "user.given_name"}},
		{parent: "name", child: "familyName", Attribute: sdk.Attribute{CaseExact: true, Source: "user.family_name"}},
		{parent: "name", child: "formatted", Attribute: sdk.Attribute{CaseExact: true, Help: "Full name; some servers derive it"}},
		{child: "displayName", Attribute: sdk.Attribute{CaseExact: true, Source: "user.name"}},
		{child: "emails", entryType: "work", Attribute: sdk.Attribute{Name: "email", Source: "user.email", Help: "The work e-mail address"}},
		{child: "phoneNumbers", entryType: "work", Attribute: sdk.Attribute{Name: "phone", CaseExact: true, Help: "The work phone number"}},
		{child: "title", Attribute: sdk.Attribute{CaseExact: true, Help: "Such as Vice President"}},
		{child: "entitlements", entryType: anyType, Attribute: sdk.Attribute{Name: "entitlement", CreateOnly: true, CaseExact: true, Help: "What a new account is entitled to; Salesforce wants the id of a profile"}},
		{child: "locale", Attribute: sdk.Attribute{Help: "Such as en-US"}},
	}
}

// declared returns the table as the host sees it.
func declared() []sdk.Attribute {
	var out []sdk.Attribute
	for _, a := range attributes() {
		d := a.Attribute
		d.Name = a.name()
		d.Type = sdk.AttributeString
		out = append(out, d)
	}
	return out
}

// name is the declared name: the SCIM path, unless the table gives another.
func (a attribute) name() string {
	if a.Name != "" {
		return a.Name
	}
	return a.path()
}

// path is where the attribute's value (for an entry: the whole list) is, in the
// notation of RFC 7644, 3.10.
func (a attribute) path() string {
	if a.parent != "" {
		return a.parent + "." + a.child
	}
	return a.child
}

// change is what an update does to a user, checked and in table order.
type change struct {
	set    []assignment
	remove []attribute
	active *bool
}

type assignment struct {
	attribute
	value string
}

// newChange checks names and types. An empty string removes, for SCIM has no
// empty values (RFC 7643, 2.5). The error is [sdk.KindInvalid] with the field.
func newChange(set sdk.Attributes, remove []string) (change, error) {
	var c change
	known := map[string]bool{}
	for _, a := range attributes() {
		name := a.name()
		known[name] = true
		value, given := set[name]
		text, isString := value.(string)
		switch {
		case given && value != nil && !isString:
			return change{}, invalidAttribute(name, "must be a string")
		case given && text != "":
			c.set = append(c.set, assignment{a, text})
		case given || slices.Contains(remove, name):
			c.remove = append(c.remove, a)
		}
	}
	for name := range set {
		if !known[name] {
			return change{}, invalidAttribute(name, "is not an attribute of this connector")
		}
	}
	for _, name := range remove {
		if !known[name] {
			return change{}, invalidAttribute(name, "is not an attribute of this connector")
		}
	}
	return c, nil
}

func invalidAttribute(name, problem string) error {
	return &sdk.Error{
		Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: name,
		Message: fmt.Sprintf("attribute %s", problem),
	}
}

func (c change) empty() bool {
	return len(c.set) == 0 && len(c.remove) == 0 && c.active == nil
}

// entries reports whether the change concerns an entry of a list.
func (c change) entries() bool {
	return slices.ContainsFunc(c.set, func(s assignment) bool { return s.entryType != "" }) ||
		slices.ContainsFunc(c.remove, func(a attribute) bool { return a.entryType != "" })
}

// values are the user's values in the change, to be kept out of messages.
func (c change) values() []string {
	var out []string
	for _, s := range c.set {
		out = append(out, s.value)
	}
	return out
}

// fieldIn returns the declared attribute that a server's text names, "" if it
// names none or several.
func fieldIn(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	found := ""
	for _, word := range words {
		name := declaredName(strings.Trim(word, "."))
		if name == "" {
			continue
		}
		if found != "" && found != name {
			return ""
		}
		found = name
	}
	return found
}

func declaredName(word string) string {
	for _, a := range attributes() {
		lone := a.parent != "" && strings.EqualFold(word, a.child) && a.child != "formatted"
		if strings.EqualFold(word, a.path()) || strings.EqualFold(word, a.name()) || lone {
			return a.name()
		}
		if a.entryType != "" && strings.EqualFold(word, a.child+".value") {
			return a.name()
		}
	}
	return ""
}
