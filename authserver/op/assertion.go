package op

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The bounds of a client assertion.
const (
	// maxAssertionLife is how far ahead its exp may be: its jti is kept that long.
	// Libraries make assertions good for up to an hour.
	maxAssertionLife = time.Hour
	// clockSkew is how much the client's clock may differ.
	clockSkew         = 30 * time.Second
	maxAssertionBytes = 8 << 10
	maxJTIBytes       = 256
)

// AssertionStore remembers the client assertions that were used.
type AssertionStore interface {
	// UseAssertion marks the assertion used until it has expired, or returns ErrUsed.
	// Of concurrent calls with one hash one succeeds.
	UseAssertion(ctx context.Context, hash TokenHash, expiresAt time.Time) error
}

// ClientKeys are the keys that applications publish; *clientkeys.Cache is one.
type ClientKeys interface {
	// Keys returns the keys at a jwks_uri, asked for anew when none has the kid.
	Keys(ctx context.Context, uri, kid string) ([]jose.JSONWebKey, error)
}

// assertion is a client assertion (RFC 7523 section 3), parsed but not verified.
type assertion struct {
	jws    *jose.JSONWebSignature
	header jose.Header
	claims assertionClaims
}

type assertionClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	ID        string   `json:"jti"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
}

// assertionCredentials reads a client assertion and whose it says it is.
func assertionCredentials(r *http.Request, form url.Values) (credentials, *protocolError) {
	if r.Header.Get("Authorization") != "" || form.Get("client_secret") != "" {
		return credentials{}, badRequest(codeInvalidRequest, "The client used more than one way to authenticate.")
	}
	if form.Get("client_assertion_type") != assertionType {
		return credentials{}, badAssertion("client_assertion_type must be " + assertionType)
	}
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil {
		return credentials{}, badAssertion(err.Error())
	}
	if form.Has("client_id") && form.Get("client_id") != a.claims.Subject {
		return credentials{}, badRequest(codeInvalidRequest, "The client_id in the body is not the one that authenticated.")
	}
	return credentials{id: provisioning.ClientID(a.claims.Subject), method: application.AuthPrivateKeyJWT, assertion: a}, nil
}

// parseAssertion checks what can be checked without a key. Its errors are for the
// client to read.
func parseAssertion(text string) (*assertion, error) {
	if len(text) > maxAssertionBytes {
		return nil, errors.New("it is too long")
	}
	jws, err := jose.ParseSignedCompact(text, application.AssertionAlgs())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("it is not a JWT signed with RS256, PS256, ES256 or EdDSA")
	}
	a := &assertion{jws: jws, header: jws.Signatures[0].Protected}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &a.claims); err != nil {
		return nil, errors.New("a claim has the wrong type")
	}
	c := a.claims
	switch {
	case c.Subject == "" || c.Issuer != c.Subject:
		return nil, errors.New("iss and sub must be the client_id")
	case len(c.Audience) == 0:
		return nil, errors.New("aud is missing")
	case c.ID == "" || len(c.ID) > maxJTIBytes:
		return nil, errors.New("jti is missing or too long")
	case c.Expires == nil:
		return nil, errors.New("exp is missing")
	}
	return a, nil
}

func badAssertion(reason string) *protocolError {
	fail := invalidClient()
	fail.Description = "The client_assertion was not accepted: " + reason + "."
	return fail
}

// verifyAssertion proves that the assertion is the application's, for us, valid now
// and not used before. It is used up last: nobody else can use up a jti.
func (p *Provider) verifyAssertion(ctx context.Context, path string, app application.Application, a *assertion) *protocolError {
	if app.AssertionAlg != "" && app.AssertionAlg != a.header.Algorithm {
		return badAssertion("its algorithm is not the one the application registered")
	}
	keys, err := p.assertionKeys(ctx, app, a.header.KeyID)
	if err != nil {
		p.log.WarnContext(ctx, "read keys of application", "client_id", app.ClientID, "error", err)
		return badAssertion("the application's keys could not be read")
	}
	if !signedBy(keys, a) {
		return badAssertion("no key of the application verifies it")
	}
	if !p.alone(path, a.claims.Audience) {
		return badAssertion("aud must be the issuer or the token endpoint, and nobody else")
	}
	expires, err := a.claims.valid(p.now())
	if err != nil {
		return badAssertion(err.Error())
	}
	err = p.assertions.UseAssertion(ctx, a.claims.hash(), expires.Add(clockSkew))
	if errors.Is(err, ErrUsed) {
		return badAssertion("its jti was used before")
	}
	if err != nil {
		return internalError(err)
	}
	return nil
}

// alone reports whether the audience is this server under any of its names, and no
// other: who is named beside us could use the assertion here.
func (p *Provider) alone(path string, audience []string) bool {
	names := []string{p.issuer, p.issuer + PathToken, p.issuer + path}
	return !slices.ContainsFunc(audience, func(name string) bool { return !slices.Contains(names, name) })
}

func (p *Provider) assertionKeys(ctx context.Context, app application.Application, kid string) ([]jose.JSONWebKey, error) {
	if app.JWKS == nil {
		return p.clientKeys.Keys(ctx, app.JWKSURI, kid)
	}
	keys := make([]jose.JSONWebKey, 0, len(app.JWKS.Keys))
	for _, k := range app.JWKS.Keys {
		key, err := k.PublicKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// signedBy tries the keys that the header can mean. A key inside the header means
// nothing, and the key, not the header, decides what algorithms there are.
func signedBy(keys []jose.JSONWebKey, a *assertion) bool {
	return slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool {
		if a.header.KeyID != "" && k.KeyID != a.header.KeyID || !application.KeyFits(k, jose.SignatureAlgorithm(a.header.Algorithm)) {
			return false
		}
		_, err := a.jws.Verify(k.Key)
		return err == nil
	})
}

// valid checks the times and returns exp.
func (c assertionClaims) valid(now time.Time) (time.Time, error) {
	expires, ok := numericDate(c.Expires)
	if !ok || !now.Before(expires.Add(clockSkew)) {
		return expires, errors.New("it has expired")
	}
	if expires.After(now.Add(maxAssertionLife + clockSkew)) {
		return expires, errors.New("exp is more than an hour ahead")
	}
	for _, from := range []*float64{c.NotBefore, c.IssuedAt} {
		if from == nil {
			continue
		}
		if at, ok := numericDate(from); !ok || at.After(now.Add(clockSkew)) {
			return expires, errors.New("nbf or iat is in the future")
		}
	}
	return expires, nil
}

// numericDate converts seconds (RFC 7519 section 2), false for none a time can hold.
func numericDate(seconds *float64) (time.Time, bool) {
	if *seconds < 0 || *seconds > math.MaxInt32*100 {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(*seconds * 1e6)).UTC(), true
}

// hash names the assertion among those of its client: another client's jti is
// another one.
func (c assertionClaims) hash() TokenHash {
	client := sha256.Sum256([]byte(c.Subject))
	sum := sha256.Sum256(append(client[:], c.ID...))
	return TokenHash(sum[:])
}
