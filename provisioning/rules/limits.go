package rules

import "fmt"

// Limits of a request. One that is beyond them is not evaluated, in any language:
// it is indeterminate.
const (
	MaxListValues   = 2000      // of one list
	MaxClaims       = 500       // of one user
	MaxValueBytes   = 2 << 10   // of one value, or of the name of a claim
	MaxRequestBytes = 256 << 10 // of all values together
)

// TooLarge says which part of a request is beyond the limits, without its values;
// "" when none is. It comes before every evaluation: a language may charge for a
// call only when that has been made.
func TooLarge(r *Request) string {
	var s size
	u := &r.User
	s.value("user", u.ID, u.Username, u.Email, u.GivenName, u.FamilyName, u.Name, u.Locale, u.PhoneNumber, u.Source)
	s.list("user.groups", u.Groups)
	s.list("user.roles", u.Roles)
	if len(u.Claims) > MaxClaims {
		s.exceed("user.claims", MaxClaims, "claims")
	}
	for name, values := range u.Claims {
		s.value("user.claims", name)
		s.list("user.claims", values)
	}
	s.value("app", r.App.Name, r.App.ClientID)
	s.list("app.labels", r.App.Labels)
	s.value("connector", r.Connector.Name, r.Connector.Type, r.Connector.Binding)
	s.value("request", string(r.Operation), string(r.Trigger), r.ACR)
	s.list("request.scopes", r.Scopes)
	s.list("request.amr", r.AMR)
	s.value("account.remote_id", r.Account.RemoteID)
	if s.over == "" && s.total > MaxRequestBytes {
		s.exceed("the request", MaxRequestBytes, "bytes")
	}
	return s.over
}

// size adds up a request, and keeps the first part that is too large.
type size struct {
	total int
	over  string
}

func (s *size) list(path string, values []string) {
	if len(values) > MaxListValues {
		s.exceed(path, MaxListValues, "values")
		return
	}
	for _, v := range values {
		s.value(path, v)
	}
}

func (s *size) value(path string, values ...string) {
	for _, v := range values {
		s.total += len(v)
		if len(v) > MaxValueBytes {
			s.exceed("a value of "+path, MaxValueBytes, "bytes")
		}
	}
}

func (s *size) exceed(what string, limit int, unit string) {
	if s.over == "" {
		s.over = fmt.Sprintf("%s has more than %d %s", what, limit, unit)
	}
}
