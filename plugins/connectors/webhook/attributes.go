package webhook

import (
	"encoding/json"
	"slices"

	"github.com/anteroom-id/anteroom/sdk"
)

// Keys of Lookup.
const (
	keyUserID = "user_id"
	keyLogin  = "login"
)

// attributes are what the events can carry.
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
		{Name: "roles", CaseExact: true, MultiValued: true, Help: "For what the endpoint decides by"},
	}
}

// known keeps the attributes that are declared and have the declared type. What
// an endpoint says beyond them is its own affair. null is "no value"; what is left
// out was not told.
func known(raw map[string]json.RawMessage) (sdk.Attributes, error) {
	out := sdk.Attributes{}
	for _, a := range attributes() {
		text, given := raw[a.Name]
		if !given {
			continue
		}
		if string(text) == "null" {
			out[a.Name] = nil
			continue
		}
		if !a.MultiValued {
			var value string
			if err := json.Unmarshal(text, &value); err != nil {
				return nil, err
			}
			out[a.Name] = value
			continue
		}
		var values []string
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, err
		}
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		out[a.Name] = list
	}
	return out, nil
}

// checkNames refuses attributes that are not declared, so that a typing error in
// a mapping is not swallowed by an endpoint.
func checkNames(set sdk.Attributes, remove []string) error {
	for name := range set {
		remove = append(slices.Clip(remove), name)
	}
	for _, name := range remove {
		if !slices.ContainsFunc(attributes(), func(a sdk.Attribute) bool { return a.Name == name }) {
			return sdk.Invalid(name, "is not an attribute of this connector")
		}
	}
	return nil
}

// valuesOf are the user's values, to be kept out of messages.
func valuesOf(a sdk.Attributes) []string {
	var out []string
	for name := range a {
		out = append(out, a.Strings(name)...)
	}
	return out
}
