package federation

import (
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/user"
)

// claims is what an upstream tells of somebody, as JSON.
type claims map[string]any

// text returns a claim that is a string, "" otherwise.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return strings.TrimSpace(s)
}

// texts returns a claim that is a string or a list of them; other elements are left
// out.
func (c claims) texts(name string) []string {
	switch v := c[name].(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok && s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// truth reports whether a claim is true; some providers write it as a string.
func (c claims) truth(name string) bool {
	b, _ := c[name].(bool)
	return b || c[name] == "true"
}

func (c claims) time(name string) (time.Time, bool) {
	seconds, ok := c[name].(float64)
	return time.Unix(int64(seconds), 0), ok
}

// claimEmailVerified speaks of the claim email alone.
const claimEmailVerified = "email_verified"

// onto returns the user with what the upstream tells. A text it does not tell stays
// as it is; groups and other lists are what it tells, also when that is nothing. The
// login is a new user's only: people sign in with it here. So is a field that the user
// could write.
func (id Identity) onto(u user.User) user.User {
	mapped, c := id.Upstream.Claims, id.claims
	told := func(field string) string {
		if u.ID != "" && (field == fieldLogin || id.Upstream.leaves(field)) {
			return ""
		}
		return c.text(mapped[field])
	}
	for field, into := range map[string]*string{
		fieldGivenName: &u.GivenName, fieldFamilyName: &u.FamilyName, fieldName: &u.Name, fieldLocale: &u.Locale, fieldPhone: &u.PhoneNumber,
	} {
		if text := told(field); text != "" {
			*into = text
		}
	}
	if text := told(fieldLogin); text != "" {
		u.Login = text
	}
	if text := told(fieldEmail); text != "" {
		u.Email, u.EmailVerified = text, mapped[fieldEmail] == "email" && c.truth(claimEmailVerified)
	}
	if name, ok := mapped[fieldGroups]; ok {
		u.Groups = merged(u.Groups, c.texts(name))
	}
	return id.ontoClaims(u)
}

func (id Identity) ontoClaims(u user.User) user.User {
	out := make(map[string][]string, len(u.Claims)) // the user's own map may be read elsewhere
	for name, values := range u.Claims {
		out[name] = values
	}
	touched := false
	for field, name := range id.Upstream.Claims {
		own, ok := strings.CutPrefix(field, claimPrefix)
		if !ok {
			continue
		}
		touched = true
		if values := merged(out[own], id.claims.texts(name)); len(values) > 0 {
			out[own] = values
		} else {
			delete(out, own)
		}
	}
	if touched && (len(out) > 0 || len(u.Claims) > 0) {
		u.Claims = out
	}
	return u
}

// merged returns told, or old if they are the same in any order: an upstream that
// lists groups differently every time changes nobody.
func merged(old, told []string) []string {
	a, b := slices.Sorted(slices.Values(old)), slices.Sorted(slices.Values(told))
	if slices.Equal(a, b) {
		return old
	}
	return told
}
