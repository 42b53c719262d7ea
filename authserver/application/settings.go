package application

import (
	"fmt"
	"slices"
	"time"
)

// Settings are what an application chooses of the protocol. Each left out is its
// zero value, which is the default. The names are those of OpenID Connect client
// metadata where it has one.
type Settings struct {
	// PKCEOptional lets a confidential application do without PKCE (RFC 9700 section
	// 2.1.1 wants it to use a nonce then). A code that was asked for with a challenge
	// still needs its verifier.
	PKCEOptional bool `yaml:"pkce_optional,omitempty" json:"pkce_optional,omitempty"`
	// RequirePushedRequests refuses authorization requests that were not pushed (RFC
	// 9126 section 6).
	RequirePushedRequests bool `yaml:"require_pushed_authorization_requests,omitempty" json:"require_pushed_authorization_requests,omitempty"`
	// DPoPBoundAccessTokens refuses to issue bearer tokens: the application must send a
	// DPoP proof with every token request (RFC 9449 section 5.2).
	DPoPBoundAccessTokens bool `yaml:"dpop_bound_access_tokens,omitempty" json:"dpop_bound_access_tokens,omitempty"`
	// JWKS and JWKSURI are the application's public keys, or where it publishes them;
	// private_key_jwt needs one of the two.
	JWKS    *JWKS  `yaml:"jwks,omitempty" json:"jwks,omitempty"`
	JWKSURI string `yaml:"jwks_uri,omitempty" json:"jwks_uri,omitempty"`
	// AssertionAlg is the one algorithm its client assertions may have, of
	// [AssertionAlgs]; "" allows each that fits the key.
	AssertionAlg string `yaml:"token_endpoint_auth_signing_alg,omitempty" json:"token_endpoint_auth_signing_alg,omitempty"`
	// DefaultMaxAge is the max_age of requests that have none, in seconds; nil for none
	// (OpenID Connect Dynamic Client Registration 1.0 section 2).
	DefaultMaxAge *int64 `yaml:"default_max_age,omitempty" json:"default_max_age,omitempty"`
	About         `yaml:",inline"`
	// Consent says whether people are asked before the application learns of them.
	Consent Consent `yaml:"consent,omitempty" json:"consent,omitempty"`
	// PostLogoutRedirectURIs are where a browser may go after the user signed out
	// (OpenID Connect RP-Initiated Logout 1.0 section 3.1).
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris,omitempty" json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is told by the server that a session ended (OpenID Connect
	// Back-Channel Logout 1.0 section 2.2).
	BackchannelLogoutURI string `yaml:"backchannel_logout_uri,omitempty" json:"backchannel_logout_uri,omitempty"`
	// FrontchannelLogoutURI is loaded in the browser when a session ends (OpenID
	// Connect Front-Channel Logout 1.0 section 2).
	FrontchannelLogoutURI string `yaml:"frontchannel_logout_uri,omitempty" json:"frontchannel_logout_uri,omitempty"`
	// UserinfoAlg is what signs the answers of the userinfo endpoint, one of
	// [SigningAlgs]; "" leaves them plain JSON (OpenID Connect Core 1.0 section 5.3.2).
	UserinfoAlg string `yaml:"userinfo_signed_response_alg,omitempty" json:"userinfo_signed_response_alg,omitempty"`
	// AccessTokenFormat is that of access tokens which are not for a resource server;
	// "" is [TokenOpaque]. A JWT is signed as the application's ID tokens are.
	AccessTokenFormat TokenFormat `yaml:"access_token_format,omitempty" json:"access_token_format,omitempty"`
	// CORSOrigins are the origins whose pages may read what the application's requests
	// are answered, such as https://app.example.com. Without any no page may.
	CORSOrigins []string `yaml:"cors_origins,omitempty" json:"cors_origins,omitempty"`
	// RefreshGrace is how long a refresh token that was used may be used again, such as
	// "30s", for a client whose answer was lost; "0s" is never, "" takes
	// DefaultRefreshGrace. See [Settings.Grace].
	RefreshGrace string `yaml:"refresh_grace,omitempty" json:"refresh_grace,omitempty"`
	// SubjectType says whether the application knows users by the same subject as
	// others do. See [Application.Sector].
	SubjectType SubjectType `yaml:"subject_type,omitempty" json:"subject_type,omitempty"`
	// SectorIdentifierURI lists the redirect URIs of all applications of a sector, which
	// know a user by the same pairwise subject (OpenID Connect Core 1.0 section 8.1).
	SectorIdentifierURI string `yaml:"sector_identifier_uri,omitempty" json:"sector_identifier_uri,omitempty"`
}

// The default and the limit of [Settings.RefreshGrace]. Retries come within seconds;
// for longer, a stolen token would be as good as its successor.
const (
	DefaultRefreshGrace = 10 * time.Second
	maxRefreshGrace     = time.Minute
)

// Grace returns what RefreshGrace says. One that is not valid gives none.
func (s Settings) Grace() time.Duration {
	if s.RefreshGrace == "" {
		return DefaultRefreshGrace
	}
	d, err := parseGrace(s.RefreshGrace)
	if err != nil {
		return 0
	}
	return d
}

func parseGrace(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxRefreshGrace {
		return 0, fmt.Errorf("must be a duration from 0s to %s, such as 30s", maxRefreshGrace)
	}
	return d, nil
}

// Consent says who decides what an application learns of a user.
type Consent string

// The values of [Consent]. The default is for an organisation's own applications:
// who registered one decided for everybody.
const (
	ConsentSkip Consent = "skip"
	ConsentAsk  Consent = "ask" // each user, once for each scope
)

// HearsLogout reports whether the application wants to know when a session ends.
func (s Settings) HearsLogout() bool {
	return s.BackchannelLogoutURI != "" || s.FrontchannelLogoutURI != ""
}

func (a Application) checkSettings(p *Problems) {
	for i, raw := range a.PostLogoutRedirectURIs {
		field := fmt.Sprintf("post_logout_redirect_uris[%d]", i)
		if err := a.checkRedirectURI(raw); err != nil {
			p.add(field, err.Error())
		}
		if slices.Contains(a.PostLogoutRedirectURIs[:i], raw) {
			p.add(field, "is there twice")
		}
	}
	for i, raw := range a.CORSOrigins {
		field := fmt.Sprintf("cors_origins[%d]", i)
		if err := checkOrigin(raw); err != nil {
			p.add(field, err.Error())
		}
		if slices.Contains(a.CORSOrigins[:i], raw) {
			p.add(field, "is there twice")
		}
	}
	if a.Consent != "" && a.Consent != ConsentSkip && a.Consent != ConsentAsk {
		p.add("consent", "must be skip or ask")
	}
	if a.PKCEOptional && a.AuthMethod == AuthNone {
		p.add("pkce_optional", "is for applications that authenticate")
	}
	if a.RequirePushedRequests && !slices.Contains(a.GrantTypes, GrantAuthorizationCode) {
		p.add("require_pushed_authorization_requests", "is for applications with the grant type authorization_code")
	}
	if a.UserinfoAlg != "" {
		p.checkSigningAlg("userinfo_signed_response_alg", a.UserinfoAlg)
	}
	if err := a.AccessTokenFormat.Check(); err != nil {
		p.add("access_token_format", err.Error())
	}
	a.checkAssertionAlg(p)
	a.About.check(p)
	if a.DefaultMaxAge != nil && (*a.DefaultMaxAge < 0 || *a.DefaultMaxAge > MaxMaxAge) {
		p.add("default_max_age", fmt.Sprintf("must be from 0 to %d seconds", MaxMaxAge))
	}
	if a.RefreshGrace != "" {
		if _, err := parseGrace(a.RefreshGrace); err != nil {
			p.add("refresh_grace", err.Error())
		}
	}
	if a.BackchannelLogoutURI != "" {
		if err := checkWebURI(a.BackchannelLogoutURI); err != nil {
			p.add("backchannel_logout_uri", err.Error())
		}
	}
	a.checkSector(p)
	if a.FrontchannelLogoutURI != "" && !a.ownOrigin(a.FrontchannelLogoutURI) {
		p.add("frontchannel_logout_uri", "must have scheme, host and port of a redirect URI")
	}
}

// ownOrigin reports whether a web URI has the origin of a redirect URI: we show it
// in a frame, so it must be the application's own.
func (a Application) ownOrigin(raw string) bool {
	u, err := parseURI(raw)
	return err == nil && checkWebURL(u) == nil && slices.ContainsFunc(a.RedirectURIs, func(redirect string) bool {
		r, err := parseURI(redirect)
		return err == nil && r.Scheme == u.Scheme && r.Host == u.Host
	})
}
