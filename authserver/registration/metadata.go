package registration

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// metadata are the client metadata that mean something here (OpenID Connect Dynamic
// Client Registration 1.0 section 2, RFC 7591 section 2, and the logout and pushed
// request specifications). Others are ignored, as both say.
type metadata struct {
	RedirectURIs     []string `json:"redirect_uris"`
	ResponseTypes    []string `json:"response_types,omitempty"`
	GrantTypes       []string `json:"grant_types,omitempty"`
	ApplicationType  string   `json:"application_type,omitempty"`
	ClientName       string   `json:"client_name,omitempty"`
	Contacts         []string `json:"contacts,omitempty"`
	ClientURI        string   `json:"client_uri,omitempty"`
	LogoURI          string   `json:"logo_uri,omitempty"`
	PolicyURI        string   `json:"policy_uri,omitempty"`
	TermsURI         string   `json:"tos_uri,omitempty"`
	Scope            string   `json:"scope,omitempty"`
	SubjectType      string   `json:"subject_type,omitempty"`
	SectorURI        string   `json:"sector_identifier_uri,omitempty"`
	AuthMethod       string   `json:"token_endpoint_auth_method,omitempty"`
	AuthAlg          string   `json:"token_endpoint_auth_signing_alg,omitempty"`
	JWKSURI          string   `json:"jwks_uri,omitempty"`
	JWKS             *keySet  `json:"jwks,omitempty"`
	IDTokenAlg       string   `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg      string   `json:"userinfo_signed_response_alg,omitempty"`
	DefaultMaxAge    *int64   `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime  *bool    `json:"require_auth_time,omitempty"`
	InitiateLoginURI string   `json:"initiate_login_uri,omitempty"`
	PostLogoutURIs   []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelURI   string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelSID   *bool    `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelURI  string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSID  *bool    `json:"frontchannel_logout_session_required,omitempty"`
	DPoPBound        bool     `json:"dpop_bound_access_tokens,omitempty"` // RFC 9449 section 5.2
	RequirePushed    bool     `json:"require_pushed_authorization_requests,omitempty"`
	encryption
}

// encryption are the metadata by which a client asks for encrypted answers.
// There are none, and who wants them must not believe to get them.
type encryption struct {
	IDTokenEncAlg  string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenEnc     string `json:"id_token_encrypted_response_enc,omitempty"`
	UserinfoEncAlg string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoEnc    string `json:"userinfo_encrypted_response_enc,omitempty"`
}

// update is what a client sends to change its registration (RFC 7592 section 2.2).
type update struct {
	metadata
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	// These it must not send.
	Token     json.RawMessage `json:"registration_access_token"`
	URI       json.RawMessage `json:"registration_client_uri"`
	IssuedAt  json.RawMessage `json:"client_id_issued_at"`
	ExpiresAt json.RawMessage `json:"client_secret_expires_at"`
}

// decode reads a body. An error names the field that has the wrong type.
func decode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return invalid(wrong.Field, "has the wrong type: "+wrong.Value)
	}
	if own, ok := errors.AsType[*Refusal](err); ok {
		return own
	}
	if err != nil {
		return &Refusal{Code: CodeInvalidMetadata, Text: "the body is not a JSON object"}
	}
	return nil
}

// keySet is a JWK Set of which only the keys are kept that this server can use (RFC
// 7517 section 5).
type keySet struct{ application.JWKS }

// UnmarshalJSON refuses private and shared keys: who sends one gives it away.
func (s *keySet) UnmarshalJSON(text []byte) error {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return invalid("jwks", "is no JWK Set")
	}
	for _, raw := range set.Keys {
		var secret struct {
			D json.RawMessage `json:"d"`
			K json.RawMessage `json:"k"`
		}
		var key application.JWK
		if json.Unmarshal(raw, &secret) != nil || json.Unmarshal(raw, &key) != nil {
			return invalid("jwks", "has a key that is none")
		}
		if secret.D != nil || secret.K != nil {
			return invalid("jwks", "has a private or shared key")
		}
		if _, err := key.PublicKey(); err == nil {
			s.Keys = append(s.Keys, key)
		}
	}
	return nil
}

// MarshalJSON writes the keys that were kept.
func (s *keySet) MarshalJSON() ([]byte, error) { return json.Marshal(s.JWKS) }

func words(text string) []string { return strings.Fields(text) }
