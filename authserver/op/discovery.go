package op

import (
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

// metadata is what the server says of itself (OpenID Connect Discovery 1.0
// section 3, RFC 8414 section 2). It lists what works and nothing else.
type metadata struct {
	Issuer                 string                    `json:"issuer"`
	AuthorizationEndpoint  string                    `json:"authorization_endpoint"`
	TokenEndpoint          string                    `json:"token_endpoint"`
	UserinfoEndpoint       string                    `json:"userinfo_endpoint"`
	IntrospectionEndpoint  string                    `json:"introspection_endpoint"`
	RevocationEndpoint     string                    `json:"revocation_endpoint"`
	EndSessionEndpoint     string                    `json:"end_session_endpoint"`
	RegistrationEndpoint   string                    `json:"registration_endpoint,omitempty"`
	JWKSURI                string                    `json:"jwks_uri"`
	Scopes                 []string                  `json:"scopes_supported"`
	ResponseTypes          []string                  `json:"response_types_supported"`
	ResponseModes          []string                  `json:"response_modes_supported"`
	GrantTypes             []string                  `json:"grant_types_supported"`
	SubjectTypes           []application.SubjectType `json:"subject_types_supported"`
	IDTokenAlgs            []keys.Alg                `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs           []string                  `json:"userinfo_signing_alg_values_supported"`
	AuthMethods            []application.AuthMethod  `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs               []jose.SignatureAlgorithm `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionMethods   []application.AuthMethod  `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgs      []jose.SignatureAlgorithm `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods      []application.AuthMethod  `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgs         []jose.SignatureAlgorithm `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Claims                 []string                  `json:"claims_supported"`
	ACRs                   []string                  `json:"acr_values_supported"`
	Prompts                []string                  `json:"prompt_values_supported"`
	ChallengeMethods       []string                  `json:"code_challenge_methods_supported"`
	ProofAlgs              []jose.SignatureAlgorithm `json:"dpop_signing_alg_values_supported"`
	IssParameter           bool                      `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameter        bool                      `json:"claims_parameter_supported"`
	BackchannelLogout      bool                      `json:"backchannel_logout_supported"`
	BackchannelSession     bool                      `json:"backchannel_logout_session_supported"`
	FrontchannelLogout     bool                      `json:"frontchannel_logout_supported"`
	FrontchannelSession    bool                      `json:"frontchannel_logout_session_supported"`
	RequestParameter       bool                      `json:"request_parameter_supported"`
	RequestURIParameter    bool                      `json:"request_uri_parameter_supported"`
	RequestURIRegistration bool                      `json:"require_request_uri_registration"`
	PushedEndpoint         string                    `json:"pushed_authorization_request_endpoint"`
	RequirePushed          bool                      `json:"require_pushed_authorization_requests"`
	DeviceEndpoint         string                    `json:"device_authorization_endpoint"`
}

func newMetadata(o Options) metadata {
	issuer, registration := o.Issuer, o.Registration
	if registration != "" {
		registration = issuer + registration
	}
	return metadata{
		Issuer:                issuer,
		RegistrationEndpoint:  registration,
		AuthorizationEndpoint: issuer + PathAuthorize,
		TokenEndpoint:         issuer + PathToken,
		UserinfoEndpoint:      issuer + PathUserinfo,
		IntrospectionEndpoint: issuer + PathIntrospect,
		RevocationEndpoint:    issuer + PathRevoke,
		EndSessionEndpoint:    issuer + PathLogout,
		JWKSURI:               issuer + PathKeys,
		PushedEndpoint:        issuer + PathPushed,
		RequirePushed:         o.RequirePushed,
		DeviceEndpoint:        issuer + PathDevice,
		Scopes:                []string{scopeOpenID, scopeProfile, scopeEmail, scopePhone, scopeOfflineAccess, scopeProvisioning},
		ResponseTypes:         []string{responseTypeCode},
		ResponseModes:         responseModes(),
		GrantTypes:            grantTypes(),
		SubjectTypes:          []application.SubjectType{application.SubjectPublic, application.SubjectPairwise},
		IDTokenAlgs:           keys.Algs(),
		UserinfoAlgs:          application.SigningAlgs(),
		AuthMethods:           append(provingMethods(), application.AuthNone),
		AuthAlgs:              application.AssertionAlgs(),
		IntrospectionMethods:  provingMethods(),
		IntrospectionAlgs:     application.AssertionAlgs(),
		RevocationMethods:     append(provingMethods(), application.AuthNone),
		RevocationAlgs:        application.AssertionAlgs(),
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", claimSID, "name", "given_name", "family_name",
			"preferred_username", "locale", "email", "email_verified", "phone_number", claimProvisioned,
		},
		Prompts:          acceptedPrompts(),
		ChallengeMethods: []string{methodS256},
		ProofAlgs:        proofAlgs(),
		IssParameter:     true,
		ClaimsParameter:  true,
		ACRs:             []string{acrNone},

		BackchannelLogout: true, BackchannelSession: true, FrontchannelLogout: true, FrontchannelSession: true,
	}
}

// provingMethods are how confidential clients authenticate.
func provingMethods() []application.AuthMethod {
	return []application.AuthMethod{application.AuthBasic, application.AuthPost, application.AuthPrivateKeyJWT}
}

// grantTypes returns what the token endpoint answers.
func grantTypes() []string {
	return []string{application.GrantAuthorizationCode, application.GrantRefreshToken, application.GrantClientCredentials, application.GrantDeviceCode}
}

func (p *Provider) discovery(w http.ResponseWriter, r *http.Request) {
	p.writeJSON(w, r, http.StatusOK, p.metadata)
}

// keysMaxAge is how long applications may cache the key set, in seconds. A new
// key must be published longer than that before it signs.
const keysMaxAge = "300"

func (p *Provider) publicKeys(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age="+keysMaxAge)
	p.writeJSON(w, r, http.StatusOK, p.keys.Public())
}

// writeJSON answers with v. An encoding error means v is not what it was made
// to be; by then the status is not sent.
func (p *Provider) writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		p.log.ErrorContext(r.Context(), "encode response", "error", err)
		http.Error(w, `{"error":"server_error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means the client is gone
}
