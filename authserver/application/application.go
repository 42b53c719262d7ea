// Package application owns OAuth clients: what an application is, how it is
// checked when it changes, and how it proves itself with a client secret.
//
// It does not own bindings (package provisioning), their SQL (package store) or
// the protocol (package op).
package application

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Console is the client_id of the server's own console. No other application may have
// it, and no binding is for it.
const Console provisioning.ClientID = "anteroom-admin"

// Application is an OAuth client.
type Application struct {
	ClientID     provisioning.ClientID
	Name         string // shown to people
	RedirectURIs []string
	Type         Type
	AuthMethod   AuthMethod
	// SecretHash is "" for a public client. Generated secrets have 256 random
	// bits, so a fast hash suffices.
	SecretHash string
	GrantTypes []string // those of the Grant constants
	Scopes     []string // what it may ask for
	// IDTokenAlg signs its ID and logout tokens: RS256 (the default, OpenID Connect
	// Core 1.0 section 3.1.3.7), ES256 or EdDSA. Client metadata call it
	// id_token_signed_response_alg.
	IDTokenAlg string
	// InitiateLoginURI is where a lost user is sent back to; may be "".
	InitiateLoginURI string
	Registration     bool // people may register themselves through it
	Enabled          bool
	// SelfRegistered is set when no admin made it: it registered itself (RFC 7591), and
	// may change and remove itself.
	SelfRegistered bool
	Settings
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Type says where an application runs (OpenID Connect Dynamic Client
// Registration 1.0, application_type).
type Type string

// The application types. Only native ones get any port on a loopback redirect.
const (
	TypeWeb    Type = "web"
	TypeNative Type = "native"
)

// AuthMethod is a token_endpoint_auth_method.
type AuthMethod string

// The ways a client authenticates at the token endpoint.
const (
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
	AuthNone  AuthMethod = "none"
	// AuthPrivateKeyJWT is an assertion signed with the application's own key (RFC
	// 7523, OpenID Connect Core 1.0 section 9).
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"
)

// UsesSecret reports whether the method needs a client secret.
func (m AuthMethod) UsesSecret() bool { return m == AuthBasic || m == AuthPost }
