package op

import (
	"context"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"github.com/anteroom-id/anteroom/provisioning"
)

// errNoPermit is what the strategies answer without a permit. It is a
// server_error to the application: an endpoint forgot to ask the gate.
var errNoPermit = fosite.ErrServerError.WithDebug("minting was refused: there is no permit for this application and subject")

// permitted refuses unless the context carries a permit for exactly the client
// and subject of the request.
func permitted(ctx context.Context, req fosite.Requester) error {
	if req == nil || req.GetClient() == nil || req.GetSession() == nil {
		return errNoPermit
	}
	c, subject := provisioning.ClientID(req.GetClient().GetID()), provisioning.UserID(req.GetSession().GetSubject())
	if c == "" || !provisioning.PermitFrom(ctx).Allows(c, subject) {
		return errNoPermit
	}
	return nil
}

// chokePoint is the one place where codes, access and refresh tokens are made. It refuses
// to make any without a permit, whatever handler asks. It also replaces fosite's
// signatures by hashes of the whole token: to name a row one must have all of
// the token, not its second half.
type chokePoint struct {
	inner oauth2.CoreStrategy
	jwts  accessTokens
}

var _ oauth2.CoreStrategy = (*chokePoint)(nil)

func hashed(token, _ string, err error) (string, string, error) {
	if err != nil {
		return "", "", err
	}
	return token, string(HashToken(token)), nil
}

// GenerateAuthorizeCode makes a code for a permitted request.
func (c *chokePoint) GenerateAuthorizeCode(ctx context.Context, req fosite.Requester) (string, string, error) {
	if err := permitted(ctx, req); err != nil {
		return "", "", err
	}
	return hashed(c.inner.GenerateAuthorizeCode(ctx, req))
}

// GenerateAccessToken makes an access token for a permitted request, opaque or a JWT.
func (c *chokePoint) GenerateAccessToken(ctx context.Context, req fosite.Requester) (string, string, error) {
	if err := permitted(ctx, req); err != nil {
		return "", "", err
	}
	if alg, ok := unitFrom(ctx).signedWith(); ok {
		token, err := c.jwts.sign(ctx, alg, req)
		return hashed(token, "", err)
	}
	return hashed(c.inner.GenerateAccessToken(ctx, req))
}

// GenerateRefreshToken makes a refresh token for a permitted request.
func (c *chokePoint) GenerateRefreshToken(ctx context.Context, req fosite.Requester) (string, string, error) {
	if err := permitted(ctx, req); err != nil {
		return "", "", err
	}
	return hashed(c.inner.GenerateRefreshToken(ctx, req))
}

// AuthorizeCodeSignature returns the hash the code is stored under.
func (c *chokePoint) AuthorizeCodeSignature(_ context.Context, token string) string {
	return string(HashToken(token))
}

// AccessTokenSignature returns the hash the token is stored under.
func (c *chokePoint) AccessTokenSignature(_ context.Context, token string) string {
	return string(HashToken(token))
}

// RefreshTokenSignature returns the hash the token is stored under.
func (c *chokePoint) RefreshTokenSignature(_ context.Context, token string) string {
	return string(HashToken(token))
}

// ValidateAuthorizeCode checks the code's expiry and HMAC.
func (c *chokePoint) ValidateAuthorizeCode(ctx context.Context, req fosite.Requester, token string) error {
	return c.inner.ValidateAuthorizeCode(ctx, req, token)
}

// ValidateAccessToken checks the token's expiry and HMAC, or the signature of a JWT,
// which expires when its row does.
func (c *chokePoint) ValidateAccessToken(ctx context.Context, req fosite.Requester, token string) error {
	if isJWT(token) {
		_, err := c.jwts.keys.VerifyAccessToken(ctx, token)
		return err
	}
	return c.inner.ValidateAccessToken(ctx, req, token)
}

// ValidateRefreshToken checks the token's expiry and HMAC.
func (c *chokePoint) ValidateRefreshToken(ctx context.Context, req fosite.Requester, token string) error {
	return c.inner.ValidateRefreshToken(ctx, req, token)
}

// idTokenChokePoint is the same for ID tokens.
type idTokenChokePoint struct {
	inner openid.OpenIDConnectTokenStrategy
}

var _ openid.OpenIDConnectTokenStrategy = (*idTokenChokePoint)(nil)

// GenerateIDToken makes an ID token for a permitted request, signed with the
// algorithm its client registered.
func (c *idTokenChokePoint) GenerateIDToken(ctx context.Context, lifespan time.Duration, req fosite.Requester) (string, error) {
	if err := permitted(ctx, req); err != nil {
		return "", err
	}
	if own, ok := req.GetClient().(*client); ok {
		ctx = withAlg(ctx, own.app.IDTokenAlg)
	}
	return c.inner.GenerateIDToken(ctx, lifespan, req)
}
