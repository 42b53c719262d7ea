package mapping

import (
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
	case "user.login":
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
