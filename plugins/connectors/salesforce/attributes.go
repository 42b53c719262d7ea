package salesforce

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

// Fields of User that the connector treats by name.
const (
	fieldFederation = "FederationIdentifier"
	fieldUsername   = "Username"
	fieldFirstName  = "FirstName"
	fieldLastName   = "LastName"
	fieldEmail      = "Email"
	fieldAlias      = "Alias"
	fieldNickname   = "CommunityNickname"
	fieldTimeZone   = "TimeZoneSidKey"
	fieldLocale     = "LocaleSidKey"
	fieldLanguage   = "LanguageLocaleKey"
	fieldEncoding   = "EmailEncodingKey"
	fieldProfile    = "ProfileId"
	fieldActive     = "IsActive"
)

// Lengths that Salesforce allows, in UTF-16 code units.
const (
	maxAlias    = 8
	maxNickname = 40
)

// attributes is the table of everything this connector reads and writes, named
// like the fields of User.
func attributes() []sdk.Attribute {
	table := []sdk.Attribute{
		{Name: fieldFederation, Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user; single sign-on by SAML matches it"},
		{Name: fieldUsername, Required: true, Correlate: 2, Source: "user.email", Help: "In the form of an e-mail address, and unique among all orgs there are"},
		{Name: fieldLastName, Required: true, CaseExact: true, Source: "user.family_name"},
		{Name: fieldFirstName, CaseExact: true, Source: "user.given_name"},
		{Name: fieldEmail, Required: true, Source: "user.email"},
		{Name: fieldAlias, CaseExact: true, Help: "Up to 8 characters; made of the name of a new account"},
		{Name: fieldNickname, Help: "Up to 40 characters and unique; made of the Username of a new account"},
		{Name: fieldProfile, CaseExact: true, Help: "Id of the profile; that of the setting profile in a new account"},
		{Name: "UserRoleId", CaseExact: true, Help: "Id of the role"},
		{Name: "ManagerId", CaseExact: true, Help: "Id of the manager's account"},
		{Name: fieldTimeZone, CaseExact: true, Help: "Such as Europe/Paris; the setting time_zone in a new account"},
		{Name: fieldLocale, CaseExact: true, Help: "Such as fr_FR; the setting locale in a new account"},
		{Name: fieldLanguage, CaseExact: true, Help: "Such as fr; the setting language in a new account"},
		{Name: fieldEncoding, CaseExact: true, Help: "Such as UTF-8; the setting email_encoding in a new account"},
	}
	for _, name := range []string{
		"Title", "Department", "Division", "CompanyName", "EmployeeNumber", "Phone", "MobilePhone",
		"Street", "City", "State", "PostalCode", "Country",
	} {
		table = append(table, sdk.Attribute{Name: name, CaseExact: true})
	}
	return table
}

func declared() []sdk.Attribute {
	table := attributes()
	for i := range table {
		table[i].Type = sdk.AttributeString
	}
	return table
}

// record is a row of an sObject as JSON has it.
type record map[string]any

func (r record) text(name string) string {
	s, _ := r[name].(string)
	return s
}

// child is a related record of a query, empty if there is none.
func (r record) child(name string) record {
	m, _ := r[name].(map[string]any)
	return m
}

// newRecord is the body of a change: values to set, and null for what to remove.
// The error is [sdk.KindInvalid] with the field.
func newRecord(set sdk.Attributes, remove []string) (record, error) {
	known := map[string]sdk.Attribute{}
	for _, a := range attributes() {
		known[a.Name] = a
	}
	out := record{}
	for _, name := range remove {
		if err := checkRemovable(known, name); err != nil {
			return nil, err
		}
		out[name] = nil
	}
	for name, value := range set {
		text, isText := value.(string)
		switch _, declared := known[name]; {
		case !declared:
			return nil, sdk.Invalid(name, "is not an attribute of this connector")
		case value == nil || isText && text == "":
			if err := checkRemovable(known, name); err != nil {
				return nil, err
			}
			out[name] = nil
		case !isText || !utf8.ValidString(text):
			return nil, sdk.Invalid(name, "must be a string")
		default:
			out[name] = longID(name, text)
		}
	}
	return out, nil
}

func checkRemovable(known map[string]sdk.Attribute, name string) error {
	a, declared := known[name]
	switch {
	case !declared:
		return sdk.Invalid(name, "is not an attribute of this connector")
	case a.Required || name == fieldAlias || name == fieldNickname:
		return sdk.Invalid(name, "cannot be removed: every account has one")
	}
	return nil
}

// values are the user's values in the record, to be kept out of messages.
func (r record) values() []string {
	var out []string
	for _, v := range r {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	// A value that is part of another must not take it apart.
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return out
}

// complete adds what Salesforce demands of a new account and the mapping did not
// give. derived tells that the nickname is of the connector's own making.
func (r record) complete(cfg Config) (derived bool) {
	for name, value := range cfg.defaults() {
		if r.text(name) == "" {
			r[name] = value
		}
	}
	if r.text(fieldAlias) == "" {
		r[fieldAlias] = alias(r.text(fieldFirstName), r.text(fieldLastName))
	}
	if r.text(fieldNickname) != "" {
		return false
	}
	local, _, _ := strings.Cut(r.text(fieldUsername), "@")
	r[fieldNickname] = cut(local, maxNickname)
	return true
}

// defaults are the configured values of fields that no account can be without.
func (c Config) defaults() map[string]string {
	return map[string]string{
		fieldTimeZone: c.TimeZone, fieldLocale: c.Locale, fieldLanguage: c.Language, fieldEncoding: c.EmailEncoding,
	}
}

// alias is what Salesforce itself proposes: the first letter of the given name
// and the family name, as far as they fit.
func alias(given, family string) string {
	given, family = strings.Join(strings.Fields(given), ""), strings.Join(strings.Fields(family), "")
	first, _ := utf8.DecodeRuneInString(given)
	if given == "" {
		return cut(family, maxAlias)
	}
	return cut(string(first)+family, maxAlias)
}

// cut returns the longest beginning of s with at most n UTF-16 code units, which
// is how Salesforce counts, that splits no character.
func cut(s string, n int) string {
	for i, r := range s {
		if n -= utf16.RuneLen(r); n < 0 {
			return s[:i]
		}
	}
	return s
}
