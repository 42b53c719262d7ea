package op

import (
	"context"
	"crypto/sha512"
	"errors"
	"html/template"
	"net/url"
	"time"

	josev3 "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/token/hmac"
	"github.com/ory/fosite/token/jwt"

	"github.com/anteroom-id/anteroom/authserver/device"
)

// Lifetimes says how long codes and tokens are good for.
type Lifetimes struct {
	Code            time.Duration // from the moment it is issued
	Access          time.Duration
	ID              time.Duration
	RefreshIdle     time.Duration // of a refresh token that is not used
	RefreshAbsolute time.Duration // of the whole family
}

// DefaultLifetimes returns what applies when nothing is configured.
func DefaultLifetimes() Lifetimes {
	const day = 24 * time.Hour
	return Lifetimes{Code: time.Minute, Access: time.Hour, ID: time.Hour, RefreshIdle: 30 * day, RefreshAbsolute: 180 * day}
}

func (l Lifetimes) check() error {
	for _, d := range []time.Duration{l.Code, l.Access, l.ID, l.RefreshIdle, l.RefreshAbsolute} {
		if d < time.Second {
			return errors.New("every lifetime must be at least a second")
		}
	}
	if l.RefreshIdle > l.RefreshAbsolute {
		return errors.New("a refresh token's idle lifetime exceeds its absolute one")
	}
	return nil
}

const hmacKeyBytes = 32

// newConfig sets every field that fosite would otherwise fill in on first use:
// its getters write to the Config without a lock.
func newConfig(issuer string, times Lifetimes, hmacKey []byte, authenticate fosite.ClientAuthenticationStrategy) *fosite.Config {
	return &fosite.Config{
		AccessTokenLifespan:                times.Access,
		RefreshTokenLifespan:               times.RefreshIdle,
		AuthorizeCodeLifespan:              times.Code,
		IDTokenLifespan:                    times.ID,
		VerifiableCredentialsNonceLifespan: times.Code,
		IDTokenIssuer:                      issuer,
		AccessTokenIssuer:                  issuer,
		TokenURL:                           issuer + PathToken,
		ScopeStrategy:                      fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:           fosite.ExactAudienceMatchingStrategy,
		EnforcePKCEForPublicClients:        true,
		AllowedPromptValues:                acceptedPrompts(),
		JWKSFetcherStrategy:                noFetcher{},
		TokenEntropy:                       hmacKeyBytes,
		RedirectSecureChecker:              func(context.Context, *url.URL) bool { return true }, // registration decides
		RefreshTokenScopes:                 []string{scopeOfflineAccess},
		MinParameterEntropy:                1, // the specifications set no minimum for state and nonce
		GrantTypeJWTBearerMaxDuration:      times.Code,
		ClientAuthenticationStrategy:       authenticate,
		ResponseModeHandlerExtension:       &fosite.DefaultResponseModeHandler{},
		FormPostHTMLTemplate:               template.New("unused"),
		OmitRedirectScopeParam:             true,
		SanitationWhiteList:                []string{"redirect_uri", "nonce", "code_challenge", "code_challenge_method", paramJKT},
		JWTScopeClaimKey:                   jwt.JWTScopeFieldString,
		ClientSecretsHasher:                noHasher{},
		GlobalSecret:                       hmacKey,
		HMACHasher:                         sha512.New512_256,
	}
}

// newChokePoint returns the strategy for codes, access and refresh tokens.
func newChokePoint(config *fosite.Config, jwts accessTokens) *chokePoint {
	return &chokePoint{oauth2.NewHMACSHAStrategyUnPrefixed(&hmac.HMACStrategy{Config: config}, config), jwts}
}

// newFosite puts the handlers together by hand: what is listed here is all that
// the server can answer.
func newFosite(config *fosite.Config, store *fositeStore, devices device.Store, core *chokePoint, s jwt.Signer) *fosite.Fosite {
	idTokens := &openid.IDTokenHandleHelper{
		IDTokenStrategy: &idTokenChokePoint{&openid.DefaultStrategy{Signer: s, Config: config}},
	}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: core, RefreshTokenStrategy: core, AuthorizeCodeStrategy: core,
		CoreStorage: store, TokenRevocationStorage: store, Config: config,
	}
	challenge := &burningPKCE{
		Handler: &pkce.Handler{AuthorizeCodeStrategy: core, Storage: store, Config: config},
		store:   store,
	}
	idToken := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   store,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(s, config),
		Config:                        config, IDTokenHandleHelper: idTokens,
	}
	config.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{code, challenge, idToken}
	config.TokenEndpointHandlers = fosite.TokenEndpointHandlers{
		code, challenge, idToken,
		&oauth2.RefreshTokenGrantHandler{
			AccessTokenStrategy: core, RefreshTokenStrategy: core, TokenRevocationStorage: store, Config: config,
		},
		&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: idTokens, Config: config},
		&oauth2.ClientCredentialsGrantHandler{
			HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: core, AccessTokenStorage: store, Config: config},
			Config:       config,
		},
		&deviceGrant{store: store, requests: devices, core: core, idTokens: idTokens, config: config},
	}
	return fosite.NewOAuth2Provider(store, config)
}

// burningPKCE uses up the code when the verifier is missing or wrong. Only who
// began the sign-in has the verifier, so a wrong one means that somebody else
// holds the code: it must not be tried again, neither with another verifier nor
// with none.
type burningPKCE struct {
	*pkce.Handler
	store *fositeStore
}

// HandleTokenEndpointRequest compares the verifier. Fosite calls it after it
// found the code valid and issued to this client.
func (h *burningPKCE) HandleTokenEndpointRequest(ctx context.Context, req fosite.AccessRequester) error {
	err := h.Handler.HandleTokenEndpointRequest(ctx, req)
	if err == nil || errors.Is(err, fosite.ErrUnknownRequest) || errors.Is(err, fosite.ErrServerError) {
		return err
	}
	signature := h.AuthorizeCodeStrategy.AuthorizeCodeSignature(ctx, req.GetRequestForm().Get("code"))
	if burnt := h.store.InvalidateAuthorizeCodeSession(ctx, signature); burnt != nil && !errors.Is(burnt, ErrUsed) {
		return fosite.ErrServerError.WithWrap(burnt)
	}
	return fosite.ErrInvalidGrant.WithWrap(err).WithHint("The code_verifier does not fit; the code can no longer be used.")
}

// noFetcher refuses to fetch keys: no client can make the server call out.
type noFetcher struct{}

// Resolve returns an error.
func (noFetcher) Resolve(context.Context, string, bool) (*josev3.JSONWebKeySet, error) {
	return nil, errUnsupported
}

// noHasher refuses to compare: client secrets are checked in authenticate.
type noHasher struct{}

// Compare returns an error.
func (noHasher) Compare(context.Context, []byte, []byte) error { return errUnsupported }

// Hash returns an error.
func (noHasher) Hash(context.Context, []byte) ([]byte, error) { return nil, errUnsupported }
