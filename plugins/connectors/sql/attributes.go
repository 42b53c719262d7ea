package sql

import (
	"slices"

	"github.com/anteroom-id/anteroom/sdk"
)

// Names with a meaning of their own: keys, parameters and columns.
const (
	keyUserID   = "user_id"
	keyLogin    = "login"
	nameID      = "id"
	nameActive  = "active"
	nameVersion = "version"
	nameGroup   = "group"
)

// attributes are what statements can take and return. Which of them exist is for
// the statements to say.
func attributes() []sdk.Attribute {
	return []sdk.Attribute{
		{Name: keyUserID, Correlate: 1, Owner: true, CaseExact: true, Source: "user.id", Help: "Anteroom's id of the user"},
		{Name: keyLogin, Required: true, Correlate: 2, Source: "user.login", Help: "Name the user signs in with"},
		{Name: "email", Source: "user.email"},
		{Name: "given_name", CaseExact: true, Source: "user.given_name"},
		{Name: "family_name", CaseExact: true, Source: "user.family_name"},
		{Name: "name", CaseExact: true, Source: "user.name", Help: "Full name"},
		{Name: "locale", Help: "Such as en-US"},
		{Name: "phone", CaseExact: true},
		{Name: "title", CaseExact: true, Help: "Such as Vice President"},
		{Name: "department", CaseExact: true},
		{Name: "employee_number", CaseExact: true},
		{Name: "extra_1", CaseExact: true, Help: "For a column of your own"},
		{Name: "extra_2", CaseExact: true, Help: "For a column of your own"},
		{Name: "extra_3", CaseExact: true, Help: "For a column of your own"},
	}
}

func isAttribute(name string) bool {
	return slices.ContainsFunc(attributes(), func(a sdk.Attribute) bool { return a.Name == name })
}

// textOf returns a value as what is bound: nil for none, since a column that is
// to hold no value is NULL.
func textOf(name string, value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return v, nil
	}
	return nil, sdk.Invalid(name, "must be a text")
}

// valuesOf are the user's values, to be kept out of messages.
func valuesOf(a sdk.Attributes) []string {
	var out []string
	for name := range a {
		out = append(out, a.Strings(name)...)
	}
	return out
}
