package mapping

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Profile is a user as a mapping sees them.
type Profile struct {
	ID            string
	Login         string
	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Name          string
	Locale        string
	PhoneNumber   string
	Active        bool
	Groups        []string
	Claims        map[string][]string
}

// ownerSource is what an owner attribute holds, whatever a rule says.
const ownerSource = "user.id"

const claimsPrefix = "claims."

// source reads a profile field.
type source struct {
	typ   sdk.AttributeType
	multi bool
	// untyped sources (claims) are text that is read as the attribute's type.
	untyped bool
	read    func(Profile) []any
}

// value returns what p has, as the attribute has it.
func (src source) value(p Profile, a sdk.Attribute) (any, error) {
	values := src.read(p)
	if src.untyped {
		for i, v := range values {
			parsed, err := parse(v, a.Type)
			if err != nil {
				return nil, errors.New("the user's value is not a " + string(a.Type))
			}
			values[i] = parsed
		}
	}
	return shape(values, a), nil
}

var errNotFinite = errors.New("not a finite number")

// parse reads a claim's text as the attribute's type.
func parse(v any, typ sdk.AttributeType) (any, error) {
	s, _ := v.(string)
	switch typ {
	case sdk.AttributeBool:
		return strconv.ParseBool(s)
	case sdk.AttributeNumber:
		f, err := strconv.ParseFloat(s, 64)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, errNotFinite
		}
		return f, err
	default:
		return s, nil
	}
}

// findSource returns the profile field with the name; ok is false if there is
// none. "user.claims.<name>" is the long form of "claims.<name>".
func findSource(name string) (source, bool) {
	if claim, ok := strings.CutPrefix(strings.TrimPrefix(name, "user."), claimsPrefix); ok {
		return source{typ: sdk.AttributeString, multi: true, untyped: true, read: func(p Profile) []any { return list(p.Claims[claim]) }}, claim != ""
	}
	if read := stringField(name); read != nil {
		return source{typ: sdk.AttributeString, read: func(p Profile) []any { return list([]string{read(p)}) }}, true
	}
	switch name {
	case "user.email_verified":
		return source{typ: sdk.AttributeBool, read: func(p Profile) []any { return []any{p.EmailVerified} }}, true
	case "user.active":
		return source{typ: sdk.AttributeBool, read: func(p Profile) []any { return []any{p.Active} }}, true
	case "user.groups":
		return source{typ: sdk.AttributeString, multi: true, read: func(p Profile) []any { return list(p.Groups) }}, true
	default:
		return source{}, false
	}
}

func stringField(name string) func(Profile) string {
	switch name {
	case "user.id":
		return func(p Profile) string { return p.ID }
	case "user.login", "user.username":
		return func(p Profile) string { return p.Login }
	case "user.email":
		return func(p Profile) string { return p.Email }
	case "user.given_name":
		return func(p Profile) string { return p.GivenName }
	case "user.family_name":
		return func(p Profile) string { return p.FamilyName }
	case "user.name":
		return func(p Profile) string { return p.Name }
	case "user.locale":
		return func(p Profile) string { return p.Locale }
	case "user.phone_number":
		return func(p Profile) string { return p.PhoneNumber }
	default:
		return nil
	}
}

// list leaves out empty strings: they are no value.
func list(values []string) []any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}
