package registration

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// apply makes an application of the metadata, on top of what the client cannot choose:
// whatever is left out takes its default, also when it was something else before (RFC
// 7592 section 2.2). The error is a [*Refusal].
func (m metadata) apply(a application.Application, p Policy) (application.Application, error) {
	if err := m.supported(); err != nil {
		return a, err
	}
	fresh := application.New(a.ClientID, m.name())
	fresh.SecretHash, fresh.Revision, fresh.CreatedAt, fresh.Enabled = a.SecretHash, a.Revision, a.CreatedAt, a.Enabled
	fresh.SelfRegistered = true
	fresh.RedirectURIs = m.RedirectURIs
	fresh.GrantTypes = known(m.GrantTypes, grantTypes(), application.GrantAuthorizationCode)
	fresh.InitiateLoginURI = m.InitiateLoginURI
	if m.ApplicationType != "" {
		fresh.Type = application.Type(m.ApplicationType)
	}
	if m.AuthMethod != "" {
		fresh.AuthMethod = application.AuthMethod(m.AuthMethod)
	}
	if m.IDTokenAlg != "" {
		fresh.IDTokenAlg = m.IDTokenAlg
	}
	if fresh.Scopes = p.allowed(words(m.Scope)); len(fresh.Scopes) == 0 {
		return a, invalid("scope", "has none of those an application can register for: "+strings.Join(p.Scopes, " "))
	}
	fresh.Settings = m.settings(fresh.AuthMethod, p)
	return fresh, nil
}

// settings are the safest there are, but for what the client chose.
func (m metadata) settings(auth application.AuthMethod, p Policy) application.Settings {
	s := application.Settings{
		Consent: application.ConsentAsk, PKCEOptional: p.PKCEOptional && auth != application.AuthNone,
		SubjectType: application.SubjectType(m.SubjectType), SectorIdentifierURI: m.SectorURI,
		RequirePushedRequests: m.RequirePushed, DPoPBoundAccessTokens: m.DPoPBound, UserinfoAlg: m.UserinfoAlg, DefaultMaxAge: m.DefaultMaxAge,
		PostLogoutRedirectURIs: m.PostLogoutURIs, BackchannelLogoutURI: m.BackchannelURI, FrontchannelLogoutURI: m.FrontchannelURI,
		About: application.About{
			Contacts: m.Contacts, ClientURI: m.ClientURI, LogoURI: m.LogoURI, PolicyURI: m.PolicyURI, TermsURI: m.TermsURI,
		},
	}
	if auth != application.AuthPrivateKeyJWT {
		return s // nothing else here would use its keys
	}
	s.AssertionAlg, s.JWKSURI = m.AuthAlg, m.JWKSURI
	if m.JWKS != nil {
		s.JWKS = &m.JWKS.JWKS
	}
	return s
}

// supported refuses what cannot be replaced: the client would rely on it.
func (m metadata) supported() error {
	switch {
	case len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code"):
		return invalid("response_types", "must contain code, which is the only one there is")
	case len(m.GrantTypes) > 0 && !slices.Contains(m.GrantTypes, application.GrantAuthorizationCode):
		return invalid("grant_types", "must contain authorization_code")
	case m.JWKS != nil && m.JWKSURI != "":
		return invalid("jwks_uri", "must not be beside jwks")
	case strings.ContainsFunc(m.ClientName, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid("client_name", "must be printable text")
	case m.DefaultMaxAge != nil && *m.DefaultMaxAge < 0:
		return invalid("default_max_age", "must not be negative")
	}
	for field, value := range map[string]string{
		"id_token_encrypted_response_alg": m.IDTokenEncAlg, "id_token_encrypted_response_enc": m.IDTokenEnc,
		"userinfo_encrypted_response_alg": m.UserinfoEncAlg, "userinfo_encrypted_response_enc": m.UserinfoEnc,
	} {
		if value != "" {
			return invalid(field, "is not supported: nothing is encrypted")
		}
	}
	return nil
}

// known returns the values that are known, once each; otherwise none were sent.
func known(wanted, all []string, otherwise string) []string {
	if len(wanted) == 0 {
		return []string{otherwise}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !slices.Contains(wanted, s) })
}

// name is what people are shown. Without one it is the host that answers go to, which
// says more than an id.
func (m metadata) name() string {
	if strings.TrimSpace(m.ClientName) != "" || len(m.RedirectURIs) == 0 {
		return m.ClientName
	}
	u, err := url.Parse(m.RedirectURIs[0])
	if err != nil || u.Hostname() == "" {
		return "Unnamed application"
	}
	return u.Hostname()
}

// metadataOf is what is registered now, as the client would have asked for it.
func metadataOf(a application.Application) metadata {
	yes := true
	m := metadata{
		RedirectURIs: a.RedirectURIs, ResponseTypes: []string{"code"}, GrantTypes: a.GrantTypes, ApplicationType: string(a.Type),
		ClientName: a.Name, Contacts: a.About.Contacts, ClientURI: a.About.ClientURI, LogoURI: a.About.LogoURI,
		PolicyURI: a.About.PolicyURI, TermsURI: a.About.TermsURI, Scope: strings.Join(a.Scopes, " "), SubjectType: string(cmp.Or(a.SubjectType, application.SubjectPublic)),
		SectorURI:  a.SectorIdentifierURI,
		AuthMethod: string(a.AuthMethod), AuthAlg: a.AssertionAlg, JWKSURI: a.JWKSURI, IDTokenAlg: a.IDTokenAlg,
		UserinfoAlg: a.UserinfoAlg, DefaultMaxAge: a.DefaultMaxAge, RequireAuthTime: &yes, InitiateLoginURI: a.InitiateLoginURI,
		PostLogoutURIs: a.PostLogoutRedirectURIs, BackchannelURI: a.BackchannelLogoutURI, FrontchannelURI: a.FrontchannelLogoutURI,
		RequirePushed: a.RequirePushedRequests, DPoPBound: a.DPoPBoundAccessTokens,
	}
	if a.JWKS != nil {
		m.JWKS = &keySet{*a.JWKS}
	}
	if a.BackchannelLogoutURI != "" {
		m.BackchannelSID = &yes // logout tokens always have sid
	}
	if a.FrontchannelLogoutURI != "" {
		m.FrontchannelSID = &yes
	}
	return m
}
