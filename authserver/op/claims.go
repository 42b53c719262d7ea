package op

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning"
)

// scopeClaims are the standard claims (OpenID Connect Core section 5.4) by the
// scope that asks for all of them.
func scopeClaims() map[string][]string {
	return map[string][]string{
		scopeProfile: {"name", "given_name", "family_name", "preferred_username", "locale"},
		scopeEmail:   {"email", "email_verified"},
		scopePhone:   {"phone_number"},
	}
}

// The members of the claims parameter, and what goes before a name that is stored.
const (
	inUserinfo = "userinfo"
	inIDToken  = "id_token"
)

// acrNone is the one authentication context there is: none that a standard names
// (ISO/IEC 29115; OpenID Connect Core section 2).
const acrNone = "0"

// claimsRequest is the claims parameter (OpenID Connect Core section 5.5).
type claimsRequest struct {
	Userinfo map[string]*claimRequest `json:"userinfo"`
	IDToken  map[string]*claimRequest `json:"id_token"`
}

// claimRequest is what is asked of one claim; nil if only that it be there.
type claimRequest struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// accepts reports whether a value is one of those that are asked for.
func (c *claimRequest) accepts(value string) bool {
	if c == nil || c.Value == nil && len(c.Values) == 0 {
		return true
	}
	return c.Value == any(value) || slices.Contains(c.Values, any(value))
}

// parseClaims reads the claims parameter; the zero request without one.
func parseClaims(text string) (claimsRequest, *protocolError) {
	var r claimsRequest
	if text == "" {
		return r, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return claimsRequest{}, badRequest(codeInvalidRequest, "The parameter claims is not what OpenID Connect Core section 5.5 says.")
	}
	if acr := r.IDToken["acr"]; acr != nil && acr.Essential && !acr.accepts(acrNone) {
		return claimsRequest{}, badRequest(codeUnmetRequirements, "No authentication context that the request names as essential is offered.")
	}
	return r, nil
}

// names returns what is asked for and the client may know: the scope that covers a
// claim must be one of its own. Claims nobody knows are ignored.
func (r claimsRequest) names(c *client) []string {
	var names []string
	for where, asked := range map[string]map[string]*claimRequest{inUserinfo: r.Userinfo, inIDToken: r.IDToken} {
		for scope, claims := range scopeClaims() {
			if !slices.Contains(c.app.Scopes, scope) {
				continue
			}
			for _, claim := range claims {
				if _, ok := asked[claim]; ok {
					names = append(names, where+"."+claim)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// scopes returns what the user is asked to allow: the scopes requested, and those
// that cover the claims requested.
func (r claimsRequest) scopes(c *client, all []string) []string {
	all = slices.Clone(all)
	for _, scope := range slices.Sorted(maps.Keys(scopeClaims())) {
		claims := scopeClaims()[scope]
		named := slices.ContainsFunc(r.names(c), func(name string) bool {
			_, claim, _ := strings.Cut(name, ".")
			return slices.Contains(claims, claim)
		})
		if named && !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// isFor reports whether the request is for the user with this subject, or for anyone.
func (r claimsRequest) isFor(subject string) bool {
	return r.IDToken["sub"].accepts(subject)
}

// requested returns the names of claims that a grant asked for in one place.
func requested(claims []string, where string) []string {
	var names []string
	for _, c := range claims {
		if name, ok := strings.CutPrefix(c, where+"."); ok {
			names = append(names, name)
		}
	}
	return names
}

// profileClaims returns the claims of the scopes, and those named, that have a
// value. sub is not among them: who it is depends on who asks.
func profileClaims(u provisioning.Profile, scopes, named []string) map[string]any {
	all := map[string]any{
		"name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName, "preferred_username": u.Login, "locale": u.Locale,
		"email": u.Email, "phone_number": u.PhoneNumber,
	}
	if u.Email != "" {
		all["email_verified"] = u.EmailVerified
	}
	claims := map[string]any{}
	for scope, names := range scopeClaims() {
		for _, name := range names {
			wanted := slices.Contains(scopes, scope) || slices.Contains(named, name)
			if v := all[name]; wanted && v != nil && v != "" {
				claims[name] = v
			}
		}
	}
	return claims
}
